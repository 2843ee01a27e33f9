import Foundation
import JSONSchema
import TestSupport
import Testing
import WaslBroker
import WaslModel
import WaslSeal

@testable import WaslAgency
@testable import WaslHouse
@testable import WaslJournal

/// What the roles say fits the schemas that others write participants against.
@Suite struct MessageSchemaTests {
    private func violations(_ envelope: Envelope) throws -> [Violation] {
        let word = envelope.type.rawValue.dropFirst("tn.wasl.".count).dropLast(".v1".count)
        let path = "\(TestWorld.project)/Schemas/messages/\(word).schema.json"
        let data = try #require(FileManager.default.contents(atPath: path), "no schema of \(word)")
        return try Schema(try JSON.parse([UInt8](data))).validate(.object(envelope.data))
    }

    @Test func thePublishedDescriptionOfTheWireIsTheCodesOwn() throws {
        let folder = TestWorld.project + "/Schemas"
        func file(_ path: String) throws -> JSON? {
            try FileManager.default.contents(atPath: "\(folder)/\(path)").map { try JSON.parse([UInt8]($0)) }
        }
        let document = AsyncAPIDocument { try file("messages/\($0).schema.json") }
        #expect(try document.json() == file("asyncapi.json"), "run `wasl topology describe > Schemas/asyncapi.json`")
    }

    @Test func everyMessageOfARoadFitsItsSchema() async throws {
        let world = try TestWorld()
        let house = try JournalStore(path: nil, headPath: nil, identity: world.identity("hydra"), migrations: HouseSchema.register)
        let agency = try JournalStore(path: nil, headPath: nil, identity: world.identity("tt"), migrations: AgencySchema.register)
        let now = TestClock.shared.now
        let subject = TestWorld.uuid()
        let houseSteps = HouseSteps(house: ParticipantID("hydra")!, key: world.keys["hydra"]!.signing)
        let agencySteps = AgencySteps(agency: ParticipantID("tt")!)
        let template = try world.request("tt.bill.pay", fields: [:], subject: subject)
        let order = PreparedOrder(
            id: subject, messageID: template.id, time: now, service: ServiceID("tt.bill.pay")!, contract: 1, agency: ParticipantID("tt")!,
            expiry: now.advanced(by: .seconds(100)), millimes: 5, sealed: template.data["sealed"]?.string ?? "", idempotencyKey: "k",
            body: [])
        var said = try house.transaction { try houseSteps.accept(order, in: $0) }.appended
        let submitted = try Envelope(parsing: said[0].body)
        let outcome = PreparedOutcome(
            id: TestWorld.uuid().text, status: .parked, revision: 1, time: now, sealed: nil, visible: [:])
        said += try agency.transaction { transaction in
            let jobs = try agencySteps.take([.accepted(submitted, try world.delivery(submitted))], in: transaction)
            try agencySteps.sayTaken(olderThan: .seconds(-10), in: transaction)
            let (job, _) = try agencySteps.intend(jobs[0], phase: .call, announces: true, in: transaction)
            _ = try agencySteps.conclude(
                Conclusion(job, phase: .call, verdict: .doubt("x"), decision: .park(reason: "x")), outcome: outcome, in: transaction)
        }.appended
        let parked = try Envelope(parsing: said[said.count - 1].body)
        said += try house.transaction { transaction in
            try houseSteps.record([.accepted(parked, try world.delivery(parked))], in: transaction)
            try transaction.quarantine(try world.delivery(parked), reason: "x")
        }.appended
        said += try house.read { db in try JournalStore.messages(db, where: "number = 1", []) }
        let envelopes = try said.map { try Envelope(parsing: $0.body) }
        #expect(
            Set(envelopes.map(\.type)) == [
                .requestSubmitted, .requestTaken, .attemptIntended, .outcome, .outcomeDelivered, .messageRefused, .journalOpened,
            ])
        for envelope in envelopes { #expect(try violations(envelope) == [], "\(envelope.type)") }
    }
}
