import Synchronization
public import Testing

/// Collects what handlers are told, and lets a test wait for it: no sleeping, no polling.
public final class Recorder<Element: Sendable>: Sendable {
    private struct Waiter {
        let number: Int
        let condition: @Sendable ([Element]) -> Bool
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var elements: [Element] = []
        var waiters: [Waiter] = []
        var waits = 0
    }

    private let state = Mutex(State())

    public init() {}

    public var elements: [Element] { state.withLock { $0.elements } }

    public func append(_ element: Element) {
        let met = state.withLock { state in
            state.elements.append(element)
            let elements = state.elements
            let met = state.waiters.filter { $0.condition(elements) }
            state.waiters.removeAll { waiter in met.contains { $0.number == waiter.number } }
            return met
        }
        for waiter in met { waiter.continuation.resume(returning: true) }
    }

    /// Returns once everything recorded so far meets the condition, or when the limit is reached, which fails the test.
    ///
    /// - Returns: whether it was met.
    @discardableResult
    public func wait(
        for what: String = "what is recorded to be as it should", limit: Duration = waitMax,
        sourceLocation: SourceLocation = #_sourceLocation, until condition: @escaping @Sendable ([Element]) -> Bool
    ) async -> Bool {
        let number = state.withLock { state in
            state.waits += 1
            return state.waits
        }
        let timer = Task {
            try await Task.sleep(for: limit)
            giveUp(number)
        }
        let isMet = await withCheckedContinuation { continuation in
            let isMet = state.withLock { state in
                if condition(state.elements) { return true }
                state.waiters.append(Waiter(number: number, condition: condition, continuation: continuation))
                return false
            }
            if isMet { continuation.resume(returning: true) }
        }
        timer.cancel()
        if !isMet {
            let error = WaitedTooLong(what: what, limit: limit)
            Issue.record("\(error); recorded by then: \(elements.count)", sourceLocation: sourceLocation)
        }
        return isMet
    }

    private func giveUp(_ number: Int) {
        let waiter = state.withLock { state in
            state.waiters.firstIndex { $0.number == number }.map { state.waiters.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: false)
    }
}
