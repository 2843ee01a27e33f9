import JSONValue

/// The dialect's own schemas, which schemas may refer to: what each keyword's value must be.
enum MetaSchema {
    static let dialect = "https://json-schema.org/draft/2020-12/schema"
    private static let folder = "https://json-schema.org/draft/2020-12/meta/"

    /// The document of one of the dialect's URIs; `nil` for any other.
    static func document(_ uri: String) -> JSON? {
        if uri == dialect {
            return .object(
                header(
                    dialect,
                    [
                        "$vocabulary": .object(
                            JSONObject(Vocabulary.allCases.map { ("https://json-schema.org/draft/2020-12/vocab/\($0.rawValue)", true) })),
                        "allOf": .array(Vocabulary.allCases.map { ["$ref": .string("meta/\($0.rawValue)")] }),
                    ]))
        }
        guard uri.hasPrefix(folder), let vocabulary = Vocabulary(rawValue: String(uri.dropFirst(folder.count))) else { return nil }
        let properties = vocabulary.keywords.map { ($0, valueSchema($0, vocabulary)) }
        return .object(header(uri, ["properties": .object(JSONObject(properties))]))
    }

    private static func header(_ uri: String, _ rest: JSONObject) -> JSONObject {
        var document: JSONObject = [
            "$schema": .string(dialect), "$id": .string(uri), "$dynamicAnchor": "meta", "type": ["object", "boolean"],
        ]
        for (key, value) in rest.members { document[key] = value }
        return document
    }

    private static let schema: JSON = ["$dynamicRef": "#meta"]
    private static let schemas: JSON = ["type": "array", "minItems": 1, "items": ["$dynamicRef": "#meta"]]
    private static let schemaMap: JSON = ["type": "object", "additionalProperties": ["$dynamicRef": "#meta"]]
    private static let text: JSON = ["type": "string"]
    private static let count: JSON = ["type": "integer", "minimum": 0]
    private static let number: JSON = ["type": "number"]
    private static let flag: JSON = ["type": "boolean"]
    private static let texts: JSON = ["type": "array", "items": ["type": "string"], "uniqueItems": true]

    private static func valueSchema(_ keyword: String, _ vocabulary: Vocabulary) -> JSON {
        switch SchemaCompiler.subschemas[keyword] {
        case .one: return schema
        case .list: return schemas
        case .map: return schemaMap
        case nil: break
        }
        switch keyword {
        case "$vocabulary": return ["type": "object", "additionalProperties": ["type": "boolean"]]
        case "type":
            let names: JSON = ["enum": .array(JSONType.allCases.map { .string($0.rawValue) })]
            return ["anyOf": [names, ["type": "array", "items": names, "minItems": 1, "uniqueItems": true]]]
        case "const", "default": return true
        case "enum", "examples": return ["type": "array"]
        case "multipleOf": return ["type": "number", "exclusiveMinimum": 0]
        case "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum": return number
        case "uniqueItems", "deprecated", "readOnly", "writeOnly": return flag
        case "required": return texts
        case "dependentRequired": return ["type": "object", "additionalProperties": texts]
        case "pattern", "format", "title", "description", "contentEncoding", "contentMediaType": return text
        default: return vocabulary == .validation ? count : text
        }
    }
}
