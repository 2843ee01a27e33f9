import Testing

@testable import WaslModel

@Suite struct ValueTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"),
    ])
    func base64urlOfRFC4648(_ text: String, _ encoded: String) {
        #expect(Base64URL.encode(Array(text.utf8)) == encoded)
        #expect(Base64URL.decode(encoded) == Array(text.utf8))
    }

    @Test(arguments: ["Zg==", "Zh", "Z", "Zm9v+", "Zm9v/", "Zm 9v"])
    func base64urlHasOneTextForAValue(_ text: String) { #expect(Base64URL.decode(text) == nil) }

    @Test(arguments: [
        ("1970-01-01T00:00:00.000Z", 0), ("2000-02-29T23:59:59.999Z", 951_868_799_999), ("2026-11-22T23:05:07.123Z", 1_795_388_707_123),
        ("1969-12-31T23:59:59.999Z", -1),
    ])
    func timesAreReadAndWritten(_ text: String, _ milliseconds: Int64) {
        #expect(Timestamp(text)?.milliseconds == milliseconds)
        #expect(Timestamp(milliseconds: milliseconds).description == text)
    }

    @Test(arguments: [
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00+01:00", "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00.Z", "2026-00-10T00:00:00Z", "2026-04-31T00:00:00Z", "x",
    ])
    func impossibleTimesAreRefused(_ text: String) { #expect(Timestamp(text) == nil) }

    @Test func fractionsAreCutToMilliseconds() {
        #expect(Timestamp("2026-01-01T00:00:00.1Z") == Timestamp("2026-01-01T00:00:00.100Z"))
        #expect(Timestamp("2026-01-01T00:00:00.1239999Z") == Timestamp("2026-01-01T00:00:00.123Z"))
    }

    @Test(arguments: ["h", "Hydra", "1house", "a_b", "a.b", "", String(repeating: "a", count: 32)])
    func participantsOutsideTheRuleAreRefused(_ text: String) { #expect(ParticipantID(text) == nil) }

    @Test func servicesKnowTheirAgencyAndRoutingWord() throws {
        let service = try #require(ServiceID("steg.bill.view"))
        #expect(service.agency?.text == "steg")
        #expect(service.routingWord == "steg-bill-view")
        for text in ["steg", "steg..view", "steg.Bill", "1.a", ".a", "a.b-c"] { #expect(ServiceID(text) == nil) }
    }

    @Test func identifiersOfVersion7SortByTime() throws {
        let early = UUIDv7(at: Timestamp(milliseconds: 1_700_000_000_000))
        let late = UUIDv7(at: Timestamp(milliseconds: 1_700_000_000_001))
        #expect(early.text < late.text)
        #expect(Array(early.text)[14] == "7")
        #expect(RequestID(early.text) != nil)
        #expect(RequestID(early.text.uppercased()) == nil)
    }

    @Test func millimesReadAsDinars() {
        #expect(Millimes(12_500).description == "12,500")
        #expect(Millimes(-7).description == "-0,007")
    }
}
