import JSONValue

/// The types of the `type` keyword (Validation section 6.1.1).
enum JSONType: String, Sendable, CaseIterable {
    case null, boolean, integer, number, string, array, object

    func matches(_ value: JSON) -> Bool {
        switch (value, self) {
        case (.null, .null), (.bool, .boolean), (.integer, .integer), (.integer, .number), (.number, .number), (.string, .string),
            (.array, .array), (.object, .object):
            true
        // A number with a zero fraction is an integer.
        case (.number(let number), .integer): number == number.rounded()
        default: false
        }
    }

    var words: Message {
        switch self {
        case .null: Message(ar: "فراغ", fr: "rien", en: "nothing")
        case .boolean: Message(ar: "نعم أو لا", fr: "oui ou non", en: "yes or no")
        case .integer: Message(ar: "عدد صحيح", fr: "un nombre entier", en: "a whole number")
        case .number: Message(ar: "عدد", fr: "un nombre", en: "a number")
        case .string: Message(ar: "نص", fr: "un texte", en: "a text")
        case .array: Message(ar: "قائمة", fr: "une liste", en: "a list")
        case .object: Message(ar: "مجموعة خانات", fr: "un groupe de champs", en: "a group of fields")
        }
    }
}

extension JSON {
    /// Equality as schemas mean it (Core section 4.2.2): numbers by their mathematical value, objects in any order.
    func isSame(as other: JSON) -> Bool {
        switch (self, other) {
        case (.integer(let left), .number(let right)), (.number(let right), .integer(let left)):
            Double(left) == right && Int64(exactly: right) == left
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.isSame(as: $1) }
        case (.object(let left), .object(let right)):
            left.count == right.count && left.members.allSatisfy { member in right[member.key]?.isSame(as: member.value) == true }
        // By code points: Swift takes canonically equivalent texts for the same, JSON does not (Core section 4.2.2).
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        default: self == other
        }
    }

    /// What is the same hashes the same, so that repetitions among many are found without comparing each with each.
    func hashAsSame(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .integer(let value): hasher.combine(value)
        case .number(let value):
            if let whole = Int64(exactly: value) { hasher.combine(whole) } else { hasher.combine(value) }
        case .string(let value):
            hasher.combine(1)
            for byte in value.utf8 { hasher.combine(byte) }
        case .array(let elements):
            hasher.combine(elements.count)
            for element in elements { element.hashAsSame(into: &hasher) }
        case .object(let object):
            // In any order: a sum of the members' own.
            var sum = 0
            for (key, value) in object.members {
                var member = Hasher()
                member.combine(key)
                value.hashAsSame(into: &member)
                sum &+= member.finalize()
            }
            hasher.combine(sum)
        }
    }

    /// Whether it is a whole multiple, without the rounding that a quotient of doubles would bring.
    func isMultiple(of divisor: JSON) -> Bool {
        if case .integer(let value) = self, case .integer(let divisor) = divisor { return value % divisor == 0 }
        guard let value = double, let divisor = divisor.double else { return true }
        let quotient = value / divisor
        if !quotient.isFinite { return value.truncatingRemainder(dividingBy: divisor) == 0 }
        if abs(quotient - quotient.rounded()) < 1e-9 * max(1, abs(quotient)) { return abs(quotient) < 1e15 || value == value.rounded() }
        return false
    }
}

/// A value in a set that goes by what schemas take for the same.
struct SameValue: Hashable {
    let value: JSON

    static func == (left: SameValue, right: SameValue) -> Bool { left.value.isSame(as: right.value) }
    func hash(into hasher: inout Hasher) { value.hashAsSame(into: &hasher) }
}
