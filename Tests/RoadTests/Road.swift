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
final class Road: Sendable {
    let world: TestWorld
    let broker = SimulatedBroker()
    let house: House
    let worker: AgencyWorker
    let office: SimulatedOffice
    let logPath: String
    /// What house and worker wrote to their logs, of every level.
    let log = Recorder<String>()
    private let tasks: [Task<Void, any Error>]

    /// - Parameters:
    ///   - changed: a catalogue in the place of the project's own.
    ///   - prepare: what the test wants of the broker before anybody speaks.
    ///   - answer: what the agency says to every call, in the place of its simulator.
    init(
        agency id: String, catalogue changed: Catalogue? = nil, prepare: (SimulatedBroker) -> Void = { _ in },
        answer: (@Sendable () -> Response)? = nil
    ) async throws {
        let world = try TestWorld()
        self.world = world
        let catalogue = changed ?? world.catalogue
        let logger = RecordingLog.logger(log)
        for queue in ["agency.\(id)", "house.hydra", "ledger"] { broker.declare(queue: queue) }
        broker.bind(.requests, "agency.\(id)", "\(id).#")
        broker.bind(.outcomes, "house.hydra", "hydra.#")
        broker.bind(.receipts, "ledger", "#")
        prepare(broker)
        logPath = world.folder + "/effects.jsonl"
        let secret = world.catalogue.agencies[ParticipantID(id)!]?.credentials == nil ? nil : "secret of a test"
        office = try SimulatedOffice(
            agency: id, logPath: logPath, plan: FaultPlan(seed: 1, rate: 0, latency: 0...1), secret: secret)
        let router = Router(context: BasicRequestContext.self)
        if let answer {
            router.post("/**") { request, _ in
                _ = try await request.body.collect(upTo: 1 << 20)
                return answer()
            }
        } else {
            simulatedAgencies[id]!(office).addRoutes(to: router)
        }
        let listening = Recorder<Int>()
        let port = try PrivateNode.freePorts(1)[0]
        let server = Task { try await Server.run(router, host: "127.0.0.1", port: port, logger: logger) { listening.append($0) } }
        await listening.wait(for: "the agency's server to listen") { !$0.isEmpty }
        house = try House(
            House.Parts(
                id: ParticipantID("hydra")!, journalPath: world.folder + "/house.sqlite", headPath: world.folder + "/house.head",
                keys: world.keys["hydra"]!,
                registry: world.registry, catalogue: CatalogueHolder(catalogue), version: "test"), broker: broker, logger: logger)
        let worker = try AgencyWorker(
            AgencyWorker.Parts(
                agency: catalogue.agencies[ParticipantID(id)!]!, endpoint: "http://127.0.0.1:\(port)", secret: secret,
                staffFile: world.folder + "/staff.json",
                journalPath: world.folder + "/worker.sqlite", headPath: world.folder + "/worker.head", keys: world.keys[id]!,
                registry: world.registry,
                catalogue: CatalogueHolder(catalogue),
                translator: try Translator(
                    programs: catalogue.programs(of: ParticipantID(id)!), executable: TestWorld.executable), version: "test"),
            broker: broker, logger: logger)
        self.worker = worker
        house.start()
        let house = house
        tasks = [server, Task { try await worker.run() }, Task { await house.run() }]
    }

    var staffFile: String { world.folder + "/staff.json" }

    func order(_ service: String, _ fields: JSONObject) async throws -> String {
        let receipt = try await house.accept(
            ["service": .string(service), "fields": .object(fields)], body: [], idempotencyKey: UUID().uuidString)
        return receipt.request.text
    }

    /// The request's state in the house, once it meets the condition.
    func state(of request: String, until condition: @escaping @Sendable (String) -> Bool) async throws -> String {
        try await waiting(for: "the house to know another state of \(request)") { [house] in
            while true {
                let version = house.changes.version
                let state = try await house.journal.read { db in
                    try String.fetchOne(db, sql: "SELECT state FROM request WHERE id = ?", arguments: [request]) ?? ""
                }
                if condition(state) { return state }
                await house.changes.wait(past: version)
            }
        }
    }

    /// Returns once the agency has heard of the request.
    func firstCall(_ request: String) async throws {
        try await waiting(for: "the agency to be called for \(request)") { [office] in
            await office.firstCall(self.reference(request))
        }
    }

    /// Every state that the house told its counters, in order.
    func states(of request: String) async throws -> [String] {
        try await house.journal.read { db in
            try String.fetchAll(db, sql: "SELECT state FROM event WHERE request = ? ORDER BY number", arguments: [request])
        }
    }

    /// What the agency is given as our reference of a request.
    func reference(_ request: String) -> String { AgencyReference(of: key(request)).text }

    /// A request of the road's only house.
    func key(_ request: String) -> RequestKey { RequestKey(house: "hydra", subject: request)! }

    func effects() throws -> [EffectsLog.Line] { try EffectsLog.read(path: logPath).filter { $0.receipt != nil } }
    func lines() throws -> [EffectsLog.Line] { try EffectsLog.read(path: logPath) }

    func end() async throws {
        for task in tasks { task.cancel() }
        try await waiting(for: "house, worker and server to stop") { [tasks, house] in
            for task in tasks { _ = try? await task.value }
            await house.close()
        }
    }
}
