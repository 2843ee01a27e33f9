import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslLedger

/// What a participant that says too much, or too cleverly, costs the ledger and its neighbours.
@Suite struct BoundsTests {
    private let bench: LedgerBench
    private let subject = TestWorld.uuid()

    init() throws { bench = try LedgerBench() }

    // MARK: Times that were dated back

    /// A request of hydra's, dated back by so many seconds.
    private func backdated(_ seconds: Int) -> Envelope {
        bench.submitted(TestWorld.uuid(), at: bench.clock.now.advanced(by: .seconds(-seconds)))
    }

    @Test(arguments: [true, false]) func aNewEpochReachesNoFurtherBackThanTheOneBefore(_ isBeating: Bool) async throws {
        let first = bench.opening(of: "hydra")
        try await bench.record(first, bench.beat(1, of: "hydra", sequence: 1))
        bench.clock.advance(.seconds(7_200))
        if isBeating { try await bench.record(bench.beat(2, of: "hydra", sequence: 1)) }
        let earlier = bench.clock.now.advanced(by: .seconds(-3_600))
        try await bench.record(bench.opening(of: "hydra", previous: first.lane?.epoch, at: earlier), backdated(3_600))
        #expect(try bench.named() == (isBeating ? [named("implausible-time", "hydra")] : []), "what was taken in the dark keeps its time")
    }

    @Test func manySmallStepsBackLeadNowhere() async throws {
        for step in 0..<5 { try await bench.record(backdated(step * 300)) }
        #expect(try bench.findings(.implausibleTime).count == 2, "those at 15 and at 20 minutes")
    }

    @Test func whatComesBeyondAGapIsHeldToWhatCameBeforeIt() async throws {
        try await bench.record(bench.submitted(TestWorld.uuid()))
        _ = bench.submitted(TestWorld.uuid())
        try await bench.record(backdated(3_600))
        #expect(try bench.named() == [named("implausible-time", "hydra")])
    }

    @Test func whatCameEarlyIsHeldToWhatClosesTheGap() async throws {
        let late = bench.submitted(TestWorld.uuid())
        try await bench.record(backdated(3_600))
        #expect(try bench.named() == [])
        try await bench.record(late)
        #expect(try bench.named() == [named("implausible-time", "hydra")])
    }

    @Test func aBacklogThatIsMadeUpMakesNoRoomForEarlierTimes() async throws {
        try await bench.record(bench.submitted(subject), bench.beat(1, of: "hydra", sequence: 1))
        bench.clock.advance(.seconds(3_600))
        var boast = bench.beat(3, of: "hydra", sequence: 1_001)
        boast.data["backlog"] = 1_000
        try await bench.record(bench.beat(2, of: "hydra", sequence: 1), boast, backdated(1_800))
        #expect(try bench.named() == [named("implausible-time", "hydra")])
    }

    @Test func aClockThatWasAheadMakesNobodyLateAfterItsCorrection() async throws {
        try await bench.record(bench.submitted(subject, at: bench.clock.now.advanced(by: .seconds(7_200))))
        bench.clock.advance(.seconds(60))
        try await bench.record(bench.submitted(TestWorld.uuid()))
        #expect(try bench.findings(.implausibleTime).count == 1, "the one that lies ahead, and not the one after it")
    }

    // MARK: Epochs

    @Test func anEpochWithoutItsOpeningIsNamed() async throws {
        try await bench.record(bench.opening(of: "hydra"))
        _ = bench.opening(of: "hydra")
        let request = bench.claiming(bench.lanes["hydra"]!.epoch, 1, .messageRefused, from: "hydra", data: ["reason": "x", "digest": "d"])
        try await bench.record(request)
        #expect(try bench.named().contains(named("epoch-changed", "hydra")))
    }

    @Test func anOpeningThatDoesNotSayWhereTheOneBeforeEndedIsNamed() async throws {
        let first = bench.opening(of: "hydra")
        var second = bench.opening(of: "hydra", previous: first.lane?.epoch)
        second.data["previoussequence"] = nil
        try await bench.record(first, second)
        #expect(try bench.named() == [named("epoch-changed", "hydra")])
    }

    @Test func epochsThatAreMadeUpCostNoMoreThanAFew() async throws {
        try await bench.record(bench.opening(of: "hydra"))
        for _ in 0..<80 {
            var beat = bench.beat(1, of: "hydra", sequence: 1)
            beat.data["epoch"] = .string(TestWorld.uuid().text)
            try await bench.record(beat)
        }
        let lanes = try bench.store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM lane WHERE source = '/houses/hydra'") }
        #expect(lanes == 51)
        #expect(try bench.named() == [named("epoch-changed", "hydra")])
        #expect(try bench.sweep(after: 6).count == 50)
        // Its own journal goes on, and may begin anew.
        try await bench.record(bench.submitted(subject), bench.opening(of: "hydra", previous: bench.lanes["hydra"]?.epoch))
        #expect(try bench.request(subject) != nil)
        #expect(try bench.count(of: "quarantine") == 0)
    }

    @Test func whoseEpochAnotherOpenedFirstIsAskedForItsOwnOpening() async throws {
        let opening = bench.opening(of: "steg")
        let epoch = try #require(opening.lane?.epoch)
        let copied = bench.claiming(epoch, 1, .journalOpened, from: "kerker", data: ["epoch": .string(epoch.text), "reason": "mine"])
        try await bench.record(copied)
        let request = bench.submitted(subject)
        try await bench.record(request, bench.outcome(subject, "completed"))
        let asked = try bench.sweep(after: 1)
        #expect(asked.map(\.type) == [.resend] && asked.first?.recipient == ParticipantID("steg"))
        #expect(asked.first?.data["through"]?.string.flatMap { Int64($0) } == 1)
    }

