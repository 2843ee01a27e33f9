public import WaslModel
public import WaslSeal

/// What the ledger asks of a participant.
public enum ControlCommand: Sendable, Hashable {
    /// A range of a lane once more.
    case resend(epoch: EpochID, from: Int64, through: Int64)
    /// Everything that was said about a request once more.
    case resendSubject(RequestID)
    /// A newer registry: its exact text and the root key's signature.
    case registry(text: String, signature: String)

    /// `nil` for a type that asks nothing of us yet; nothing is lost, the message is in the inbox.
    ///
    /// - Throws: ``EnvelopeError`` naming the member.
    public init?(_ envelope: Envelope) throws(EnvelopeError) {
        let data = envelope.data
        func text(_ key: String) throws(EnvelopeError) -> String {
            guard let text = data[key]?.string else { throw EnvelopeError(attribute: "data.\(key)", reason: "expected a string") }
            return text
        }
        switch envelope.type {
        case .resend:
            if let subject = envelope.subject {
                self = .resendSubject(subject)
                return
            }
            guard let epoch = EpochID(try text("epoch")), let from = Int64(try text("from")),
                let through = Int64(try text("through")), from >= 1, from <= through
            else { throw EnvelopeError(attribute: "data", reason: "expected epoch, from and through, or a subject") }
            self = .resend(epoch: epoch, from: from, through: through)
        case .registry:
            self = .registry(text: try text("registry"), signature: try text("signature"))
        default: return nil
        }
    }
}

extension PublishingPump {
    /// Does what the ledger asked.
    ///
    /// - Returns: why it was not done, for an operator; `nil` when it was.
    public func perform(_ command: ControlCommand, registry: RegistryHolder) async -> String? {
        do {
            switch command {
            case .resend(let epoch, let from, let through): resend(epoch: epoch, from: from, through: through)
            case .resendSubject(let subject): resend(subject: subject)
            case .registry(let text, let signature): try await registry.update(Array(text.utf8), signature: signature, in: journal)
            }
            return nil
        } catch {
            return "\(error)"
        }
    }
}
