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
    /// How long this process has run, by a clock that nobody can put forward or back.
    public var uptime: @Sendable () -> Duration
    public var makeUUID: @Sendable (Timestamp) -> UUIDv7
    public var entropy: Entropy

    public init(
        now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> Duration = JournalEnvironment.processUptime,
        makeUUID: @escaping @Sendable (Timestamp) -> UUIDv7, entropy: @escaping Entropy = randomBytes
    ) {
        self.now = now
        self.uptime = uptime
        self.makeUUID = makeUUID
        self.entropy = entropy
    }

    private static let processStart = ContinuousClock.now
    public static let processUptime: @Sendable () -> Duration = { ContinuousClock.now - processStart }

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
    private var commits: Int64
    private let salt: [UInt8]
    private let headRecord: (any HeadRecord)?
    private let lock: JournalLock?

    /// Opens or creates a journal.
    ///
    /// - Parameters:
    ///   - path: the SQLite file, or `nil` for one in memory (simulation and tests).
    ///   - headPath: the head file, outside backups; `nil` for a journal in memory, which has none.
    ///   - migrations: the role's own tables.
    ///   - opening: whether it goes on, or an operator starts it anew.
    /// - Throws: ``JournalError``
    public init(
        path: String?, headPath: String?, identity: JournalIdentity, environment: JournalEnvironment = .system,
        opening: Opening = .usual, migrations: (inout DatabaseMigrator) -> Void
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
            if let path { try OwnersFile.prepare(path) }
            writer = try JournalStore.openDatabase(path: path)
            try migrator.migrate(writer)
        } catch let error as DatabaseError where path != nil && error.resultCode != .SQLITE_CANTOPEN {
            throw JournalError(
                .damaged, "\(path ?? ""): the journal file is damaged (\(error.message ?? "unreadable"))",
                remedy: "Run `wasl journal check`; put back a backup and follow Docs/operate/recovery.md")
        }
        let state = try JournalStore.loadOrCreate(writer, identity: identity, environment: environment)
        (head, number, confirmedThrough) = (state.head, state.number, state.confirmedThrough)
        (commits, salt) = (state.commits, state.salt)
        if let path {
            guard let headPath else { preconditionFailure("a journal in a file has a head file") }
            let file = try HeadFile(path: headPath, isNew: isNew || number == 0 || opening.isAnew)
            // A new epoch's own commit writes its head: until then the old file goes on telling that a backup was put back.
            if !opening.isAnew {
                try JournalStore.compare(
                    JournalHead(lane: head, commits: commits), with: file.read(), isNew: isNew, writer, path: path)
                try file.write(JournalHead(lane: head, commits: commits), synced: true)
            }
            headRecord = file
        } else {
            headRecord = nil
        }
        try open(opening)
    }

    /// Opens or creates a journal on a disk that a simulation keeps.
    ///
    /// - Parameter comparesHead: `false` plants a known bug: a backup that was put back goes unnoticed.
    package init(
        disk: MemoryDisk, identity: JournalIdentity, environment: JournalEnvironment, opening: Opening = .usual,
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
        (head, number, confirmedThrough) = (state.head, state.number, state.confirmedThrough)
        (commits, salt) = (state.commits, state.salt)
        if !opening.isAnew, comparesHead {
            try JournalStore.compare(
                JournalHead(lane: head, commits: commits), with: disk.read(), isNew: isNew, writer, path: "\(identity.source)")
        }
        try open(opening)
    }

    /// A journal's first words.
    private func open(_ opening: Opening) throws {
        let isNew = head.sequence == 0 && number == 0
        switch opening {
        case .usual:
            if isNew { _ = try transaction { try $0.append(.journalOpened(head.epoch, previous: nil, "new journal")) } }
        case .reopened(let reason):
            let previous = isNew ? nil : head
            if !isNew { head = LaneHead(epoch: EpochID(environment.makeUUID(environment.now())), sequence: 0, hash: nil) }
            _ = try transaction { try $0.append(.journalOpened(head.epoch, previous: previous, reason)) }
            try headRecord?.replace(with: JournalHead(lane: head, commits: commits))
        case .rebuilt(let reason, let previous, let steps):
            guard isNew else {
                throw JournalError(.foreign, "the journal is not empty", remedy: "Move it aside first: it is rebuilt as a new file")
            }
            // Together, so that nothing ever runs on a journal that has forgotten half.
            _ = try transaction {
                try $0.append(.journalOpened(head.epoch, previous: previous, reason))
                try steps($0)
            }
        }
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
        let (result, transaction, hasChanged) = try writer.writeWithoutTransaction { db in
            // GRDB prepares its own BEGIN and COMMIT anew each time; these are kept.
            try db.cachedStatement(sql: "BEGIN IMMEDIATE TRANSACTION").execute()
            do {
                let changes = db.totalChangesCount
                let transaction = JournalTransaction(
                    db: db, now: now, identity: identity, environment: environment, head: head, number: number,
                    salt: salt)
                let result = try steps(transaction)
                let hasChanged = db.totalChangesCount != changes || transaction.head != head
                if hasChanged || watermark != confirmedThrough {
                    try db.cachedStatement(
                        sql: """
                            UPDATE journal SET epoch = ?, sequence = ?, hash = ?, number = ?, confirmed_through = ?, commits = ?
                            """
                    ).execute(arguments: [
                        transaction.head.epoch.text, transaction.head.sequence, transaction.head.hash,
                        transaction.number, watermark, commits + (hasChanged ? 1 : 0),
                    ])
                }
                CrashPoint.journalBeforeCommit.passed()
                try db.cachedStatement(sql: "COMMIT TRANSACTION").execute()
                CrashPoint.journalAfterCommit.passed()
                return (result, transaction, hasChanged)
            } catch {
                // SQLite has rolled back by itself after some errors.
                if db.isInsideTransaction { try? db.rollback() }
                throw error
            }
        }
        head = transaction.head
        number = transaction.number
        confirmedThrough = watermark
        // The commit stands whatever becomes of this file: one that stays behind is the trace of a crash, and legal.
        if hasChanged {
            commits += 1
            try? headRecord?.write(JournalHead(lane: head, commits: commits), synced: false)
        }
        return (result, transaction.appended)
    }

    /// Reads without holding up the writer.
    public func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        // A queue would switch `query_only` on and off around each read, upon which SQLite forgets every prepared statement.
        try writer is DatabaseQueue ? writer.unsafeRead(body) : writer.read(body)
    }
}
