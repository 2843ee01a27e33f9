import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslHouse

@Suite struct HouseStepsTests {
    private let world: TestWorld
    private let store: JournalStore
    private let steps: HouseSteps
    private let request = TestWorld.uuid()

    init() throws {
        world = try TestWorld()
        store = try JournalStore(path: nil, headPath: nil, identity: world.identity("hydra"), migrations: HouseSchema.register)
        steps = HouseSteps(house: ParticipantID("hydra")!, key: world.keys["hydra"]!.signing)
        let order = PreparedOrder(
            id: request, messageID: TestWorld.uuid().text, time: TestClock.shared.now, service: ServiceID("steg.bill.pay")!, contract: 1,
            agency: ParticipantID("steg")!, expiry: TestClock.shared.now.advanced(by: .seconds(100)), millimes: 1, sealed: "x",
            idempotencyKey: "k", body: [])
        _ = try store.transaction { try steps.accept(order, in: $0) }
    }

    private func outcome(
        _ status: String, revision: Int64, from agency: String = "steg", subject: RequestID? = nil
    ) throws -> CheckedDelivery {
        let envelope = Envelope(
            id: TestWorld.uuid().text, type: .outcome, source: Source(role: .agency, participant: ParticipantID(agency)!),
            time: TestClock.shared.now, subject: subject ?? request,
            lane: LanePosition(epoch: EpochID(TestWorld.uuid().text)!, sequence: 1, chain: nil), recipient: ParticipantID("hydra"),
            service: ServiceID("steg.bill.pay"), contract: 1, data: ["status": .string(status), "revision": .integer(revision)])
        return .accepted(envelope, try world.delivery(envelope))
    }

    private func record(_ deliveries: CheckedDelivery...) throws -> [Envelope] {
        try store.transaction { try steps.record(deliveries, in: $0) }.appended.map { try Envelope(parsing: $0.body) }
    }

    private var state: String? {
        get throws { try store.read { try String.fetchOne($0, sql: "SELECT state FROM request") } }
    }

    private var quarantined: [String] {
        get throws { try store.read { try String.fetchAll($0, sql: "SELECT reason FROM quarantine") } }
    }

    @Test func oneReceiptNamesAllOutcomesOfABatch() throws {
        let said = try record(outcome("in-doubt", revision: 1), outcome("completed", revision: 2))
        #expect(said.map(\.type) == [.outcomeDelivered])
        #expect(said[0].data["outcomes"]?.array?.count == 2)
        #expect(try state == "completed")
    }

    @Test func aTerminalStateNeverChanges() throws {
        _ = try record(outcome("completed", revision: 1))
        _ = try record(outcome("parked", revision: 2), outcome("refused", revision: 3))
        #expect(try state == "completed")
    }

    @Test func aTerminalOutcomeBeatsALaterNumberedNonTerminalOne() throws {
        _ = try record(outcome("in-doubt", revision: 5))
        _ = try record(outcome("refused", revision: 2))
        #expect(try state == "refused")
    }

    @Test func anOutcomeSaidAgainIsReceiptedAgainAndRecordedOnce() throws {
        let delivery = try outcome("completed", revision: 1)
        #expect(try record(delivery).count == 1)
        #expect(try record(delivery).count == 1)
        #expect(try store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM outcome") } == 1)
    }

    @Test func anOutcomeOfAnUnknownRequestOrAnotherAgencyIsSetAside() throws {
        let said = try record(
            outcome("completed", revision: 1, subject: TestWorld.uuid()), outcome("completed", revision: 1, from: "tt"))
        #expect(said.map(\.type) == [.messageRefused, .messageRefused])
        #expect(try quarantined.count == 2)
        #expect(try state == "accepted")
    }

    @Test func aStatusThatIsNoneIsSetAside() throws {
        _ = try record(outcome("done", revision: 1), outcome("completed", revision: 0))
        #expect(try quarantined.map { $0.hasPrefix("data:") } == [true, true])
        #expect(try state == "accepted")
    }
}
