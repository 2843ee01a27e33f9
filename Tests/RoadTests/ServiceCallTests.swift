import Foundation
import Hummingbird
import Logging
import TestSupport
import Testing
import WaslBroker
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslSimulation
import WaslWeb

@testable import WaslAgency

/// An agency's simulator behind real HTTP, and what a worker has to call it with.
private final class Counter: Sendable {
    let logPath: String
    private let client: AgencyClient
    private let translator: Translator
    private let server: Task<Void, any Error>
    private let folder: String

    init(agency id: ParticipantID, _ catalogue: Catalogue) async throws {
        folder = try TestWorld.makeFolder()
        logPath = folder + "/effects.jsonl"
        let secret = catalogue.agencies[id]?.credentials == nil ? nil : "secret of a test"
        let office = try SimulatedOffice(
            agency: id.text, logPath: logPath, plan: FaultPlan(seed: 1, rate: 0, latency: 0...0), secret: secret)
        let router = Router(context: BasicRequestContext.self)
        let make = try #require(simulatedAgencies[id.text])
        make(office).addRoutes(to: router)
        let listening = Recorder<Int>()
        let port = try PrivateNode.freePorts(1)[0]
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        server = Task { try await Server.run(router, host: "127.0.0.1", port: port, logger: logger) { listening.append($0) } }
        await listening.wait(for: "the agency's server to listen") { !$0.isEmpty }
        client = try AgencyClient(
            try #require(catalogue.agencies[id]), endpoint: "http://127.0.0.1:\(port)", secret: secret,
            logger: logger)
        translator = try Translator(
            programs: catalogue.programs.filter { $0.key.hasPrefix("\(id).") }, executable: TestWorld.executable)
    }

    func close() async {
        server.cancel()
        await client.close()
        translator.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    var effectCount: Int { (try? EffectsLog.read(path: logPath).count { $0.receipt != nil }) ?? 0 }

    func translate(
        _ service: Service, _ fields: JSONObject, reference: String, _ program: Service.Program = .call, paper: JSON? = nil
    ) async throws -> JSON {
        var input: JSONObject = [
            "reference": .string(reference), "service": .string(service.id.text), "house": "hydra",
            "time": "2026-11-23T09:00:00.000Z", "fields": .object(fields),
        ]
        input["attachment"] = paper
        return try await translator.run(service.programName(program), .object(input))
    }

    func perform(
        _ service: Service, _ call: JSON, _ phase: Phase = .call, content: (type: String, bytes: [UInt8])? = nil
    ) async throws -> Verdict {
        switch await client.perform(try AgencyCall(call), isRepeatable: service.effect != .neither, content: content) {
        case .notSent(let reason), .unknown(let reason): return .doubt(reason)
        case .answered(let status, let headers, var body, _):
            let document = service.document.flatMap { FoundDocument.take($0, from: &body) }
            let value = try await translator.run(
                service.programName(.answer),
                ["phase": .string(phase.rawValue), "status": JSON(status), "headers": .object(headers), "body": body])
            return Verdict(value, of: service, in: phase, status: status).held(against: document, service)
        }
    }

    /// Brings the papers of an order, as a worker does before its call.
    func bring(_ papers: [[UInt8]], _ service: Service, _ fields: JSONObject, reference: String) async throws {
        for (entry, bytes) in zip(service.attachments.flatMap { fields[$0.field]?.array } ?? [], papers) {
            let call = try await translate(service, fields, reference: reference, .upload, paper: entry)
            let verdict = try await perform(service, call, .upload, content: (entry["type"]?.string ?? "", bytes))
            #expect(verdict == .uploaded, "\(service.id)")
            #expect(try await perform(service, call, .upload, content: (entry["type"]?.string ?? "", bytes)) == .uploaded)
            let wrong = try await perform(service, call, .upload, content: (entry["type"]?.string ?? "", bytes + [0]))
            guard case .refused = wrong else {
                Issue.record("\(service.id): a paper that is not the one named is taken: \(wrong.summary)")
                continue
            }
        }
    }
}

/// One agency after the other: each has a server, a client and a translating process of its own.
@Suite(.serialized) struct ServiceCallTests {
    private static let agencies = simulatedAgencies.keys.sorted()

    private static func load() throws -> Catalogue { try TestWorld.published.get() }

    private static func reference() -> String {
        AgencyReference(of: RequestKey(house: ParticipantID("hydra")!, subject: TestWorld.uuid())).text
    }

