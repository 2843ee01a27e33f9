import Foundation
import Hummingbird
import HummingbirdTesting
import TestSupport
import Testing
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslSimulation

@testable import WaslAgency
@testable import WaslJournal
@testable import WaslWeb

/// Two houses with one number at one agency: each request is shown, answered and decided as its own house's.
@Suite struct TwoHousesTests {
    private static let token = "a token of sixteen characters"
    private static let password = "une phrase assez longue"

    /// A worker that calls nobody and hears nobody: what it has is put into its journal.
    private struct Bench: Sendable {
        let world: TestWorld
        let worker: AgencyWorker
        let number = TestWorld.uuid()

        init(_ agency: String) throws {
            world = try TestWorld()
            let id = ParticipantID(agency)!
            worker = try AgencyWorker(
                AgencyWorker.Parts(
                    agency: world.catalogue.agencies[id]!, endpoint: "http://127.0.0.1:1", staffFile: world.folder + "/staff.json",
                    journalPath: world.folder + "/worker.sqlite", headPath: world.folder + "/worker.head", keys: world.keys[agency]!,
                    registry: world.registry, catalogue: CatalogueHolder(world.catalogue),
                    translator: try Translator(programs: world.catalogue.programs(of: id), executable: TestWorld.executable),
                    version: "test"),
                broker: SimulatedBroker(), logger: RecordingLog.logger(Recorder<String>()))
        }

        func key(_ house: String) -> RequestKey { RequestKey(house: house, subject: number.text)! }

        /// Takes a request, and brings it to people at once.
        func take(
            _ house: String, _ number: WaslModel.RequestID, _ service: String, _ fields: JSONObject, _ decision: Decision
        ) async throws {
            let request = try world.request(service, fields: fields, house: house, subject: number)
            let delivery = try world.delivery(request)
            let count = try await worker.journal.commit { [steps = worker.steps] transaction in
                let jobs = try steps.take([.accepted(request, delivery)], in: transaction)
                for job in jobs { _ = try steps.conclude(Conclusion(job, decision: decision), outcome: nil, in: transaction) }
                return jobs.count
            }
            #expect(count == 1, "\(house)'s request is not taken")
        }

        func state(_ house: String) async throws -> Job.State? {
            try await worker.journal.read { [key = key(house)] in try Job.fetch($0, of: key)?.state }
        }
    }

    private func withClient(_ bench: Bench, _ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void) async throws {
        let router = bench.worker.router(token: Self.token, hosts: [], description: "{}")
        let result: Result<Void, any Error>
        do { result = .success(try await Application(router: router).test(.live) { try await body($0) }) } catch {
            result = .failure(error)
        }
        bench.worker.journal.close()
        bench.worker.parts.translator.close()
        await bench.worker.client.close()
        try result.get()
    }

    private func get(_ path: String, _ client: any TestClientProtocol) async throws -> (status: Int, json: JSON) {
        try await client.execute(uri: path, method: .get, headers: [.authorization: "Bearer \(Self.token)"]) {
            (Int($0.status.code), try JSON.parse(Array($0.body.readableBytesView)))
        }
    }

    private static let payment: JSONObject = ["line": "71234567", "amount": 45_500, "payment": "cash"]

    @Test func eachAddressShowsItsOwnHousesJob() async throws {
        let bench = try Bench("tt")
        let alone = TestWorld.uuid()
        for (house, reason) in [("hydra", "why of hydra"), ("kerker", "why of kerker")] {
            try await bench.take(house, bench.number, "tt.bill.pay", Self.payment, .park(reason: reason))
        }
        try await bench.take("kerker", alone, "tt.bill.pay", Self.payment, .park(reason: "alone"))
        try await withClient(bench) { client in
            for house in ["hydra", "kerker"] {
                let (status, job) = try await get("/v1/jobs/\(house)/\(bench.number)", client)
                #expect(status == 200 && job["house"]?.string == house && job["reason"]?.string == "why of \(house)")
            }
            #expect(try await get("/v1/jobs/\(alone)", client).json["reason"] == "alone", "a number that one house has is enough")
            let several = try await get("/v1/jobs/\(bench.number)", client)
            #expect(several.status == 409 && several.json["type"] == "urn:wasl:problem:several-houses")
            let addresses = (several.json["errors"]?.array ?? []).compactMap { $0["address"]?.string }
            #expect(addresses == ["hydra", "kerker"].map { "/v1/jobs/\($0)/\(bench.number)" })
            for path in ["bir-mcherga/\(bench.number)", "hydra/\(alone)", "HYDRA/\(bench.number)", "hydra/x", "x", TestWorld.uuid().text] {
                #expect(try await get("/v1/jobs/\(path)", client).status == 404, "\(path)")
            }
        }
    }

