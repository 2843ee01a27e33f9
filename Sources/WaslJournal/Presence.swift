import GRDB
import WaslModel
import WaslSeal

/// What a participant says of itself every 15 seconds: signed, transient, outside lane and log.
public struct Presence: Sendable {
    public static let interval: Duration = .seconds(15)

    public let backlog: Int64
    public let oldestAge: Duration
    public let registryVersion: Int64
    /// The agency's circuit, where there is one.
    public let circuit: String?

    public init(backlog: Int64, oldestAge: Duration, registryVersion: Int64, circuit: String? = nil) {
        self.backlog = backlog
        self.oldestAge = oldestAge
        self.registryVersion = registryVersion
        self.circuit = circuit
    }
}

extension Journal {
    /// The beat as a message.
    public func presenceMessage(_ presence: Presence, version: String) async throws -> OutboundMessage {
        try await commit { try $0.presenceMessage(presence, version: version) }
    }
}

extension JournalTransaction {
    /// Grows for ever, whatever becomes of process and clock: an old beat that is played again is known for one. Not below the clock, so
    /// that it is past the times by which version 1.0 is ordered.
    private func nextBeat() throws -> Int64 {
        let last = try Int64.fetchOne(db.cachedStatement(sql: "SELECT beat FROM journal")) ?? 0
        let beat = max(last + 1, now.milliseconds)
        try db.cachedStatement(sql: "UPDATE journal SET beat = ?").execute(arguments: [beat])
        return beat
    }

    /// The beat names epoch and head, so that a missing end of the lane is known without waiting for its next message.
    package func presenceMessage(_ presence: Presence, version: String) throws -> OutboundMessage {
        var data: JSONObject = [
            "beat": .integer(try nextBeat()), "epoch": .string(head.epoch.text),
            "sequence": .string(LanePosition.sequenceText(head.sequence)),
            "backlog": .integer(presence.backlog), "oldestms": .integer(presence.oldestAge.milliseconds),
            "clock": .string(now.description), "version": .string(version), "registry": .integer(presence.registryVersion),
        ]
        if let circuit = presence.circuit { data["circuit"] = .string(circuit) }
        let envelope = Envelope(id: makeUUID().text, type: .presence, source: identity.source, time: now, data: data)
        let body = envelope.encoded()
        return OutboundMessage(
            token: 0, exchange: .receipts,
            routingKey: "\(identity.source.participant).\(MessageType.presence.routingWord)", messageID: envelope.id,
            time: envelope.time, body: body,
            signature: try DetachedSignature.sign(body, as: .message, with: identity.key))
    }
}
