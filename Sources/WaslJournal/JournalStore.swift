import Foundation
public import GRDB
public import WaslModel
public import WaslSeal

/// Whose journal it is, and the key with which it speaks.
public struct JournalIdentity: Sendable {
    public let source: Source
    public let key: SigningKey

    public init(source: Source, key: SigningKey) {
        self.source = source
        self.key = key
    }
}

/// Time and chance, handed in so that a simulation can hold both.
public struct JournalEnvironment: Sendable {
    public var now: @Sendable () -> Timestamp
    public var makeUUID: @Sendable (Timestamp) -> UUIDv7
    public var entropy: Entropy

    public init(
        now: @escaping @Sendable () -> Timestamp, makeUUID: @escaping @Sendable (Timestamp) -> UUIDv7,
        entropy: @escaping Entropy = randomBytes
    ) {
        self.now = now
        self.makeUUID = makeUUID
        self.entropy = entropy
    }

    public static let system = JournalEnvironment(
        now: {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
        }, makeUUID: { UUIDv7(at: $0) })
}

/// A participant's durable record: one SQLite file, one lane. Synchronous and single-threaded: ``Journal`` puts it on its own thread.
public final class JournalStore {
    public let identity: JournalIdentity
    public let environment: JournalEnvironment
    let writer: any DatabaseWriter
    public private(set) var head: LaneHead
    public private(set) var number: Int64
    public private(set) var confirmedThrough: Int64
    private let salt: [UInt8]
    private let headRecord: (any HeadRecord)?
    private let lock: JournalLock?

    /// Opens or creates a journal.
    ///
    /// - Parameters:
    ///   - path: the SQLite file, or `nil` for one in memory (simulation and tests).
    ///   - headPath: the head file, outside backups.
    ///   - migrations: the role's own tables.
    ///   - reopenReason: starts a new epoch, for an operator who put a backup back.
    /// - Throws: ``JournalError``
    public init(
        path: String?, headPath: String? = nil, identity: JournalIdentity, environment: JournalEnvironment = .system,
        reopenReason: String? = nil, migrations: (inout DatabaseMigrator) -> Void
    ) throws {
        self.identity = identity
        self.environment = environment
        let isNew = path.map { !FileManager.default.fileExists(atPath: $0) } ?? true
        lock = try path.map { try JournalLock($0) }
        var migrator = DatabaseMigrator()
        JournalSchema.register(in: &migrator)
        migrations(&migrator)
        do {
            if let path, !isNew { try JournalStore.checkQuickly(migrator, path: path) }
            writer = try JournalStore.openDatabase(path: path)
            try migrator.migrate(writer)
        } catch let error as DatabaseError where path != nil && error.resultCode != .SQLITE_CANTOPEN {
            throw JournalError(
                .damaged, "\(path ?? ""): the journal file is damaged (\(error.message ?? "unreadable"))",
                remedy: "Run `wasl journal check`; put back a backup and follow Docs/operate/recovery.md")
        }
        let state = try JournalStore.loadOrCreate(writer, identity: identity, environment: environment)
        (head, number, confirmedThrough, salt) = (state.head, state.number, state.confirmedThrough, state.salt)
        if let path {
            let headPath = headPath ?? path + ".head"
            let file = try HeadFile(path: headPath, isNew: isNew || number == 0 || reopenReason != nil)
            // A new epoch's own commit writes its head: until then the old file goes on telling that a backup was put back.
            if reopenReason == nil {
                try JournalStore.compare(head, with: file.read(), isNew: isNew, writer, path: path)
                try file.write(head, synced: true)
            }
            headRecord = file
        } else {
            headRecord = nil
        }
        if isNew || head.sequence == 0 && number == 0 {
            try openEpoch(previous: nil, reason: "new journal")
        } else if let reopenReason {
            try openEpoch(previous: head, reason: reopenReason)
        }
    }

    /// Opens or creates a journal on a disk that a simulation keeps.
    ///
    /// - Parameter comparesHead: `false` plants a known bug: a backup that was put back goes unnoticed.
    package init(
        disk: MemoryDisk, identity: JournalIdentity, environment: JournalEnvironment, reopenReason: String? = nil,
        comparesHead: Bool = true, migrations: (inout DatabaseMigrator) -> Void
    ) throws {
        self.identity = identity
        self.environment = environment
        lock = nil
        writer = disk.queue
        headRecord = disk
        let isNew = try disk.queue.read { try !$0.tableExists("journal") }
        if isNew {
            var migrator = DatabaseMigrator()
            JournalSchema.register(in: &migrator)
            migrations(&migrator)
            try migrator.migrate(disk.queue)
        }
        let state = try JournalStore.loadOrCreate(writer, identity: identity, environment: environment)
        (head, number, confirmedThrough, salt) = (state.head, state.number, state.confirmedThrough, state.salt)
        if reopenReason == nil, comparesHead {
            try JournalStore.compare(head, with: disk.read(), isNew: isNew, writer, path: "\(identity.source)")
        }
        if isNew || head.sequence == 0 && number == 0 {
            try openEpoch(previous: nil, reason: "new journal")
        } else if let reopenReason {
            try openEpoch(previous: head, reason: reopenReason)
        }
    }

