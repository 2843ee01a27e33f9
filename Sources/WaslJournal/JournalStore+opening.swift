import Foundation
public import GRDB
import WaslModel
import WaslSeal

/// What is looked at before a journal is written to.
extension JournalStore {
    static func openDatabase(path: String?) throws -> any DatabaseWriter {
        var configuration = Configuration()
        configuration.maximumReaderCount = 2
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000; PRAGMA foreign_keys = ON")
        }
        guard let path else { return try DatabaseQueue(configuration: configuration) }
        let pool = try DatabasePool(path: path, configuration: configuration)
        // Opening in WAL mode may lower it to NORMAL, under which a power cut takes back what was acknowledged.
        try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        return pool
    }

    /// A small file is checked whole; a large one at its lane's end, so that a daemon is ready within a second.
    ///
    /// By a connection that only reads, before any other is opened: what is found damaged stays as it was found.
    static func checkQuickly(_ migrator: DatabaseMigrator, path: String) throws {
        // Killed in the very first start, before the file was in WAL mode: only a writer can roll that back, and nothing was acknowledged.
        if FileManager.default.fileExists(atPath: path + "-journal") { return }
        var configuration = Configuration()
        configuration.readonly = true
        let reader = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? reader.close() }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber)?.int64Value ?? 0
        let damage = try reader.read { db -> String? in
            if size < 32 << 20 {
                let result = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "no answer"
                if result != "ok" { return result }
            }
            // A crash in the very first start may have left a file without tables.
            guard try db.tableExists("outbox") else { return nil }
            let applied = try migrator.appliedIdentifiers(db)
            guard applied.contains("journal-1"), applied.isSubset(of: migrator.migrations) else {
                return "its schema is not one that this version knows"
            }
            return try chainDamage(db, last: 200)
        }
        if let damage {
            throw JournalError(
                .damaged, "\(path): the journal file is damaged (\(damage))",
                remedy: "Run `wasl journal check`; put back a backup and follow Docs/operate/recovery.md")
        }
    }

    /// Checks that the outbox's last messages carry the hashes that were recorded, each chained to the one before.
    ///
    /// - Parameter last: how many; all of them when `nil`.
    /// - Returns: what is wrong, naming the message.
    public static func chainDamage(_ db: Database, last: Int?) throws -> String? {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT * FROM (SELECT number, epoch, sequence, hash, body FROM outbox ORDER BY number DESC LIMIT ?)
                ORDER BY number
                """, arguments: [last ?? -1])
        var before: (number: Int64, epoch: String, sequence: Int64, hash: String)?
        while let row = try rows.next() {
            let (number, epoch, sequence): (Int64, String, Int64) = (row[0], row[1], row[2])
            let hash: String = row[3]
            let body: Data = row[4]
            let bytes = [UInt8](body)
            if digestText(bytes) != hash { return "outbox message \(number): its bytes do not match its hash" }
            if let before {
                if number != before.number + 1 { return "outbox message \(before.number + 1) is missing" }
                if epoch == before.epoch {
                    let chain = (try? Envelope(parsing: bytes))?.lane?.chain
                    if sequence != before.sequence + 1 || chain != before.hash {
                        return "outbox message \(number) is not chained to the one before"
                    }
                }
            }
            before = (number, epoch, sequence, hash)
        }
        let row = try Row.fetchOne(db, sql: "SELECT number, hash FROM journal")
        if let row, let before, row[0] as Int64 != before.number || row[1] as String? != before.hash {
            return "the journal's head does not match its last message"
        }
        return nil
    }

    struct State {
        let head: LaneHead
        let number: Int64
        let confirmedThrough: Int64
        let commits: Int64
        let salt: [UInt8]
    }

    static func loadOrCreate(
        _ writer: any DatabaseWriter, identity: JournalIdentity, environment: JournalEnvironment
    ) throws -> State {
        try writer.write { db in
            let participant = identity.source.description
            if let row = try Row.fetchOne(db, sql: "SELECT * FROM journal") {
                let owner: String = row["participant"]
                guard owner == participant else {
                    throw JournalError(
                        .foreign, "the journal belongs to \(owner), not to \(participant)",
                        remedy: "Check `data` in the configuration")
                }
                guard let epoch = EpochID(row["epoch"]) else {
                    throw JournalError(.damaged, "the journal's epoch is not a UUID", remedy: HeadFile.remedy)
                }
                let salt: Data = row["salt"]
                return State(
                    head: LaneHead(epoch: epoch, sequence: row["sequence"], hash: row["hash"]), number: row["number"],
                    confirmedThrough: row["confirmed_through"], commits: row["commits"], salt: [UInt8](salt))
            }
            let epoch = EpochID(environment.makeUUID(environment.now()))
            let salt = environment.entropy(32)
            try db.execute(
                sql: "INSERT INTO journal VALUES (1, ?, ?, 0, NULL, 0, 0, ?, 0, 0, 0, 0)",
                arguments: [participant, epoch.text, Data(salt)])
            return State(
                head: LaneHead(epoch: epoch, sequence: 0, hash: nil), number: 0, confirmedThrough: 0, commits: 0,
                salt: salt)
        }
    }

    static func compare(
        _ own: JournalHead, with other: JournalHead?, isNew: Bool, _ writer: any DatabaseWriter, path: String
    ) throws {
        let head = own.lane
        guard let noted = other?.lane else {
            if isNew || head.sequence == 0 { return }
            throw JournalError(.restored, "\(path): the head file is empty", remedy: HeadFile.remedy)
        }
        let sameMessage: Bool
        if noted.epoch != head.epoch || noted.sequence > head.sequence {
            sameMessage = false
        } else if noted.sequence == 0 {
            sameMessage = true
        } else {
            let hash = try writer.read {
                try String.fetchOne(
                    $0, sql: "SELECT hash FROM outbox WHERE epoch = ? AND sequence = ?",
                    arguments: [noted.epoch.text, noted.sequence])
            }
            sameMessage = hash == noted.hash
        }
        guard sameMessage else {
            throw JournalError(
                .restored,
                "\(path): this journal ends at \(head.sequence) of epoch \(head.epoch), but it had reached \(noted.sequence) of \(noted.epoch)",
                remedy: HeadFile.remedy)
        }
        if let commits = other?.commits, commits > own.commits {
            throw JournalError(
                .restored, "\(path): this journal holds \(own.commits) commits, but it had made \(commits)",
                remedy: HeadFile.remedy)
        }
    }
}
