import Foundation
public import WaslModel

/// What was taken from participants that are suspended or gone.
public struct RemovedUser: Sendable, Hashable {
    public let name: String
    /// Connections that were open, and are closed.
    public let connectionsClosed: Int
    /// Connections that the broker has closed on its side, and whose other end does not answer: it is heard no more, and the broker drops
    /// the socket after half a minute.
    public let connectionsUnanswered: Int

    public init(name: String, connectionsClosed: Int, connectionsUnanswered: Int) {
        self.name = name
        self.connectionsClosed = connectionsClosed
        self.connectionsUnanswered = connectionsUnanswered
    }
}

extension BrokerManagement {
    /// Brings a broker to what the registry asks for. Its word is final: users of participants that are suspended or gone are deleted with
    /// their permissions, and their open connections closed.
    ///
    /// They go first, so that nothing which fails later leaves them a voice.
    /// - Parameter closingWithin: how long to wait until their connections have gone.
    /// - Throws: ``BrokerError``
    @discardableResult
    public func apply(
        _ topology: Topology, passwords: [String: String], closingWithin limit: Duration = .seconds(10)
    ) async throws -> [RemovedUser] {
        let surplus = topology.surplusUsers(in: try await definitions())
        let deadline = ContinuousClock.now + limit
        var open: [String: Set<String>] = [:]
        for user in surplus {
            open[user] = try await connections(of: user)
            try await call(.delete, "/api/users/\(escaped(user))")
        }
        var removed: [RemovedUser] = []
        for user in surplus {
            let left = try await closeConnections(of: user, until: deadline)
            let known = open[user, default: []].union(left)
            removed.append(RemovedUser(name: user, connectionsClosed: known.count - left.count, connectionsUnanswered: left.count))
        }
        try await apply(topology.definitions(passwords: passwords))
        return removed
    }

    /// Queues and bindings of the virtual host, for ``Topology/differences(queues:bindings:)``. Reads only: the monitoring user may.
    public func queuesAndBindings() async throws -> (queues: [JSON], bindings: [JSON]) {
        let host = Topology.virtualHost
        let queues = try await call(.get, "/api/queues/\(host)?columns=name,durable,arguments")
        let bindings = try await call(.get, "/api/bindings/\(host)")
        guard let queues = queues.array, let bindings = bindings.array else {
            throw BrokerError(.refused, "/api/queues and /api/bindings: expected lists")
        }
        return (queues, bindings)
    }

    /// The names of a user's open connections.
    public func connections(of user: String) async throws -> Set<String> {
        let listed = try await call(.get, "/api/connections/username/\(escaped(user))")
        return Set((listed.array ?? []).compactMap { $0["name"]?.string })
    }

    /// Closes what a user has open, again and again: one that was logging in while its user was deleted appears late.
    ///
    /// - Returns: what is listed still when time is up.
    private func closeConnections(of user: String, until deadline: ContinuousClock.Instant) async throws -> Set<String> {
        while true {
            let left = try await connections(of: user)
            if left.isEmpty || ContinuousClock.now >= deadline { return left }
            try await call(.delete, "/api/connections/username/\(escaped(user))")
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func escaped(_ name: String) -> String { name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? name }
}
