import Foundation
import GRDB
import TestSupport
import Testing
import WaslCatalogue
import WaslModel
import WaslSeal

@testable import WaslAgency
@testable import WaslHouse
@testable import WaslJournal
@testable import WaslLedger

/// A lost journal comes back from what the ledger kept.
@Suite struct RebuildTests {
    private let world: TestWorld
    private let house: JournalStore
    private let steps: HouseSteps

    init() throws {
        world = try TestWorld()
        house = try JournalStore(path: nil, headPath: nil, identity: world.identity("hydra"), migrations: HouseSchema.register)
        steps = HouseSteps(house: ParticipantID("hydra")!, key: world.keys["hydra"]!.signing)
    }

    private func accept(_ service: String) throws -> OutboundMessage {
        let template = try world.request(service, fields: ["amount": 5])
        let agency = ServiceID(service)!.agency!
        let order = PreparedOrder(
            id: template.subject!, messageID: template.id, time: template.time, service: ServiceID(service)!, contract: 1, agency: agency,
            expiry: template.expiry!, millimes: 5, sealed: template.data["sealed"]!.string!, idempotencyKey: template.id, body: [])
        return try house.transaction { try steps.accept(order, in: $0) }.appended[0]
    }

    private func evidence(_ message: OutboundMessage) throws -> Evidence {
        try Evidence(body: message.body, signature: message.signature)
    }

    private func desk(_ agency: String) -> JobDesk {
        JobDesk(
            agency: world.catalogue.agencies[ParticipantID(agency)!]!, catalogue: CatalogueHolder(world.catalogue),
            openingKeys: world.keys[agency]!.opening, registry: world.registry)
    }

    /// The job's state and doubt in a worker that was rebuilt from the request and what the lost worker had said of it.
    private func rebuilt(_ agency: String, _ evidence: [Evidence], isWhole: Bool = true) throws -> (job: Job, said: [Envelope]) {
        let store = try store(of: agency, rebuiltFrom: evidence, isWhole: isWhole)
        let job = try #require(try store.read { try Job.fetch($0, number: 1) })
        let said = try store.read { try JournalStore.messages($0, after: 0, limit: 100) }
        return (job, try said.map { try Envelope(parsing: $0.body) })
    }

    private func store(of agency: String, rebuiltFrom evidence: [Evidence], isWhole: Bool = true) throws -> JournalStore {
        let rebuild = AgencyRebuild(desk: desk(agency), environment: .system)
        return try JournalStore(
            disk: MemoryDisk(), identity: world.identity(agency), environment: .system,
            opening: .rebuilt(reason: "test", previous: nil) {
                try rebuild.run(EvidenceOfParticipant(messages: evidence, isWhole: isWhole), in: $0)
            },
            migrations: AgencySchema.register)
    }

    @Test func whatTheWorkerHadRefusedIsNoJobAfterItsRebuild() throws {
        let request = try evidence(accept("steg.bill.pay"))
        let registry = world.registry.registry
        try world.registry.replace(
            with: Registry(
                version: registry.version + 1, issued: registry.issued, expires: registry.expires,
                participants: registry.participants.values.map { $0.id.text == "hydra" ? $0.with(state: .suspended) : $0 }))
        func jobs(_ evidence: [Evidence]) throws -> Int? {
            try store(of: "steg", rebuiltFrom: evidence).read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM job") }
        }
        #expect(try jobs([request]) == 0)
        // What it had taken it goes on with.
        let lost = try JournalStore(path: nil, headPath: nil, identity: world.identity("steg"), migrations: AgencySchema.register)
        let agencySteps = AgencySteps(agency: ParticipantID("steg")!)
        let outcome = PreparedOutcome(
            id: TestWorld.uuid().text, status: .inDoubt, revision: 1, time: TestClock.shared.now, sealed: nil, visible: [:])
        let said = try lost.transaction { transaction in
            let job = try agencySteps.take([.accepted(request.envelope, world.delivery(request.envelope))], in: transaction)[0]
            _ = try agencySteps.conclude(
                Conclusion(job, phase: .call, verdict: .doubt("x"), decision: .call(at: job.due)), outcome: outcome, in: transaction)
        }.appended
        #expect(try jobs([request] + said.map(evidence)) == 1)
    }

