import Foundation
import WaslModel

typealias KeywordCheck = @Sendable (JSON, String, String, inout [Violation]) -> Void
typealias KeywordCompiler = @Sendable (_ value: JSON, _ schema: JSONObject, _ place: String) throws -> KeywordCheck

/// The keywords that we support, each compiled to one check (JSON Schema 2020-12, Core section 10, Validation section 6).
let keywords: [String: KeywordCompiler] = [
    "type": compileType,
    "enum": { value, _, place in
        guard let allowed = value.array else { throw SchemaError(location: place, reason: "expected an array") }
        return { instance, at, location, violations in
            if !allowed.contains(instance) { violations.append(Violation(at, location, .notOneOf)) }
        }
    },
    "const": { value, _, _ in
        { instance, at, location, violations in
            if instance != value { violations.append(Violation(at, location, .notOneOf)) }
        }
    },
    "required": { value, _, place in
        let names = try strings(value, place)
        return { instance, at, location, violations in
            guard case .object(let object) = instance else { return }
            for name in names where object[name] == nil {
                violations.append(Violation(at.appending(pointer: name), location, .missing))
            }
        }
    },
    "properties": { value, _, place in
        let nodes = try subschemas(value, place)
        return { instance, at, _, violations in
            guard case .object(let object) = instance else { return }
            for (name, node) in nodes {
                if let member = object[name] {
                    node.validate(member, at: at.appending(pointer: name), into: &violations)
                }
            }
        }
    },
    "additionalProperties": { value, schema, place in
        let node = try SchemaNode(value, at: place)
        let known = Set(schema["properties"]?.object?.keys ?? [])
        return { instance, at, _, violations in
            guard case .object(let object) = instance else { return }
            for (name, member) in object.members where !known.contains(name) {
                node.validate(member, at: at.appending(pointer: name), into: &violations)
            }
        }
    },
    "items": { value, _, place in
        let node = try SchemaNode(value, at: place)
        return { instance, at, _, violations in
            for (index, element) in (instance.array ?? []).enumerated() {
                node.validate(element, at: at.appending(pointer: String(index)), into: &violations)
            }
        }
    },
    "minItems": {
        try bound($0, $2, .tooShort) {
            $0.array.map { Double($0.count) }
        } holds: {
            $0 >= $1
        }
    },
    "maxItems": {
        try bound($0, $2, .tooLong) {
            $0.array.map { Double($0.count) }
        } holds: {
            $0 <= $1
        }
    },
    "minLength": {
        try bound($0, $2, .tooShort) {
            $0.string.map { Double($0.unicodeScalars.count) }
        } holds: {
            $0 >= $1
        }
    },
    "maxLength": {
        try bound($0, $2, .tooLong) {
            $0.string.map { Double($0.unicodeScalars.count) }
        } holds: {
            $0 <= $1
        }
    },
    "minimum": {
        try bound($0, $2, .tooSmall) {
            $0.double
        } holds: {
            $0 >= $1
        }
    },
    "maximum": {
        try bound($0, $2, .tooLarge) {
            $0.double
        } holds: {
            $0 <= $1
        }
    },
    "exclusiveMinimum": {
        try bound($0, $2, .tooSmall) {
            $0.double
        } holds: {
            $0 > $1
        }
    },
    "exclusiveMaximum": {
        try bound($0, $2, .tooLarge) {
            $0.double
        } holds: {
            $0 < $1
        }
    },
    "pattern": { value, _, place in
        guard let pattern = value.string, let expression = try? NSRegularExpression(pattern: pattern) else {
            throw SchemaError(location: place, reason: "expected a regular expression")
        }
        return { instance, at, location, violations in
            guard let text = instance.string else { return }
            let whole = NSRange(location: 0, length: text.utf16.count)
            if expression.firstMatch(in: text, range: whole) == nil {
                violations.append(Violation(at, location, .wrongForm))
            }
        }
    },
    "format": { value, _, place in
        guard let name = value.string, let isValid = formats[name] else {
            throw SchemaError(location: place, reason: "the format is not supported")
        }
        return { instance, at, location, violations in
            if let text = instance.string, !isValid(text) { violations.append(Violation(at, location, .wrongForm)) }
        }
    },
]

/// Formats that are asserted, not only noted.
private let formats: [String: @Sendable (String) -> Bool] = [
    "date-time": { Timestamp($0) != nil },
    "date": { Timestamp($0 + "T00:00:00Z") != nil },
    "uuid": { RequestID($0.lowercased()) != nil },
]

private func compileType(_ value: JSON, _ schema: JSONObject, _ place: String) throws -> KeywordCheck {
    let names = try value.string.map { [$0] } ?? strings(value, place)
    let known: Set<String> = ["null", "boolean", "integer", "number", "string", "array", "object"]
    if let unknown = names.first(where: { !known.contains($0) }) {
        throw SchemaError(location: place, reason: "`\(unknown)` is not a type")
    }
    return { instance, at, location, violations in
        if !names.contains(where: { isOfType(instance, $0) }) {
            violations.append(Violation(at, location, .wrongType(expected: names)))
        }
    }
}

private func isOfType(_ instance: JSON, _ name: String) -> Bool {
    switch (instance, name) {
    case (.null, "null"), (.bool, "boolean"), (.integer, "integer"), (.integer, "number"), (.number, "number"),
        (.string, "string"), (.array, "array"), (.object, "object"):
        true
    case (.number(let value), "integer"): value == value.rounded()
    default: false
    }
}

private func strings(_ value: JSON, _ place: String) throws -> [String] {
    guard let elements = value.array else { throw SchemaError(location: place, reason: "expected an array of strings") }
    return try elements.map {
        guard let text = $0.string else { throw SchemaError(location: place, reason: "expected an array of strings") }
        return text
    }
}

private func subschemas(_ value: JSON, _ place: String) throws -> [(String, SchemaNode)] {
    guard case .object(let object) = value else { throw SchemaError(location: place, reason: "expected an object") }
    return try object.members.map { ($0.key, try SchemaNode($0.value, at: place.appending(pointer: $0.key))) }
}

private func bound(
    _ value: JSON, _ place: String, _ message: LocalizedText, measure: @escaping @Sendable (JSON) -> Double?,
    holds: @escaping @Sendable (Double, Double) -> Bool
) throws -> KeywordCheck {
    guard let limit = value.double else { throw SchemaError(location: place, reason: "expected a number") }
    return { instance, at, location, violations in
        if let measured = measure(instance), !holds(measured, limit) { violations.append(Violation(at, location, message)) }
    }
}
