import GRDB
public import Logging
import Synchronization
public import WaslModel

/// Moves bytes from a journal's outbox to the broker. Decides nothing: ``PublishingWindow`` does.
public final class PublishingPump: Sendable {
    private struct State {
        var window: PublishingWindow
        var waiters: [Int64: [CheckedContinuation<Bool, Never>]] = [:]
        /// Nobody waits for a confirmation any more.
        var hasGivenUp = false
        var isClosing = false
        var isBlocked = false
        var confirmedCount: Int64 = 0
        var nackedCount: Int64 = 0
    }

    private let state: Mutex<State>
    private let link: any PublisherLink
    let journal: Journal
    private let logger: Logger
    private let resending = Resending()
    private let planted: PlantedOrder?

    public convenience init(_ journal: Journal, link: any PublisherLink, logger: Logger) {
        self.init(journal, link: link, planted: nil, logger: logger)
    }

    package init(_ journal: Journal, link: any PublisherLink, planted: PlantedOrder?, logger: Logger) {
        self.planted = planted
        self.journal = journal
        self.link = link
        self.logger = logger
        let start = journal.startState
        state = Mutex(
            State(window: PublishingWindow(confirmedThrough: start.confirmedThrough, newest: start.number)))
        journal.attach(
            committed: { [weak self] messages in self?.act { $0.window.committed(messages) } },
            confirmedThrough: { [weak self] in self?.state.withLock { $0.window.confirmedThrough } ?? 0 })
    }

    public func start() {
        link.start { [weak self] event in self?.handle(event) }
        Task { [resending, journal, link] in
            await resending.run { job, page, last in
                try await journal.read { try PublishingPump.page($0, job, page, after: last) }
            } publish: {
                link.publish($0)
            }
        }
    }

    public func close() {
        state.withLock { $0.isClosing = true }
        giveUpWaiting()
        link.close()
        resending.close()
        resending.linkDown()
    }

    private static func page(_ db: Database, _ job: Resending.Job, _ page: Int, after last: Int64) throws -> [OutboundMessage] {
        switch job {
        case .range(let epoch, let first, let through):
            let start = first + Int64(page * Resending.pageSize)
            // The rest of a long one at its next ask.
            guard start <= through, start < first + 2_000 else { return [] }
            return try JournalStore.messages(db, epoch: epoch, from: start, through: min(through, start + Int64(Resending.pageSize) - 1))
        case .subject(let subject):
            let old = try JournalStore.recovered(db, about: subject, skipping: page * Resending.pageSize, limit: Resending.pageSize)
            return try old.isEmpty ? JournalStore.messages(db, about: subject, after: last, limit: Resending.pageSize) : old
        }
    }

    /// How many messages the broker has not confirmed yet.
    public var backlog: Int64 { state.withLock { $0.window.backlog } }
    public var isUp: Bool { state.withLock { $0.window.isUp } }
    public var isBlocked: Bool { state.withLock { $0.isBlocked } }
    public var confirmedThrough: Int64 { state.withLock { $0.window.confirmedThrough } }
    public var counts: (confirmed: Int64, nacked: Int64) {
        state.withLock { ($0.confirmedCount, $0.nackedCount) }
    }

    /// Returns when the broker has confirmed this outbox number, however long that takes.
    ///
    /// - Returns: whether it has; not where a stop came first.
    @discardableResult
    public func awaitConfirmation(of number: Int64) async -> Bool {
        await withCheckedContinuation { continuation in
            let isConfirmed = state.withLock { state -> Bool? in
                if state.window.isConfirmed(number) { return true }
                if state.hasGivenUp { return false }
                state.waiters[number, default: []].append(continuation)
                return nil
            }
            if let isConfirmed { continuation.resume(returning: isConfirmed) }
        }
    }

    /// Lets everybody go who waits for a confirmation, now and from now on: the broker may be away for days, and a stop does not wait
    /// for it.
    public func giveUpWaiting() {
        let waiters = state.withLock { state in
            state.hasGivenUp = true
            defer { state.waiters = [:] }
            return state.waiters.values.flatMap { $0 }
        }
        for waiter in waiters { waiter.resume(returning: false) }
    }

