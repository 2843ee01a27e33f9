/// The vocabularies of the 2020-12 dialect (Core section 8.1; Validation sections 6 to 9).
enum Vocabulary: String, CaseIterable {
    case core, applicator, unevaluated, validation
    case metaData = "meta-data"
    case format = "format-annotation"
    case content

    init?(uri: String) {
        let start = "https://json-schema.org/draft/2020-12/vocab/"
        guard uri.hasPrefix(start) else { return nil }
        let name = String(uri.dropFirst(start.count))
        self.init(rawValue: name == "format-assertion" ? "format-annotation" : name)
    }

    var keywords: [String] {
        switch self {
        case .core:
            [
                "$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$comment", "$defs", "definitions",
            ]
        case .applicator:
            [
                "prefixItems", "items", "contains", "additionalProperties", "properties", "patternProperties", "dependentSchemas",
                "propertyNames", "if", "then", "else", "allOf", "anyOf", "oneOf", "not",
            ]
        case .unevaluated: ["unevaluatedItems", "unevaluatedProperties"]
        case .validation:
            [
                "type", "const", "enum", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength",
                "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties",
                "minProperties", "required", "dependentRequired",
            ]
        case .metaData: ["title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples"]
        case .format: ["format"]
        case .content: ["contentEncoding", "contentMediaType", "contentSchema"]
        }
    }

    /// The vocabulary of each keyword.
    static let of: [String: Vocabulary] = Dictionary(
        uniqueKeysWithValues: allCases.flatMap { vocabulary in vocabulary.keywords.map { ($0, vocabulary) } })
}