    @Test(arguments: [
        ("steg.bill.view", "ready", false), ("sonede.bill.pay", "ready", true), ("steg.bill.pay", "looking", true),
        ("tt.bill.pay", "ready", false),
    ])
    func whatTheLostWorkerMayHaveDoneIsDoubt(_ service: String, _ state: String, _ isDoubted: Bool) throws {
        let agency = String(service.prefix { $0 != "." })
        let (job, said) = try rebuilt(agency, [evidence(accept(service))])
        #expect(job.state.rawValue == state)
        #expect(job.isDoubted == isDoubted)
        #expect(said.map(\.type) == [.journalOpened])
    }

    /// Found by simulation with insiders, seed 30: the worker never came up again.
    @Test func aSecondRequestUnderOneNumberStopsNoRebuild() throws {
        let first = try accept("sonede.bill.pay")
        let envelope = try Envelope(parsing: first.body)
        let second = try world.request("sonede.bill.pay", fields: ["amount": 6], subject: envelope.subject!)
        let delivery = try world.delivery(second)
        let other = try Evidence(body: delivery.body, signature: delivery.signature!)
        #expect(try rebuilt("sonede", [evidence(first), other]).job.message == envelope.id, "the first stands")
        // The worker's own words tell that it went by the second.
        let lost = try JournalStore(path: nil, headPath: nil, identity: world.identity("sonede"), migrations: AgencySchema.register)
        let agencySteps = AgencySteps(agency: ParticipantID("sonede")!)
        let outcome = PreparedOutcome(
            id: TestWorld.uuid().text, status: .inDoubt, revision: 1, time: TestClock.shared.now, sealed: nil, visible: [:])
        let said = try lost.transaction { transaction in
            let job = try agencySteps.take([.accepted(second, delivery)], in: transaction)[0]
            _ = try agencySteps.conclude(
                Conclusion(job, phase: .call, verdict: .doubt("x"), decision: .call(at: job.due)), outcome: outcome, in: transaction)
        }.appended
        #expect(try rebuilt("sonede", [evidence(first), other] + said.map(evidence)).job.message == second.id)
    }

    @Test func whatAnEarlierVersionMayHaveCalledKeepsItsReferenceOrIsForPeople() throws {
        // An epoch that does not say that references are derived: an opening of version 1.0.
        let opening = Envelope(
            id: TestWorld.uuid().text, type: .journalOpened, source: Source("/agencies/sonede")!, time: TestClock.shared.now,
            lane: LanePosition(epoch: EpochID(TestWorld.uuid().text)!, sequence: 1, chain: nil),
            data: ["epoch": "e", "reason": "new journal"])
        let delivery = try world.delivery(opening)
        let old = try Evidence(body: delivery.body, signature: delivery.signature!)
        #expect(try rebuilt("sonede", [old, evidence(accept("sonede.bill.pay"))]).job.state == .parked)
        var looked = opening
        looked.source = Source("/agencies/steg")!
        let other = try world.delivery(looked)
        let job = try rebuilt(
            "steg", [Evidence(body: other.body, signature: other.signature!), evidence(accept("steg.bill.pay"))]
        ).job
        #expect(job.state == .looking && job.reference.text == job.subject.text)
        #expect(job.otherReference == AgencyReference(of: job.request), "it is asked for under both")
    }

    @Test func anIntendedCallThatCannotBeRepeatedIsParkedAndSaid() throws {
        let request = try accept("tt.bill.pay")
        let lost = try JournalStore(path: nil, headPath: nil, identity: world.identity("tt"), migrations: AgencySchema.register)
        let envelope = try Envelope(parsing: request.body)
        let agencySteps = AgencySteps(agency: ParticipantID("tt")!)
        let said = try lost.transaction { transaction in
            let job = try agencySteps.take([.accepted(envelope, try world.delivery(envelope))], in: transaction)[0]
            _ = try agencySteps.intend(job, phase: .call, announces: true, in: transaction)
        }.appended
        let (job, words) = try rebuilt("tt", [evidence(request)] + said.map(evidence))
        #expect(job.state == .parked)
        #expect(words.last?.data["status"] == "parked")
        #expect(words.last?.subject == envelope.subject)
    }

