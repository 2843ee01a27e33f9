import Foundation
public import WaslModel

/// Why a schema was not accepted: which keyword, where.
public struct SchemaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// JSON Pointer into the schema.
    public let location: String
    public let reason: String

    public var description: String { "\(location.isEmpty ? "/" : location): \(reason)" }
}

/// One disagreement between an instance and a schema.
public struct Violation: Sendable, Hashable {
    /// JSON Pointer into the instance; the name of a missing member is part of it.
    public let instanceLocation: String
    /// JSON Pointer into the schema.
    public let keywordLocation: String
    public let message: LocalizedText
}

/// A compiled JSON Schema of the 2020-12 dialect.
///
/// A keyword that is not supported is an error when the schema is compiled, never silence when an instance is validated.
public struct Schema: Sendable {
    let node: SchemaNode

    /// - Throws: ``SchemaError``
    public init(_ json: JSON) throws(SchemaError) { node = try SchemaNode(json, at: "") }

    /// Every violation, in the order of the schema's keywords; empty when the instance is valid.
    public func validate(_ instance: JSON) -> [Violation] {
        var violations: [Violation] = []
        node.validate(instance, at: "", into: &violations)
        return violations
    }
}

/// One (sub)schema: its checks, each with its own location.
struct SchemaNode: Sendable {
    struct Check: Sendable {
        let location: String
        let run: @Sendable (_ instance: JSON, _ at: String, _ location: String, _ into: inout [Violation]) -> Void
    }

    let checks: [Check]

    private static let annotations: Set<String> = [
        "$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
    ]

    init(_ json: JSON, at location: String) throws(SchemaError) {
        if case .bool(let isAllowed) = json {
            checks =
                isAllowed
                ? []
                : [
                    Check(location: location) { _, at, location, violations in
                        violations.append(Violation(at, location, .notAllowed))
                    }
                ]
            return
        }
        guard case .object(let object) = json else {
            throw SchemaError(location: location, reason: "expected a schema: an object or a boolean, found \(json.shape)")
        }
        var checks: [Check] = []
        for (keyword, value) in object.members where !SchemaNode.annotations.contains(keyword) {
            let place = location + "/" + keyword
            guard let compile = keywords[keyword] else {
                throw SchemaError(location: place, reason: "the keyword `\(keyword)` is not supported")
            }
            do {
                checks.append(Check(location: place, run: try compile(value, object, place)))
            } catch {
                throw error as? SchemaError ?? SchemaError(location: place, reason: "\(error)")
            }
        }
        self.checks = checks
    }

    func validate(_ instance: JSON, at: String, into violations: inout [Violation]) {
        for check in checks { check.run(instance, at, check.location, &violations) }
    }
}

extension Violation {
    init(_ instanceLocation: String, _ keywordLocation: String, _ message: LocalizedText) {
        self.init(instanceLocation: instanceLocation, keywordLocation: keywordLocation, message: message)
    }
}

extension String {
    /// One more step of a JSON Pointer (RFC 6901 section 3).
    func appending(pointer token: String) -> String {
        guard token.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return "\(self)/\(token)" }
        return self + "/" + token.replacingOccurrences(of: "~", with: "~0").replacingOccurrences(of: "/", with: "~1")
    }
}
