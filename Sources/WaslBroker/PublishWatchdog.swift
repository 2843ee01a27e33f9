import Foundation
import Synchronization

/// `amqp_basic_publish` blocks for as long as the peer does not read. One thread looks after all connections of the process and shuts
/// the socket of one that has blocked too long, which makes the call return.
final class PublishWatchdog: Sendable {
    static let shared = PublishWatchdog()

    final class Watch: Sendable {
        let descriptor: Int32
        let stallMax: Duration
        private let since = Mutex<ContinuousClock.Instant?>(nil)

        init(descriptor: Int32, stallMax: Duration) {
            self.descriptor = descriptor
            self.stallMax = stallMax
        }

        func begin() { since.withLock { $0 = .now } }
        func end() { since.withLock { $0 = nil } }

        var isStalled: Bool {
            since.withLock { since in since.map { ContinuousClock.now - $0 > stallMax } ?? false }
        }
    }

    private struct State {
        var watches: [ObjectIdentifier: Watch] = [:]
        var isRunning = false
    }

    private let state = Mutex(State())

    func watch(_ descriptor: Int32, stallMax: Duration) -> Watch {
        let watch = Watch(descriptor: descriptor, stallMax: stallMax)
        let mustStart = state.withLock { state in
            state.watches[ObjectIdentifier(watch)] = watch
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart {
            let thread = Thread { [self] in look() }
            thread.stackSize = 256 << 10
            thread.start()
        }
        return watch
    }

    /// Before the descriptor is closed: a number that was used again must not be shut.
    func forget(_ watch: Watch) {
        state.withLock { _ = $0.watches.removeValue(forKey: ObjectIdentifier(watch)) }
    }

    private func look() {
        while true {
            Thread.sleep(forTimeInterval: 1)
            state.withLock { state in
                for watch in state.watches.values where watch.isStalled { shutdown(watch.descriptor, Int32(SHUT_RDWR)) }
            }
        }
    }
}
