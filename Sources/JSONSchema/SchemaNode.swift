import JSONValue

/// One subschema, compiled: each keyword that it has is a stored value, so that validating asks no dictionary.
///
/// Built by ``SchemaCompiler`` in two strokes, since schemas may refer to each other in circles; nothing changes it afterwards.
final class SchemaNode: @unchecked Sendable {
    // Not Sendable by its parts only because the second stroke fills it in: after ``SchemaCompiler/compile`` it is never written again.
    /// Where it stands: the resource's URI where there is one, and a JSON Pointer.
    let location: String
    /// The resource it belongs to, for the dynamic scope.
    let resource: String

    init(location: String, resource: String) {
        self.location = location
        self.resource = resource
    }

    /// `true` or `false` in place of an object.
    var always: Bool?

    var types: [JSONType] = []
    var allowed: [JSON]?
    var constant: JSON?

    var minimum: JSON?
    var maximum: JSON?
    var exclusiveMinimum: JSON?
    var exclusiveMaximum: JSON?
    var multipleOf: JSON?

    var lengthMin: Int?
    var lengthMax: Int?
    var pattern: Pattern?
    var format: (name: String, format: Format)?

    var prefixItems: [SchemaNode] = []
    var items: SchemaNode?
    var contains: SchemaNode?
    var containsMin = 1
    var containsMax: Int?
    var itemsMin: Int?
    var itemsMax: Int?
    var isUnique = false
    var unevaluatedItems: SchemaNode?

    var properties: [String: SchemaNode] = [:]
    /// The same in the order of the schema, for messages in the order of the form.
    var propertyNamesInOrder: [String] = []
    var patternProperties: [(pattern: Pattern, node: SchemaNode)] = []
    var additionalProperties: SchemaNode?
    var propertyNames: SchemaNode?
    var required: [String] = []
    var propertiesMin: Int?
    var propertiesMax: Int?
    var dependentRequired: [(name: String, others: [String])] = []
    var dependentSchemas: [(name: String, node: SchemaNode)] = []
    var unevaluatedProperties: SchemaNode?

    var reference: SchemaNode?
    /// The target by name alone, and the node where no scope knows better.
    var dynamicReference: (anchor: String?, fallback: SchemaNode)?
    var allOf: [SchemaNode] = []
    var anyOf: [SchemaNode] = []
    var oneOf: [SchemaNode] = []
    var not: SchemaNode?
    var condition: SchemaNode?
    var consequence: SchemaNode?
    var alternative: SchemaNode?

    var isAboutObjects: Bool {
        !properties.isEmpty || !patternProperties.isEmpty || additionalProperties != nil || propertyNames != nil || !required.isEmpty
            || propertiesMin != nil || propertiesMax != nil || !dependentRequired.isEmpty || !dependentSchemas.isEmpty
    }
}