    private static func example(_ service: Service) throws -> JSONObject {
        let file = service.folder + "/examples/done.json"
        let json = try JSON.parse([UInt8](try #require(FileManager.default.contents(atPath: file), "\(file)")))
        return try #require(json["request"]?.object)
    }

    /// An order that the simulator takes: what it concerns must be there before.
    private static func order(_ service: Service, _ catalogue: Catalogue, _ counter: Counter) async throws -> JSONObject {
        var fields = try example(service)
        if let rule = service.attachments {
            let entry: JSON = [
                "name": "ordonnance", "type": "application/pdf", "size": JSON(paper.count), "digest": .string(hexText(sha256(paper))),
            ]
            fields[rule.field] = [entry]
        }
        guard service.agency.text == "poste" else { return fields }
        func number(_ name: String, _ fields: JSONObject, _ member: String) async throws -> JSON {
            let before = try #require(catalogue.service(ServiceID("poste.payment.\(name)")!))
            let call = try await counter.translate(before, fields, reference: reference())
            guard case .completed(let done) = try await counter.perform(before, call) else { throw Failed() }
            return try #require(done[member])
        }
        guard fields["authorisation"] != nil || fields["capture"] != nil else { return fields }
        let authorise = try #require(catalogue.service(ServiceID("poste.payment.authorise")!))
        var payment = try example(authorise)
        payment["amount"] = fields["amount"] ?? 1000
        let authorisation = try await number("authorise", payment, "authorisation")
        if fields["authorisation"] != nil { fields["authorisation"] = authorisation }
        if fields["capture"] != nil {
            let capture: JSONObject = ["authorisation": authorisation, "amount": payment["amount"]!, "order": payment["order"]!]
            fields["capture"] = try await number("capture", capture, "capture")
        }
        return fields
    }

    private struct Failed: Error {}
    private static let paper = TestWorld.paper(bytes: 5_000)

    /// Every place of a call where one thing can be wrong: a member of the body under another name, a word of the path, a header.
    private static func broken(_ call: JSON) -> [(place: String, call: JSON)] {
        var found: [(String, JSON)] = []
        guard case .object(let object) = call else { return [] }
        func renamed(_ json: JSON, at place: String, _ rebuild: (JSON) -> JSON) {
            guard case .object(let members) = json else { return }
            for (index, member) in members.members.enumerated() where !member.key.hasPrefix("@") {
                var changed = members.members
                changed[index].key += "X"
                found.append(("\(place)/\(member.key)", rebuild(.object(JSONObject(changed.map { ($0.key, $0.value) })))))
                renamed(member.value, at: "\(place)/\(member.key)") { inner in
                    var nested = members
                    nested[member.key] = inner
                    return rebuild(.object(nested))
                }
            }
        }
        if let body = object["body"] {
            renamed(body, at: "body") { changed in
                var whole = object
                whole["body"] = changed
                return .object(whole)
            }
        }
        for name in object["headers"]?.object?.keys ?? [] {
            var headers = object["headers"]!.object!
            headers[name] = nil
            var whole = object
            whole["headers"] = .object(headers)
            found.append(("headers/\(name)", .object(whole)))
        }
        var whole = object
        whole["path"] = .string((object["path"]?.string ?? "") + "/x")
        found.append(("path", .object(whole)))
        return found
    }

    @Test(arguments: agencies) func everyServiceIsDoneByItsAgencysSimulator(_ name: String) async throws {
        let catalogue = try Self.load()
        let agency = try #require(ParticipantID(name))
        let counter = try await Counter(agency: agency, catalogue)
        for service in catalogue.all where service.agency == agency && !service.isDesk {
            let fields = try await Self.order(service, catalogue, counter)
            let reference = Self.reference()
            let call = try await counter.translate(service, fields, reference: reference)
            if service.attachments != nil {
                // Nothing is filed before its papers are there.
                guard case .definiteNo = try await counter.perform(service, call) else {
                    Issue.record("\(service.id): taken without its papers")
                    continue
                }
                try await counter.bring([Self.paper], service, fields, reference: reference)
            }
            let before = counter.effectCount
            var verdict = try await counter.perform(service, call)
            // People decide later: asked again as a worker does, by a lookup or by the same call.
            for _ in 0..<5 {
                guard case .progress = verdict else { break }
                let isQueryable = service.effect == .queryable
                let again = try await counter.translate(service, fields, reference: reference, isQueryable ? .lookup : .call)
                verdict = try await counter.perform(service, again, isQueryable ? .lookup : .call)
            }
            guard case .completed = verdict else {
                Issue.record("\(service.id): \(verdict.summary)")
                continue
            }
            #expect(counter.effectCount == before + (service.effect == .read ? 0 : 1), "\(service.id)")
            switch service.effect {
            case .idempotent:
                guard case .completed = try await counter.perform(service, call) else {
                    Issue.record("\(service.id): the repetition is not answered")
                    continue
                }
                #expect(counter.effectCount == before + 1, "\(service.id): the repetition did it twice")
            case .queryable:
                let lookup = try await counter.translate(service, fields, reference: reference, .lookup)
                guard case .completed = try await counter.perform(service, lookup, .lookup) else {
                    Issue.record("\(service.id): the lookup does not find it")
                    continue
                }
                let other = try await counter.translate(service, fields, reference: Self.reference(), .lookup)
                #expect(try await counter.perform(service, other, .lookup) == .absent, "\(service.id)")
            case .read, .neither: break
            }
        }
        await counter.close()
    }

    @Test(arguments: agencies) func aCallWithOneFieldBrokenIsRefusedBySimulators(_ name: String) async throws {
        let catalogue = try Self.load()
        let agency = try #require(ParticipantID(name))
        let counter = try await Counter(agency: agency, catalogue)
        for service in catalogue.all where service.agency == agency && !service.isDesk {
            let fields = try await Self.order(service, catalogue, counter)
            let call = try await counter.translate(service, fields, reference: Self.reference())
            let before = counter.effectCount
            let broken = Self.broken(call)
            #expect(broken.count >= 2, "\(service.id)")
            for (place, changed) in broken {
                let verdict = try await counter.perform(service, changed)
                switch verdict {
                case .completed, .progress: Issue.record("\(service.id): taken although \(place) is broken")
                default: break
                }
            }
            #expect(counter.effectCount == before, "\(service.id): something was done")
        }
        await counter.close()
    }
}
