import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslAgency

/// What a worker does with requests of a house whose key was revoked: what the ledger does, by the same registry.
@Suite struct RevokedRequestTests {
    private let world: TestWorld
    private let store: JournalStore
    private let intake: AgencyIntake

    init() throws {
        world = try TestWorld()
        store = try JournalStore(path: nil, headPath: nil, identity: world.identity("steg"), migrations: AgencySchema.register)
        intake = AgencyIntake(
            steps: AgencySteps(agency: ParticipantID("steg")!), registry: world.registry, openingKeys: world.keys["steg"]!.opening)
    }

    private func take(_ deliveries: [Delivery]) throws -> [Job] {
        let prepared = intake.prepare(deliveries)
        return try store.transaction { try intake.record(prepared, in: $0) }.result
    }

    private func revoke(_ approvals: [Registry.Approval] = []) throws {
        let held = world.registry.registry
        let participants = held.participants.values.map { participant in
            participant.id == ParticipantID("hydra")!
                ? participant.with(keys: participant.keys.map { $0.use == .signing ? $0.revoked(from: TestWorld.start) : $0 }) : participant
        }
        try world.registry.replace(
            with: Registry(
                version: held.version + 1, issued: held.issued, expires: held.expires, participants: participants, approvals: approvals))
    }

    private func count(of table: String) throws -> Int? {
        try store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM \(table)") }
    }

    @Test func itIsNotWorkedOnUntilTwoPeopleApproveAndThenOnce() throws {
        let early = try world.request("steg.bill.pay", fields: ["reference": "123456789"])
        #expect(try take([world.delivery(early)]).count == 1)
        try revoke()
        let (approved, rejected) = (
            try world.request("steg.bill.pay", fields: ["reference": "123456789"]),
            try world.request("steg.bill.pay", fields: ["reference": "123456789"])
        )
        #expect(try take([world.delivery(early), world.delivery(approved), world.delivery(rejected)]).isEmpty)
        #expect(try count(of: "quarantine") == 2, "what was taken before is not refused when it comes again")
        func decision(_ request: Envelope, _ decision: Registry.Approval.Decision) throws -> Registry.Approval {
            try Registry.Approval(
                participant: request.source.participant, epoch: request.lane!.epoch, range: 1...1, decision: decision,
                reviewers: ["amel", "bechir"], at: TestClock.shared.now)
        }
        try revoke([decision(approved, .approved), decision(rejected, .rejected)])
        let again = try store.transaction { try $0.setAside(for: .signature) }.result
        #expect(try take(again).map(\.subject) == [approved.subject])
        #expect(try take(again).isEmpty)
        #expect(try count(of: "quarantine") == 1)
        #expect(try count(of: "job") == 2)
    }
}
