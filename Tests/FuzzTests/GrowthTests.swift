import Foundation
import JSONSchema
import Testing
import WaslFuzz
import WaslModel
import WaslSeal

@testable import WaslCatalogue
@testable import WaslHouse

/// What comes from outside costs in proportion to its length: every parser reads an input, then one four times as long.
///
/// Measured is this thread's own time, which other work on the machine does not count into, the best of several runs: linear work takes
/// four times as long, or somewhat more for memory's sake; quadratic work sixteen times.
@Suite(.serialized) struct GrowthTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        /// Past this a parser refuses the input for its length, so it is read several times over instead.
        var countMax = 4_000_000
        let make: @Sendable (Int) -> [UInt8]
        let read: @Sendable ([UInt8]) -> Bool

        var testDescription: String { name }
    }

    private static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The best of three.
    private static func cost(_ input: [UInt8], _ rounds: Int, _ read: ([UInt8]) -> Bool) -> Double {
        (0..<3).reduce(Double.infinity) { best, _ in
            let start = seconds()
            for _ in 0..<rounds { _ = read(input) }
            return min(best, seconds() - start)
        }
    }

    private static let enough = 0.01
    private static let ratioMax = 8.0

    @Test(arguments: cases) func costGrowsAsTheInputDoes(_ item: Case) throws {
        var count = min(256, item.countMax / 4)
        var rounds = 1
        #expect(item.read(item.make(count)) == item.read(item.make(4 * count)), "small and large go the same way through the parser")
        // So large that what is measured is not the clock.
        while Self.cost(item.make(count), rounds, item.read) < Self.enough {
            if 8 * count <= item.countMax { count *= 2 } else { rounds *= 2 }
        }
        var ratio = Double.infinity
        // A machine that is busy otherwise may spoil a measurement; what grows too fast does so each time.
        for _ in 0..<3 where ratio > Self.ratioMax {
            ratio = Self.cost(item.make(4 * count), rounds, item.read) / Self.cost(item.make(count), rounds, item.read)
        }
        #expect(ratio <= Self.ratioMax, "\(item.name): four times \(count) cost \(ratio) times as much")
    }

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }
    private static func repeated(_ piece: String, _ count: Int, _ before: String = "", _ after: String = "") -> [UInt8] {
        text(before + String(repeating: piece, count: count) + after)
    }
    private static func numbered(_ count: Int, _ before: String, _ after: String, separator: String, _ piece: (Int) -> String) -> [UInt8] {
        text(before + (0..<count).map(piece).joined(separator: separator) + after)
    }

    static let cases: [Case] = json + xml + forms + messages + seals + schemas + settings + orders

    private static func isJSON(_ bytes: [UInt8]) -> Bool { (try? JSON.parse(bytes)) != nil }

    private static let json: [Case] = [
        Case(name: "JSON: elements", make: { repeated("0,", $0, "[", "0]") }, read: isJSON),
        Case(name: "JSON: objects", make: { repeated(#"{"a":{}},"#, $0, "[", "0]") }, read: isJSON),
        Case(name: "JSON: members", make: { numbered($0, "{", "}", separator: ",") { "\"k\($0)\":0" } }, read: isJSON),
        Case(name: "JSON: a text", make: { repeated("é", $0, "\"", "\"") }, read: isJSON),
        Case(name: "JSON: escapes", make: { repeated(#"\u00e9"#, $0, "\"", "\"") }, read: isJSON),
        Case(name: "JSON: digits", make: { repeated("7", $0, "0.") }, read: isJSON),
        Case(name: "JSON: brackets", make: { repeated("[", $0) }, read: isJSON),
        Case(
            name: "JSON: members set one by one", make: { repeated(" ", $0) },
            read: { bytes in
                var object = JSONObject()
                for index in bytes.indices { object["k\(index)"] = .integer(0) }
                return object.count == bytes.count
            }),
        Case(
            name: "JSON: comparison", make: { numbered($0, "{", "}", separator: ",") { "\"k\($0)\":0" } },
            read: { bytes in
                guard let one = try? JSON.parse(bytes), let other = try? JSON.parse(bytes) else { return false }
                return one == other
            }),
    ]

    private static func isSOAP(_ bytes: [UInt8]) -> Bool { WireForm.soap11.decode(bytes) != ["unreadable": true] }

    private static let xml: [Case] = [
        // Refused past so many elements.
        Case(name: "XML: the same element", countMax: XMLReader.elementsMax, make: { repeated("<a/>", $0, "<r>", "</r>") }, read: isSOAP),
        Case(
            name: "XML: other elements", countMax: XMLReader.elementsMax,
            make: { numbered($0, "<r>", "</r>", separator: "") { "<a\($0)/>" } }, read: isSOAP),
        Case(
            name: "XML: attributes", countMax: XMLReader.attributesMax,
            make: { numbered($0, "<r ", "/>", separator: " ") { "a\($0)='x'" } }, read: isSOAP),
        Case(name: "XML: a text", make: { repeated("texte ", $0, "<r>", "</r>") }, read: isSOAP),
        Case(name: "XML: references", make: { repeated("&lt;", $0, "<r>", "</r>") }, read: isSOAP),
        Case(name: "XML: CDATA", make: { repeated("<![CDATA[]]x]]>", $0, "<r>", "</r>") }, read: isSOAP),
        Case(name: "XML: comments", make: { repeated("<!-- - -->", $0, "<r>", "</r>") }, read: isSOAP),
        Case(name: "XML: a comment that does not end", make: { repeated("- ", $0, "<r><!--") }, read: isSOAP),
        Case(name: "XML: a name", make: { repeated("a", $0, "<r", "/>") }, read: isSOAP),
        Case(name: "XML: nothing but beginnings", make: { repeated("<a>", $0) }, read: isSOAP),
    ]

    private static func isForm(_ bytes: [UInt8]) -> Bool { WireForm.form.decode(bytes) != ["unreadable": true] }

    private static let forms: [Case] = [
        Case(name: "form: pairs", make: { numbered($0, "", "", separator: "&") { "k\($0)=v" } }, read: isForm),
        Case(name: "form: escapes", make: { repeated("%41", $0, "a=") }, read: isForm),
        Case(name: "form: separators", make: { repeated("&", $0, "a=b") }, read: isForm),
    ]

    private static func isEnvelope(_ bytes: [UInt8]) -> Bool { FuzzTarget.envelope.takes(bytes) }
    private static func envelope(_ data: [UInt8]) -> [UInt8] {
        text(
            String(decoding: FuzzTarget.envelope.example, as: UTF8.self).replacing(
                #""data":{"#, with: #""data":{"more":\#(String(decoding: data, as: UTF8.self)),"#))
    }

    private static let messages: [Case] = [
        Case(name: "envelope: data", countMax: 80_000, make: { envelope(repeated("0,", $0, "[", "0]")) }, read: isEnvelope),
        Case(
            name: "envelope: members", countMax: 16_000,
            make: { count in
                text(
                    String(decoding: FuzzTarget.envelope.example, as: UTF8.self).dropLast()
                        + (0..<count).map { ",\"k\($0)\":0" }.joined() + "}")
            }, read: isEnvelope),
        Case(
            name: "registry: participants",
            make: { count in
                numbered(
                    count, #"{"version":1,"issued":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z","participants":["#, "]}",
                    separator: ","
                ) {
                    #"{"id":"h\#($0)","role":"house","names":{"ar":"","fr":"","en":""},"state":"active"}"#
                }
            }, read: { FuzzTarget.registry.takes($0) }),
        Case(
            name: "registry: keys",
            make: { count in
                numbered(
                    count,
                    #"{"version":1,"issued":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z","participants":[{"id":"hydra","role":"house","names":{"ar":"","fr":"","en":""},"state":"active","keys":["#,
                    "]}]}", separator: ","
                ) { number in
                    let x = Base64URL.encode((0..<32).map { $0 < 4 ? UInt8(truncatingIfNeeded: number >> (8 * $0)) : 1 })
                    return #"{"use":"sig","jwk":{"kty":"OKP","crv":"Ed25519","x":"\#(x)"},"from":"2026-01-01T00:00:00Z"}"#
                }
            }, read: { FuzzTarget.registry.takes($0) }),
    ]

    private static let seals: [Case] = [
        Case(
            name: "JWS: its payload", make: { repeated("a", $0) },
            read: { bytes in
                let signature = String(decoding: FuzzTarget.signature.example, as: UTF8.self)
                return
                    (try? DetachedSignature.verify(signature, over: bytes, as: .message) { _ throws(SealError) in
                        try VerificationKey(try PublicJWK(curve: .ed25519, x: [UInt8](repeating: 1, count: 32)))
                    }) != nil
            }),
        Case(name: "JWS: itself", make: { repeated("A", $0) }, read: { FuzzTarget.signature.takes($0) }),
        Case(name: "JWS: points", make: { repeated(".", $0) }, read: { FuzzTarget.signature.takes($0) }),
        Case(
            name: "JWE: its text", make: { repeated("AAAA", $0, String(decoding: FuzzTarget.sealed.example, as: UTF8.self)) },
            read: {
                FuzzTarget.sealed.takes($0)
            }),
        Case(
            name: "JWE: its header",
            make: { count in
                text(
                    Base64URL.encode(numbered(count, "{", "}", separator: ",") { "\"k\($0)\":0" })
                        + "..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA")
            }, read: { FuzzTarget.sealed.takes($0) }),
    ]

    private static func fits(_ schema: JSON) -> @Sendable ([UInt8]) -> Bool {
        var options = SchemaOptions()
        options.formats?.merge(NationalFormats.all) { own, _ in own }
        guard let schema = try? Schema(schema, options: options) else { preconditionFailure("a schema of this test: \(schema.text)") }
        return { bytes in
            guard let instance = try? JSON.parse(bytes) else { return false }
            return schema.validate(instance).isEmpty
        }
    }

    private static let schemas: [Case] =
        [
            Case(
                name: "schema: unique numbers", make: { numbered($0, "[", "]", separator: ",") { "\($0)" } },
                read: fits(["uniqueItems": true])),
            Case(
                name: "schema: unique objects", make: { numbered($0, "[", "]", separator: ",") { #"{"a":\#($0),"b":"x"}"# } },
                read: fits(["uniqueItems": true])),
            Case(
                name: "schema: items", make: { repeated("0,", $0, "[", "0]") },
                read: fits(["items": ["type": "integer", "minimum": 0]])),
            Case(
                name: "schema: members that are not expected", make: { numbered($0, "{", "}", separator: ",") { "\"k\($0)\":0" } },
                read: fits(["additionalProperties": false])),
            Case(
                name: "schema: unevaluated members", make: { numbered($0, "{", "}", separator: ",") { "\"k\($0)\":0" } },
                read: fits(["allOf": [["properties": ["a": true]]], "unevaluatedProperties": ["type": "integer"]])),
            Case(
                name: "schema: a constant", make: { numbered($0, "{", "}", separator: ",") { "\"k\($0)\":0" } },
                read: { bytes in
                    guard let json = try? JSON.parse(bytes), let schema = try? Schema(["const": json]) else { return false }
                    return schema.accepts(json)
                }),
            Case(name: "schema: a pattern", make: { repeated("ab", $0, "\"", "\"") }, read: fits(["pattern": "^[a-z]*[0-9]$"])),
            Case(
                name: "schema: a pattern of the engine", make: { repeated("ab", $0, "\"", "\"") }, read: fits(["pattern": "^(a|b)*[^ab]$"])),
        ]
        + Format.standard.keys.sorted().map { name in
            let (before, piece) = shapes[name] ?? ("", "1")
            return Case(name: "format \(name)", make: { repeated(piece, $0, "\"" + before, "\"") }, read: fits(["format": .string(name)]))
        }
        + NationalFormats.all.keys.sorted().map { name in
            Case(name: "format \(name)", make: { repeated("1", $0, "\"", "\"") }, read: fits(["format": .string(name)]))
        }

    /// How a long text of a format begins and goes on.
    private static let shapes: [String: (before: String, piece: String)] = [
        "uri": ("http://a", "/a"), "email": ("a@a", ".a"), "hostname": ("a", ".a"), "duration": ("P", "1"), "json-pointer": ("", "/a"),
        "ipv6": ("", "1:"), "ipv4": ("1", ".1"), "time": ("00:00:00.", "1"), "date-time": ("2026-01-01T00:00:00.", "1"),
    ]

    private static func isYAML(_ bytes: [UInt8]) -> Bool {
        (try? Settings(yaml: String(decoding: bytes, as: UTF8.self), file: "growth")) != nil
    }

    private static let settings: [Case] = [
        Case(name: "YAML: keys", make: { numbered($0, "", "\n", separator: "\n") { "k\($0): v" } }, read: isYAML),
        Case(name: "YAML: a list", make: { repeated("- a\n", $0, "k:\n") }, read: isYAML),
        Case(name: "YAML: groups", make: { numbered($0, "", "\n", separator: "\n") { "k\($0): {a: 1, b: [c]}" } }, read: isYAML),
        Case(name: "YAML: a text", make: { repeated("a ", $0, "k: \"", "\"\n") }, read: isYAML),
        Case(name: "YAML: aliases", make: { repeated("*a, ", 32 + $0, "a: &a x\nb: [", "*a]\n") }, read: isYAML),
    ]

    private static func order(_ fields: [UInt8]) -> [UInt8] {
        text(#"{"service":"steg.bill.pay","contract":1,"fields":"# + String(decoding: fields, as: UTF8.self) + "}")
    }

    private static let orders: [Case] = [
        Case(
            name: "order: a text",
            make: { count in
                order(repeated("ش", count, #"{"reference":"123456789","amount":41500,"payment":"cash","note":""#, #""}"#))
            },
            read: { bytes in
                // Taken or, past its greatest length, refused: it is read to its end either way.
                _ = FuzzTarget.order.takes(bytes)
                return true
            }),
        Case(
            name: "order: members that are not expected",
            make: { order(numbered($0, "{", "}", separator: ",") { "\"k\($0)\":0" }) }, read: { FuzzTarget.order.takes($0) }),
        Case(
            name: "order: control characters",
            make: { order(repeated(#""\u0007","#, $0, #"{"note":["#, "0]}")) }, read: { FuzzTarget.order.takes($0) }),
    ]
}

@Suite struct BombTests {
    /// A few hundred bytes that stand for more than any memory holds.
    @Test(arguments: [false, true]) func aliasesDoNotMultiply(_ isInAKey: Bool) {
        var yaml = "a0: &a0 [x, x]\n"
        for level in 1...40 { yaml += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        if isInAKey { yaml += "? *a40\n: y\n" }
        #expect(throws: SettingsError.self) { try Settings(yaml: yaml, file: "bomb") }
    }

    @Test(arguments: ["a: &x 1\nb: *x", "a: &x [1]\nb: 2", "&x a: 1", "a: {<<: &m {b: 1}}"]) func anAnchorIsRefusedByName(_ yaml: String) {
        let error = #expect(throws: SettingsError.self) { try Settings(yaml: yaml, file: "x.yaml") }
        #expect(error?.reason.contains("aliases are not accepted") == true, "\(String(describing: error))")
    }

    @Test func starsInTextsAreNoAliases() throws {
        let settings = try Settings(yaml: "a: \"2 * 3 * 4\"\nb: a*b*c\n# *** a comment ***\n", file: "x.yaml")
        #expect(try settings.string("a") == "2 * 3 * 4")
        #expect(try settings.string("b") == "a*b*c")
    }

    @Test func anAnswerOfNothingButElementsIsRefusedLongBeforeTheAgencysTime() throws {
        let bytes = Array(("<r>" + String(repeating: "<a/>", count: 7_000_000) + "</r>").utf8)
        var start = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start)
        #expect(WireForm.soap11.decode(bytes) == ["unreadable": true])
        var end = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end)
        #expect(end.tv_sec - start.tv_sec < 10, "an agency's usual time-out")
    }

    @Test func asManyElementsAsAreAllowedAreRead() throws {
        func elements(_ count: Int) -> [UInt8] { Array(("<r>" + String(repeating: "<a/>", count: count) + "</r>").utf8) }
        let read = try XMLTree.parse(elements(XMLReader.elementsMax - 1))
        #expect(read["r"]?["a"]?.array?.count == XMLReader.elementsMax - 1)
        #expect(throws: (any Error).self) { try XMLTree.parse(elements(XMLReader.elementsMax)) }
        func attributes(_ count: Int) -> [UInt8] { Array(("<r " + (0..<count).map { "a\($0)=''" }.joined(separator: " ") + "/>").utf8) }
        #expect(try XMLTree.parse(attributes(XMLReader.attributesMax))["r"]?.object?.count == XMLReader.attributesMax)
        #expect(throws: (any Error).self) { try XMLTree.parse(attributes(XMLReader.attributesMax + 1)) }
    }

    @Test(arguments: [10, 1 << 20]) func anAnswerIsTheSameWhereverItIsRead(_ length: Int) async {
        let bytes = Array(("{\"a\":\"" + String(repeating: "x", count: length) + "\"}").utf8)
        #expect(await WireForm.restJSON.decodeAside(bytes) == WireForm.restJSON.decode(bytes))
    }
}