    /// Found by simulation, seed 2733: a worker that spoke under a key which the ledger did not know yet lost its journal.
    @Test func withoutWholeEvidenceTheAbsenceOfAnIntentionSaysNothing() throws {
        let (job, said) = try rebuilt("tt", [evidence(accept("tt.bill.pay"))], isWhole: false)
        #expect(job.state == .parked)
        #expect(said.last?.data["status"] == "parked")
    }

    @Test func whatWasConcludedStaysConcludedAndIsSaidAgainWhenAsked() throws {
        let request = try accept("steg.bill.pay")
        let envelope = try Envelope(parsing: request.body)
        let lost = try JournalStore(path: nil, headPath: nil, identity: world.identity("steg"), migrations: AgencySchema.register)
        let agencySteps = AgencySteps(agency: ParticipantID("steg")!)
        let outcome = PreparedOutcome(
            id: TestWorld.uuid().text, status: .completed, revision: 1, time: TestClock.shared.now, sealed: nil, visible: [:])
        let said = try lost.transaction { transaction in
            let job = try agencySteps.take([.accepted(envelope, try world.delivery(envelope))], in: transaction)[0]
            _ = try agencySteps.conclude(
                Conclusion(job, phase: .call, verdict: .completed([:]), decision: .conclude(.completed, [:])), outcome: outcome,
                in: transaction)
        }.appended
        let disk = try MemoryDisk()
        let rebuild = AgencyRebuild(desk: desk("steg"), environment: .system)
        let all = try [evidence(request)] + said.map(evidence)
        let store = try JournalStore(
            disk: disk, identity: world.identity("steg"), environment: .system,
            opening: .rebuilt(reason: "test", previous: nil) {
                try rebuild.run(EvidenceOfParticipant(messages: all, isWhole: true), in: $0)
            }, migrations: AgencySchema.register)
        #expect(try store.read { try Job.fetch($0, number: 1) }?.state == .done)
        #expect(try store.read { try JournalStore.messages($0, about: envelope.subject!) }.map(\.body) == [said[0].body])
        // The same request once more, as the broker may still hold it: known, and nothing to do.
        let jobs = try store.transaction {
            try agencySteps.take([.accepted(envelope, try world.delivery(envelope))], in: $0)
        }.result
        #expect(jobs.isEmpty)
    }

    @Test func aRebuiltHouseKnowsItsRequestsAndGivesTheSameReceipt() throws {
        let request = try accept("steg.bill.pay")
        let before = try #require(try house.read { try Row.fetchOne($0, sql: "SELECT id, receipt, receipt_signature FROM request") })
        let disk = try MemoryDisk()
        let rebuild = HouseRebuild(steps: steps, openingKeys: world.keys["hydra"]!.opening)
        let all = [try evidence(request)]
        let store = try JournalStore(
            disk: disk, identity: world.identity("hydra"), environment: .system,
            opening: .rebuilt(reason: "test", previous: EvidenceFile.lastHead(of: ParticipantID("hydra")!, in: all)) {
                try rebuild.run(EvidenceOfParticipant(messages: all, isWhole: true), in: $0)
            }, migrations: HouseSchema.register)
        let after = try #require(try store.read { try Row.fetchOne($0, sql: "SELECT id, receipt, receipt_signature FROM request") })
        #expect(before == after)
        let opened = try Envelope(parsing: try store.read { try JournalStore.messages($0, after: 0, limit: 1) }[0].body)
        #expect(opened.data["previoussequence"]?.string == LanePosition.sequenceText(2))
        #expect(opened.data["previous"]?.string == house.head.epoch.text)
    }

