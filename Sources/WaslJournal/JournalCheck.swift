import GRDB

/// A whole check of a journal's file, for people: reads only.
public enum JournalCheck {
    /// What is wrong, naming the place; `nil` when nothing is.
    public static func damage(path: String) throws -> String? {
        var configuration = Configuration()
        configuration.readonly = true
        do {
            return try DatabaseQueue(path: path, configuration: configuration).read { db in
                let result = try String.fetchOne(db, sql: "PRAGMA integrity_check(1)") ?? "no answer"
                if result != "ok" { return result }
                // A crash in the very first start: no table, so nothing that was ever acknowledged.
                if try !db.tableExists("outbox") {
                    return try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM sqlite_master") == 0 || db.tableExists("grdb_migrations")
                        ? nil : "not a journal: it has no outbox"
                }
                return try JournalStore.chainDamage(db, last: nil)
            }
        } catch let error as DatabaseError {
            return error.message ?? "unreadable"
        }
    }
}
