import Foundation
import GRDB
import Hummingbird
import HummingbirdTesting
import TestSupport
import Testing
import WaslBroker
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSimulation
import WaslWeb

@testable import WaslLedger

/// What the ledger tells of a request, and how a person closes a finding: over HTTP, and by the commands.
@Suite struct LedgerAPITests {
    private static let token = "a token of sixteen characters"

    /// A ledger that hears nobody: what it has is put into its journal.
    private struct Bench: Sendable {
        let world: TestWorld
        let ledger: Ledger
        let log = Recorder<String>()

        init() throws {
            world = try TestWorld()
            ledger = try Ledger(
                Ledger.Parts(
                    journalPath: world.folder + "/ledger.sqlite", headPath: world.folder + "/ledger.head", keys: world.keys["ledger"]!,
                    registry: world.registry, catalogue: CatalogueHolder(world.catalogue), times: LedgerTimes(), version: "test"),
                broker: SimulatedBroker(), logger: RecordingLog.logger(log))
        }

        var router: Router<BasicRequestContext> { ledger.router(token: LedgerAPITests.token, hosts: [], description: "{}") }

        func hear(_ envelopes: Envelope...) async throws {
            let handler = LedgerDeliveries(steps: ledger.steps, registry: world.registry, changes: ledger.changes)
            let prepared = handler.prepare(try envelopes.map { try world.delivery($0, queue: "ledger") })
            #expect(prepared.refused.map(\.reason) == [])
            try await ledger.journal.commit { try handler.record(prepared, in: $0) }
        }

        /// - Returns: the finding's number.
        func open(_ kind: FindingClass, key: String = "one") async throws -> Int64 {
            try await ledger.journal.commit { transaction in
                try Findings(transaction: transaction).open(kind, key: key, participant: ParticipantID("hydra"))
                return try Int64.fetchOne(transaction.db, sql: "SELECT MAX(number) FROM finding") ?? 0
            }
        }

        func openClasses() async throws -> [String] {
            try await ledger.journal.read {
                try String.fetchAll($0, sql: "SELECT class FROM finding WHERE cleared IS NULL ORDER BY number")
            }
        }
    }

    private func withClient(_ bench: Bench, _ body: @escaping @Sendable (Client) async throws -> Void) async throws {
        let result: Result<Void, any Error>
        do {
            result = .success(try await Application(router: bench.router).test(.live) { try await body(Client(client: $0)) })
        } catch { result = .failure(error) }
        bench.ledger.journal.close()
        try result.get()
    }

    private struct Client: Sendable {
        let client: any TestClientProtocol

        func get(_ path: String) async throws -> (status: Int, json: JSON) {
            try await client.execute(uri: path, method: .get, headers: [.authorization: "Bearer \(LedgerAPITests.token)"]) {
                (Int($0.status.code), try JSON.parse(Array($0.body.readableBytesView)))
            }
        }

        func close(_ finding: String, _ body: JSON, token: String = LedgerAPITests.token) async throws -> (status: Int, json: JSON) {
            try await client.execute(
                uri: "/v1/findings/\(finding)/close", method: .post,
                headers: [.authorization: "Bearer \(token)", .contentType: "application/json"], body: ByteBuffer(bytes: body.bytes)
            ) { (Int($0.status.code), try JSON.parse(Array($0.body.readableBytesView))) }
        }
    }

    private static let closing: JSON = ["by": "amina", "reason": "the key was replaced"]

    // MARK: Stories

    @Test func twoHousesWithOneNumberHaveTwoStories() async throws {
        let bench = try Bench()
        let (number, alone) = (TestWorld.uuid(), TestWorld.uuid())
        try await bench.hear(
            try bench.world.request("steg.bill.view", fields: ["reference": "123456789"], house: "hydra", subject: number),
            try bench.world.request("tt.bill.view", fields: ["line": "71234567"], house: "kerker", subject: number),
            try bench.world.request("steg.bill.view", fields: ["reference": "123456789"], house: "kerker", subject: alone))
        try await withClient(bench) { client in
            for (house, service) in [("hydra", "steg.bill.view"), ("kerker", "tt.bill.view")] {
                let (status, story) = try await client.get("/v1/requests/\(house)/\(number)")
                #expect(status == 200 && story["house"]?.string == house && story["service"]?.string == service)
                #expect(story["entries"]?.array?.map { $0["source"]?.string } == ["/houses/\(house)"], "nothing of the other's")
            }
            #expect(try await client.get("/v1/requests/\(alone)").json["house"] == "kerker", "a number that one house has is enough")
            let several = try await client.get("/v1/requests/\(number)")
            #expect(several.status == 409 && several.json["type"] == "urn:wasl:problem:several-houses")
            #expect((several.json["errors"]?.array ?? []).map { $0["house"]?.string } == ["hydra", "kerker"])
            for path in ["hydra/\(alone)", "bir-mcherga/\(number)", "HYDRA/\(number)", "hydra/x", "x", TestWorld.uuid().text] {
                #expect(try await client.get("/v1/requests/\(path)").status == 404, "\(path)")
            }
        }
    }