    @Test func anOutcomeThatDoesNotOpenIsLeftOutOfARebuiltHouse() throws {
        let request = try accept("steg.bill.pay")
        let subject = try Envelope(parsing: request.body).subject
        func outcome(_ data: JSONObject) throws -> Evidence {
            let envelope = Envelope(
                id: TestWorld.uuid().text, type: .outcome, source: Source("/agencies/steg")!, time: TestClock.shared.now, subject: subject,
                lane: LanePosition(epoch: EpochID(TestWorld.uuid().text)!, sequence: 1, chain: nil), recipient: ParticipantID("hydra"),
                service: ServiceID("steg.bill.pay"), contract: 1, data: data)
            let delivery = try world.delivery(envelope)
            return try Evidence(body: delivery.body, signature: delivery.signature!)
        }
        let all = [
            try evidence(request), try outcome(["status": "in-doubt", "revision": 1]),
            try outcome(["status": "completed", "revision": 2, "sealed": "of.nobody.here"]),
        ]
        let rebuild = HouseRebuild(steps: steps, openingKeys: world.keys["hydra"]!.opening)
        let store = try JournalStore(
            disk: try MemoryDisk(), identity: world.identity("hydra"), environment: .system,
            opening: .rebuilt(reason: "test", previous: nil) {
                try rebuild.run(EvidenceOfParticipant(messages: all, isWhole: true), in: $0)
            }, migrations: HouseSchema.register)
        #expect(try store.read { try Int64.fetchAll($0, sql: "SELECT revision FROM outcome") } == [1])
        #expect(try store.read { try String.fetchOne($0, sql: "SELECT state FROM request") } == "in-doubt")
    }

    @Test func tornEvidenceIsRefusedByItsLine() throws {
        let text = EvidenceFile.text(
            EvidenceOfParticipant(messages: [try evidence(accept("steg.bill.pay")), try evidence(accept("tt.bill.pay"))], isWhole: true))
        #expect(try EvidenceFile.read(Array(text.utf8), of: ParticipantID("hydra")!, verify: { _ in }).messages.count == 2)
        let lines = text.split(separator: "\n")
        #expect(throws: JournalError.self) { try EvidenceFile.read(Array(lines[0].utf8), of: ParticipantID("hydra")!, verify: { _ in }) }
        let error = #expect(throws: JournalError.self) {
            try EvidenceFile.read(Array("\(lines[0])\n{\"messages\":2}".utf8), of: ParticipantID("hydra")!, verify: { _ in })
        }
        #expect(error?.reason == "evidence line 2: counts 2 messages, found 1")
    }

    @Test func aLostFileIsRebuiltUnderItsOwnNameAndABackupIsNotOverwritten() throws {
        let path = world.folder + "/steg.sqlite"
        let identity = world.identity("steg")
        var lost: JournalStore? = try JournalStore(
            path: path, headPath: path + ".head", identity: identity, migrations: AgencySchema.register)
        let epoch = lost!.head.epoch
        lost = nil
        let all = [try evidence(accept("steg.bill.pay"))]
        func rebuild() throws -> Int {
            try AgencyWorker.rebuild(
                world.catalogue.agencies[ParticipantID("steg")!]!, path, path + ".head", world.keys["steg"]!, world.catalogue,
                world.registry,
                from: EvidenceOfParticipant(messages: all, isWhole: true), reason: "test")
        }
        #expect(throws: JournalError.self) { try rebuild() }
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        // Without its file the journal is known to be lost: it does not start as a new one.
        #expect(throws: JournalError.self) {
            try JournalStore(path: path, headPath: path + ".head", identity: identity, migrations: AgencySchema.register)
        }
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        #expect(try rebuild() == 1)
        let store = try JournalStore(path: path, headPath: path + ".head", identity: identity, migrations: AgencySchema.register)
        let opened = try Envelope(parsing: try store.read { try JournalStore.messages($0, after: 0, limit: 1) }[0].body)
        #expect(opened.data["previous"]?.string == epoch.text)
        #expect(try JournalCheck.damage(path: path) == nil)
    }
}
