import Foundation
import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslAgency
@testable import WaslHouse

/// The agency acted and its answer was lost: what each effect class makes of it, with the agency's own log as the witness.
@Suite struct LostAnswerTests {
    private static let payment: JSONObject = ["amount": 45_500, "payment": "cash"]

    private func fields(_ key: String, _ value: String) -> JSONObject {
        var fields = Self.payment
        fields[key] = .string(value)
        return fields
    }

    @Test func readIsRepeatedAndLeavesNoEffect() async throws {
        let road = try await Road(agency: "steg")
        road.office.force(.lostConnectionAfterActing)
        let request = try await road.order("steg.bill.view", ["reference": "123456789"])
        try await road.firstCall(request)
        road.office.force(nil)
        #expect(try await road.state(of: request) { $0 != "accepted" && $0 != "taken" } == "completed")
        #expect(try road.lines().contains { $0.fault == "lost-connection-after-acting" })
        #expect(try road.effects().isEmpty)
        #expect(road.office.callCount(road.reference(request)) >= 2)
        try await road.end()
    }

    @Test func idempotentIsRepeatedWithTheSameKeyAndPaidOnce() async throws {
        let road = try await Road(agency: "sonede")
        #expect(try road.effects().isEmpty)
        road.office.force(.lostConnectionAfterActing)
        let request = try await road.order("sonede.bill.pay", fields("police_number", "1234567"))
        try await road.firstCall(request)
        road.office.force(nil)
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try road.effects().map(\.reference) == [road.reference(request)])
        #expect(try await road.states(of: request).contains("in-doubt"))
        try await road.end()
    }

    @Test func queryableIsLookedUpAndNotPaidAgain() async throws {
        let road = try await Road(agency: "steg")
        #expect(try road.effects().isEmpty)
        road.office.force(.errorAfterActing)
        let request = try await road.order("steg.bill.pay", fields("reference", "123456789"))
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try road.effects().map(\.reference) == [road.reference(request)])
        #expect(try await road.states(of: request) == ["accepted", "in-doubt", "completed"])
        try await road.end()
    }

    @Test func queryableThatWasNotDoneIsAbsentTwiceThenPaidOnce() async throws {
        let road = try await Road(agency: "steg")
        road.office.force(.errorBeforeActing)
        let request = try await road.order("steg.bill.pay", fields("reference", "123456789"))
        try await road.firstCall(request)
        road.office.force(nil)
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try road.effects().map(\.reference) == [road.reference(request)])
        try await road.end()
    }

    @Test func neitherIsParkedAndResolvedByTwoPeople() async throws {
        let road = try await Road(agency: "tt")
        #expect(try road.effects().isEmpty)
        road.office.force(.malformedAnswerAfterActing)
        let request = try await road.order("tt.bill.pay", fields("line", "71234567"))
        #expect(try await road.state(of: request) { $0 == "parked" } == "parked")
        let effects = try road.effects()
        #expect(effects.map(\.reference) == [road.reference(request)])
        #expect(road.office.callCount(road.reference(request)) == 1, "an unanswered call is never repeated")

        let evidence = Array("the bank's list".utf8)
        let resolution = Resolution(
            agency: ParticipantID("tt")!, request: road.key(request), status: .completed, note: "found in the list",
            evidence: evidence, time: TestClock.shared.now, fields: ["receipt_number": JSON(effects[0].receipt)])
        let signatures = try road.world.persons.prefix(2).map {
            try DetachedSignature.sign(Array(resolution.text.utf8), as: .resolution, with: $0)
        }
        try await road.worker.record(resolution, resolution.text, signatures, ["agent-0", "agent-1"], evidence)
        #expect(try await road.state(of: request) { $0 != "parked" } == "completed")
        for text in [resolution.note, resolution.evidenceDigest, "the bank's list"] {
            #expect(try road.world.files("worker", holding: text) == [], "kept sealed: \(text)")
        }
        #expect(try !road.world.files("worker", holding: signatures[0]).isEmpty, "the search finds what is there")
        let kept = try #require(try await road.worker.journal.read { try KeptResolution.fetch($0, of: 1) })
        let shown = kept.json(with: OwnSeal(own: ParticipantID("tt")!, keys: road.world.keys["tt"]!.opening))
        #expect(shown["text"]?.string == resolution.text && shown["holders"] == ["agent-0", "agent-1"])
        #expect(shown["evidenceBytes"] == JSON(evidence.count))
        await #expect(throws: (any Error).self) {
            try await road.worker.record(resolution, resolution.text, signatures, ["agent-0", "agent-1"], evidence)
        }
        #expect(try road.effects().count == 1)
        try await road.end()
    }

    @Test func progressIsToldOnceAndAskedAgainUntilItIsDecided() async throws {
        let road = try await Road(agency: "sonede")
        let request = try await road.order(
            "sonede.bill.dispute", ["police_number": "20415678", "reason": "الفاتورة لا توافق العداد منذ شهرين"])
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try await road.states(of: request) == ["accepted", "progress", "completed"])
        #expect(try road.effects().map(\.reference) == [road.reference(request)])
        try await road.end()
    }

    @Test func anAnswerThatNoRuleCoversIsKeptForTheEngineerAndNamedByItsDigest() async throws {
        let road = try await Road(agency: "tt") { broker in
            broker.declare(queue: "tap")
            broker.bind(.outcomes, "tap", "#")
        }
        road.office.force(.malformedAnswerAfterActing)
        let request = try await road.order("tt.bill.pay", fields("line", "71234567"))
        #expect(try await road.state(of: request) { $0 == "parked" } == "parked")
        let (digest, bytes, sealed) = try await road.worker.journal.read { db -> (String, Int64, String) in
            let row = try Row.fetchOne(db, sql: "SELECT digest, bytes, sealed FROM answer")
            return (row?[0] ?? "", row?[1] ?? 0, row?[2] ?? "")
        }
        let said = try await road.house.journal.read { db in
            try Envelope(parsing: [UInt8](try Data.fetchOne(db, sql: "SELECT body FROM outcome") ?? Data()))
        }
        #expect(said.data["answer"]?["digest"]?.string == digest)
        #expect(said.data["answer"]?["bytes"]?.integer == bytes)
        let text = try SealedText.open(
            sealed, with: road.world.keys["tt"]!.opening, sender: ParticipantID("tt")!, recipient: ParticipantID("tt")!)
        #expect(Int64(text.count) == bytes && !text.isEmpty)
        try await road.end()
    }

    @Test func anOutcomeThatComesAtOnceOvertakesTaken() async throws {
        let road = try await Road(agency: "tt")
        let request = try await road.order("tt.bill.pay", fields("line", "71234567"))
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try await road.states(of: request) == ["accepted", "completed"])
        try await road.end()
    }
}
