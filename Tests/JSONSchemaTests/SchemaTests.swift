import JSONSchema
import JSONValue
import Testing

@Suite struct SchemaTests {
    private static let schema: JSON = [
        "type": "object", "required": ["reference", "amount"], "additionalProperties": false,
        "properties": [
            "reference": ["type": "string", "pattern": "^[0-9]{9}$"], "amount": ["type": "integer", "minimum": 1],
            "mode": ["enum": ["cash", "card"]], "tags": ["type": "array", "items": ["type": "string"], "maxItems": 2],
            "on": ["type": "string", "format": "date"],
        ],
    ]

    @Test func aValidInstanceHasNoViolation() throws {
        let schema = try Schema(Self.schema)
        #expect(schema.validate(["reference": "123456789", "amount": 5, "mode": "cash", "tags": ["a"], "on": "2026-02-28"]).isEmpty)
    }

    @Test(
        arguments: [
            (["amount": 5], "/reference", "/required"), (["reference": "12", "amount": 5], "/reference", "/properties/reference/pattern"),
            (["reference": "123456789", "amount": "5"], "/amount", "/properties/amount/type"),
            (["reference": "123456789", "amount": 0], "/amount", "/properties/amount/minimum"),
            (["reference": "123456789", "amount": 5, "x/y": 1], "/x~1y", "/additionalProperties"),
            (["reference": "123456789", "amount": 5, "mode": "gold"], "/mode", "/properties/mode/enum"),
            (["reference": "123456789", "amount": 5, "tags": ["a", 1]], "/tags/1", "/properties/tags/items/type"),
            (["reference": "123456789", "amount": 5, "on": "2026-02-30"], "/on", "/properties/on/format"),
        ] as [(JSON, String, String)])
    func aViolationNamesInstanceAndKeyword(_ instance: JSON, _ place: String, _ keyword: String) throws {
        let violations = try Schema(Self.schema).validate(instance)
        #expect(violations.map(\.instanceLocation) == [place])
        #expect(violations.map(\.keywordLocation) == [keyword])
        #expect(violations.allSatisfy { !$0.message.ar.isEmpty && !$0.message.fr.isEmpty && !$0.message.en.isEmpty })
    }

    @Test func anUnknownKeywordIsAnErrorNotSilence() {
        let error = #expect(throws: SchemaError.self) { try Schema(["properties": ["a": ["maxLenght": 5]]]) }
        #expect(error?.location == "/properties/a/maxLenght")
    }
}
