package import GRDB

/// A journal's file and head file in memory, for simulation: it outlives the store that used it, as a disk outlives a process.
package final class MemoryDisk: HeadRecord {
    let queue: DatabaseQueue
    private var head: JournalHead?

    /// - Parameter template: a journal that is new but for its tables: quicker than making them each time.
    package init(template: DatabaseQueue? = nil) throws {
        var configuration = Configuration()
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY") }
        queue = try DatabaseQueue(configuration: configuration)
        try template?.backup(to: queue)
    }

    func read() -> JournalHead? { head }
    func write(_ head: JournalHead, synced: Bool) { self.head = head }
    func replace(with head: JournalHead) { self.head = head }

    /// The tables of every journal and of one role, and nothing in them.
    package static func template(migrations: (inout DatabaseMigrator) -> Void) throws -> DatabaseQueue {
        let queue = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        JournalSchema.register(in: &migrator)
        migrations(&migrator)
        try migrator.migrate(queue)
        return queue
    }

    /// The database as it is now; the head file is kept outside backups.
    package func backUp() throws -> DatabaseQueue {
        let copy = try DatabaseQueue()
        try queue.backup(to: copy)
        return copy
    }

    /// Puts a backup back.
    package func restore(_ backup: DatabaseQueue) throws { try backup.backup(to: queue) }

    /// A full disk: the file may not grow by a page from now on.
    package func setFull(_ isFull: Bool) throws {
        try queue.writeWithoutTransaction { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(isFull ? pages : 1_073_741_823)")
        }
    }
}
