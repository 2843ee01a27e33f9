import ArgumentParser
import Foundation
import WaslBroker
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslWeb

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes and shows keys.", subcommands: [Generate.self, Show.self])

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key file: one key to sign with, one to open with.",
            discussion: "Example: wasl keys generate --out /etc/wasl/keys.json")

        @Option(help: "The file to write; it must not exist.") var out: String

        func run() throws {
            guard !FileManager.default.fileExists(atPath: out) else {
                throw Failure.usage("\(out) exists: a key is never overwritten")
            }
            let keys = KeyFile()
            try keys.write(to: out)
            print(KeysCommand.publicText(keys))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the public halves, for the registry.", discussion: "Example: wasl keys show --file keys.json")

        @Option(help: "The key file.") var file: String

        func run() throws { print(KeysCommand.publicText(try KeyFile(path: file))) }
    }

    static func publicText(_ keys: KeyFile) -> String {
        JSON.object(["signing": keys.signing.jwk.json, "opening": .array(keys.opening.map(\.jwk.json))]).prettyText
    }
}

struct RegistryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registry", abstract: "Signs and shows the registry of participants.", subcommands: [Sign.self, Show.self])

    struct Sign: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Signs a registry with the directorate's root key.",
            discussion: "Example: wasl registry sign --file registry.json --key root.json --out registry.signed")

        @Option(help: "The registry's JSON.") var file: String
        @Option(help: "The root key's file.") var key: String
        @Option(help: "The signed registry to write.") var out: String

        func run() throws {
            let registry = try Registry(try JSON.parse(try Program.read(file)))
            let root = try KeyFile(path: key).signing
            if FileManager.default.fileExists(atPath: out) {
                let held = try RegistryHolder(path: out, rootKey: root.jwk).registry
                guard registry.version > held.version else {
                    throw Failure.badInput("\(file): version \(registry.version) is not newer than \(held.version) in \(out)")
                }
            }
            try RegistryHolder.write(registry, to: out, rootKey: root)
            print("Version \(registry.version) with \(registry.participants.count) participants is signed.")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Verifies and shows a signed registry.",
            discussion: "Example: wasl registry show --file registry.signed --root-key root.jwk.json")

        @Option(help: "The signed registry.") var file: String
        @Option(help: "The root key's public JWK.") var rootKey: String

        func run() throws {
            let key = try PublicJWK(try JSON.parse(try Program.read(rootKey)))
            print(try RegistryHolder(path: file, rootKey: key).registry.json.prettyText)
        }
    }
}

struct TopologyOptions: ParsableArguments {
    @Option(help: "The signed registry.") var registry: String
    @Option(help: "The root key's public JWK.") var rootKey: String
    @Option(help: "The broker's management address.") var management: String
    @Option(help: "The broker's administrator.") var user: String = PrivateNode.adminUser
    @Option(help: "The file with the administrator's password.") var passwordFile: String

    @Option(help: "Which part this broker holds: whole; houses (a regional broker); center (beside regional brokers).")
    var part: String = Topology.Part.whole.rawValue

    func topology() throws -> Topology {
        guard let part = Topology.Part(rawValue: part) else { throw Failure.usage("--part: whole, houses or center") }
        let key = try PublicJWK(try JSON.parse(try Program.read(rootKey)))
        return Topology(try RegistryHolder(path: registry, rootKey: key).registry, part: part)
    }

    func broker() throws -> BrokerManagement {
        BrokerManagement(address: management, user: user, password: try readSecret(passwordFile))
    }
}

