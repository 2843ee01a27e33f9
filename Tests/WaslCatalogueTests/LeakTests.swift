import JSONSchema
import TestSupport
import Testing
import WaslModel

@testable import WaslCatalogue

/// A translation's failure names place and shape. A citizen's value goes through every error that jq has, and comes out of none.
@Suite struct LeakTests {
    /// jq quotes the first ten characters of what its messages are about.
    private static let canary = "CANARY7 01234567 secret"

    private func leaks(_ text: String) -> Bool { text.lowercased().contains("cana") || text.contains("0123") || text.contains("secret") }

    private static let failing = [
        ".a | tonumber", ".a + 1", ".a - 1", ".a * {}", ".a / 0", ".a % 0", "-(.a)", "[.a] - 1", ". % .",
        "1 as $one | .a as $a | $one / $a",
        ".a[0]", ".a.b", ".a | .[{}]", ".a[\"x\":]", "5 | .[\"\\(env | length)\"]", ".a as $a | 5 | .[$a]", ".a as $a | [1] | .[$a]",
        ".a | keys", ".a | has(0)", ".a as $a | 5 | has($a)", ".a | .[]", ".a | sort", ".a | group_by(.)", ".a | unique", ".a | min_by(.x)",
        ".a | to_entries", "[.a] | from_entries", ".a | contains(1)", ".a | flatten(-1)", ".a | transpose", ".a | indices(1)",
        "{(.): 1}", ".a | {(.|[.]): 1}", ".a | split(1)", "[.a, {}] | join(\",\")", ".a | implode", "[.a] | implode", ".a | test(\"x\"; .)",
        ".a | test(. + \"(\")", ".a | test(\"(?<x>\\\\k<\" + . + \">)\")", ".a | sub(\"(?<x>C)\"; 1)", ".a | fromjson",
        ".a | \"[\" + . | fromjson",
        ".a | \"{\\\"\" + . + \"\\\":1,,\" | fromjson", ".a | \"\\\"\" + . | fromjson", ".a | strptime(\"%Y\")", ".a | fromdate",
        ".a | mktime", ".a | strftime(\"%Y\")", ".a | todate", ".a | localtime", ".a | gmtime", ".a | @base64d", ".a | @csv",
        "[{a: .}] | @csv", ".a | @tsv", "[[.]] | @sh", ".a | @none", ".a | range(.)", "limit(.a; 1)", ".a | pow(.; 2)", "setpath(.a; 1)",
        ".a | getpath([\"x\"])", "path([.a] | .[0])", ".a | .x = 1", ".a | del(.x)", ".a | modulemeta", ".a | error", ". | error",
        "[.a] | error", "{b: .a} | error", ".a | length | error", ".a | tojson | error", ".a | @uri | error", "error(.a | ascii_downcase)",
        "error(\"the name \" + .a + \" is not known\")", "error(\"Cannot index number with \" + .a)", "error(.a + \" cannot be negated\")",
        "error(\"string (\" + .a + \") cannot be negated\")", "try error(.a) catch error(.)", "label $out | .a | error",
        "reduce .a as $x (0; . + $x)", ".a as [$x] | $x", ".a as {x: $x} | $x", ".a, .a", "empty", ".a | walk(error)",
        "[limit(300; repeat(\"[\"))] | join(\"\") | fromjson",
    ]

