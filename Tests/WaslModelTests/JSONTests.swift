import Testing

@testable import WaslModel

@Suite struct JSONTests {
    @Test(arguments: [
        (#"{"a":1,"a":2}"#, "twice"), (#"{"a":{"b":1,"b":1}}"#, "twice"), ("{} x", "follows"), ("[1,]", "expected a value"),
        ("01", "starts with 0"), ("\"\\ud800\"", "surrogate"), ("\"\\x\"", "escape"), ("\"a\nb\"", "control"), ("1e999", "range"),
        ("", "ends"), ("[1", "ends"), ("nul", "ends"), ("1.", "digits"),
    ])
    func unacceptableTextIsRefusedByName(_ text: String, _ reason: String) {
        let error = #expect(throws: JSONParseError.self) { try JSON.parse(text) }
        #expect(error?.reason.contains(reason) == true, "\(String(describing: error))")
    }

    @Test func manyKeysAreStillCheckedForDuplicates() {
        let members = (0..<40).map { "\"k\($0)\":0" } + ["\"k3\":1"]
        #expect(throws: JSONParseError.self) { try JSON.parse("{" + members.joined(separator: ",") + "}") }
    }

    @Test func invalidUTF8IsRefused() {
        let error = #expect(throws: JSONParseError.self) { try JSON.parse([0x22, 0xFF, 0x22]) }
        #expect(error?.reason == "a string is not UTF-8")
    }

    @Test func deepNestingIsRefusedBeforeTheStackIs() {
        let text = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(throws: JSONParseError.self) { try JSON.parse(text) }
    }

    @Test func integersStayExact() throws {
        #expect(try JSON.parse("9223372036854775807") == .integer(.max))
        #expect(try JSON.parse("-0.5") == .number(-0.5))
        #expect(try JSON.parse("12345678901234567890").integer == nil)
    }

    @Test func escapesAreReadAndWritten() throws {
        let json = try JSON.parse(#""é\u00e9\ud83d\ude00\n\"\\\/\u0001""#)
        #expect(json.string == "éé😀\n\"\\/\u{1}")
        #expect(json.text == "\"éé😀\\n\\\"\\\\/\\u0001\"")
        #expect(try JSON.parse(json.bytes) == json)
    }

    @Test func canonicalFormSortsByUTF16() throws {
        // RFC 8785 section 3.2.3: the sorting example, as far as whole numbers and strings go.
        let json: JSON = ["\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7]
        let text = String(decoding: try json.canonicalBytes(), as: UTF8.self)
        #expect(text == "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}")
        #expect(throws: JSONParseError.self) { try JSON.number(0.5).canonicalBytes() }
    }

    @Test func orderOfMembersIsKeptAndDoesNotCountInComparison() throws {
        let json = try JSON.parse(#"{"z":1,"a":[true,null,{}]}"#)
        #expect(json.text == #"{"z":1,"a":[true,null,{}]}"#)
        #expect(json == ["a": [true, .null, [:]], "z": 1])
        #expect(json.prettyText.contains("\n  \"z\": 1"))
    }
}
