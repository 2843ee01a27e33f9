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

    /// hydra's key is revoked as of a moment, and two people may have decided about some numbers.
    private func revoking(at time: Timestamp, _ approvals: [Registry.Approval] = []) throws -> Registry {
        let held = world.registry.registry
        let participants = held.participants.values.map { participant in
            participant.id == ParticipantID("hydra")!
                ? participant.with(keys: participant.keys.map { $0.revoked(from: time) }) : participant
        }
        return try Registry(
            version: 6, issued: held.issued, expires: held.expires, participants: participants, approvals: approvals)
    }

    private func refusal(_ envelope: Envelope, under registry: Registry, recipient: String?) throws -> String? {
        let check = DeliveryCheck(registry: registry, recipient: recipient.flatMap { ParticipantID($0) })
        if case .refused(_, let reason) = check.check(try world.delivery(envelope)) { return reason }
        return nil
    }

    @Test(arguments: ["steg", nil], [-3600, 3600] as [Int64])
    func aRevokedKeySaysNothingToAnybodyWhateverTimeItClaims(_ recipient: String?, _ seconds: Int64) throws {
        let envelope = try request()
        let registry = try revoking(at: envelope.time.advanced(by: .seconds(seconds)))
        let reason = try refusal(envelope, under: registry, recipient: recipient)
        #expect(reason?.hasPrefix("wasl-signature: revoked:") == true, "\(reason ?? "accepted")")
    }

    @Test(arguments: ["steg", nil], [-3600, 3600] as [Int64])
    func whatTwoPeopleApprovedCountsForEverybodyAndNothingElseDoes(_ recipient: String?, _ seconds: Int64) throws {
        let envelope = try request()
        let (time, epoch, hydra) = (envelope.time, envelope.lane!.epoch, ParticipantID("hydra")!)
        func approving(
            _ range: ClosedRange<Int64>, _ decision: Registry.Approval.Decision = .approved, of id: ParticipantID
        ) throws -> Registry {
            try revoking(
                at: time.advanced(by: .seconds(seconds)),
                [
                    Registry.Approval(
                        participant: id, epoch: epoch, range: range, decision: decision, reviewers: ["amel", "bechir"], at: time)
                ])
        }
        #expect(try refusal(envelope, under: approving(1...1, of: hydra), recipient: recipient) == nil)
        for registry in [
            try approving(2...9, of: hydra), try approving(1...1, of: ParticipantID("kerker")!), try approving(1...1, .rejected, of: hydra),
        ] {
            #expect(try refusal(envelope, under: registry, recipient: recipient)?.hasPrefix("wasl-signature: revoked:") == true)
        }
    }

    @Test func presenceOfARevokedKeyIsRefusedWhateverWasApproved() throws {
        let envelope = Envelope(
            id: TestWorld.uuid().text, type: .presence, source: Source("/houses/hydra")!, time: TestClock.shared.now, data: [:])
        let registry = try revoking(at: TestWorld.start.advanced(by: .seconds(1)))
        #expect(try refusal(envelope, under: registry, recipient: nil)?.hasPrefix("wasl-signature: revoked:") == true)
    }

    @Test func evidenceThatWasLoggedStandsAndWhatWasSetAsideUnderARevokedKeyDoesNot() throws {
        let envelope = try request()
        let delivery = try world.delivery(envelope)
        let registry = try revoking(at: envelope.time)
        let logged = try Evidence(body: delivery.body, signature: delivery.signature!)
        let setAside = try Evidence(body: delivery.body, signature: delivery.signature!, isSetAside: true)
        #expect(throws: Never.self) { try logged.verify(under: registry) }
        #expect(throws: SealError.self) { try setAside.verify(under: registry) }
        #expect(throws: Never.self) { try setAside.verify(under: world.registry.registry) }
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
