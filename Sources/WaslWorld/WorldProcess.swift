import GRDB
import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation

/// A participant's clock: right, unless somebody put it wrong.
final class WorldClock: @unchecked Sendable {
    // Read and written on the world's one thread only; journals ask for `Sendable` because theirs have several.
    private let agenda: Agenda
    var skew: Int64 = 0

    init(_ agenda: Agenda) { self.agenda = agenda }

    /// When the process began to run, by the world's time.
    var started: Int64 = 0

    var uptime: Duration { .milliseconds(agenda.now - started) }
    var now: Timestamp { Timestamp(milliseconds: agenda.now + skew) }
}

/// A participant's chance.
final class WorldEntropy: @unchecked Sendable {
    // Used on the world's one thread only.
    private var random: SeededRandom

    init(_ random: SeededRandom) { self.random = random }

    func bytes(_ count: Int) -> [UInt8] { random.bytes(count) }
    func uuid(_ time: Timestamp) -> UUIDv7 { UUIDv7(at: time, using: &random) }
}

/// One participant's process: a disk, a store on it while it runs, and the two pumps, acted out in virtual time.
///
/// The steps, the window, the checks are production's own. What is written here is only who calls them when, and each call is an
/// event of its own: between any two of them the process may die.
class WorldProcess {
    unowned let world: World
    let id: ParticipantID
    let role: Role
    let clock: WorldClock
    let entropy: WorldEntropy
    let registry: RegistryHolder
    var keys: KeyFile
    var disk: MemoryDisk
    private(set) var store: JournalStore?
    private var window = PublishingWindow(confirmedThrough: 0, newest: 0)
    /// The consuming connection; made at the first one, when `self` is whole.
    private var link: WorldBroker.WorldConsumer?
    private var pending: [Delivery] = []
    private var isRecording = false
    private var isMinting = false
    private var waiters: [(number: Int64, action: () -> Void)] = []
    /// A life, from a start to a crash.
    private(set) var life = 0
    /// A connection, from its opening to its loss.
    private var connection = 0
    private(set) var isConnected = false
    /// No link to anybody.
    var isCut = false
    var isDiskFull = false
    /// Stopped until an operator has put its journal right.
    var isHeld = false

    var queues: [String] { [] }
    var prefetch: Int { 512 }
    var batchMax: Int { 256 }

    init(_ world: World, id: ParticipantID, role: Role, keys: KeyFile, registry: Registry) throws {
        self.world = world
        self.id = id
        self.role = role
        self.keys = keys
        self.registry = RegistryHolder(inMemory: registry)
        clock = WorldClock(world.agenda)
        entropy = WorldEntropy(world.random.fork())
        disk = try MemoryDisk(template: world.templates[role])
    }

    var isUp: Bool { store != nil }
    var backlog: Int64 { window.backlog }

    var environment: JournalEnvironment {
        JournalEnvironment(
            now: { [clock] in clock.now }, uptime: { [clock] in clock.uptime }, makeUUID: { [entropy] in entropy.uuid($0) },
            entropy: { [entropy] in entropy.bytes($0) })
    }

    var identity: JournalIdentity { JournalIdentity(source: Source(role: role, participant: id), key: keys.signing) }

    // MARK: What a role adds

    func migrations(_ migrator: inout DatabaseMigrator) {}
    /// Called once the store is open, before anything is connected.
    func started() throws {}
    /// Prepares and commits a batch.
    ///
    /// - Returns: what is to be done after the commit, before the acknowledgement.
    func record(_ batch: [Delivery]) throws -> () -> Void { {} }
    var presence: Presence {
        Presence(backlog: window.backlog, oldestAge: .zero, registryVersion: registry.registry.version)
    }

    // MARK: Living and dying

    func start() {
        guard store == nil, !isHeld else { return }
        clock.started = world.agenda.now
        do {
            let store = try JournalStore(
                disk: disk, identity: identity, environment: environment,
                comparesHead: world.options.bug != .sequenceReusedAfterRestore, migrations: migrations)
            self.store = store
            window = PublishingWindow(confirmedThrough: store.confirmedThrough, newest: store.number)
            try started()
            later(0) { [self] in reexamine() }
            connectSoon()
            beat()
        } catch let error as JournalError where error.code == .restored {
            store = nil
            world.recognised(self, error)
        } catch {
            // A full disk, at the very start: an operator makes room.
            store = nil
            world.agenda.after(30_000) { [self] in start() }
        }
    }