    @Test func noErrorOfATranslationHoldsAValue() async throws {
        let programs = Dictionary(uniqueKeysWithValues: Self.failing.enumerated().map { ("p\($0)@1/answer", $1) })
        let translator = try Translator(programs: programs, executable: TestWorld.executable)
        defer { translator.close() }
        for (index, program) in Self.failing.enumerated() {
            do {
                let value = try await translator.run("p\(index)@1/answer", ["a": .string(Self.canary)])
                Issue.record("\(program) gave \(value.shape): choose one that fails")
            } catch {
                #expect(error.code == .program, "\(program): \(error)")
                #expect(!leaks("\(error)") && !leaks(String(reflecting: error)), "\(program): \(error)")
                #expect(error.reason.hasPrefix("p\(index)@1/answer: "), "the program is named: \(error)")
                #expect(error.reason.utf8.count < 150, "\(error)")
            }
        }
        // What takes too long or too much is told by that alone.
        let greedy = try Translator(
            programs: ["loop": "def f: .a as $a | f; f", "memory": "[.a, limit(1e9; repeat(\"xxxxxxxxxxxxxxxx\"))] | length"],
            executable: TestWorld.executable)
        defer { greedy.close() }
        for program in ["loop", "memory"] {
            let error = await #expect(throws: TranslationError.self) { try await greedy.run(program, ["a": .string(Self.canary)]) }
            #expect(error?.code == .killed && !leaks("\(String(describing: error))"))
        }
    }

    @Test(arguments: [
        ("string (\"abc...) and number (1) cannot be added", "string and number cannot be added"),
        ("Cannot index string with string \"abc\"", "Cannot index string with string"),
        ("Cannot index number with \"abc\"", "Cannot index number with"),
        ("date \"abc\" does not match format \"%Y\"", "date does not match format"),
        ("Invalid numeric literal at line 1, column 4 (while parsing 'abc')", "Invalid numeric literal"),
        ("string (\"a) and string (\"b cannot be negated...) cannot be negated", "string cannot be negated"),
        ("an error of the type object", "an error of the type object"),
        ("abc cannot be negated", "an error that the program made itself, 21 bytes"),
        ("", "an error that the program made itself, 0 bytes"),
        ("abc (\"x\") cannot be negated", "an error that the program made itself, 27 bytes"),
    ])
    func whatJqSaysIsToldWithoutWhatItSaysItOf(_ message: String, _ shape: String) {
        #expect(JQComplaint.shape(of: message) == shape)
    }

    @Test func aLongMessageIsToldAsQuickly() {
        let message = "string (" + String(repeating: "a and string (b) ", count: 60)
        #expect(JQComplaint.shape(of: message).hasPrefix("an error that the program made itself"))
    }

