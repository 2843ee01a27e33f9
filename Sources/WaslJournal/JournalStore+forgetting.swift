import GRDB

extension JournalStore {
    /// A transaction whose deletions leave nothing behind: SQLite only marks a deleted row's place as free, and its log keeps the page as
    /// it was. For what should not have been there.
    package func forgettingTransaction<Result>(_ steps: (JournalTransaction) throws -> Result) throws -> Result {
        let before = try writer.writeWithoutTransaction { db in
            let before = try Int.fetchOne(db, sql: "PRAGMA secure_delete") ?? 0
            try db.execute(sql: "PRAGMA secure_delete = ON")
            return before
        }
        // As it was: some builds of SQLite begin with it on. `FAST` is read as 2 and set by its name alone.
        let restored = before == 2 ? "FAST" : "\(before)"
        defer { try? writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA secure_delete = \(restored)") } }
        let number = writer.writeWithoutTransaction { $0.totalChangesCount }
        let result = try transaction(steps).result
        try writer.writeWithoutTransaction { db in
            if writer is DatabasePool, db.totalChangesCount != number { _ = try db.checkpoint(.truncate) }
        }
        return result
    }
}
