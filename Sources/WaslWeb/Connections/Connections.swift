import Logging
import NIOCore
import Synchronization

/// The connections of one server: counts them, closes those that make room, and says in the log what it does.
final class Connections: Sendable {
    enum Event: String {
        case replaced = "connections are at their limit: the one that has waited longest for its request was closed"
        case healthOnly = "connections are at their limit and all are busy: a new one may only ask for health"
        case refused = "connections are at their limit, the reserve for health too: a new one was closed"
        case slowHead = "a connection sent no whole request in time and was closed"
        case slowBody = "a request's body did not come in time"
        case slowReader = "an answer was not read in time and its connection closed"
    }

    private struct State {
        var table: ConnectionTable
        var channels: [ConnectionTable.ID: any Channel] = [:]
        var said: [Event: (last: ContinuousClock.Instant, since: Int)] = [:]
    }

    let limits: ConnectionLimits
    private let state: Mutex<State>
    private let logger: Logger

    /// The same line at most so often: whoever fills the connections must not fill the disk.
    private static let linePause: Duration = .seconds(10)

    init(_ limits: ConnectionLimits, logger: Logger) {
        self.limits = limits
        self.logger = logger
        state = Mutex(State(table: ConnectionTable(limits)))
    }

    var count: Int { state.withLock { $0.table.count } }

    func open(_ channel: any Channel, from address: String) -> ConnectionTable.Admission {
        let (admission, replaced) = state.withLock { state in
            let (admission, replaces) = state.table.open(from: address, at: .now)
            switch admission {
            case .served(let id), .healthOnly(let id): state.channels[id] = channel
            case .refused: break
            }
            return (admission, replaces.flatMap { state.channels.removeValue(forKey: $0) })
        }
        replaced?.close(promise: nil)
        switch admission {
        case .served: if replaced != nil { say(.replaced, of: address) }
        case .healthOnly: say(.healthOnly, of: address)
        case .refused: say(.refused, of: address)
        }
        return admission
    }

    func begin(_ id: ConnectionTable.ID) { state.withLock { $0.table.begin(id, at: .now) } }
    func ask(_ id: ConnectionTable.ID) { state.withLock { $0.table.ask(id) } }
    func answered(_ id: ConnectionTable.ID) { state.withLock { $0.table.answered(id, at: .now) } }

    func close(_ id: ConnectionTable.ID) {
        state.withLock { state in
            state.table.close(id)
            state.channels[id] = nil
        }
    }

    func say(_ event: Event, of address: String) {
        let now = ContinuousClock.now
        let line = state.withLock { state -> (times: Int, open: Int)? in
            let times = (state.said[event]?.since ?? 0) + 1
            if let last = state.said[event]?.last, now - last < Connections.linePause {
                state.said[event] = (last, times)
                return nil
            }
            state.said[event] = (now, 0)
            return (times, state.table.count)
        }
        guard let line else { return }
        logger.warning(
            "\(event.rawValue)", metadata: ["address": "\(address)", "times": "\(line.times)", "connections": "\(line.open)"])
    }
}