    // MARK: Closing

    @Test func whatNothingClearsIsClosedByAPersonAndWhatClearsItselfIsNot() async throws {
        let bench = try Bench()
        try await withClient(bench) { client in
            var closed: Set<FindingClass> = []
            for kind in FindingClass.allCases {
                let number = try await bench.open(kind, key: "of \(kind.rawValue)")
                let (status, json) = try await client.close("\(number)", Self.closing)
                let isOpen = try await bench.openClasses().contains(kind.rawValue)
                if status == 200 {
                    closed.insert(kind)
                    #expect(!isOpen && json["number"]?.integer == number && json["class"]?.string == kind.rawValue)
                    #expect(json["closedBy"] == "amina" && json["cause"] == "the key was replaced" && json["cleared"]?.string != nil)
                    let line = bench.log.elements.last { $0.contains("finding=\(number) ") }
                    #expect(line?.contains("class=\(kind.rawValue)") == true && line?.contains("by=amina") == true, "\(line ?? "")")
                    #expect(line?.contains("reason=the key was replaced") == true)
                } else {
                    #expect(status == 409 && json["type"] == "urn:wasl:problem:clears-itself" && isOpen, "\(kind.rawValue): \(status)")
                    let detail = json["detail"]?.string ?? ""
                    #expect(kind.clearsWhen.map { detail.contains($0) } == true, "it says how it clears: \(detail)")
                }
            }
            #expect(closed.isSuperset(of: [.refusedMessage, .fork, .contradictingOutcomes, .contradictingRequests, .foreignWord]))
            #expect(closed.isSuperset(of: [.foreignLane, .subjectCollision, .implausibleTime, .epochChanged, .unroutable, .deadLettered]))
            #expect(closed.isDisjoint(with: [.gap, .silentParticipant, .notTaken, .overdue, .undeliveredOutcome, .inDoubt, .parked]))
            #expect(closed.isDisjoint(with: [.attachmentIncomplete, .clockSkew, .staleRegistry]))
        }
    }

    @Test func aFindingIsClosedOnceAndItsCauseOpensAnother() async throws {
        let bench = try Bench()
        let number = try await bench.open(.fork)
        try await withClient(bench) { client in
            #expect(try await client.close("\(number)", Self.closing).status == 200)
            let again = try await client.close("\(number)", ["by": "bechir", "reason": "me too"])
            #expect(again.status == 409 && again.json["type"] == "urn:wasl:problem:closed-already")
            #expect(again.json["detail"]?.string?.contains("by amina") == true)
            #expect(try await bench.open(.fork) == number + 1, "the same cause, after it was closed")
            #expect(try await bench.openClasses() == ["fork"])
            let all = try await client.get("/v1/findings?state=all").json["findings"]?.array ?? []
            #expect(all.map { $0["closedBy"]?.string } == ["amina", nil], "the first to close it stands")
        }
    }

    @Test func aFindingThatIsNotThereIsSaidSo() async throws {
        let bench = try Bench()
        try await withClient(bench) { client in
            for number in ["7", "0", "-1", "x", "99999999999999999999"] {
                let (status, json) = try await client.close(number, Self.closing)
                #expect(status == 404 && json["type"] == "urn:wasl:problem:no-such-finding", "\(number): \(status)")
            }
        }
    }

