import Logging
import Synchronization
import WaslJournal
import WaslModel

/// Keeps a window of unsettled messages full: as fast as the broker confirms.
final class RawPublisher: Sendable {
    private struct State {
        var confirmed = 0
        var sent = 0
        var isStopping = false
    }

    private let link: any PublisherLink
    private let exchange: Exchange
    private let key: String
    private let body: [UInt8]
    private let state = Mutex(State())
    private let window: Int

    /// - Parameter every: a share of the other publishers' traffic: its window is so many times smaller.
    init(_ link: any PublisherLink, _ exchange: Exchange, _ key: String, _ bytes: Int, every: Int = 1) {
        self.link = link
        self.exchange = exchange
        self.key = key
        body = [UInt8](repeating: 0x61, count: bytes)
        window = 500 / every
    }

    var confirmed: Int { state.withLock { $0.confirmed } }

    func start() {
        link.start { [weak self] event in
            guard let self else { return }
            switch event {
            case .up: send(window)
            case .settled(let settlements):
                let isStopping = state.withLock { state in
                    state.confirmed += settlements.count
                    return state.isStopping
                }
                if !isStopping { send(settlements.count) }
            default: break
            }
        }
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        link.close()
    }

    private func send(_ count: Int) {
        let first = state.withLock { state in
            defer { state.sent += count }
            return state.sent
        }
        link.publish(
            (0..<count).map {
                OutboundMessage(
                    token: Int64(first + $0 + 1), exchange: exchange, routingKey: key, messageID: "raw-\(first + $0)",
                    time: Timestamp(milliseconds: 0), body: body, signature: "raw")
            })
    }
}

enum ParticipantLogger {
    static let silent = Logger(label: "silent", factory: { _ in SwiftLogNoOpLogHandler() })
}
