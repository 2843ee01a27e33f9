import TestSupport
import Testing
import WaslModel
import WaslSeal

@testable import WaslJournal

@Suite struct DeliveryCheckTests {
    private let world: TestWorld
    private let check: DeliveryCheck

    init() throws {
        world = try TestWorld()
        check = DeliveryCheck(registry: world.registry.registry, recipient: ParticipantID("steg"))
    }

    private func refusal(_ delivery: Delivery) -> String? {
        if case .refused(_, let reason) = check.check(delivery) { reason } else { nil }
    }

    private func request(time: Timestamp = TestClock.shared.now) throws -> Envelope {
        try world.request("steg.bill.view", fields: ["reference": "123456789"], time: time)
    }

    @Test func aRightMessageIsAccepted() throws { #expect(refusal(try world.delivery(try request())) == nil) }

    @Test func anothersSignatureIsRefused() throws {
        let reason = refusal(try world.delivery(try request(), signedBy: "kerker"))
        #expect(reason?.hasPrefix("wasl-signature:") == true)
    }

    @Test func aMissingSignatureIsRefused() throws {
        let whole = try world.delivery(try request())
        let bare = Delivery(
            tag: whole.tag, queue: whole.queue, exchange: whole.exchange, routingKey: whole.routingKey, isRedelivered: false,
            messageID: whole.messageID,
            contentType: whole.contentType, signature: nil, body: whole.body)
        #expect(refusal(bare)?.hasPrefix("wasl-signature: missing") == true)
    }

    @Test func anotherRecipientIsRefused() throws {
        let envelope = try world.request("tt.bill.pay", fields: [:])
        #expect(refusal(try world.delivery(envelope))?.hasPrefix("recipient:") == true)
    }

    @Test func aRoutingKeyThatSaysOtherwiseIsRefused() throws {
        let delivery = try world.delivery(try request(), key: "steg.steg-bill-view.kerker")
        #expect(refusal(delivery)?.hasPrefix("routing_key:") == true)
    }

    @Test func anotherExchangeIsRefused() throws {
        #expect(refusal(try world.delivery(try request(), exchange: "wasl.outcomes"))?.hasPrefix("routing_key:") == true)
    }

    @Test func anUnknownSourceIsRefused() throws {
        var envelope = try request()
        envelope.source = Source("/houses/nowhere")!
        #expect(refusal(try world.delivery(envelope, signedBy: "hydra"))?.hasPrefix("source:") == true)
        envelope.source = Source("/agencies/hydra")!
        envelope.type = .requestTaken
        #expect(refusal(try world.delivery(envelope, signedBy: "hydra"))?.hasPrefix("source:") == true)
    }

    @Test func aMessageOutsideALaneIsRefusedUnlessItIsPresence() throws {
        var envelope = try request()
        envelope.lane = nil
        #expect(refusal(try world.delivery(envelope))?.hasPrefix("sequence:") == true)
    }

    @Test func aKeyFromBeforeItsTimeIsRefused() throws {
        let reason = refusal(try world.delivery(try request(time: TestWorld.start.advanced(by: .seconds(-1)))))
        #expect(reason?.contains("keyNotValid") == true)
    }

    @Test func aRevokedKeySaysNothingToParticipantsAndIsJudgedAtItsTimeByTheLedger() throws {
        let (held, now) = (world.registry.registry, TestClock.shared.now)
        let participants = held.participants.values.map { participant in
            participant.id.text != "hydra"
                ? participant
                : Registry.Participant(
                    id: participant.id, role: participant.role, names: participant.names,
                    keys: participant.keys.map { $0.revoked(from: now.advanced(by: .seconds(60))) }, services: participant.services)
        }
        let registry = try Registry(version: 6, issued: held.issued, expires: held.expires, participants: participants)
        func isAccepted(_ delivery: Delivery, by recipient: String?) -> Bool {
            let check = DeliveryCheck(registry: registry, recipient: recipient.flatMap { ParticipantID($0) })
            return if case .accepted = check.check(delivery) { true } else { false }
        }
        let before = try world.delivery(try request(time: now))
        let after = try world.delivery(try request(time: now.advanced(by: .seconds(120))))
        #expect(!isAccepted(before, by: "steg"), "who stole a key also chooses what time its messages say")
        #expect(isAccepted(before, by: nil) && !isAccepted(after, by: nil))
    }

    @Test(arguments: [MessageType.requestSubmitted, .outcome, .requestTaken, .attachmentChunk, .outcomeDelivered])
    func theLedgerSaysNothingInAnothersPlace(_ type: MessageType) throws {
        var envelope = try request()
        (envelope.source, envelope.type) = (Source("/ledger")!, type)
        #expect(refusal(try world.delivery(envelope))?.hasPrefix("type:") == true)
    }

    @Test func aTruncatedBodyIsRefused() throws {
        let whole = try world.delivery(try request())
        let torn = Delivery(
            tag: whole.tag, queue: whole.queue, exchange: whole.exchange, routingKey: whole.routingKey, isRedelivered: false,
            messageID: whole.messageID,
            contentType: whole.contentType, signature: whole.signature, body: Array(whole.body.dropLast(5)))
        #expect(refusal(torn)?.hasPrefix("body:") == true)
    }
}
