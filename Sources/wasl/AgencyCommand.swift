import ArgumentParser
import AsyncHTTPClient
import Foundation
import WaslAgency
import WaslBroker
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslWeb

struct AgencyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agency", abstract: "An agency's worker, and the resolution of its parked requests.",
        subcommands: [Run.self, StaffCommand.self, Resolve.self])

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs an agency's worker: takes requests, calls the agency's API, publishes outcomes.",
            discussion: "Example: wasl agency run --config /etc/wasl/agency.yaml")

        @Option(help: "The configuration file (YAML).") var config: String
        @Flag(help: .hidden) var followParent = false

        func run() async throws {
            let settings = try ParticipantConfiguration(file: config, roleKey: "agency")
            let endpoint = try settings.settings.string("endpoint")
            let secretFile = try settings.settings.string("credentials-file")
            let staffFile = try settings.settings.string("staff-file")
            try settings.settings.finish()
            let logger = settings.logger("agency.\(settings.participant)")
            let catalogue = try CatalogueHolder(folder: settings.schemas)
            guard let agency = catalogue.catalogue.agencies[settings.participant] else {
                throw Failure(exitCode: 78, message: "\(config): `agency`: \(settings.schemas) describes no \(settings.participant)")
            }
            var secret: String?
            if agency.credentials != nil {
                guard let file = secretFile ?? agency.credentials?.file else {
                    throw settings.settings.error("credentials-file", "missing: \(agency.id) asks for credentials")
                }
                do { secret = try readSecret(file) } catch { throw settings.settings.error("credentials-file", "\(error)") }
            }
            if let staffFile, FileManager.default.fileExists(atPath: staffFile) {
                do { _ = try Accounts(path: staffFile) } catch { throw settings.settings.error("staff-file", "\(error)") }
            }
            if let key = agency.tls?.key { try SecretFile.check(key) }
            let translator = try Translator(programs: catalogue.catalogue.programs(of: agency.id), executable: Program.path)
            let worker = try AgencyWorker(
                AgencyWorker.Parts(
                    agency: agency, endpoint: endpoint ?? agency.endpoint, secret: secret, staffFile: staffFile,
                    journalPath: settings.journalPath, headPath: settings.headFile, keys: settings.keys, registry: settings.registry,
                    catalogue: catalogue,
                    translator: translator, version: Wasl.version),
                broker: AMQPBroker(settings.broker, logger: logger), logger: logger)
            let router = worker.router(
                token: settings.http.token, metricsToken: settings.http.metricsToken, hosts: settings.http.hosts,
                description: try settings.description("agency"))
            try await Daemon.run(
                router, settings.http, followsParent: followParent, logger: logger,
                stop: Daemon.Stop(patience: worker.stopPatience) { await worker.drain() },
                reload: {
                    try await worker.reloadRegistry()
                    try catalogue.reload { try translator.replace(programs: $0.programs(of: agency.id)) }
                }
            ) {
                try await worker.run()
            }
        }
    }

    struct Resolve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Resolves a parked request by the word of two people.",
            discussion: """
                The first person states what was found and signs; the second signs the same file; then it is sent to the worker:
                  wasl agency resolve state --agency tt --house hydra --request ID --status completed --field receipt_number=TT-1 \\
                      --note "Found in the bank's list" --evidence list.pdf --key first.json --out resolution.json
                  wasl agency resolve sign --file resolution.json --key second.json
                  wasl agency resolve apply --file resolution.json --evidence list.pdf --worker http://127.0.0.1:8120 --token-file token
                """, subcommands: [State.self, Sign.self, Apply.self])
    }

    struct State: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "States what was found, signed by the first person.")

        @Option(help: "The agency.") var agency: String
        @Option(help: "The house that sent the request.") var house: String
        @Option(help: "The request's number.") var request: String
        @Option(help: "completed, refused or failed.") var status: String
        @Option(help: "What was found, in words.") var note: String
        @Option(help: "A field of the outcome, as name=text; may be repeated.") var field: [String] = []
        @Option(help: "The file that proves it.") var evidence: String
        @Option(help: "The person's key file.") var key: String
        @Option(help: "Where to write the resolution.") var out: String

        func run() throws {
            guard let agency = ParticipantID(agency), let request = RequestKey(house: house, subject: request),
                let status = OutcomeStatus(rawValue: status)
            else { throw Failure.usage("--agency, --house, --request or --status is not of its form; see --help") }
            var fields = JSONObject()
            for pair in field {
                let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2 else { throw Failure.usage("--field \(pair): expected name=text") }
                fields[parts[0]] = .string(parts[1])
            }
            let now = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
            let resolution = Resolution(
                agency: agency, request: request, status: status, note: note, evidence: try Program.read(evidence),
                time: now, fields: fields)
            // Read again as the worker will read it: what it would refuse is refused here.
            let text = try Resolution(text: resolution.text).text
            let signature = try DetachedSignature.sign(
                Array(text.utf8), as: .resolution, with: try KeyFile(path: key).signing)
            try writePrivateFile(
                Array(JSON.object(["resolution": .string(text), "signatures": [.string(signature)]]).prettyText.utf8), to: out)
            print("Written to \(out): give it, with the evidence, to the second person.")
        }
    }

    struct Sign: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Adds the second person's signature.")

        @Option(help: "The resolution that the first person wrote.") var file: String
        @Option(help: "The second person's key file.") var key: String

        func run() throws {
            let json = try JSON.parse(try Program.read(file))
            guard case .object(var object) = json, let text = object["resolution"]?.string,
                let signatures = object["signatures"]?.array, signatures.count == 1
            else { throw Failure.badInput("\(file): expected a resolution with one signature") }
            let resolution = try Resolution(text: text)
            say(
                """
                You sign that request \(resolution.request.subject) of house \(resolution.request.house) to \(resolution.agency) is \
                `\(resolution.status.rawValue)`: \(resolution.note)
                """)
            let signature = try DetachedSignature.sign(
                Array(text.utf8), as: .resolution, with: try KeyFile(path: key).signing)
            object["signatures"] = .array(signatures + [.string(signature)])
            try writePrivateFile(Array(JSON.object(object).prettyText.utf8), to: file)
            print("Signed: \(file) can be applied.")
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Sends the resolution to the agency's worker.")

        @Option(help: "The resolution with two signatures.") var file: String
        @Option(help: "The file that proves it.") var evidence: String
        @Option(help: "The worker's address.") var worker: String
        @Option(help: "The file with the worker's token.") var tokenFile: String

        func run() async throws {
            guard case .object(var object) = try JSON.parse(try Program.read(file)) else {
                throw Failure.badInput("\(file): expected an object")
            }
            object["evidence"] = .string(Base64URL.encode(try Program.read(evidence)))
            let (status, answer) = try await Program.http(
                "POST", worker + "/v1/resolutions", token: try readSecret(tokenFile), body: .object(object))
            guard status == 200 else {
                throw Failure.badInput(answer["detail"]?.string ?? "the worker answered with \(status)")
            }
            print("Resolved.")
        }
    }
}
