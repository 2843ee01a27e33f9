/// One citizen's order as everybody names it: the house that sent it, and its number there.
///
/// A number alone names nothing: it stands on the citizen's receipt, and another house can send an order of its own under it (wire
/// contract, section 6).
public struct RequestKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let house: ParticipantID
    public let subject: RequestID

    public init(house: ParticipantID, subject: RequestID) {
        self.house = house
        self.subject = subject
    }

    /// `nil` where one of the two is not of its form.
    public init?(house: String, subject: String) {
        guard let house = ParticipantID(house), let subject = RequestID(subject) else { return nil }
        self.init(house: house, subject: subject)
    }

    /// Reads ``description``.
    public init?(_ text: String) {
        let parts = text.pieces(UInt8(ascii: " "))
        guard parts.count == 2 else { return nil }
        self.init(house: String(parts[0]), subject: String(parts[1]))
    }

    public var description: String { "\(house) \(subject)" }
    /// The two words that stand for it in every address.
    public var path: String { "\(house)/\(subject)" }
    public static func < (left: Self, right: Self) -> Bool { (left.house, left.subject) < (right.house, right.subject) }
}

extension Envelope {
    /// The request that the message is about, by what the message itself says: a house speaks of its own, everybody else names the house
    /// as recipient. `nil` where the message names no request, or no house.
    public var request: RequestKey? {
        guard let subject, let house = source.role == .house ? source.participant : recipient else { return nil }
        return RequestKey(house: house, subject: subject)
    }
}
