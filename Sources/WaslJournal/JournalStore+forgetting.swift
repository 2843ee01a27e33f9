import GRDB

extension JournalStore {
    /// A transaction whose deletions leave nothing behind: SQLite only marks a deleted row's place as free, and its log keeps the page as
    /// it was. For what should not have been there.
    package func forgettingTransaction<Result>(_ steps: (JournalTransaction) throws -> Result) throws -> Result {
        try writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA secure_delete = ON") }
        defer { try? writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA secure_delete = OFF") } }
        let number = writer.writeWithoutTransaction { $0.totalChangesCount }
        let result = try transaction(steps).result
        try writer.writeWithoutTransaction { db in
            if writer is DatabasePool, db.totalChangesCount != number { _ = try db.checkpoint(.truncate) }
        }
        return result
    }
}
