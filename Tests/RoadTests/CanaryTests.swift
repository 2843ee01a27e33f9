import Foundation
import GRDB
import Hummingbird
import HummingbirdTesting
import TestSupport
import Testing
import WaslCatalogue
import WaslModel
import WaslSimulation

@testable import WaslAgency
@testable import WaslJournal

/// A citizen's value in an answer, or in an order, that breaks a translation: it stands in nothing that anybody can read but those it is
/// for. Searched are the journals' files byte by byte, every line of the logs, the metrics, what the worker's API tells, and the wire.
@Suite(.serialized) struct CanaryTests {
    private static let canary = "CANARY7 01234567"
    private static let parts = ["CANARY7", "01234567"]

    /// The project's catalogue with another program in one place.
    private func catalogue(_ file: String, _ program: String) throws -> (Catalogue, folder: String) {
        let folder = try TestWorld.makeFolder()
        try FileManager.default.copyItem(atPath: TestWorld.project + "/Schemas", toPath: folder + "/Schemas")
        try program.write(toFile: folder + "/Schemas/services/tt/bill.pay/1/" + file, atomically: true, encoding: .utf8)
        return (try Catalogue(folder: folder + "/Schemas"), folder)
    }

    /// Everything that passes any exchange.
    private func tap(_ broker: SimulatedBroker) {
        broker.declare(queue: "tap")
        for exchange in [Exchange.requests, .outcomes, .receipts, .control] { broker.bind(exchange, "tap", "#") }
    }

    private func wire(_ road: Road, until type: MessageType) async -> [String] {
        let bodies = Recorder<String>()
        let consumer = road.broker.consumer(name: "", queues: ["tap"], prefetch: 1_000)
        consumer.start { event in
            guard case .deliveries(let deliveries) = event else { return }
            for delivery in deliveries { bodies.append(String(decoding: delivery.body, as: UTF8.self)) }
            if let last = deliveries.last { consumer.acknowledge(through: last.tag) }
        }
        await bodies.wait(for: "an \(type.rawValue) on the wire") { $0.contains { $0.contains(type.rawValue) } }
        consumer.close()
        return bodies.elements
    }

    private static let token = "a token of sixteen characters"

    private func get(_ path: String, _ road: Road) async throws -> String {
        let application = Application(router: road.worker.router(token: Self.token, hosts: [], description: "{}"))
        return try await application.test(.live) { client in
            try await client.execute(uri: path, method: .get, headers: [.authorization: "Bearer \(Self.token)"]) {
                #expect($0.status == .ok)
                return String(buffer: $0.body)
            }
        }
    }

    private func search(_ road: Road, _ request: String, wire: [String], expecting logged: String?) async throws {
        for owner in ["house.sqlite", "worker.sqlite"] {
            #expect(try !road.world.files(owner, holding: request).isEmpty, "the search finds what is there")
            for part in Self.parts { #expect(try road.world.files(owner, holding: part) == [], "\(part) in a journal") }
        }
        let log = road.log.elements
        if let logged { #expect(log.contains { $0.contains(logged) }, "\(logged) is not logged: \(log)") }
        let metrics = try await get("/metrics", road)
        #expect(metrics.contains("wasl_agency_jobs"))
        guard case .object(var job) = try JSON.parse(try await get("/v1/jobs/\(request)", road)) else {
            Issue.record("no job")
            return
        }
        // Opened for the agency's engineer, on purpose.
        job["answers"] = nil
        for part in Self.parts {
            #expect(log.filter { $0.contains(part) } == [], "in the log")
            #expect(!metrics.contains(part) && !JSON.object(job).text.contains(part), "in what the worker tells")
            #expect(wire.filter { $0.contains(part) } == [], "on the wire")
        }
    }

    /// By what the answer says in `mode`, every way in which a program can fail over it or repeat it.
    private static let answerProgram = """
        .body as $body
        | if $body.mode == "type" then {result: "completed", fields: {receipt_number: ($body.name + 1)}}
          elif $body.mode == "number" then {result: "completed", fields: {receipt_number: ($body.name | tonumber)}}
          elif $body.mode == "own" then error("no receipt for " + $body.name)
          elif $body.mode == "object" then error($body)
          elif $body.mode == "key" then 5 | .[$body.name]
          elif $body.mode == "why" then {result: "doubt", why: $body.name}
          elif $body.mode == "fields" then {result: "completed", fields: {($body.name): $body.name}}
          else {result: "refused", reason: {code: $body.name, ar: "ع", fr: "f", en: "e"}} end
        """

    @Test(
        arguments: [
            ("type", "string and number cannot be added"), ("number", "Invalid numeric literal"), ("own", "made itself"),
            ("object", "an error of the type object"), ("key", "Cannot index number with"), ("why", nil), ("fields", nil), ("code", nil),
        ] as [(String, String?)]) func aValueOfAnAnswerThatBreaksItsTranslationIsWrittenNowhere(
            _ mode: String, _ logged: String?
        ) async throws
    {
        let (catalogue, folder) = try catalogue("answer.jq", Self.answerProgram)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let body = JSON.object(["mode": .string(mode), "name": .string(Self.canary)]).text
        let road = try await Road(agency: "tt", catalogue: catalogue, prepare: tap) {
            Response(status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
        }
        let request = try await road.order("tt.bill.pay", ["line": "71234567", "amount": 45_500, "payment": "cash"])
        let end = mode == "code" ? "refused" : "parked"
        #expect(try await road.state(of: request) { $0 == end } == end)
        try await search(road, request, wire: await wire(road, until: .outcome), expecting: logged)
        let verdict = try await road.worker.journal.read { try String.fetchOne($0, sql: "SELECT verdict FROM attempt") }
        #expect(verdict?.isEmpty == false)
        try await road.end()
    }

    @Test func aValueOfAnOrderThatBreaksItsTranslationIsWrittenNowhere() async throws {
        let (catalogue, folder) = try catalogue("call.jq", "{method: \"POST\", path: \"/v1/payments\", body: (.fields.note | tonumber)}")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let road = try await Road(agency: "tt", catalogue: catalogue, prepare: tap)
        let request = try await road.order(
            "tt.bill.pay", ["line": "71234567", "amount": 45_500, "payment": "cash", "note": .string(Self.canary)])
        #expect(try await road.state(of: request) { $0 == "failed" } == "failed")
        try await search(road, request, wire: await wire(road, until: .outcome), expecting: "Invalid numeric literal")
        try await road.end()
    }
}