    func crash(restartAfter milliseconds: Int64) {
        guard isUp else { return }
        world.trace(nil, id.text, "dies")
        die()
        world.agenda.after(milliseconds) { [self] in start() }
    }

    func die() {
        linkLost("the process died")
        life += 1
        store = nil
        pending = []
        isRecording = false
        isMinting = false
        waiters = []
    }

    /// Does something later in this life. Any event may be the one before which the process dies.
    func later(_ milliseconds: Int64, _ action: @escaping () -> Void) {
        let own = life
        world.agenda.after(milliseconds) { [self] in
            guard life == own, isUp else { return }
            if world.strikes(.crash, world.crashPerEvent, about: id.text) {
                world.disturb(until: 120_000, id)
                return crash(restartAfter: world.random.number(500...40_000))
            }
            action()
        }
    }

    // MARK: Publishing

    /// A step, and what it puts into the outbox.
    func commit<Result>(_ step: (JournalTransaction) throws -> Result) throws -> Result {
        guard let store else { throw JournalError(.closed, "not running", remedy: "") }
        let (result, appended) = try store.transaction(confirmed: window.confirmedThrough, step)
        if !appended.isEmpty { act(window.committed(appended)) }
        return result
    }

    /// Tries a step until the disk takes it.
    func commitSurely<Result>(_ step: @escaping (JournalTransaction) throws -> Result, _ then: @escaping (Result) -> Void) {
        do {
            let result = try commit(step)
            then(result)
        } catch {
            later(1_000) { [self] in commitSurely(step, then) }
        }
    }

    private func act(_ actions: [PublishingWindow.Action]) {
        for action in actions {
            switch action {
            case .publish(let messages): publish(messages)
            case .refill(let after, let limit):
                later(1) { [self] in
                    guard let store else { return }
                    let messages = (try? store.read { try JournalStore.messages($0, after: after, limit: limit) }) ?? []
                    act(window.refilled(messages))
                }
            case .retry(let message, let attempt):
                later(world.random.number(50...Int64(200 << min(attempt, 7)))) { [self] in act(window.retryDue(message)) }
            }
        }
    }

    func publish(_ messages: [OutboundMessage]) {
        guard isConnected else { return }
        let own = connection
        world.broker.publish(messages, from: self) { [self] settlements in
            if own == connection { settle(settlements) }
        }
        if world.options.bug == .confirmOnPublish {
            settle(messages.map { Settlement(token: $0.token, result: .confirmed) })
            return
        }
        // A confirm that never comes: the connection is given up, and everything goes out again.
        world.agenda.after(30_000) { [self] in
            guard own == connection, isConnected, messages.contains(where: { $0.token != 0 && !window.isConfirmed($0.token) }) else {
                return
            }
            linkLost("no confirm")
            connectSoon()
        }
    }

    private func settle(_ settlements: [Settlement]) {
        act(window.settled(settlements))
        let ready = waiters.filter { window.isConfirmed($0.number) }
        waiters.removeAll { window.isConfirmed($0.number) }
        for waiter in ready { later(0, waiter.action) }
    }

    func awaitConfirmation(of number: Int64, _ action: @escaping () -> Void) {
        if window.isConfirmed(number) { return later(0, action) }
        waiters.append((number, action))
    }

    func connectSoon() {
        let own = life
        world.agenda.after(world.random.number(20...3_000)) { [self] in
            guard life == own, isUp, !isConnected else { return }
            guard world.broker.mayConnect(self) else { return }
            isConnected = true
            connection += 1
            let link = link ?? WorldBroker.WorldConsumer(self, queues: queues, prefetch: prefetch)
            self.link = link
            world.broker.attach(link)
            act(window.linkUp())
            mintSoon()
        }
    }

    func linkLost(_ reason: String) {
        guard isConnected else { return }
        isConnected = false
        connection += 1
        window.linkDown()
        if let link { world.broker.detach(link) }
        pending = []
    }

    /// Mints the pieces of documents that are due, as ``DocumentPump`` does.
    func mintSoon() {
        guard !isMinting else { return }
        isMinting = true
        later(world.random.number(1...20)) { [self] in
            isMinting = false
            guard isConnected, (try? read({ try JournalStore.hasDuePieces($0) })) == true else { return }
            guard window.backlog < DocumentPump.backlogMax else { return mintLater() }
            do {
                let (registry, keys) = (registry.registry, keys.opening)
                let minted = try commit { transaction in
                    let minted = try transaction.mintPieces(
                        world.options.bug == .pieceForgotten ? 1 : DocumentPump.batch, registry: registry, opening: keys
                    ).minted
                    if world.options.bug == .pieceForgotten {
                        // The last piece of each document.
                        try transaction.db.execute(
                            sql: "UPDATE outgoing SET minted = pieces WHERE subject IS NOT NULL AND pieces > 1 AND minted = pieces - 1")
                    }
                    return minted
                }
                if minted == DocumentPump.batch { mintSoon() }
            } catch {
                mintLater()
            }
        }
    }