    // MARK: Words

    @Test(arguments: [true, false], [true, false])
    func whoAnswersARequestThatTheLedgerSetAsideIsNotToBlame(_ answerFirst: Bool, _ isKnown: Bool) async throws {
        let first = bench.submitted(isKnown ? subject : TestWorld.uuid())
        try await bench.record(first)
        // Under the same number of the lane: a fork.
        var second = first
        second.id = TestWorld.uuid().text
        second.subject = subject
        second.recipient = ParticipantID("tt")
        second.service = ServiceID("tt.bill.view")
        var answer = bench.outcome(subject, "completed", from: "tt")
        answer.causationID = second.id
        for envelope in answerFirst ? [answer, second] : [second, answer] {
            try await bench.record(envelope)
            try bench.sweep(after: 11)
        }
        #expect(try bench.named() == [named("fork", "hydra")])
    }

    @Test func moreDeliveriesThanOneMessageMaySayAreRefused() async throws {
        let outcomes = (0..<201).map { _ in JSON.object(["id": .string(TestWorld.uuid().text), "subject": .string(TestWorld.uuid().text)]) }
        try await bench.record(bench.next(.outcomeDelivered, from: "hydra", service: nil, data: ["outcomes": .array(outcomes)]))
        #expect(try bench.named() == [named("refused-message", "hydra")])
        #expect(try bench.count(of: "waiting") == 0)
    }

    @Test func moreWordsThanMayWaitAreAppliedFromTheLogWhenTheirRequestComes() async throws {
        try await bench.record(bench.opening(of: "steg"))
        _ = try bench.store.transaction {
            try $0.db.execute(sql: "UPDATE participant SET waiting = ?", arguments: [LedgerSteps.waitingMax])
        }
        try await bench.record(bench.outcome(subject, "completed"))
        try bench.sweep(after: 20)
        #expect(try bench.count(of: "waiting") == 0)
        #expect(try bench.named() == [], "nobody is blamed for what the ledger has not heard")
        try await bench.record(bench.submitted(subject))
        #expect(try bench.request(subject)?["status"] == "completed")
    }

    @Test func wordsThatNoLongerWaitMakeRoom() async throws {
        try await bench.record(bench.outcome(subject, "completed"))
        func waiting() throws -> Int? {
            try bench.store.read { try Int.fetchOne($0, sql: "SELECT waiting FROM participant WHERE id = 'steg'") }
        }
        #expect(try waiting() == 1)
        try await bench.record(bench.submitted(subject))
        #expect(try waiting() == 0)
    }

    @Test func anAgencyThatSaysWhatItSetAsideIsNotLateWithIt() async throws {
        let request = bench.submitted(subject)
        try await bench.record(
            request,
            bench.next(.messageRefused, from: "steg", service: nil, data: ["reason": "x", "digest": "d", "messageid": .string(request.id)]))
        try bench.sweep(after: 40)
        #expect(try bench.named() == [named("not-taken", nil), named("refused-message", nil)])
        #expect(try bench.findings(.notTaken).values.first?["agency"] == "steg")
    }

    @Test(arguments: ["content type", "message id", "routing key"])
    func whatTheBrokerAlteredOnTheWayBlamesNobody(_ part: String) async throws {
        let made = try bench.world.delivery(bench.submitted(subject), queue: "ledger")
        let altered = Delivery(
            tag: made.tag, queue: made.queue, exchange: made.exchange,
            routingKey: part == "routing key" ? "tt.steg-bill-pay.hydra" : made.routingKey, isRedelivered: false,
            messageID: part == "message id" ? "x" : made.messageID, contentType: part == "content type" ? "text/plain" : made.contentType,
            signature: made.signature, body: made.body)
        let prepared = bench.handler.prepare([altered])
        _ = try bench.store.transaction { try bench.handler.record(prepared, in: $0) }
        #expect(try bench.named() == [named("refused-message", nil)])
        // The message itself comes: what was set aside is of no interest any more.
        let again = bench.handler.prepare([made])
        _ = try bench.store.transaction { try bench.handler.record(again, in: $0) }
        #expect(try bench.named() == [])
    }

    // MARK: Asking

    @Test func whoIsNotActiveIsAskedForNothing() async throws {
        let missing = bench.submitted(TestWorld.uuid())
        try await bench.record(bench.submitted(subject))
        #expect(missing.lane?.sequence == 1)
        let held = bench.world.registry.registry
        try bench.world.registry.replace(
            with: Registry(
                version: held.version + 1, issued: held.issued, expires: held.expires,
                participants: held.participants.values.map { $0.id.text == "hydra" ? $0.with(state: .suspended) : $0 }))
        #expect(try bench.sweep(after: 100) == [])
        #expect(try bench.named().contains(named("gap", "hydra")), "it is named all the same")
    }

    @Test func aForkIsAFindingAndNoDamageToTheFile() async throws {
        let first = bench.submitted(subject)
        var second = bench.submitted(TestWorld.uuid())
        second.lane = second.lane.map { LanePosition(epoch: $0.epoch, sequence: $0.sequence, chain: String(repeating: "c", count: 43)) }
        try await bench.record(first, second)
        let path = try TestWorld.makeFolder() + "/ledger.sqlite"
        try bench.store.read { try $0.execute(sql: "VACUUM INTO ?", arguments: [path]) }
        let verification = try LedgerVerification(path: path)
        #expect(verification.problems == [] && verification.forks == 1)
    }
}
