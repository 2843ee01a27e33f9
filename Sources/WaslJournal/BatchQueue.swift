import Synchronization

/// Hands elements from a thread to one task, as many at a time as wait.
public final class BatchQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var waiter: CheckedContinuation<Void, Never>?
        var isClosed = false
    }

    private let state = Mutex(State())

    public init() {}

    public func append(contentsOf elements: [Element]) {
        state.withLock { state in
            guard !state.isClosed else { return nil as CheckedContinuation<Void, Never>? }
            state.elements.append(contentsOf: elements)
            return state.waiter.take()
        }?.resume()
    }

    public func close() {
        state.withLock { state in
            state.isClosed = true
            return state.waiter.take()
        }?.resume()
    }

    /// What waits now, at most so many, without waiting for more.
    public func takeWaiting(max: Int) -> [Element] {
        state.withLock { state in
            let batch = Array(state.elements.prefix(max))
            state.elements.removeFirst(batch.count)
            return batch
        }
    }

    /// Up to `max` elements, in order, as soon as there is one; `nil` once closed and empty. For one caller.
    public func next(max: Int) async -> [Element]? {
        while true {
            let (batch, isClosed) = state.withLock { state -> ([Element], Bool) in
                let batch = Array(state.elements.prefix(max))
                state.elements.removeFirst(batch.count)
                return (batch, state.isClosed)
            }
            if !batch.isEmpty { return batch }
            if isClosed { return nil }
            await withCheckedContinuation { continuation in
                let mayProceed = state.withLock { state in
                    if !state.elements.isEmpty || state.isClosed { return true }
                    state.waiter = continuation
                    return false
                }
                if mayProceed { continuation.resume() }
            }
        }
    }
}