    private func mintLater() { later(1_000) { [self] in mintSoon() } }

    private func beat() {
        later(world.presenceInterval) { [self] in
            mintSoon()
            reexamine([.time])
            if isConnected, let message = try? commit({ try $0.presenceMessage(presence, version: "simulated") }) {
                publish([message])
            }
            beat()
        }
    }

    // MARK: Consuming

    func received(_ deliveries: [Delivery]) {
        guard isUp else { return }
        pending += deliveries
        if !isRecording {
            isRecording = true
            later(world.random.number(0...5)) { [self] in recordBatch() }
        }
    }

    private func recordBatch() {
        let batch = Array(pending.prefix(batchMax))
        guard !batch.isEmpty else {
            isRecording = false
            return
        }
        let acknowledgesFirst =
            world.options.bug == .houseAcknowledgesBeforeCommit && role == .house
            || world.options.bug == .ledgerAcknowledgesBeforeCommit && role == .ledger
        if acknowledgesFirst {
            acknowledge(batch)
            pending.removeFirst(min(batch.count, pending.count))
            return later(world.random.number(0...50)) { [self] in
                if let after = try? record(batch) { after() }
                recordBatch()
            }
        }
        do {
            let after = try record(batch)
            later(0) { [self] in
                after()
                later(0) { [self] in
                    acknowledge(batch)
                    // A lost link has emptied it in between.
                    if pending.first?.tag == batch[0].tag { pending.removeFirst(batch.count) }
                    recordBatch()
                }
            }
        } catch {
            // Not acknowledged, so not lost.
            later(1_000) { [self] in recordBatch() }
        }
    }

    /// Looks again at what was set aside for a reason that may pass, as production does under a new version of the registry and at beats.
    func reexamine(_ causes: [PassingCause] = PassingCause.allCases) {
        for cause in causes {
            guard isUp, let deliveries = try? commit({ try $0.setAside(for: cause) }), !deliveries.isEmpty else { continue }
            do {
                let after = try record(deliveries)
                later(0) { after() }
            } catch {
                later(1_000) { [self] in reexamine([cause]) }
            }
        }
    }

    private func acknowledge(_ batch: [Delivery]) {
        guard let link else { return }
        for (index, delivery) in batch.enumerated()
        where index + 1 == batch.count || batch[index + 1].tag.generation != delivery.tag.generation {
            world.broker.acknowledge(through: delivery.tag, link)
        }
    }

    /// Does what the ledger asks.
    func perform(_ command: ControlCommand) {
        guard let store else { return }
        let messages: [OutboundMessage]?
        switch command {
        case .resend(let epoch, let from, let through):
            messages = try? store.read { try JournalStore.messages($0, epoch: epoch, from: from, through: through) }
        case .resendSubject(let subject): messages = try? store.read { try JournalStore.messages($0, about: subject) }
        case .registry: messages = nil
        }
        if let messages, !messages.isEmpty { publish(messages.map(\.again)) }
    }

    func traceRefusal(_ delivery: Delivery, _ reason: String) {
        guard world.options.traced != nil, let subject = (try? Envelope(parsing: delivery.body))?.subject?.text else { return }
        world.trace(subject, id.text, "sets it aside: \(reason)")
    }

    // MARK: An operator's work

    /// Puts a rebuilt journal in the place of the lost one.
    func rebuild(reason: String, previous: LaneHead?, _ steps: @escaping (JournalTransaction) throws -> Void) throws {
        let fresh = try MemoryDisk(template: world.templates[role])
        _ = try JournalStore(
            disk: fresh, identity: identity, environment: environment,
            opening: .rebuilt(reason: reason, previous: previous, steps: steps), migrations: migrations)
        disk = fresh
    }

    func reopen(reason: String) throws {
        _ = try JournalStore(
            disk: disk, identity: identity, environment: environment, opening: .reopened(reason: reason), migrations: migrations)
    }

    func read<Value>(_ body: (Database) throws -> Value) throws -> Value? { try store?.read(body) }
}