struct TopologyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology", abstract: "The broker's exchanges, queues, bindings, users and permissions.",
        subcommands: [Apply.self, Check.self, Describe.self])

    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints the AMQP side as an AsyncAPI 3.0 document, for whoever writes a participant of their own.",
            discussion: "Example: wasl topology describe > Schemas/asyncapi.json")

        @Option(help: "The Schemas folder.") var schemas: String?

        func run() throws {
            let folder = try Program.schemas(schemas)
            let document = AsyncAPIDocument { word in
                try FileManager.default.contents(atPath: "\(folder)/messages/\(word).schema.json").map { try JSON.parse([UInt8]($0)) }
            }
            print(try document.json().prettyText)
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Brings a broker to what the registry asks for. Deletes nothing.",
            discussion: """
                Example: wasl topology apply --registry registry.signed --root-key root.jwk.json \
                --management http://127.0.0.1:15672 --password-file admin.password --passwords secrets/
                """)

        @OptionGroup var options: TopologyOptions
        @Option(help: "A folder with <participant>.password files; without one a user comes with a certificate only.")
        var passwords: String?

        func run() async throws {
            let topology = try options.topology()
            var secrets: [String: String] = [:]
            for permission in topology.permissions {
                if let passwords, FileManager.default.fileExists(atPath: "\(passwords)/\(permission.user).password") {
                    secrets[permission.user] = try readSecret("\(passwords)/\(permission.user).password")
                }
            }
            try await options.broker().apply(topology.definitions(passwords: secrets))
            print("Applied: \(topology.queues.count) queues, \(topology.bindings.count) bindings, \(topology.permissions.count) users.")
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Names what a broker has otherwise than the registry asks for. Exits with 1 when anything differs.",
            discussion: """
                Example: wasl topology check --registry registry.signed --root-key root.jwk.json \
                --management http://127.0.0.1:15672 --password-file admin.password
                """)

        @OptionGroup var options: TopologyOptions

        func run() async throws {
            let differences = try options.topology().differences(from: try await options.broker().definitions())
            differences.forEach { print($0) }
            if !differences.isEmpty {
                throw Failure.notAsItShouldBe("\(differences.count) differences; `wasl topology apply` mends what is missing")
            }
            print("The broker is as the registry asks for.")
        }
    }
}

struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Prints one request's whole story, with times.",
        discussion: "Example: wasl trace 019a… --ledger http://127.0.0.1:8100 --token-file token")

    @Argument(help: "The request's number.") var id: String
    @Option(help: "The ledger's address.") var ledger: String?
    @Option(help: "The file with the ledger's token.") var tokenFile: String?
    @Option(help: "The data folder of a `wasl dev`, instead of address and token.") var data: String?
    @Flag(help: "Print one JSON object.") var json = false

    func run() async throws {
        guard RequestID(id) != nil else { throw Failure.badInput("\(id): expected a request's UUID in lower case") }
        let (address, token): (String, String)
        if let data {
            let layout = DevLayout(folder: data)
            (address, token) = (try layout.address("ledger"), try readSecret(layout.tokenFile))
        } else if let ledger, let tokenFile {
            (address, token) = (ledger, try readSecret(tokenFile))
        } else {
            throw Failure.usage("name the ledger: --ledger and --token-file, or --data of a `wasl dev`")
        }
        let (status, story) = try await Program.http("GET", "\(address)/v1/requests/\(id)", token: token)
        guard status == 200 else { throw Failure.badInput(story["detail"]?.string ?? "the ledger answered with \(status)") }
        print(json ? story.text : TraceCommand.text(story))
    }

    /// One line a word that was said: when, how long after the order, who, what.
    static func text(_ story: JSON) -> String {
        func time(_ json: JSON?, _ key: String) -> Timestamp? { json?[key]?.string.flatMap { Timestamp($0) } }
        let start = time(story, "submitted")
        var lines = [
            "\(story["subject"]?.string ?? "")  \(story["service"]?.string ?? "?")  \(story["house"]?.string ?? "?") -> \(story["agency"]?.string ?? "?")"
        ]
        for entry in story["entries"]?.array ?? [] {
            let at = time(entry, "time")
            let after = start.flatMap { start in at.map { "+\($0.since(start).milliseconds) ms" } } ?? ""
            let logged = time(entry, "logged").flatMap { logged in at.map { "logged +\(logged.since($0).milliseconds) ms" } } ?? ""
            let what = (entry["type"]?.string ?? "").replacingOccurrences(of: "tn.wasl.", with: "")
            let status = entry["status"]?.string.map { " \($0) (revision \(entry["revision"]?.integer ?? 0))" } ?? ""
            lines.append(
                "  \(at?.description ?? "?")  \(after.padding(toLength: 12, withPad: " ", startingAt: 0)) \(entry["source"]?.string ?? "")  \(what)\(status)  [\(logged), entry \(entry["entry"]?.integer ?? 0)]"
            )
        }
        if let delivered = time(story, "delivered") { lines.append("  \(delivered)  the house has the outcome (ledger's time)") }
        for finding in story["findings"]?.array ?? [] {
            let end = finding["cleared"]?.string.map { "cleared \($0): \(finding["cause"]?.string ?? "")" } ?? "OPEN"
            lines.append("  finding \(finding["class"]?.string ?? "")  opened \(finding["opened"]?.string ?? "")  \(end)")
        }
        lines.append("  state: \(story["status"]?.string ?? "no outcome yet")")
        return lines.joined(separator: "\n")
    }
}