    @Test func aNameAndAReasonAreNeeded() async throws {
        let bench = try Bench()
        let number = try await bench.open(.fork)
        let wrong: [(JSON, [String])] = [
            ([:], ["/by", "/reason"]), ([], ["/by", "/reason"]), (["by": "amina"], ["/reason"]), (["reason": "replaced"], ["/by"]),
            (["by": 5, "reason": "replaced"], ["/by"]), (["by": "  ", "reason": "replaced"], ["/by"]),
            (["by": "amina", "reason": " no "], ["/reason"]), (["by": "amina", "reason": "one\nlevel=error another"], ["/reason"]),
            (["by": "ami\u{2028}na", "reason": "replaced"], ["/by"]),
            (
                ["by": .string(String(repeating: "a", count: 81)), "reason": .string(String(repeating: "r", count: 1_001))],
                ["/by", "/reason"]
            ),
            (["by": "amina", "reason": "replaced", "force": true], ["/force"]),
        ]
        try await withClient(bench) { client in
            for (body, pointers) in wrong {
                let (status, json) = try await client.close("\(number)", body)
                #expect(
                    status == 422 && (json["errors"]?.array ?? []).map { $0["pointer"]?.string } == pointers, "\(body.text): \(json.text)")
            }
            #expect(try await bench.openClasses() == ["fork"], "nothing is closed")
            #expect(try await client.close("\(number)", Self.closing, token: "another token, of somebody").status == 401)
            #expect(try await bench.openClasses() == ["fork"])
            let padded: JSON = ["by": " أمينة\u{2028}", "reason": "  استُبدل المفتاح  "]
            #expect(try await client.close("\(number)", padded).json["closedBy"] == "أمينة", "what surrounds it is left away")
        }
    }

    // MARK: Commands

    /// Runs the program beside the server's own threads, which have to answer it.
    private func wasl(_ arguments: [String], in world: TestWorld) async throws -> (status: Int32, output: String, errors: String) {
        let (output, errors) = (world.folder + "/out", world.folder + "/err")
        let status: Int32 = try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        for path in [output, errors] { try Data().write(to: URL(fileURLWithPath: path)) }
                        let process = Process()
                        process.executableURL = URL(fileURLWithPath: TestWorld.executable)
                        process.arguments = arguments
                        process.standardOutput = FileHandle(forWritingAtPath: output)
                        process.standardError = FileHandle(forWritingAtPath: errors)
                        try process.runToItsEnd()
                        return process.terminationStatus
                    })
            }
        }
        func text(_ path: String) -> String { String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self) }
        return (status, text(output), text(errors))
    }

    @Test func theCommandsCloseAndTraceThroughTheRunningLedger() async throws {
        let bench = try Bench()
        let world = bench.world
        let number = TestWorld.uuid()
        try await bench.hear(
            try world.request("steg.bill.view", fields: ["reference": "123456789"], house: "hydra", subject: number),
            try world.request("tt.bill.view", fields: ["line": "71234567"], house: "kerker", subject: number))
        let collision = try #require(
            try await bench.ledger.journal.read {
                try Int64.fetchOne($0, sql: "SELECT number FROM finding WHERE class = 'subject-collision'")
            })
        let gap = try await bench.open(.gap)
        let (tokenFile, config) = (world.folder + "/token", world.folder + "/ledger.yaml")
        try Self.token.write(toFile: tokenFile, atomically: true, encoding: .utf8)
        chmod(tokenFile, 0o600)
        try await withClient(bench) { client in
            let port = try #require(client.client.port)
            let address = "http://127.0.0.1:\(port)"
            try "http:\n  port: \(port)\n  token-file: \(tokenFile)\n".write(toFile: config, atomically: true, encoding: .utf8)

            let at = ["--ledger", address, "--token-file", tokenFile]
            let several = try await wasl(["trace", number.text] + at, in: world)
            #expect(
                several.status == 65 && several.errors.contains("hydra, kerker") && several.errors.contains("--house"), "\(several.errors)")
            let traced = try await wasl(["trace", number.text, "--house", "kerker"] + at, in: world)
            #expect(traced.status == 0 && traced.output.contains("tt.bill.view") && !traced.output.contains("steg"), "\(traced.output)")

            func close(_ finding: Int64, _ ledger: String...) async throws -> (status: Int32, output: String, errors: String) {
                let arguments = ["ledger", "close", "--finding", "\(finding)", "--reason", "one was set up anew", "--by", "amina"] + ledger
                return try await wasl(arguments, in: world)
            }
            let refused = try await close(gap, "--config", config)
            #expect(refused.status == 65 && refused.errors.contains("every missing number has come"), "\(refused.errors)")
            let closed = try await close(collision, "--config", config)
            #expect(closed.status == 0 && closed.output.contains("Finding \(collision) (subject-collision) is closed."), "\(closed.errors)")
            let again = try await close(collision, "--address", address, "--token-file", tokenFile)
            #expect(again.status == 65 && again.errors.contains("closed by amina"), "\(again.errors)")
            let nowhere = try await close(collision, "--address", address)
            #expect(nowhere.status == 64 && nowhere.errors.contains("--token-file"), "\(nowhere.errors)")
            #expect(try await bench.openClasses() == ["gap"])
        }
    }
}
