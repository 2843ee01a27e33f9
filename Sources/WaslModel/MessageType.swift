/// The types of the wire contract, section 4: `tn.wasl.<word>.v1`.
public enum MessageType: String, Sendable, CaseIterable {
    case requestSubmitted = "tn.wasl.request.submitted.v1"
    case requestTaken = "tn.wasl.request.taken.v1"
    case attemptIntended = "tn.wasl.attempt.intended.v1"
    case outcome = "tn.wasl.outcome.v1"
    case outcomeDelivered = "tn.wasl.outcome.delivered.v1"
    case attachmentChunk = "tn.wasl.attachment.chunk.v1"
    case messageRefused = "tn.wasl.message.refused.v1"
    case journalOpened = "tn.wasl.journal.opened.v1"
    case journalHead = "tn.wasl.journal.head.v1"
    case presence = "tn.wasl.presence.v1"
    case statement = "tn.wasl.statement.v1"
    case resend = "tn.wasl.resend.v1"
    case reseal = "tn.wasl.reseal.v1"
    case registry = "tn.wasl.registry.v1"
    case checkpoint = "tn.wasl.checkpoint.v1"
    case checkpointCosigned = "tn.wasl.checkpoint.cosigned.v1"

    /// The word between prefix and version, with `-` for `.`: an event's or a command's name in a routing key.
    public var routingWord: String {
        let word = rawValue.dropFirst("tn.wasl.".count).dropLast(".v1".count)
        return String(decoding: word.utf8.map { $0 == 0x2E ? 0x2D : $0 }, as: UTF8.self)
    }

    /// Who may emit it.
    public func mayCome(from role: Role) -> Bool {
        switch self {
        case .requestSubmitted, .outcomeDelivered, .checkpointCosigned: role == .house
        case .requestTaken, .attemptIntended, .outcome: role == .agency
        case .attachmentChunk, .statement: role != .ledger
        case .journalHead, .resend, .registry, .checkpoint: role == .ledger
        case .reseal: role == .house
        case .messageRefused, .journalOpened, .presence: true
        }
    }
}

/// The exchanges of the wire contract, section 2.
public enum Exchange: String, Sendable, CaseIterable {
    case requests = "wasl.requests"
    case outcomes = "wasl.outcomes"
    case receipts = "wasl.receipts"
    case control = "wasl.control"
    case unroutable = "wasl.unroutable"
    case dead = "wasl.dead"

    /// Requests and outcomes have an alternate exchange, so only the others are published `mandatory`.
    public var isMandatory: Bool { self == .receipts || self == .control }
}
