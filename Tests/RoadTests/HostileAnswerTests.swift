import Foundation
import Hummingbird
import Logging
import TestSupport
import Testing
import WaslBroker
import WaslModel
import WaslWeb

@testable import WaslAgency
@testable import WaslCatalogue

/// Answers that no agency should give, over real HTTP and through the real helper process.
@Suite(.serialized) struct HostileAnswerTests {
    /// A server that answers every call in its own way.
    private func answering(
        agency: String = "cnam", _ answer: @escaping @Sendable () -> Response, _ body: (AgencyClient) async throws -> Void
    ) async throws {
        let router = Router(context: BasicRequestContext.self)
        router.post("/**") { request, _ in
            _ = try await request.body.collect(upTo: 1 << 20)
            return answer()
        }
        let listening = Recorder<Int>()
        let port = try PrivateNode.freePorts(1)[0]
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = Task { try await Server.run(router, host: "127.0.0.1", port: port, logger: logger) { listening.append($0) } }
        await listening.wait(for: "the server to listen") { !$0.isEmpty }
        let catalogue = try TestWorld.published.get()
        let client = try AgencyClient(
            try #require(catalogue.agencies[ParticipantID(agency)!]), endpoint: "http://127.0.0.1:\(port)", secret: nil, logger: logger)
        let result: Result<Void, any Error>
        do { result = .success(try await body(client)) } catch { result = .failure(error) }
        await client.close()
        server.cancel()
        try result.get()
    }

    private static let call: JSON = ["method": "POST", "path": "/api/attestations", "body": ["demande": ["cle": "x"]]]

    @Test func anAnswerOfFiftyMegabytesIsDoubtAndIsNotHeld() async throws {
        try await answering(agency: "steg") {
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    let part = ByteBuffer(repeating: 0x61, count: 1 << 20)
                    for _ in 0..<50 { try await writer.write(part) }
                    try await writer.finish(nil)
                })
        } _: { client in
            // A busy machine may be too late even for the first megabyte; then it is asked again.
            var reason = ""
            for _ in 0..<5 where !reason.contains("NIOTooManyBytesError") {
                guard case .unknown(let found) = await client.perform(try AgencyCall(Self.call), isRepeatable: true) else {
                    Issue.record("taken for an answer")
                    return
                }
                reason = found
            }
            #expect(reason.contains("NIOTooManyBytesError"), "refused when it was too long, not when it was too late: \(reason)")
        }
    }

    @Test(arguments: [
        "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><attestation><numero>&b;</numero></attestation>",
        "<!DOCTYPE attestation SYSTEM 'http://127.0.0.1:1/x.dtd'><attestation><numero>1</numero></attestation>",
        String(repeating: "<a>", count: 200_000), "<attestation><numero>1</numero>",
    ])
    func hostileXMLIsReadAsNothing(_ text: String) async throws {
        try await answering {
            Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        } _: { client in
            let transport = await client.perform(try AgencyCall(Self.call), isRepeatable: true)
            guard case .answered(200, _, let body, _) = transport else {
                Issue.record("no answer: \(transport)")
                return
            }
            #expect(body == ["unreadable": true])
        }
    }

    /// A program that never ends, one that wants all memory, one that would read what it must not see.
    private static let programs = [
        "endless": "def f: f; f", "greedy": "[limit(1e9; repeat(\"xxxxxxxxxxxxxxxx\"))] | length", "curious": "$ENV | tostring",
        "fine": ".a",
    ]

    @Test func aKilledHelperTakesOnlyItsOwnJobWithIt() async throws {
        let translator = try Translator(programs: Self.programs, executable: TestWorld.executable)
        defer { translator.close() }
        for program in ["endless", "greedy"] {
            do {
                _ = try await translator.run(program, [:])
                Issue.record("\(program) came to an end")
            } catch {
                #expect(error.code == .killed, "\(program): \(error)")
            }
            #expect(try await translator.run("fine", ["a": 5]) == 5, "the next one finds a new helper")
        }
        #expect(try await translator.run("curious", [:]) == "{}")
    }

    @Test func aHelperThatDoesNotStartIsNoProgramsFault() async throws {
        let folder = try TestWorld.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let executable = folder + "/wasl"
        try FileManager.default.createSymbolicLink(atPath: executable, withDestinationPath: TestWorld.executable)
        let translator = try Translator(programs: Self.programs, executable: executable)
        defer { translator.close() }
        try FileManager.default.removeItem(atPath: executable)
        let killed = await #expect(throws: TranslationError.self) { try await translator.run("endless", [:]) }
        #expect(killed?.code == .killed)
        for _ in 0..<3 {
            let away = await #expect(throws: TranslationError.self) { try await translator.run("fine", ["a": 5]) }
            #expect(away?.code == .unavailable, "\(away as Any)")
        }
        try FileManager.default.createSymbolicLink(atPath: executable, withDestinationPath: TestWorld.executable)
        #expect(try await translator.run("fine", ["a": 5]) == 5)
    }

    @Test func aKilledHelperIsTriedAgainInCallAndDoubtInAnswer() throws {
        let world = try TestWorld()
        let tt = ParticipantID("tt")!
        let desk = JobDesk(
            agency: world.catalogue.agencies[tt]!, catalogue: CatalogueHolder(world.catalogue), openingKeys: world.keys["tt"]!.opening,
            registry: world.registry)
        let now = TestClock.shared.now
        let subject = TestWorld.uuid()
        let job = Job(
            number: 1, subject: subject, source: Source("/houses/hydra")!, message: "m", service: ServiceID("tt.bill.pay")!,
            contract: 1, house: ParticipantID("hydra")!, accepted: now, expiry: now.advanced(by: .seconds(60)), millimes: 5, sealed: "",
            state: .ready, attempts: 0, isDoubted: false, absences: 0, due: now, revision: 0,
            reference: AgencyReference(of: RequestKey(house: ParticipantID("hydra")!, subject: subject)))
        let killed: Result<JSON, any Error> = .failure(TranslationError(code: .killed, reason: "stopped"))
        let fields: JSONObject = ["line": "71234567", "amount": 5, "payment": "cash"]
        var run = JobRun(job, fields: fields, desk: desk, jitter: 0)
        guard case .translateCall = run.start(at: now), case .conclude(let no) = run.translated(killed, at: now) else {
            Issue.record("not concluded")
            return
        }
        guard no.verdict == nil, case .call = no.decision else {
            Issue.record("in call: \(String(describing: no.verdict)), \(no.decision)")
            return
        }
        run = JobRun(job, fields: fields, desk: desk, jitter: 0)
        _ = run.start(at: now)
        _ = run.translated(.success(["method": "POST", "path": "/x", "body": [:]]), at: now)
        _ = run.performed(.answered(status: 201, headers: [:], body: [:], raw: []), at: now)
        guard case .conclude(let doubt) = run.answered(killed, at: now), case .doubt? = doubt.verdict, case .park = doubt.decision else {
            Issue.record("in answer: not doubt")
            return
        }
    }
}
