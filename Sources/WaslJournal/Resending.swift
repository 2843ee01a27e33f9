import Synchronization
import WaslModel

/// What the ledger asked to be said again, one after the other, a page at a time: the next page is read when the broker has the one before,
/// so that neither memory nor a slow link is filled with what was said already.
final class Resending: Sendable {
    enum Job: Sendable, Hashable {
        case range(epoch: EpochID, from: Int64, through: Int64)
        case subject(RequestID)
    }

    private struct State {
        var queued: Set<Job> = []
        /// The tokens of the page that is under way.
        var page: Set<Int64> = []
        var continuation: CheckedContinuation<Bool, Never>?
        var lastToken: Int64 = 0
    }

    private let state = Mutex(State())
    private let jobs: AsyncStream<Job>
    private let queue: AsyncStream<Job>.Continuation
    static let pageSize = 32
    static let queuedMax = 10_000

    init() { (jobs, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Resending.queuedMax)) }

    /// The same ask again while the first still waits is one ask.
    func add(_ job: Job) {
        guard state.withLock({ $0.queued.insert(job).inserted }) else { return }
        // A full queue takes nothing more: this ask is forgotten, so that the ledger's next one counts again.
        if case .dropped = queue.yield(job) { state.withLock { _ = $0.queued.remove(job) } }
    }

    func close() { queue.finish() }

    /// Works until closed.
    ///
    /// - Parameters:
    ///   - read: the next page of a job, after so many pages.
    ///   - publish: hands a page to the link.
    func run(
        read: @Sendable (Job, _ page: Int, _ last: Int64) async throws -> [OutboundMessage], publish: @Sendable ([OutboundMessage]) -> Void
    ) async {
        for await job in jobs {
            var last: Int64 = 0
            for page in 0... {
                guard let messages = try? await read(job, page, last), !messages.isEmpty else { break }
                last = messages.last?.token ?? last
                // Lost with the link: the ledger asks again.
                guard await isSettled(messages, publish) else { break }
            }
            state.withLock { _ = $0.queued.remove(job) }
        }
    }

    private func isSettled(_ messages: [OutboundMessage], _ publish: @Sendable ([OutboundMessage]) -> Void) async -> Bool {
        // Numbers of their own below zero: nobody's window waits for them.
        let named = state.withLock { state in
            messages.map { message in
                state.lastToken -= 1
                state.page.insert(state.lastToken)
                return message.again(as: state.lastToken)
            }
        }
        return await withCheckedContinuation { continuation in
            state.withLock { $0.continuation = continuation }
            publish(named)
        }
    }

    func settled(_ settlements: [Settlement]) {
        let done = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard !state.page.isEmpty else { return nil }
            for settlement in settlements where settlement.token < 0 { state.page.remove(settlement.token) }
            guard state.page.isEmpty else { return nil }
            defer { state.continuation = nil }
            return state.continuation
        }
        done?.resume(returning: true)
    }

    func linkDown() {
        let broken = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            state.page = []
            defer { state.continuation = nil }
            return state.continuation
        }
        broken?.resume(returning: false)
    }
}