    private static func openDatabase(path: String?) throws -> any DatabaseWriter {
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
    private static func checkQuickly(_ migrator: DatabaseMigrator, path: String) throws {
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

    private struct State {
        let head: LaneHead
        let number: Int64
        let confirmedThrough: Int64
        let salt: [UInt8]
    }

    private static func loadOrCreate(
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
                    confirmedThrough: row["confirmed_through"], salt: [UInt8](salt))
            }
            let epoch = EpochID(environment.makeUUID(environment.now()))
            let salt = environment.entropy(32)
            try db.execute(
                sql: "INSERT INTO journal VALUES (1, ?, ?, 0, NULL, 0, 0, ?)",
                arguments: [participant, epoch.text, Data(salt)])
            return State(
                head: LaneHead(epoch: epoch, sequence: 0, hash: nil), number: 0, confirmedThrough: 0, salt: salt)
        }
    }

    private static func compare(
        _ head: LaneHead, with noted: LaneHead?, isNew: Bool, _ writer: any DatabaseWriter, path: String
    ) throws {
        guard let noted else {
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
    }

    private func openEpoch(previous: LaneHead?, reason: String) throws {
        if previous != nil {
            head = LaneHead(epoch: EpochID(environment.makeUUID(environment.now())), sequence: 0, hash: nil)
        }
        var data: JSONObject = ["epoch": .string(head.epoch.text), "reason": .string(reason)]
        if let previous {
            data["previous"] = .string(previous.epoch.text)
            data["previoussequence"] = .string(LanePosition.sequenceText(previous.sequence))
            if let hash = previous.hash { data["previoushash"] = .string(hash) }
        }
        _ = try transaction { try $0.append(Draft(type: .journalOpened, data: data)) }
    }

    /// Runs steps as ONE durable transaction. On a throw nothing has happened.
    ///
    /// - Parameter confirmed: the newest confirmation watermark, written along.
    /// - Returns: the steps' result, and the messages that the commit put into the outbox.
    @discardableResult
    public func transaction<Result>(
        confirmed: Int64? = nil, _ steps: (JournalTransaction) throws -> Result
    ) throws -> (result: Result, appended: [OutboundMessage]) {
        let now = environment.now()
        let watermark = max(confirmedThrough, confirmed ?? 0)
        let outcome = try writer.writeWithoutTransaction { db in
            var kept: (Result, JournalTransaction)?
            try db.inTransaction(.immediate) {
                let transaction = JournalTransaction(
                    db: db, now: now, identity: identity, environment: environment, head: head, number: number,
                    salt: salt)
                let result = try steps(transaction)
                if transaction.number != number || watermark != confirmedThrough || transaction.head != head {
                    try db.cachedStatement(
                        sql: "UPDATE journal SET epoch = ?, sequence = ?, hash = ?, number = ?, confirmed_through = ?"
                    ).execute(arguments: [
                        transaction.head.epoch.text, transaction.head.sequence, transaction.head.hash,
                        transaction.number, watermark,
                    ])
                }
                kept = (result, transaction)
                return .commit
            }
            return kept
        }
        guard let (result, transaction) = outcome else { preconditionFailure("a commit without a result") }
        let hasMoved = transaction.head != head
        head = transaction.head
        number = transaction.number
        confirmedThrough = watermark
        // The commit stands whatever becomes of this file: one that stays behind is the trace of a crash, and legal.
        if hasMoved { try? headRecord?.write(head, synced: false) }
        return (result, transaction.appended)
    }

    /// Reads without holding up the writer.
    public func read<Value>(_ body: (Database) throws -> Value) throws -> Value { try writer.read(body) }
}

extension JournalStore {
    /// A range of a lane once more, as the ledger asks; the rest of a long one at its next ask.
    package static func messages(
        _ db: Database, epoch: EpochID, from first: Int64, through last: Int64
    ) throws -> [OutboundMessage] {
        try messages(
            db, where: "epoch = ? AND sequence BETWEEN ? AND ? ORDER BY sequence LIMIT 2000", [epoch.text, first, last])
    }

    /// Everything that was said about a request.
    package static func messages(_ db: Database, about subject: RequestID) throws -> [OutboundMessage] {
        try messages(db, where: "subject = ? ORDER BY number", [subject.text])
    }

    /// What comes after a number in the outbox.
    package static func messages(_ db: Database, after number: Int64, limit: Int) throws -> [OutboundMessage] {
        try messages(db, where: "number > ? ORDER BY number LIMIT ?", [number, limit])
    }

    /// Outbox messages after a number, in order. Bytes that do not match their recorded hash never leave the house.
    static func messages(
        _ db: Database, where condition: String, _ arguments: StatementArguments
    ) throws
        -> [OutboundMessage]
    {
        let rows = try Row.fetchCursor(
            db.cachedStatement(
                sql: """
                    SELECT number, exchange, routing_key, id, time, body, signature, hash FROM outbox
                    WHERE \(condition)
                    """), arguments: arguments)
        var messages: [OutboundMessage] = []
        while let row = try rows.next() {
            let body: Data = row[5]
            let bytes = [UInt8](body)
            let number: Int64 = row[0]
            guard digestText(bytes) == row[7] as String, let exchange = Exchange(rawValue: row[1]) else {
                throw JournalError(
                    .damaged, "outbox message \(number): its bytes do not match its hash",
                    remedy: "Run `wasl journal check`; follow Docs/operate/recovery.md")
            }
            messages.append(
                OutboundMessage(
                    token: number, exchange: exchange, routingKey: row[2], messageID: row[3],
                    time: Timestamp(milliseconds: row[4]), body: bytes, signature: row[6]))
        }
        return messages
    }
}
