import Foundation
import GRDB
import Hummingbird
import Logging
import TestSupport
import Testing
import WaslBroker
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation
import WaslWeb

@testable import WaslAgency
@testable import WaslHouse

/// The whole road in one process: a house, a worker and a simulated agency behind real HTTP, over a simulated broker.
private final class Road: Sendable {
    let world: TestWorld
    let house: House
    let worker: AgencyWorker
    let office: SimulatedOffice
    let logPath: String
    private let tasks: [Task<Void, any Error>]

    init(agency id: String) async throws {
        let world = try TestWorld()
        self.world = world
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let broker = SimulatedBroker()
        for queue in ["agency.\(id)", "house.hydra", "ledger"] { broker.declare(queue: queue) }
        broker.bind(.requests, "agency.\(id)", "\(id).#")
        broker.bind(.outcomes, "house.hydra", "hydra.#")
        broker.bind(.receipts, "ledger", "#")
        logPath = world.folder + "/effects.jsonl"
        office = try SimulatedOffice(agency: id, logPath: logPath, plan: FaultPlan(seed: 1, rate: 0, latency: 0...1))
        let router = Router(context: BasicRequestContext.self)
        simulatedAgencies[id]!(office).addRoutes(to: router)
        let listening = Recorder<Int>()
        let port = try PrivateNode.freePorts(1)[0]
        let server = Task { try await Server.run(router, host: "127.0.0.1", port: port, logger: logger) { listening.append($0) } }
        await listening.wait { !$0.isEmpty }
        house = try House(
            House.Parts(
                id: ParticipantID("hydra")!, journalPath: world.folder + "/house.sqlite", headPath: nil, keys: world.keys["hydra"]!,
                registry: world.registry, catalogue: CatalogueHolder(world.catalogue), version: "test"), broker: broker, logger: logger)
        let worker = try AgencyWorker(
            AgencyWorker.Parts(
                agency: world.catalogue.agencies[ParticipantID(id)!]!, endpoint: "http://127.0.0.1:\(port)",
                journalPath: world.folder + "/worker.sqlite", headPath: nil, keys: world.keys[id]!, registry: world.registry,
                catalogue: CatalogueHolder(world.catalogue),
                translator: try Translator(
                    programs: world.catalogue.programs(of: ParticipantID(id)!), executable: TestWorld.executable), version: "test"),
            broker: broker, logger: logger)
        self.worker = worker
        house.start()
        tasks = [server, Task { try await worker.run() }]
    }

    func order(_ service: String, _ fields: JSONObject) async throws -> String {
        let receipt = try await house.accept(
            ["service": .string(service), "fields": .object(fields)], body: [], idempotencyKey: UUID().uuidString)
        return receipt.request.text
    }

    /// The request's state in the house, once it meets the condition.
    func state(of request: String, until condition: (String) -> Bool) async throws -> String {
        while true {
            let version = house.changes.version
            let state = try await house.journal.read { db in
                try String.fetchOne(db, sql: "SELECT state FROM request WHERE id = ?", arguments: [request]) ?? ""
            }
            if condition(state) { return state }
            await house.changes.wait(past: version)
        }
    }

    /// Every state that the house told its counters, in order.
    func states(of request: String) async throws -> [String] {
        try await house.journal.read { db in
            try String.fetchAll(db, sql: "SELECT state FROM event WHERE request = ? ORDER BY number", arguments: [request])
        }
    }

    func effects() throws -> [EffectsLog.Line] { try EffectsLog.read(path: logPath).filter { $0.receipt != nil } }
    func lines() throws -> [EffectsLog.Line] { try EffectsLog.read(path: logPath) }

    func end() async {
        for task in tasks { task.cancel() }
        for task in tasks { _ = try? await task.value }
        await house.close()
    }
}

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
        await road.office.firstCall(request)
        road.office.force(nil)
        #expect(try await road.state(of: request) { $0 != "accepted" && $0 != "taken" } == "completed")
        #expect(try road.lines().contains { $0.fault == "lost-connection-after-acting" })
        #expect(try road.effects().isEmpty)
        #expect(road.office.callCount(request) >= 2)
        await road.end()
    }

    @Test func idempotentIsRepeatedWithTheSameKeyAndPaidOnce() async throws {
        let road = try await Road(agency: "sonede")
        #expect(try road.effects().isEmpty)
        road.office.force(.lostConnectionAfterActing)
        let request = try await road.order("sonede.bill.pay", fields("police_number", "1234567"))
        await road.office.firstCall(request)
        road.office.force(nil)
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try road.effects().map(\.reference) == [request])
        #expect(try await road.states(of: request).contains("in-doubt"))
        await road.end()
    }

    @Test func queryableIsLookedUpAndNotPaidAgain() async throws {
        let road = try await Road(agency: "steg")
        #expect(try road.effects().isEmpty)
        road.office.force(.errorAfterActing)
        let request = try await road.order("steg.bill.pay", fields("reference", "123456789"))
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try road.effects().map(\.reference) == [request])
        #expect(try await road.states(of: request) == ["accepted", "in-doubt", "completed"])
        await road.end()
    }

    @Test func queryableThatWasNotDoneIsAbsentTwiceThenPaidOnce() async throws {
        let road = try await Road(agency: "steg")
        road.office.force(.errorBeforeActing)
        let request = try await road.order("steg.bill.pay", fields("reference", "123456789"))
        await road.office.firstCall(request)
        road.office.force(nil)
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try road.effects().map(\.reference) == [request])
        await road.end()
    }

    @Test func neitherIsParkedAndResolvedByTwoPeople() async throws {
        let road = try await Road(agency: "tt")
        #expect(try road.effects().isEmpty)
        road.office.force(.malformedAnswerAfterActing)
        let request = try await road.order("tt.bill.pay", fields("line", "71234567"))
        #expect(try await road.state(of: request) { $0 == "parked" } == "parked")
        let effects = try road.effects()
        #expect(effects.map(\.reference) == [request])
        #expect(road.office.callCount(request) == 1, "an unanswered call is never repeated")

        let evidence = Array("the bank's list".utf8)
        let resolution = Resolution(
            agency: ParticipantID("tt")!, request: RequestID(request)!, status: .completed, note: "found in the list",
            evidence: evidence, time: TestClock.shared.now, fields: ["receipt_number": JSON(effects[0].receipt)])
        let signatures = try road.world.persons.prefix(2).map {
            try DetachedSignature.sign(Array(resolution.text.utf8), as: .resolution, with: $0)
        }
        try await road.worker.record(resolution, resolution.text, signatures, ["agent-0", "agent-1"], evidence)
        #expect(try await road.state(of: request) { $0 != "parked" } == "completed")
        await #expect(throws: (any Error).self) {
            try await road.worker.record(resolution, resolution.text, signatures, ["agent-0", "agent-1"], evidence)
        }
        #expect(try road.effects().count == 1)
        await road.end()
    }

    @Test func anOutcomeThatComesAtOnceOvertakesTaken() async throws {
        let road = try await Road(agency: "tt")
        let request = try await road.order("tt.bill.pay", fields("line", "71234567"))
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try await road.states(of: request) == ["accepted", "completed"])
        await road.end()
    }
}
