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
            "users": .array(permissions.map { Topology.user($0, password: passwords[$0.user]) }),
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
    private static func user(_ permission: Permission, password: String?) -> JSON {
        let hash = password.map { password -> String in
            let salt = randomBytes(4)
            return base64(salt + sha256(salt + Array(password.utf8)))
        }
        return [
            "name": .string(permission.user), "password_hash": .string(hash ?? ""),
            "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": .array(permission.tags.map(JSON.string)),
        ]
    }
}
