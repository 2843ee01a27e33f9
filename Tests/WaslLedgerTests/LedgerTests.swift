import GRDB
import TestSupport
import Testing
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslLedger

@Suite struct LedgerTests {
    private let bench: LedgerBench
    private let subject = TestWorld.uuid()

    init() throws { bench = try LedgerBench() }

    @Test func aWholeRoadLeavesNothingOpen() async throws {
        let outcome = bench.outcome(subject, "completed")
        try await bench.record(bench.submitted(subject), outcome, bench.delivered(outcome))
        try bench.sweep(after: 100)
        #expect(try bench.open() == [])
        let overview = try bench.store.read { try Overview.fetch($0, at: bench.clock.now) }
        #expect(overview.submitted == 1 && overview.terminal == 1 && overview.delivered == 1 && overview.entries == 3)
    }

    @Test func anyOrderOfArrivalIsLegal() async throws {
        let outcome = bench.outcome(subject, "completed")
        let submitted = bench.submitted(subject)
        let delivered = bench.delivered(outcome)
        for envelope in [delivered, outcome, submitted] { try await bench.record(envelope) }
        try bench.sweep(after: 100)
        #expect(try bench.open() == [])
    }

    @Test func aGapIsNamedAskedForExactlyAndCleared() async throws {
        let all = (0..<6).map { _ in bench.submitted(TestWorld.uuid()) }
        try await bench.record(all[0], all[3], all[5])
        #expect(try bench.sweep(after: 1).isEmpty, "order is free: nothing is missing at once")
        let asked = try bench.sweep(after: 6)
        #expect(try bench.open().contains("gap"))
        #expect(asked.map(\.type) == [.resend, .resend])
        #expect(
            asked.map { [$0.data["from"]?.string.flatMap { Int64($0) }, $0.data["through"]?.string.flatMap { Int64($0) }] } == [
                [2, 3], [5, 5],
            ])
        #expect(asked.allSatisfy { $0.recipient?.text == "hydra" })
        #expect(try bench.sweep(after: 1).isEmpty, "asks are paced")
        try await bench.record(all[4], all[1], all[2])
        #expect(try !bench.open().contains("gap"))
    }

    @Test func aMissingEndOfALaneIsKnownFromPresence() async throws {
        let first = bench.submitted(subject)
        try await bench.record(first)
        let beat = Envelope(
            id: TestWorld.uuid().text, type: .presence, source: first.source, time: bench.clock.now,
            data: ["epoch": JSON(first.lane?.epoch.text), "sequence": "00000000000000000003", "backlog": 1])
        try await bench.record(beat)
        let asked = try bench.sweep(after: 6)
        #expect(asked.map { $0.data["through"]?.string.flatMap { Int64($0) } } == [2], "what waits in its own outbox is not missing")
    }

    @Test func twoMessagesUnderOneNumberAreAFork() async throws {
        let first = bench.submitted(subject)
        var other = first
        other.id = TestWorld.uuid().text
        try await bench.record(first)
        try await bench.record(other)
        #expect(try bench.open() == ["fork"])
        #expect(try bench.store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM entry") } == 1)
    }

    @Test func aMessageThatIsNotChainedToTheOneBeforeIsAFork() async throws {
        try await bench.record(bench.submitted(subject))
        var second = bench.submitted(TestWorld.uuid())
        second.lane = LanePosition(epoch: second.lane!.epoch, sequence: 2, chain: String(repeating: "A", count: 43))
        try await bench.record(second)
        #expect(try bench.open() == ["fork"])
    }

    @Test func oneSignatureAtTheEndVouchesForARunAndABadEndDoesNot() async throws {
        let run = (0..<4).map { _ in bench.submitted(TestWorld.uuid()) }
        var deliveries = try run.map { try bench.world.delivery($0) }
        let whole = bench.handler.prepare(deliveries)
        #expect(LedgerDeliveries.runs(whole.verified).count == 1)
        deliveries[3] = try bench.world.delivery(run[3], signedBy: "kerker")
        let prepared = bench.handler.prepare(deliveries)
        #expect(prepared.verified.count == 3)
        #expect(prepared.refused.map(\.delivery.messageID) == [run[3].id])
    }

    @Test func aBadSignatureIsSetAsideAndNamed() async throws {
        try await bench.record(bench.submitted(subject), signedBy: "kerker")
        #expect(try bench.open() == ["refused-message"])
        #expect(try bench.store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM entry") } == 0)
        #expect(try bench.store.read { try String.fetchOne($0, sql: "SELECT reason FROM quarantine") }?.hasPrefix("wasl-signature") == true)
    }

    @Test func nobodyWaitsForAParticipantThatIsNoLongerActive() throws {
        func silent() throws -> Set<String> {
            try bench.store.read {
                Set(try String.fetchAll($0, sql: "SELECT key FROM finding WHERE class = 'silent-participant' AND cleared IS NULL"))
            }
        }
        try bench.sweep(after: 61)
        #expect(try silent().isSuperset(of: ["hydra", "kerker", "steg"]))
        let all = bench.world.registry.registry
        // One is suspended, one has left.
        let rest = all.participants.values.filter { $0.id.text != "kerker" }.map { $0.id.text == "hydra" ? $0.with(state: .suspended) : $0 }
        let newer = try Registry(version: all.version + 1, issued: all.issued, expires: all.expires, participants: rest)
        _ = try bench.store.transaction { try bench.handler.steps.sweep(newer, startedAt: bench.start, in: $0) }
        let left = try silent()
        #expect(left.contains("steg") && left.isDisjoint(with: ["hydra", "kerker"]), "\(left)")
    }

    @Test func aRequestThatNobodyTookIsAskedForAgain() async throws {
        try await bench.record(bench.submitted(subject))
        #expect(try bench.sweep(after: 20).isEmpty)
        let asked = try bench.sweep(after: 20)
        #expect(try bench.open() == ["not-taken"])
        #expect(asked.map(\.subject) == [subject] && asked[0].recipient?.text == "hydra")
        try await bench.record(bench.next(.requestTaken, from: "steg", subject: subject, to: "hydra"))
        #expect(try bench.open() == [])
    }

    @Test func anUndeliveredOutcomeIsAskedForAgain() async throws {
        let outcome = bench.outcome(subject, "completed")
        try await bench.record(bench.submitted(subject), outcome)
        let asked = try bench.sweep(after: 40)
        #expect(try bench.open() == ["undelivered-outcome"])
        #expect(asked.last?.recipient?.text == "steg" && asked.last?.subject == subject)
        try await bench.record(bench.delivered(outcome))
        #expect(try bench.open() == [])
    }

    @Test func aDocumentThatStopsComingIsNamedAskedForAndCleared() async throws {
        let all = bench.submitted(subject, pieces: 3)
        try await bench.record(all[2], all[0], all[2])
        let asked = try bench.sweep(after: 100).filter { $0.subject == subject }
        #expect(asked.isEmpty, "its papers are on their way: nobody is late with it")
        #expect(try !bench.open().contains("not-taken"))
        let mending = try bench.sweep(after: 30).filter { $0.subject == subject }
        #expect(mending.map(\.type) == [.resend] && mending[0].recipient?.text == "hydra")
        #expect(try bench.open().contains("attachment-incomplete"))
        try await bench.record(all[1])
        try await bench.record(all[3], all[1])
        #expect(try !bench.open().contains("attachment-incomplete"))
        let overview = try bench.store.read { try Overview.fetch($0, at: bench.clock.now) }
        #expect(overview.attachments == 1 && overview.wholeAttachments == 1)
        try bench.sweep(after: 31)
        #expect(try bench.open().contains("not-taken"), "from here on the agency has all it needs")
        let story = try bench.store.read { [subject] in try LedgerQueries.story($0, subject.text, of: "hydra") }
        #expect(story?["attachments"]?.array?.first?["seen"] == 3)
        #expect(story?["entries"]?.array?.count == 1, "pieces are counted, not told one by one")
    }

    @Test func anAnswerThatNoRuleCoversShowsWithItsDigest() async throws {
        let answer: JSON = ["status": 200, "bytes": 7, "digest": .string(String(repeating: "a", count: 43))]
        let doubt = bench.next(
            .outcome, from: "steg", subject: subject, to: "hydra", data: ["status": "in-doubt", "revision": 1, "answer": answer])
        try await bench.record(bench.submitted(subject), doubt)
        let evidence = try bench.store.read {
            try String.fetchOne($0, sql: "SELECT evidence FROM finding WHERE class = 'in-doubt'")
        }
        #expect(try JSON.parse(evidence ?? "")["answer"] == answer)
    }

    @Test func overdueIsNamedWhenTheServiceLevelIsPast() async throws {
        try await bench.record(bench.submitted(subject), bench.next(.requestTaken, from: "steg", subject: subject, to: "hydra"))
        try bench.sweep(after: 119)
        #expect(try bench.open() == [])
        try bench.sweep(after: 2)
        #expect(try bench.open() == ["overdue"])
    }

    @Test func anOutcomeWithoutARequestIsAnOrphanUntilTheRequestComes() async throws {
        let submitted = bench.submitted(subject)
        try await bench.record(bench.outcome(subject, "completed"))
        try bench.sweep(after: 11)
        #expect(try bench.open().contains("orphan-outcome"))
        try await bench.record(submitted)
        #expect(try !bench.open().contains("orphan-outcome"))
    }

    @Test func twoDifferentTerminalOutcomesContradict() async throws {
        try await bench.record(
            bench.submitted(subject), bench.outcome(subject, "completed"), bench.outcome(subject, "refused", revision: 2))
        #expect(try bench.open() == ["contradicting-outcomes"])
        #expect(try bench.store.read { try String.fetchOne($0, sql: "SELECT status FROM request") } == "completed")
    }

    @Test func doubtIsNamedAndClearedByItsEnd() async throws {
        try await bench.record(bench.submitted(subject), bench.outcome(subject, "in-doubt"))
        #expect(try bench.open() == ["in-doubt"])
        try await bench.record(bench.outcome(subject, "parked", revision: 2))
        #expect(try bench.open() == ["parked"])
        try await bench.record(bench.outcome(subject, "completed", revision: 3))
        #expect(try bench.open() == [])
        let causes = try bench.store.read { try String.fetchAll($0, sql: "SELECT cause FROM finding ORDER BY number") }
        #expect(causes == ["parked for two people", "the agency says `completed`"])
    }

    @Test func aTerminalOutcomeAfterADeliveredDoubtStillHasToBeDelivered() async throws {
        let doubt = bench.outcome(subject, "in-doubt")
        try await bench.record(bench.submitted(subject), doubt, bench.delivered(doubt))
        let terminal = bench.outcome(subject, "completed", revision: 2)
        try await bench.record(terminal)
        let asked = try bench.sweep(after: 40)
        #expect(try bench.open() == ["undelivered-outcome"])
        #expect(asked.contains { $0.recipient?.text == "steg" && $0.subject == subject })
        try await bench.record(bench.delivered(terminal))
        #expect(try bench.open() == [])
    }

    @Test func manyOldFindingsDoNotHideANewOne() async throws {
        for _ in 0..<6 {
            for _ in 0..<100 { try await bench.record(bench.submitted(TestWorld.uuid())) }
        }
        try bench.sweep(after: 40)
        try bench.sweep(after: 1)
        #expect(try bench.open().count == 600)
    }

    @Test func theLedgersOwnLaneIsNobodysGap() async throws {
        let beat = Envelope(
            id: TestWorld.uuid().text, type: .presence, source: Source("/ledger")!, time: bench.clock.now,
            data: ["epoch": .string(TestWorld.uuid().text), "sequence": "00000000000000000009", "backlog": 0])
        try await bench.record(beat)
        #expect(try bench.sweep(after: 30).isEmpty)
        #expect(try bench.open() == [])
    }

    @Test(arguments: [("09223372036854775807", -1), ("00000000000000000001", -5), ("x", 0)] as [(String, Int64)])
    func aPresenceOutOfRangeIsPassedOver(_ sequence: String, _ backlog: Int64) async throws {
        try await bench.record(
            Envelope(
                id: TestWorld.uuid().text, type: .presence, source: Source("/houses/hydra")!, time: bench.clock.now,
                data: ["epoch": .string(TestWorld.uuid().text), "sequence": .string(sequence), "backlog": .integer(backlog)]))
        #expect(try bench.sweep(after: 30).isEmpty)
    }

    @Test func whatWasUnroutableOrDeadLetteredIsNamedUntilTheAgencyHasIt() async throws {
        let submitted = bench.submitted(subject)
        try await bench.record(submitted, queue: "unroutable")
        try await bench.record(submitted, queue: "dead", exchange: "wasl.dead")
        #expect(try bench.open() == ["dead-lettered", "unroutable"])
        try await bench.record(bench.outcome(subject, "completed"))
        #expect(try bench.open() == [])
    }

    @Test func aRefusalThatAParticipantReportsIsNamed() async throws {
        try await bench.record(
            bench.next(.messageRefused, from: "steg", service: nil, data: ["reason": "id: …", "digest": "d", "bytes": 1]))
        #expect(try bench.open() == ["refused-message"])
    }

    @Test func silenceIsNamedAndClearedByAWord() async throws {
        try bench.sweep(after: 61)
        func silent() throws -> [String] {
            try bench.store.read {
                try String.fetchAll($0, sql: "SELECT key FROM finding WHERE class = 'silent-participant' AND cleared IS NULL ORDER BY key")
            }
        }
        #expect(try silent() == ["cnam", "cnss", "eid", "hydra", "kerker", "sonede", "steg", "tt"])
        try await bench.record(bench.submitted(subject))
        try bench.sweep(after: 1)
        #expect(try !silent().contains("hydra"))
    }

    @Test func theStoryOfARequestHasEveryWord() async throws {
        let outcome = bench.outcome(subject, "completed")
        try await bench.record(bench.submitted(subject), outcome, bench.delivered(outcome))
        let story = try #require(try bench.store.read { try LedgerQueries.story($0, subject.text, of: "hydra") })
        #expect(
            story["entries"]?.array?.map { $0["type"]?.string } == [MessageType.requestSubmitted.rawValue, MessageType.outcome.rawValue])
        #expect(story["status"] == "completed" && story["delivered"]?.string != nil)
        #expect(try bench.store.read { try LedgerQueries.story($0, "unknown", of: nil) } == nil)
    }
}

@Suite struct LedgerVerificationTests {
    @Test func aChangedByteOfEvidenceIsFoundAndNothingIsChanged() async throws {
        let world = try TestWorld()
        let path = world.folder + "/ledger.sqlite"
        let store = try JournalStore(
            path: path, headPath: path + ".head", identity: world.identity("ledger"), migrations: LedgerSchema.register)
        let handler = LedgerDeliveries(
            steps: LedgerSteps(catalogue: CatalogueHolder(world.catalogue), times: LedgerTimes()), registry: world.registry,
            changes: ChangeSignal())
        let delivery = try world.delivery(try world.request("steg.bill.view", fields: [:]))
        let prepared = handler.prepare([delivery])
        _ = try store.transaction { try handler.record(prepared, in: $0) }
        #expect(try LedgerVerification(path: path).problems == [])
        _ = try store.transaction { try $0.db.execute(sql: "UPDATE evidence SET body = CAST(replace(body, 'hydra', 'kerker') AS BLOB)") }
        let report = try LedgerVerification(path: path)
        #expect(report.problems.contains { $0.hasPrefix("entry 1: its evidence does not match") })
        #expect(report.entries == 1 && report.lanes == 1)
    }
}
