public import JSONValue

/// Why a schema was not accepted: which keyword, where.
public struct SchemaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// JSON Pointer into the schema.
    public let location: String
    public let reason: String

    public var description: String { "\(location.isEmpty ? "/" : location): \(reason)" }
}

/// One disagreement between an instance and a schema (Core section 12).
public struct Violation: Sendable, Hashable {
    /// JSON Pointer into the instance; the name of a missing member is part of it.
    public let instanceLocation: String
    /// The keyword's place: a JSON Pointer into the schema, after the resource's URI where another document is meant.
    public let keywordLocation: String
    public let message: Message

    public init(instanceLocation: String, keywordLocation: String, message: Message) {
        self.instanceLocation = instanceLocation
        self.keywordLocation = keywordLocation
        self.message = message
    }
}

/// How a schema is read.
public struct SchemaOptions: Sendable {
    /// A keyword that the dialect does not know is an error instead of an annotation.
    public var refusesUnknownKeywords = true
    /// The formats that are asserted; one that is not here is an error. `nil`: `format` is an annotation only.
    public var formats: [String: Format]? = Format.standard
    /// Gives the document of a URI that a reference names; nothing is ever fetched from a network.
    public var document: @Sendable (String) -> JSON? = { _ in nil }

    public init() {}
}

/// A compiled JSON Schema of the 2020-12 dialect: https://json-schema.org/draft/2020-12.
///
/// Compiled once, used from any thread. What is wrong with a schema is an error when it is compiled, never silence later.
public struct Schema: Sendable {
    let root: SchemaNode
    let dynamicAnchors: [String: [String: SchemaNode]]

    /// - Throws: ``SchemaError`` naming the keyword.
    public init(_ json: JSON, options: SchemaOptions = SchemaOptions()) throws(SchemaError) {
        var compiler = SchemaCompiler(options: options)
        root = try compiler.compile(json)
        dynamicAnchors = compiler.dynamicNodes
    }

    /// Every violation, in the order of the schema's keywords; empty when the instance is valid.
    public func validate(_ instance: JSON) -> [Violation] {
        let validation = Validation(dynamicAnchors: dynamicAnchors)
        _ = validation.apply(root, to: instance)
        return validation.violations
    }

    /// The names of the root's `properties`, in the order of the schema.
    public var propertyNames: [String] { root.propertyNamesInOrder }

    /// Whether the instance is valid; quicker than listing what is not.
    public func accepts(_ instance: JSON) -> Bool {
        let validation = Validation(dynamicAnchors: dynamicAnchors)
        validation.quietDepth = 1
        return validation.apply(root, to: instance).isValid
    }
}
