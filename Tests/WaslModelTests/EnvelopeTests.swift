import Testing

@testable import WaslModel

@Suite struct EnvelopeTests {
    private let whole = Envelope(
        id: "m-1", type: .requestSubmitted, source: Source("/houses/hydra")!, time: Timestamp("2026-11-22T10:00:00.000Z")!,
        subject: RequestID("0190a6e0-0000-7000-8000-000000000001"),
        lane: LanePosition(
            epoch: EpochID("0190a6e0-0000-7000-8000-000000000002")!, sequence: 42, chain: String(repeating: "A", count: 43)),
        recipient: ParticipantID("steg"), service: ServiceID("steg.bill.pay"), contract: 1, causationID: "m-0",
        expiry: Timestamp("2026-11-23T10:00:00.000Z"), data: ["sealed": "x"])

    @Test func everyAttributeSurvivesTheWire() throws {
        #expect(try Envelope(parsing: whole.encoded()) == whole)
        #expect(String(decoding: whole.encoded(), as: UTF8.self).contains(#""sequence":"00000000000000000042""#))
    }

    @Test func attributesThatTheContractDoesNotNameArePassedOver() throws {
        var object = try #require(try JSON.parse(whole.encoded()).object)
        object["traceparent"] = "00-x"
        #expect(try Envelope(parsing: JSON.object(object).bytes) == whole)
    }

    @Test(arguments: [
        ("specversion", JSON.string("0.3")), ("id", ""), ("id", 7), ("type", "tn.wasl.unknown.v1"), ("type", "tn.wasl.outcome.v1"),
        ("source", "/house/hydra"), ("time", "yesterday"), ("subject", "not-a-uuid"), ("journal", "x"), ("sequence", "42"),
        ("sequence", "00000000000000000000"), ("chain", "short"), ("recipient", "STEG"), ("service", "steg"), ("contract", 1),
        ("contract", "01"), ("contract", "+1"), ("contract", "-1"), ("contract", "0"), ("contract", " 1"), ("contract", "1.0"),
        ("contract", "9007199254740993"), ("contract", "99999999999999999999"), ("contract", "١"), ("contract", ""),
        ("sequence", "00009007199254740993"), ("sequence", "0000000000000000042"),
        ("expirytime", "never"), ("data", "text"), ("datacontenttype", "text/plain"),
    ])
    func aWrongAttributeIsNamed(_ key: String, _ value: JSON) throws {
        var object = try #require(try JSON.parse(whole.encoded()).object)
        object[key] = value
        let error = #expect(throws: EnvelopeError.self) { try Envelope(parsing: JSON.object(object).bytes) }
        #expect(error?.attribute == key)
    }

    @Test(arguments: [("contract", "9007199254740992"), ("sequence", "00009007199254740992")])
    func theGreatestNumberIsTaken(_ key: String, _ text: String) throws {
        var object = try #require(try JSON.parse(whole.encoded()).object)
        object[key] = .string(text)
        let read = try Envelope(parsing: JSON.object(object).bytes)
        #expect(read.contract == 1 << 53 || read.lane?.sequence == 1 << 53)
        #expect(try JSON.parse(read.encoded())[key] == .string(text), "and answered as it was written")
    }

    @Test func laneAttributesComeTogether() throws {
        var object = try #require(try JSON.parse(whole.encoded()).object)
        object["journal"] = nil
        #expect(throws: EnvelopeError.self) { try Envelope(parsing: JSON.object(object).bytes) }
    }

    @Test func aBodyPastTheLimitIsRefusedUnread() {
        let error = #expect(throws: EnvelopeError.self) {
            try Envelope(parsing: [UInt8](repeating: 0x20, count: Envelope.bytesMax + 1))
        }
        #expect(error?.attribute == "body")
    }

    @Test func aTruncatedBodyIsRefused() {
        let body = whole.encoded()
        for length in stride(from: 0, to: body.count, by: 7) {
            #expect(throws: EnvelopeError.self) { try Envelope(parsing: Array(body[..<length])) }
        }
    }
}
