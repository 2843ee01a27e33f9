import Foundation
public import GRDB
public import Logging
public import WaslModel

/// A journal with a thread of its own that commits in groups.
///
/// Everything that waits when a commit begins goes into one transaction: one fsync serves many callers. A step that throws
/// fails alone: the group is rolled back and each of its steps runs again by itself, so steps must depend on nothing but the
/// database and what they captured.
public final class Journal: @unchecked Sendable {
    // `condition` guards `waiting`, `isClosing` and `hooks`; `store` is touched by the committing thread alone, but for its
    // concurrent reader, which GRDB guards.
    private let condition = NSCondition()
    private var waiting: [Job] = []
    private var isClosing = false
    private var hooks = Hooks()
    private let store: JournalStore
    private let logger: Logger
    private let closed = DispatchSemaphore(value: 0)

    /// Past this many waiting steps a caller is pushed back.
    public static let waitingMax = 2_000
    private static let groupMax = 512

    struct Hooks {
        /// Messages that a commit put into the outbox, in order, before any caller hears of it.
        var committed: (@Sendable ([OutboundMessage]) -> Void)?
        /// The newest confirmation watermark.
        var confirmedThrough: (@Sendable () -> Int64)?
    }

    private struct Job {
        let run: (JournalTransaction) throws -> Void
        let finish: ((any Error)?) -> Void
    }

    public let participant: ParticipantID

    public init(_ store: sending JournalStore, logger: Logger) {
        self.store = store
        self.logger = logger
        participant = store.identity.source.participant
        let thread = Thread { [self] in commitUntilClosed() }
        thread.name = "journal"
        thread.stackSize = 4 << 20
        thread.start()
    }

    public var environment: JournalEnvironment { store.environment }
    public var now: Timestamp { store.environment.now() }

    public func makeUUID() -> UUIDv7 { store.environment.makeUUID(now) }

    /// Steps that wait for their commit.
    public var waitingCount: Int { condition.withLock { waiting.count } }

    /// Runs a step in the next group; returns after its commit is durable.
    ///
    /// - Throws: what the step throws, or ``JournalError``.
    public func commit<Result: Sendable>(
        _ step: @escaping @Sendable (JournalTransaction) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Result, any Error>) in
            var result: Result?
            let job = Job(
                run: { result = try step($0) },
                finish: { error in
                    if let error {
                        continuation.resume(throwing: error)
                    } else if let result {
                        continuation.resume(returning: result)
                    }
                })
            if let refusal = enqueue(job) { continuation.resume(throwing: refusal) }
        }
    }

    private func enqueue(_ job: Job) -> JournalError? {
        condition.lock()
        defer { condition.unlock() }
        if isClosing { return JournalError(.closed, "the journal is closing", remedy: "Try again after the restart") }
        if waiting.count >= Journal.waitingMax {
            return JournalError(.overloaded, "\(waiting.count) steps wait to be committed", remedy: "Try again in a second")
        }
        waiting.append(job)
        if waiting.count == 1 { condition.signal() }
        return nil
    }

    func attach(
        committed: @escaping @Sendable ([OutboundMessage]) -> Void, confirmedThrough: @escaping @Sendable () -> Int64
    ) {
        condition.withLock { hooks = Hooks(committed: committed, confirmedThrough: confirmedThrough) }
    }

    /// Reads beside the writer.
    public func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await store.writer.read(body)
    }

    /// Waits for what was accepted to be committed, then stops the thread. Safe to call twice.
    public func close() {
        let isFirst = condition.withLock {
            let isFirst = !isClosing
            isClosing = true
            condition.signal()
            return isFirst
        }
        if isFirst {
            closed.wait()
            closed.signal()
        }
    }

    var startState: (number: Int64, confirmedThrough: Int64) { (store.number, store.confirmedThrough) }

    private func commitUntilClosed() {
        while true {
            condition.lock()
            while waiting.isEmpty, !isClosing { condition.wait() }
            let group = Array(waiting.prefix(Journal.groupMax))
            waiting.removeFirst(group.count)
            let hooks = hooks
            let isLast = group.isEmpty && isClosing
            condition.unlock()
            if isLast {
                // The last watermark, so that a clean restart sends nothing twice.
                if let confirmed = hooks.confirmedThrough?(), confirmed > store.confirmedThrough {
                    _ = try? store.transaction(confirmed: confirmed) { _ in }
                }
                closed.signal()
                return
            }
            commit(group, hooks)
        }
    }

    private func commit(_ group: [Job], _ hooks: Hooks) {
        do {
            let (_, appended) = try store.transaction(confirmed: hooks.confirmedThrough?()) { transaction in
                for job in group { try job.run(transaction) }
            }
            if !appended.isEmpty { hooks.committed?(appended) }
            for job in group { job.finish(nil) }
        } catch {
            stopIfDiskFailed(error)
            if group.count > 1 {
                for job in group { commit([job], hooks) }
            } else {
                group[0].finish(Journal.explained(error))
            }
        }
    }

    /// After a failed write or fsync the kernel may have dropped the pages: what the file holds is unknown, and trying again would
    /// acknowledge what is not there. Only a new start, which reads the file, knows.
    private func stopIfDiskFailed(_ error: any Error) {
        guard let error = error as? DatabaseError else { return }
        switch error.resultCode {
        case .SQLITE_IOERR, .SQLITE_CORRUPT, .SQLITE_NOTADB:
            logger.critical(
                "the journal's disk failed: stopping at once, nothing uncommitted was acknowledged",
                metadata: [
                    "error": "\(error)", "remedy": "check the disk, then start again; see Docs/operate/recovery.md",
                ])
            _exit(74)
        default: return
        }
    }

    private static func explained(_ error: any Error) -> any Error {
        guard let error = error as? DatabaseError, error.resultCode == .SQLITE_FULL else { return error }
        return JournalError(.full, "no room on the journal's disk", remedy: "Make room; nothing was recorded")
    }
}
