/// Who is connected, and who makes room for a newcomer. A value: ``Connections`` acts on what it decides.
///
/// Whoever waits for a request, its own or the rest of it, makes room; whoever is being answered never does. So a thousand connections
/// that say nothing only push each other out, while a client that speaks as soon as it is connected is served.
struct ConnectionTable {
    typealias ID = Int

    enum Admission: Equatable {
        case served(ID)
        /// All are busy: this one may ask for health and nothing else.
        case healthOnly(ID)
        /// Even the reserve is full of busy ones.
        case refused
    }

    private enum Phase {
        /// For a request: its head, or the rest of its body.
        case waiting(since: ContinuousClock.Instant)
        case busy
    }

    private struct Connection {
        let address: String
        let isReserve: Bool
        var phase: Phase
        /// Whoever has asked once is a client; whoever has not may never be one.
        var hasAsked = false
    }

    private let limits: ConnectionLimits
    private var connections: [ID: Connection] = [:]
    private var byAddress: [String: Int] = [:]
    private var reserved = 0
    private var next: ID = 0

    init(_ limits: ConnectionLimits) { self.limits = limits }

    var count: Int { connections.count }

    /// - Returns: what becomes of the newcomer, and whom it takes the place of: that one is out of the table and is to be closed.
    mutating func open(from address: String, at now: ContinuousClock.Instant) -> (admission: Admission, replaces: ID?) {
        var replaced: ID?
        if byAddress[address, default: 0] >= limits.byAddressMax {
            replaced = longestWaiting { !$0.isReserve && $0.address == address }
        } else if connections.count - reserved >= limits.connectionsMax {
            replaced = longestWaiting { !$0.isReserve }
        } else {
            return (.served(add(address, isReserve: false, now)), nil)
        }
        if let replaced {
            close(replaced)
            return (.served(add(address, isReserve: false, now)), replaced)
        }
        if reserved >= ConnectionLimits.healthReserve {
            guard let waiting = longestWaiting(where: \.isReserve) else { return (.refused, nil) }
            close(waiting)
            return (.healthOnly(add(address, isReserve: true, now)), waiting)
        }
        return (.healthOnly(add(address, isReserve: true, now)), nil)
    }

    /// A whole request head has come, and its body may take its time: so far it makes room as before, but as one that has just begun.
    mutating func begin(_ id: ID, at now: ContinuousClock.Instant) {
        // It is still being answered what it asked before.
        guard case .waiting = connections[id]?.phase else { return }
        connections[id]?.phase = .waiting(since: now)
    }

    /// A whole request has come.
    mutating func ask(_ id: ID) {
        connections[id]?.phase = .busy
        connections[id]?.hasAsked = true
    }

    /// Everything that was asked is answered.
    mutating func answered(_ id: ID, at now: ContinuousClock.Instant) { connections[id]?.phase = .waiting(since: now) }

    /// Gone, or about to be.
    mutating func close(_ id: ID) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        if connection.isReserve {
            reserved -= 1
        } else if let count = byAddress[connection.address] {
            byAddress[connection.address] = count > 1 ? count - 1 : nil
        }
    }

    private mutating func add(_ address: String, isReserve: Bool, _ now: ContinuousClock.Instant) -> ID {
        next += 1
        connections[next] = Connection(address: address, isReserve: isReserve, phase: .waiting(since: now))
        if isReserve { reserved += 1 } else { byAddress[address, default: 0] += 1 }
        return next
    }

    /// Those that have never asked go first.
    private func longestWaiting(where isMeant: (Connection) -> Bool) -> ID? {
        var found: (rank: Int, since: ContinuousClock.Instant, id: ID)?
        for (id, connection) in connections {
            guard case .waiting(let since) = connection.phase, isMeant(connection) else { continue }
            let candidate = (rank: connection.hasAsked ? 1 : 0, since: since, id: id)
            if found.map({ candidate < $0 }) ?? true { found = candidate }
        }
        return found?.id
    }
}
