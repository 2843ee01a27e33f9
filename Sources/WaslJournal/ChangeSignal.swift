import Synchronization

/// Tells tasks that something changed, without saying what: they look for themselves.
public final class ChangeSignal: Sendable {
    private struct State {
        var version = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    public init() {}

    public var version: Int { state.withLock { $0.version } }

    public func notify() {
        let waiters = state.withLock { state in
            state.version += 1
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns once the version is past `seen`, or the task is cancelled. Take `version` before looking, so that no change falls between.
    public func wait(past seen: Int) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isPast = state.withLock { state in
                    if state.version > seen { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if isPast { continuation.resume() }
            }
        } onCancel: {
            // Whoever is woken for nothing looks once more.
            notify()
        }
    }
}
