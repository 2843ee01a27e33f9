public import Foundation
import Synchronization

/// What a test waited for did not come. A test that hangs is a failing test, and this is how it fails.
public struct WaitedTooLong: Error, CustomStringConvertible {
    public let what: String
    public let limit: Duration

    public init(what: String, limit: Duration = waitMax) {
        self.what = what
        self.limit = limit
    }

    public var description: String { "waited \(limit) for \(what), in vain" }
}

/// Far more than anything here takes on a busy machine: who reaches it waits for what never comes.
public let waitMax: Duration = .seconds(120)

/// Waits for `body` to return, and not longer than `limit`.
///
/// - Throws: ``WaitedTooLong``, or what `body` throws. What does not end is left behind: it may not even hear a cancellation.
public func waiting<Value: Sendable>(
    for what: String, limit: Duration = waitMax, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let race = Race<Value>()
    return try await withCheckedThrowingContinuation { continuation in
        race.begin(continuation)
        let timer = Task {
            try await Task.sleep(for: limit)
            race.end(.failure(WaitedTooLong(what: what, limit: limit)))
        }
        Task {
            let result: Result<Value, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            timer.cancel()
            race.end(result)
        }
    }
}

/// The first end counts.
private final class Race<Value: Sendable>: Sendable {
    private let continuation = Mutex<CheckedContinuation<Value, any Error>?>(nil)

    func begin(_ continuation: CheckedContinuation<Value, any Error>) { self.continuation.withLock { $0 = continuation } }

    func end(_ result: Result<Value, any Error>) { continuation.withLock { $0.take() }?.resume(with: result) }
}

extension Process {
    /// Runs it and waits for its end; one that does not end is killed.
    ///
    /// - Throws: ``WaitedTooLong``
    public func runToItsEnd(limit: Duration = waitMax) throws {
        let ended = DispatchSemaphore(value: 0)
        terminationHandler = { _ in ended.signal() }
        try run()
        guard ended.wait(timeout: .now() + .seconds(Int(limit.components.seconds))) == .success else {
            kill(processIdentifier, SIGKILL)
            throw WaitedTooLong(what: "\((arguments ?? []).joined(separator: " ")) to end", limit: limit)
        }
    }
}