    @Test func aResolutionDecidesTheRequestOfTheHouseThatItNames() async throws {
        let bench = try Bench("tt")
        for house in ["hydra", "kerker"] {
            try await bench.take(house, bench.number, "tt.bill.pay", Self.payment, .park(reason: "unanswered"))
        }
        try await withClient(bench) { client in
            let evidence = Array("the bank's list".utf8)
            func resolve(_ request: RequestKey) async throws -> Int {
                let resolution = Resolution(
                    agency: ParticipantID("tt")!, request: request, status: .refused, note: "not in the list", evidence: evidence,
                    time: TestClock.shared.now, fields: [:])
                let signatures = try bench.world.persons.prefix(2).map {
                    try DetachedSignature.sign(Array(resolution.text.utf8), as: .resolution, with: $0)
                }
                let body: JSON = [
                    "resolution": .string(resolution.text), "signatures": .array(signatures.map(JSON.string)),
                    "evidence": .string(Base64URL.encode(evidence)),
                ]
                return try await client.execute(
                    uri: "/v1/resolutions", method: .post,
                    headers: [.authorization: "Bearer \(Self.token)", .contentType: "application/json"], body: ByteBuffer(bytes: body.bytes)
                ) { Int($0.status.code) }
            }
            // The one that came second: whoever went by the number alone would decide the first.
            #expect(try await resolve(bench.key("kerker")) == 200)
            #expect(try await bench.state("kerker") == .done)
            #expect(try await bench.state("hydra") == .parked, "another house's request is not touched")
            #expect(try await resolve(bench.key("kerker")) == 409, "it is decided once")
            #expect(try await resolve(RequestKey(house: "bir-mcherga", subject: bench.number.text)!) == 404)
            #expect(try await bench.state("hydra") == .parked)
            #expect(try await get("/v1/jobs/hydra/\(bench.number)", client).json["resolution"] == nil)
            let kept = try await get("/v1/jobs/kerker/\(bench.number)", client).json["resolution"]?["text"]?.string
            #expect(try Resolution(text: kept ?? "").request == bench.key("kerker"))
        }
    }

    @Test func theDeskShowsAndAnswersEachApart() async throws {
        let bench = try Bench("eid")
        for house in ["hydra", "kerker"] {
            try await bench.take(
                house, bench.number, "eid.complaint.submit",
                ["subject": .string("from \(house)"), "text": "لم تصل إرسالية التفعيل إلى هاتفي"],
                .desk)
        }
        var accounts = Accounts()
        try accounts.set("amel", password: Self.password, cost: 1 << 10)
        try accounts.text.write(toFile: bench.world.folder + "/staff.json", atomically: true, encoding: .utf8)
        chmod(bench.world.folder + "/staff.json", 0o600)
        try await withClient(bench) { client in
            var browser = Browser(client: client)
            #expect(try await browser.post("/desk/sign-in", ["name": "amel", "password": Self.password]).status == 303)
            let list = try await browser.get("/desk?lang=fr").html
            var tokens: [String: String] = [:]
            for (house, other) in [("hydra", "kerker"), ("kerker", "hydra")] {
                let path = "/desk/requests/\(house)/\(bench.number)"
                #expect(list.contains("\"\(path)?lang=fr\""), "the list leads to \(house)'s")
                let page = try await browser.get(path + "?lang=fr")
                #expect(page.status == 200 && page.html.contains("from \(house)") && !page.html.contains("from \(other)"))
                #expect(!page.html.contains("/desk/requests/\(other)/"), "its forms go to its own address")
                tokens[house] = browser.token(page.html)
            }
            let refusal = ["token": tokens["kerker"] ?? "", "act": "refuse", "reason": "Hors sujet"]
            #expect(try await browser.post("/desk/requests/kerker/\(bench.number)", refusal).status == 303)
            #expect(try await bench.state("kerker") == .done)
            #expect(try await bench.state("hydra") == .desk, "another house's request is not touched")
            #expect(try await browser.get("/desk/requests/kerker/\(bench.number)").status == 404)
            #expect(try await browser.get("/desk/requests/hydra/\(bench.number)").status == 200)
            #expect(try await browser.get("/desk/requests/bir-mcherga/\(bench.number)").status == 404)
            #expect(try await browser.get("/desk/requests/\(bench.number)").status == 401, "a number alone is no page of the desk")
        }
    }
}
