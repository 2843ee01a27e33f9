import WaslModel

/// One operation of a simulated agency: what it takes, field by field, and what it answers. Written from the agency's description of
/// its API, never from the translations that call it.
struct SimulatedOperation: Sendable {
    /// A field's rule, over what the wire holds: texts in XML and forms, typed values in JSON.
    typealias Rule = @Sendable (JSON) -> Bool

    /// Its name in the effects log.
    let name: String
    let fields: [String: Rule]
    var optional: [String: Rule] = [:]
    /// The field that holds the caller's reference.
    let reference: String
    /// The code with which the seed lets it refuse; `nil` where it never does.
    var refusal: String?
    /// A field that decides by itself: an identifier ending in `000` is not known.
    var known: (field: String, code: String)?
    var acts = true
    /// The same reference again gives the same answer and does nothing.
    var isKeyed = false
    /// What the effects log keeps of it besides.
    var detail: JSONObject = [:]
    /// The fields that a list of what was done repeats.
    var listed: [String] = []
    /// What the answer says, given the number of what was done.
    let answer: @Sendable (_ office: SimulatedOffice, _ number: String, _ reference: String) -> JSONObject

    /// The name of the first field that is missing, wrong, or not expected; `nil` when all is right.
    func wrongField(_ values: JSONObject) -> String? {
        for name in fields.keys.sorted() {
            guard let value = values[name], let rule = fields[name], rule(value) else { return name }
        }
        for (name, value) in values.members where fields[name] == nil {
            guard let rule = optional[name], rule(value) else { return name }
        }
        return nil
    }
}

/// The rules that agencies have for their fields.
enum Take {
    static func digits(_ range: ClosedRange<Int>) -> SimulatedOperation.Rule {
        { value in value.string.map { range.contains($0.utf8.count) && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } } ?? false }
    }
    static func digits(_ count: Int) -> SimulatedOperation.Rule { digits(count...count) }
    static func text(_ range: ClosedRange<Int> = 1...4000) -> SimulatedOperation.Rule {
        { value in value.string.map { range.contains($0.unicodeScalars.count) } ?? false }
    }
    static func oneOf(_ words: String...) -> SimulatedOperation.Rule {
        { value in value.string.map { words.contains($0) } ?? false }
    }
    /// `2026-11-23`
    static let date: SimulatedOperation.Rule = { value in value.string.map { Timestamp($0 + "T00:00:00Z") != nil } ?? false }
    /// `2026-11`
    static let month: SimulatedOperation.Rule = { value in value.string.map { Timestamp($0 + "-01T00:00:00Z") != nil } ?? false }
    /// Our callers mark what they send with 26 characters of base32.
    static let reference: SimulatedOperation.Rule = { value in
        value.string.map { $0.utf8.count == 26 && $0.utf8.allSatisfy { (0x41...0x5A).contains($0) || (0x32...0x37).contains($0) } } ?? false
    }
    /// An order's own number: a UUID.
    static let uuid: SimulatedOperation.Rule = { value in
        value.string.map { $0.utf8.count == 36 && $0.utf8.count { $0 == 0x2D } == 4 } ?? false
    }
    static let integer: SimulatedOperation.Rule = { value in value.integer.map { $0 >= 0 } ?? false }
    static let amount: SimulatedOperation.Rule = { value in value.integer.map { $0 > 0 } ?? false }
    /// An amount as XML and forms write it.
    static let amountText: SimulatedOperation.Rule = { value in value.string.flatMap { Int64($0) }.map { $0 > 0 } ?? false }
    static let mode = oneOf("cash", "card", "d17")
    static let phone: SimulatedOperation.Rule = { value in
        digits(8)(value) && value.string?.first.map { "234579".contains($0) } == true
    }
    static let hash: SimulatedOperation.Rule = { value in
        value.string.map { $0.utf8.count == 64 && $0.allSatisfy(\.isHexDigit) } ?? false
    }
}
