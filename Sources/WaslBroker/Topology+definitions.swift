public import WaslModel
import WaslSeal

extension Topology {
    /// The document that `POST /api/definitions` and `rabbitmqctl import_definitions` take.
    ///
    /// - Parameter passwords: participant to password; a user without one can only come with a certificate (EXTERNAL).
    public func definitions(passwords: [String: String]) -> JSON {
        let host = JSON.string(Topology.virtualHost)
        let exchanges = Exchange.allCases.map { exchange -> JSON in
            [
                "name": .string(exchange.rawValue), "vhost": host, "type": .string(Topology.exchangeType(exchange)),
                "durable": true, "auto_delete": false, "internal": false,
                "arguments": Topology.exchangeArguments(exchange),
            ]
        }
        return [
            "vhosts": [["name": host]],
            "users": .array(permissions.map { Topology.user($0.user, password: passwords[$0.user]) }),
            "permissions": .array(
                permissions.map {
                    [
                        "user": .string($0.user), "vhost": host, "configure": "^$", "write": .string($0.write),
                        "read": .string($0.read),
                    ]
                }),
            "topic_permissions": .array(
                topicPermissions.map {
                    [
                        "user": .string($0.user), "vhost": host, "exchange": .string($0.exchange),
                        "write": .string($0.write), "read": "^$",
                    ]
                }),
            "exchanges": .array(exchanges),
            "queues": .array(
                queues.map {
                    [
                        "name": .string($0), "vhost": host, "durable": true, "auto_delete": false,
                        "arguments": Topology.queueArguments($0),
                    ]
                }),
            "bindings": .array(
                bindings.map {
                    [
                        "source": .string($0.source), "vhost": host, "destination": .string($0.queue),
                        "destination_type": "queue", "routing_key": .string($0.routingKey), "arguments": [:],
                    ]
                }),
        ]
    }

    /// RabbitMQ's salted hash: base64(salt ‖ SHA-256(salt ‖ password)); empty means no password at all.
    private static func user(_ name: String, password: String?) -> JSON {
        let hash = password.map { password -> String in
            let salt = randomBytes(4)
            return base64(salt + sha256(salt + Array(password.utf8)))
        }
        return [
            "name": .string(name), "password_hash": .string(hash ?? ""),
            "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": [],
        ]
    }

    /// What a broker has otherwise than this topology says, one line a difference; empty when they agree.
    ///
    /// - Parameter definitions: the broker's answer to `GET /api/definitions`.
    public func differences(from definitions: JSON) -> [String] {
        let host = Topology.virtualHost
        func here(_ key: String) -> [JSON] {
            (definitions[key]?.array ?? []).filter { $0["vhost"]?.string == host }
        }
        func named(_ list: [JSON], _ key: String) -> [String: JSON] {
            Dictionary(list.compactMap { item in item[key]?.string.map { ($0, item) } }, uniquingKeysWith: { $1 })
        }
        var lines: [String] = []
        let exchanges = named(here("exchanges"), "name")
        for exchange in Exchange.allCases {
            guard let found = exchanges[exchange.rawValue] else {
                lines.append("exchange \(exchange.rawValue): missing")
                continue
            }
            if found["type"]?.string != Topology.exchangeType(exchange) || found["durable"] != true
                || found["arguments"] != Topology.exchangeArguments(exchange)
            {
                lines.append("exchange \(exchange.rawValue): its type, durability or arguments differ")
            }
        }
        let foundQueues = named(here("queues"), "name")
        for queue in queues {
            guard let found = foundQueues[queue] else {
                lines.append("queue \(queue): missing")
                continue
            }
            if found["arguments"] != Topology.queueArguments(queue) || found["durable"] != true {
                lines.append("queue \(queue): its arguments differ: \(found["arguments"]?.text ?? "none")")
            }
        }
        for name in foundQueues.keys.sorted() where !queues.contains(name) && !Topology.isFederation(name) {
            lines.append("queue \(name): not expected")
        }
        lines += bindingDifferences(here("bindings"))
        lines += permissionDifferences(
            users: named(definitions["users"]?.array ?? [], "name"), permissions: named(here("permissions"), "user"),
            topics: here("topic_permissions"))
        return lines
    }

    /// Federation keeps queues and exchanges of its own between two brokers.
    private static func isFederation(_ name: String) -> Bool { name.hasPrefix("federation: ") }

    private func bindingDifferences(_ found: [JSON]) -> [String] {
        let found = Set(
            found.compactMap { item -> Binding? in
                guard let source = item["source"]?.string, let queue = item["destination"]?.string,
                    let key = item["routing_key"]?.string, !Topology.isFederation(source), !Topology.isFederation(queue)
                else { return nil }
                return Binding(source: source, queue: queue, routingKey: key)
            })
        let expected = Set(bindings)
        func line(_ binding: Binding, _ what: String) -> String {
            "binding \(binding.source) -> \(binding.queue) by `\(binding.routingKey)`: \(what)"
        }
        return expected.subtracting(found).map { line($0, "missing") }.sorted()
            + found.subtracting(expected).map { line($0, "not expected") }.sorted()
    }

    private func permissionDifferences(
        users: [String: JSON], permissions found: [String: JSON], topics: [JSON]
    )
        -> [String]
    {
        var lines: [String] = []
        for permission in permissions {
            if users[permission.user] == nil { lines.append("user \(permission.user): missing") }
            guard let has = found[permission.user] else {
                lines.append("permissions of \(permission.user): missing")
                continue
            }
            for (key, expected) in [("configure", "^$"), ("write", permission.write), ("read", permission.read)]
            where has[key]?.string != expected {
                lines.append("permissions of \(permission.user): \(key) is `\(has[key]?.string ?? "")`, expected `\(expected)`")
            }
        }
        let foundTopics = Set(
            topics.compactMap { item -> TopicPermission? in
                guard let user = item["user"]?.string, let exchange = item["exchange"]?.string,
                    let write = item["write"]?.string
                else { return nil }
                return TopicPermission(user: user, exchange: exchange, write: write)
            })
        lines += Set(topicPermissions).subtracting(foundTopics)
            .map { "topic permission of \($0.user) on \($0.exchange): missing, expected write `\($0.write)`" }.sorted()
        let known = Set(permissions.map(\.user))
        for user in found.keys.sorted() where !known.contains(user) {
            if users[user]?["tags"]?.array?.contains("administrator") == true { continue }
            lines.append("user \(user): may use the virtual host, but is not an active participant")
        }
        return lines
    }
}