    private func service() throws -> Service { try #require(try TestWorld.published.get().service(ServiceID("cnam.claim.submit")!)) }

    private func why(_ verdict: Verdict) -> String {
        switch verdict {
        case .doubt(let why), .definiteNo(let why, _): why
        default: "none"
        }
    }

    @Test func aReasonIsTheProgramsOwnTextOrIsToldByItsShape() throws {
        let service = try service()
        func read(_ result: String, _ text: String) -> String {
            why(Verdict(["result": .string(result), "why": .string(text)], of: service, in: .call, status: 409))
        }
        #expect(read("definite-no", "a paper is not there yet") == "a paper is not there yet")
        #expect(read("doubt", "lookup status 409") == "lookup status 409", "with the status in it")
        for result in ["definite-no", "doubt"] {
            let told = read(result, Self.canary)
            #expect(!leaks(told) && told.contains("409") && told.contains("23 characters"), "\(told)")
        }
        #expect(!leaks(read("doubt", "lookup status 409 for " + Self.canary)))
    }

    @Test func aCodeIsOneOfTheProgramsOwn() throws {
        let service = try service()
        let texts: JSONObject = ["ar": "ع", "fr": "f", "en": "e"]
        func refusal(_ code: String) -> Verdict {
            var reason = texts
            reason["code"] = .string(code)
            return Verdict(["result": "refused", "reason": .object(reason)], of: service, in: .call, status: 422)
        }
        #expect(refusal("unknown-insured").summary == "refused: unknown-insured")
        #expect(refusal(Self.canary).summary == "refused: unlisted")
        guard case .refused(let reason) = refusal(Self.canary) else {
            Issue.record("a refusal stays a refusal")
            return
        }
        #expect(reason["fr"] == "f", "and the citizen reads its texts")
    }

    @Test(
        arguments: [
            ["method": "POST", "path": "/x", "CANARY7": 1], ["method": "POST", "path": "/CANARY7 é"], ["method": "CANARY7", "path": "/x"],
            ["method": "POST", "path": "/x", "headers": ["CANARY7": 1]], ["method": "POST", "path": "/x", "headers": ["a": "CANARY7 é"]],
            ["method": "POST", "path": "/x", "headers": ["CANARY7 x": "a"]],
            ["method": "POST", "path": "/x", "headers": ["CANARY7:": "a"]],
            ["method": "POST", "path": "/x", "headers": ["a": "CANARY7\r\nb: c"]],
            ["method": "POST", "path": "/x", "headers": ["a": "CANARY7\u{0}"]],
        ] as [JSON]) func whatIsNoCallIsToldByItsPlace(_ json: JSON)
    {
        let error = #expect(throws: CallError.self) { try AgencyCall(json) }
        #expect(error.map { !leaks("\($0)") } == true)
    }

    @Test(
        arguments: [
            (WireForm.form, ["CANARY7": 1] as JSON), (.form, ["a": ["CANARY7"]] as JSON), (.restXML, ["CANARY7": 1, "b": 2] as JSON),
        ] as [(WireForm, JSON)]) func aBodyThatHasNoSuchFormIsToldByItsPlace(_ form: WireForm, _ body: JSON)
    {
        let error = #expect(throws: CallError.self) { try form.encode(body) }
        #expect(error.map { !leaks("\($0)") } == true)
    }

    @Test(arguments: [
        "<CANARY7>", "<CANARY7></b>", "<a CANARY7='1' CANARY7='2'/>", "<a>&CANARY7;</a>", "<0CANARY7/>", "<a><![CDATA[CANARY7</a>",
        "CANARY7",
        "<a b='CANARY7", "<a>CANARY7",
    ]) func brokenXMLIsToldByItsPlace(_ xml: String) {
        do {
            _ = try XMLTree.parse(Array(xml.utf8))
            Issue.record("\(xml) is taken")
        } catch {
            #expect(!leaks("\(error)") && "\(error)".hasPrefix("byte "), "\(error)")
        }
    }
}

@Suite struct PlainTextTests {
    @Test(arguments: [
        "", "a\tb\nc", "a\r\nb\r\n", "می\u{200C}خواهم", "\u{200D}\u{200E}\u{200F}\u{61C}", "é ع ⵣ 😀", "\u{A0}\u{FEFF}\u{2028}", "e\u{301}",
    ]) func whatPeopleWriteWithIsAllowed(_ text: String) { #expect(PlainText.forbidden(in: text) == nil) }

    @Test(
        arguments: [
            0x0...0x8, 0xB...0xC, 0xE...0x1F, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069, 0xFDD0...0xFDEF, 0xFFFE...0xFFFF,
            0x1FFFE...0x1FFFF,
        ]
            as [ClosedRange<UInt32>]) func controlCharactersAreNot(_ range: ClosedRange<UInt32>) throws
    {
        for code in range {
            let scalar = try #require(Unicode.Scalar(code))
            #expect(PlainText.forbidden(in: "a" + String(Character(scalar)) + "b") == scalar, "\(code)")
        }
    }

    @Test(arguments: ["a\rb", "a\r", "\r\r\n"]) func aReturnStandsBeforeALineFeedOnly(_ text: String) {
        #expect(PlainText.forbidden(in: text) == "\r")
    }

    @Test func everyTextAtWhateverDepthIsNamedByItsPointer() {
        var violations: [Violation] = []
        PlainText.check(
            ["good": "x", "list": ["x", ["deep": "\u{7}"]], "a/b~c": "\u{202E}", "k\u{0}": "x", "number": 5], at: "", &violations)
        #expect(violations.map(\.instanceLocation) == ["/list/1/deep", "/a~1b~0c", ""])
    }
}
