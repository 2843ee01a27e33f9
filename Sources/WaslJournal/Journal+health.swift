import GRDB
public import WaslModel

extension Journal {
    /// What was set aside, newest first, without its content.
    public func quarantine() async throws -> JSON {
        try await read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT number, received, exchange, routing_key, message_id, reason, digest, seen, length(body) AS bytes
                    FROM quarantine ORDER BY number DESC LIMIT 500
                    """)
            return [
                "quarantine": .array(
                    rows.map {
                        [
                            "number": .integer($0["number"]),
                            "received": .string(Timestamp(milliseconds: $0["received"]).description),
                            "exchange": .string($0["exchange"]), "routingKey": .string($0["routing_key"]),
                            "messageId": .string($0["message_id"]), "reason": .string($0["reason"]),
                            "digest": .string($0["digest"]), "seen": .integer($0["seen"]),
                            "bytes": .integer($0["bytes"]),
                        ]
                    })
            ]
        }
    }

    public func quarantineCount() async throws -> Int64 {
        try await read { try Int64.fetchOne($0, sql: "SELECT COUNT(*) FROM quarantine") ?? 0 }
    }

    /// The age of the oldest message past a confirmation watermark; zero when there is none.
    public func oldestAge(past confirmed: Int64) async throws -> Duration {
        let time = try await read { db in
            try Int64.fetchOne(
                db, sql: "SELECT time FROM outbox WHERE number > ? ORDER BY number LIMIT 1", arguments: [confirmed])
        }
        return time.map { now.since(Timestamp(milliseconds: $0)) } ?? .zero
    }
}
