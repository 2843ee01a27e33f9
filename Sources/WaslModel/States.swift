/// What repeating a call may do, and so what the worker does after doubt (wire contract, section 4).
public enum EffectClass: String, Sendable, CaseIterable {
    /// Changes nothing: repeat.
    case read
    /// Repeat with the same key inside the agency's retention window; past it, park.
    case idempotent
    /// Look up by our reference first; absent twice after the settle time: repeat; else park.
    case queryable
    /// Neither repeatable nor visible from outside: park for two people.
    case neither
}

/// What an agency says of a request. A terminal status never changes.
public enum OutcomeStatus: String, Sendable, CaseIterable {
    case completed, refused, failed, expired
    case inDoubt = "in-doubt"
    case parked, progress

    public var isTerminal: Bool {
        switch self {
        case .completed, .refused, .failed, .expired: true
        case .inDoubt, .parked, .progress: false
        }
    }
}

/// What a participant is.
public enum Role: String, Sendable, CaseIterable {
    case house, agency, ledger

    /// The first part of a message's `source`.
    var sourceFolder: String {
        switch self {
        case .house: "houses"
        case .agency: "agencies"
        case .ledger: "ledger"
        }
    }
}

/// Whole millimes (a thousandth of a Tunisian dinar).
public struct Millimes: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let amount: Int64

    public init(_ amount: Int64) { self.amount = amount }

    public static func < (left: Millimes, right: Millimes) -> Bool { left.amount < right.amount }

    /// Dinars with three decimals, as CLDR's `ar-TN` and `fr-TN` write the decimal comma: `12,500`.
    public var description: String {
        let magnitude = amount.magnitude
        let fraction = String(magnitude % 1000)
        let sign = amount < 0 ? "-" : ""
        return sign + String(magnitude / 1000) + "," + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}

/// A text in the three languages that every person-facing word has.
public struct LocalizedText: Sendable, Hashable {
    public let ar: String
    public let fr: String
    public let en: String

    public init(ar: String, fr: String, en: String) {
        self.ar = ar
        self.fr = fr
        self.en = en
    }

    public var json: JSON { ["ar": .string(ar), "fr": .string(fr), "en": .string(en)] }
}
