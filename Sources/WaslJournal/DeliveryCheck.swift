public import WaslModel
public import WaslSeal

/// A delivery after the checks that need no database.
public enum CheckedDelivery: Sendable {
    case accepted(Envelope, Delivery)
    /// To be set aside: what is wrong, naming the attribute.
    case refused(Delivery, reason: String)

    public var delivery: Delivery {
        switch self {
        case .accepted(_, let delivery), .refused(let delivery, _): delivery
        }
    }
}

/// Checks what arrives: form, place, recipient, signature. Nothing of a message is believed before.
public struct DeliveryCheck: Sendable {
    private let registry: Registry
    /// Whom messages must be for; `nil` for the ledger, which sees everybody's.
    private let recipient: ParticipantID?

    public init(registry: Registry, recipient: ParticipantID?) {
        self.registry = registry
        self.recipient = recipient
    }

    public func check(_ delivery: Delivery) -> CheckedDelivery {
        do {
            let envelope = try parse(delivery)
            try verify(envelope, delivery)
            return .accepted(envelope, delivery)
        } catch let error as EnvelopeError {
            return .refused(delivery, reason: "\(error)")
        } catch {
            return .refused(delivery, reason: "wasl-signature: \(error)")
        }
    }

    /// All checks but the signature, which the ledger makes once for a whole run of a lane.
    public func parse(_ delivery: Delivery) throws -> Envelope {
        guard delivery.contentType == Envelope.contentType else {
            throw EnvelopeError(attribute: "content_type", reason: "expected \(Envelope.contentType)")
        }
        let envelope = try Envelope(parsing: delivery.body)
        guard delivery.messageID == envelope.id else {
            throw EnvelopeError(attribute: "message_id", reason: "not the CloudEvents `id`")
        }
        guard delivery.signature != nil else { throw EnvelopeError(attribute: "wasl-signature", reason: "missing") }
        guard (envelope.lane == nil) == (envelope.type == .presence) else {
            throw EnvelopeError(attribute: "sequence", reason: "presence stands outside every lane, and nothing else does")
        }
        guard let participant = registry.participants[envelope.source.participant], participant.role == envelope.source.role
        else { throw EnvelopeError(attribute: "source", reason: "\(envelope.source) is not in registry version \(registry.version)") }
        guard participant.state == .active else {
            throw EnvelopeError(attribute: "source", reason: "\(envelope.source) is suspended")
        }
        if let recipient {
            guard envelope.recipient == recipient else {
                throw EnvelopeError(attribute: "recipient", reason: "expected \(recipient)")
            }
        }
        try checkRoute(envelope, delivery)
        return envelope
    }

    /// A revoked key says nothing to anybody any more, but what two people approved. The ledger looks first what it has logged already.
    ///
    /// - Returns: whether the signature may vouch for the messages before it in its lane: each of a revoked key's is judged for itself.
    @discardableResult
    public func verify(_ envelope: Envelope, _ delivery: Delivery) throws(SealError) -> Bool {
        guard let signature = delivery.signature else { throw SealError(.malformed, "missing") }
        let keyID = try registry.verify(envelope, body: delivery.body, signature: signature)
        try registry.requireApproved(envelope, signedBy: keyID)
        return !registry.isRevoked(keyID)
    }

    /// The routing key must say what the message says: the broker's permissions judged by it.
    private func checkRoute(_ envelope: Envelope, _ delivery: Delivery) throws {
        guard let route = Route(envelope) else {
            throw EnvelopeError(attribute: "recipient", reason: "recipient or service missing on a \(envelope.type.rawValue)")
        }
        // A dead letter keeps its routing key but not its exchange.
        let isDead = delivery.exchange == Exchange.dead.rawValue
        guard delivery.routingKey == route.key, isDead || delivery.exchange == route.exchange.rawValue else {
            throw EnvelopeError(attribute: "routing_key", reason: "expected \(route.exchange.rawValue) by \(route.key)")
        }
    }
}

/// Where a message goes (wire contract, section 2): a function of what it says.
public struct Route: Sendable, Hashable {
    public let exchange: Exchange
    public let key: String

    public init?(_ envelope: Envelope) {
        self.init(
            type: envelope.type, from: envelope.source.participant, role: envelope.source.role, to: envelope.recipient,
            service: envelope.service)
    }

    public init?(
        type: MessageType, from participant: ParticipantID, role: Role, to recipient: ParticipantID?, service: ServiceID?
    ) {
        switch type {
        case .requestSubmitted, .requestTaken, .outcome, .attachmentChunk:
            guard let recipient, let service else { return nil }
            exchange = role == .house ? .requests : .outcomes
            key =
                role == .house
                ? "\(recipient).\(service.routingWord).\(participant)" : "\(recipient).\(participant).\(service.routingWord)"
        case .journalHead, .resend, .reseal, .registry, .checkpoint:
            guard let recipient else { return nil }
            exchange = .control
            key = "\(recipient).\(type.routingWord)"
        case .attemptIntended, .outcomeDelivered, .messageRefused, .journalOpened, .presence, .statement, .checkpointCosigned:
            exchange = .receipts
            key = "\(participant).\(type.routingWord)"
        }
    }
}