    /// Returns when the broker has confirmed everything, is away, or the time is up.
    public func flush(within limit: Duration) async {
        let end = ContinuousClock.now + limit
        while isUp, backlog > 0, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(20)) }
    }

    /// Publishes beside the lane, once, with no record: presence, and messages that the ledger asked for again.
    public func publishUnrecorded(_ messages: [OutboundMessage]) { link.publish(messages) }

    /// Sends a range of a lane again, as the ledger asked. Whether it arrives shows at the ledger, which asks once more if not.
    public func resend(epoch: EpochID, from first: Int64, through last: Int64) {
        resending.add(.range(epoch: epoch, from: first, through: last))
    }

    /// Sends everything that was said about a request again.
    public func resend(subject: RequestID) { resending.add(.subject(subject)) }

    private func handle(_ event: PublisherEvent) {
        switch event {
        case .up:
            logger.info("publishing")
            resending.linkDown()
            act { $0.window.linkUp() }
        case .down(let reason):
            let isClosing = state.withLock { state in
                state.window.linkDown()
                state.isBlocked = false
                return state.isClosing
            }
            // That a link ends which we have closed is no news.
            logger.log(
                level: isClosing ? .debug : .warning, "not publishing: what is accepted waits in the journal",
                metadata: ["reason": "\(reason)"])
            resending.linkDown()
        case .blocked(let reason):
            logger.warning("the broker asks to hold back", metadata: ["reason": "\(reason)"])
            state.withLock { $0.isBlocked = true }
        case .unblocked:
            state.withLock { $0.isBlocked = false }
        case .settled where planted == .confirmsWhenPublished: return
        case .settled(let settlements):
            resending.settled(settlements)
            settle(settlements)
        }
    }

    private func settle(_ settlements: [Settlement]) {
        var resumed: [CheckedContinuation<Bool, Never>] = []
        act { state in
            for settlement in settlements where settlement.token > 0 {
                if settlement.result == .confirmed { state.confirmedCount += 1 } else { state.nackedCount += 1 }
            }
            // Under the same lock as the window: whoever asks in between either is told now or finds it confirmed.
            let actions = state.window.settled(settlements)
            if !state.waiters.isEmpty {
                for settlement in settlements where settlement.result == .confirmed {
                    resumed += state.waiters.removeValue(forKey: settlement.token) ?? []
                }
            }
            return actions
        }
        for continuation in resumed { continuation.resume(returning: true) }
        for settlement in settlements where settlement.result != .confirmed {
            logger.warning("the broker did not keep a message", metadata: ["result": "\(settlement.result)"])
        }
    }

    /// Asks the window, then acts outside the lock. Two threads may act at once: any order of arrival is legal.
    private func act(_ decide: (inout State) -> [PublishingWindow.Action]) {
        for action in state.withLock({ decide(&$0) }) {
            switch action {
            case .publish(let messages):
                link.publish(messages)
                if planted == .confirmsWhenPublished { settle(messages.map { Settlement(token: $0.token, result: .confirmed) }) }
                CrashPoint.publishBeforeConfirm.passed()
            case .refill(let after, let limit):
                Task { await refill(after: after, limit: limit) }
            case .retry(let message, let attempt):
                Task { [weak self] in
                    let ceiling = min(30_000, 200 << min(attempt, 8))
                    try? await Task.sleep(for: .milliseconds(Int64.random(in: 50...Int64(ceiling))))
                    self?.act { $0.window.retryDue(message) }
                }
            }
        }
    }

    private func refill(after: Int64, limit: Int) async {
        do {
            let messages = try await journal.read { try JournalStore.messages($0, after: after, limit: limit) }
            act { $0.window.refilled(messages) }
        } catch {
            logger.error("the outbox cannot be read", metadata: ["error": "\(error)"])
            try? await Task.sleep(for: .seconds(1))
            act { $0.window.refilled([]) }
        }
    }
}
