import JSONSchema
import JSONValue
import Testing

@Suite struct FormatTests {
    private static let cases: [(name: String, valid: [String], invalid: [String])] = [
        (
            "date", ["2026-02-28", "2024-02-29", "2000-02-29"],
            ["2026-02-29", "1900-02-29", "2026-13-01", "2026-1-1", "2026-01-01T", "٢٠٢٦-٠١-٠١"]
        ),
        (
            "time", ["08:30:06Z", "08:30:06.283185z", "23:59:60Z", "15:59:60-08:00", "00:29:60+00:30"],
            ["08:30:06", "8:30:06Z", "24:00:00Z", "22:59:60Z", "08:30:06.Z", "08:30:06+25:00", "08:30:06 PST"]
        ),
        (
            "date-time", ["1963-06-19T08:30:06.283185Z", "1990-12-31t15:59:60-08:00", "2026-11-23T09:00:00+01:00"],
            ["1990-02-31T15:59:59Z", "06/19/1963 08:30:06 PST", "2026-11-23 09:00:00Z", "2026-11-23T09:00:00"]
        ),
        (
            "duration", ["P4DT12H30M5S", "P1Y", "PT1H", "P4W", "P1Y2M3D", "PT36H"],
            ["P", "PT", "P2D1Y", "P1YT", "P1D2H", "4D", "PT1D", "P1Y2W", "P1S"]
        ),
        (
            "email", ["joe.bloggs@example.com", "te~st@example.com", "\"joe bloggs\"@example.com", "joe@[127.0.0.1]", "joe@[IPv6:::1]"],
            ["2962", ".test@example.com", "te..st@example.com", "test.@example.com", "a b@example.com", "joe@-bad-.tn", "joe@"]
        ),
        (
            "hostname", ["www.example.com", "localhost", "a-b.tn", "1.example"],
            ["-a.tn", "a-.tn", "a..tn", "a_b.tn", "", String(repeating: "a", count: 64) + ".tn", "a.tn."]
        ),
        ("ipv4", ["192.168.0.1", "0.0.0.0", "255.255.255.255"], ["256.1.1.1", "1.2.3", "01.2.3.4", "1.2.3.4.5", "0x7f000001", "1.2.3.٤"]),
        (
            "ipv6", ["::1", "::", "::ffff:192.168.0.1", "12:34:56:78:9a:bc:de:f0"],
            ["12345::", "::1%eth0", "1:1:1:1:1:1:1:1:1", ":2:3", "::laptop", "1::2::3"]
        ),
        (
            "uri",
            [
                "http://foo.bar/?q=Test%20URL-encoded%20stuff", "urn:oasis:names:tc", "mailto:a@b.tn", "ldap://[2001:db8::7]/c=GB?one",
                "http://ex.com#f",
            ],
            ["//foo.bar/x", "/abs", "foo", "http:// shouldfail.com", "http://ex.com/%zz", "http://ex.com/<>", ":// no", "bar,baz:\\x"]
        ),
        (
            "uuid", ["2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"],
            [
                "2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8aa08aa9811eab4aa73b441d16380", "2eb8-aa08-aa98-11ea-b4aa73b44-1d16380",
                "2eb8aa08-aa98-11ea-b4ga-73b441d16380",
            ]
        ),
        ("json-pointer", ["", "/foo/bar~0/baz~1/%a", "/", "//"], ["/foo/bar~", "/~2", "foo", "#"]),
        ("regex", ["([abc])+\\s+$", "\\p{Letter}", "^\\S(|(.|\\n)*\\S)$", "a{2}"], ["^(abc]", "\\a", "\\Z", "(?i)a", "a\\"]),
    ]

    @Test(arguments: cases.flatMap { item in item.valid.map { (item.name, $0) } }) func whatHasTheFormIsValid(
        _ name: String, _ text: String
    ) throws {
        #expect(try Schema(["format": .string(name)]).validate(.string(text)).isEmpty)
    }

    @Test(arguments: cases.flatMap { item in item.invalid.map { (item.name, $0) } }) func whatHasNotIsNot(
        _ name: String, _ text: String
    ) throws {
        let violations = try Schema(["format": .string(name)]).validate(.string(text))
        #expect(violations.map(\.keywordLocation) == ["/format"])
    }

    @Test(arguments: cases.map(\.name)) func aFormatSaysNothingOfOtherTypes(_ name: String) throws {
        for value: JSON in [5, true, .null, [], [:]] { #expect(try Schema(["format": .string(name)]).accepts(value)) }
    }

    @Test func anUnknownFormatIsNamedWhenTheSchemaIsLoaded() {
        let error = #expect(throws: SchemaError.self) { try Schema(["properties": ["a": ["format": "cinn"]]]) }
        #expect(error?.location == "/properties/a/format")
        #expect(error?.reason.contains("date-time") == true)
    }
}

@Suite struct PatternTests {
    @Test(arguments: [
        ("^[0-9]{9}$", "123456789", true), ("^[0-9]{9}$", "12345678", false), ("^[0-9]{9}$", "1234567890", false),
        ("^[0-9]{9}$", "123456789\n", false), ("^[0-9]{6,12}$", "123456", true), ("^[0-9]{6,12}$", "1234567890123", false),
        ("^[A-Z]+[0-9]*$", "AB", true), ("^[A-Z]+[0-9]*$", "AB12x", false), ("^a?b$", "b", true), ("^a?b$", "aab", false),
        // Where greedy is not exact, the engine decides.
        ("^[0-9]+0$", "1230", true), ("^a*a$", "aaa", true), ("^a?a?b$", "ab", true),
        ("^\\d+$", "٣", false), ("^\\w+$", "é", false), ("\\s", "\u{FEFF}", true), ("^\\W$", "é", true), ("^[\\w-]+$", "a-b", true),
        ("^.$", "é", true), ("^\\$[0-9]$", "$5", true), ("a|b", "xbx", true), ("^[^x]$", "é", true), ("[[]", "[", true),
        ("^\\u{1F600}$", "😀", true),
        ("^[a-z0-9][a-z0-9-]*$", "bir-mcherga", true),
    ]) func itMatchesAsECMAScriptDoes(_ pattern: String, _ text: String, _ expected: Bool) throws {
        #expect(try Schema(["pattern": .string(pattern)]).accepts(.string(text)) == expected)
    }

    @Test(arguments: ["(", "[a", "\\Z", "a**", "(?#x)", "\\"]) func whatIsNoExpressionIsRefusedWhenTheSchemaIsLoaded(_ pattern: String) {
        #expect(throws: SchemaError.self) { try Schema(["pattern": .string(pattern)]) }
    }
}

@Suite struct BadSchemaTests {
    @Test(
        arguments: [
            (["$ref": "other.json"], "/$ref"), (["$ref": "#/$defs/a"], "/$ref"), (["$ref": "#name"], "/$ref"), (["type": "text"], "/type"),
            (["minLength": -1], "/minLength"), (["required": "a"], "/required"), (["properties": ["a": 5]], "/properties/a"),
            (["multipleOf": 0], "/multipleOf"), (["allOf": []], "/allOf"), (["$ref": 5], "/$ref"), (["enum": "a"], "/enum"),
            (["$id": "http://a.tn/x#y"], "/$id"), (["$schema": "http://nowhere.tn/dialect"], "/$schema"),
        ] as [(JSON, String)]) func whatIsWrongWithASchemaIsNamedByItsPlace(_ schema: JSON, _ location: String)
    {
        #expect(#expect(throws: SchemaError.self) { try Schema(schema) }?.location == location)
    }

    @Test func aCircleOfReferencesEndsInsteadOfExhaustingTheStack() throws {
        let schema = try Schema(["$ref": "#/$defs/a", "$defs": ["a": ["$ref": "#/$defs/b"], "b": ["$ref": "#/$defs/a"]]])
        #expect(!schema.accepts(5))
    }

    @Test func messagesNameTheBound() throws {
        let violation = try #require(try Schema(["minimum": 1]).validate(0).first)
        #expect(violation.message.en == "At least 1")
        #expect(violation.message.fr == "Au moins 1")
        #expect(violation.message.ar.contains("1"))
    }
}
