import ArgumentParser
import Foundation
import WaslBroker
import WaslModel
import WaslSeal
import WaslWeb

struct TopologyOptions: ParsableArguments {
    @Option(help: "The signed registry.") var registry: String
    @Option(help: "The root key's public JWK.") var rootKey: String
    @Option(help: "The broker's management address.") var management: String
    @Option(help: "The broker's administrator.") var user: String = PrivateNode.adminUser
    @Option(help: "The file with the administrator's password.") var passwordFile: String
    @Option(help: "The words by which a password may go to another host over http://, where anyone on the way may read it.")
    var plaintext: String?

    @Option(help: "Which part this broker holds: whole; houses (a regional broker); center (beside regional brokers).")
    var part: String = Topology.Part.whole.rawValue

    func topology() throws -> Topology {
        guard let part = Topology.Part(rawValue: part) else { throw Failure.usage("--part: whole, houses or center") }
        let key = try PublicJWK(try JSON.parse(try Program.read(rootKey)))
        return Topology(try RegistryHolder(path: registry, rootKey: key).registry, part: part)
    }

    func broker() throws -> BrokerManagement {
        guard plaintext == nil || plaintext == BrokerConfiguration.plaintextWords else {
            throw Failure.usage("--plaintext: expected the words `\(BrokerConfiguration.plaintextWords)`, or not the option at all")
        }
        guard plaintext != nil || !BrokerConfiguration.goesInTheClear(management) else {
            throw Failure.usage(
                "--management: the password would go to \(management) in the clear: use https://, or give --plaintext '\(BrokerConfiguration.plaintextWords)'"
            )
        }
        return BrokerManagement(address: management, user: user, password: try readSecret(passwordFile))
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
            abstract: "Brings a broker to what the registry asks for; its word is final.",
            discussion: """
                Users of participants that are suspended or no longer in the registry are deleted with their permissions, and their open \
                connections closed within 10 seconds. Queues are never deleted, nor users that others made.

                Example: wasl topology apply --registry registry.signed --root-key root.jwk.json \
                --management http://127.0.0.1:15672 --password-file admin.password --passwords secrets/
                """)

        @OptionGroup var options: TopologyOptions
        @Option(
            help:
                "A folder with <participant>.password files, and wasl.monitor.password for the ledger's look at the topology; without one a user comes with a certificate only."
        )
        var passwords: String?

        func run() async throws {
            let topology = try options.topology()
            var secrets: [String: String] = [:]
            for permission in topology.permissions {
                if let passwords, FileManager.default.fileExists(atPath: "\(passwords)/\(permission.user).password") {
                    secrets[permission.user] = try readSecret("\(passwords)/\(permission.user).password")
                }
            }
            for user in try await options.broker().apply(topology, passwords: secrets) {
                print("Deleted the user \(user.name) and its permissions; \(user.connectionsClosed) open connections are closed.")
                if user.connectionsUnanswered > 0 {
                    print(
                        "  \(user.connectionsUnanswered) more do not answer: the broker hears them no longer, and drops them within half a minute."
                    )
                }
            }
            print("Applied: \(topology.queues.count) queues, \(topology.bindings.count) bindings, \(topology.permissions.count) users.")
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Names what a broker has otherwise than the registry asks for. Exits with 1 when anything differs.",
            discussion: """
                Example: wasl topology check --registry registry.signed --root-key root.jwk.json \
                --management http://127.0.0.1:15672 --password-file admin.password

                With --report the ledger is told what differs, and keeps it as findings until a later check no longer names it.
                """)

        @OptionGroup var options: TopologyOptions
        @Option(help: "The ledger's address, to tell it what was found.") var report: String?
        @Option(help: "The file with the ledger's token, for --report.") var tokenFile: String?

        func run() async throws {
            guard (report == nil) == (tokenFile == nil) else { throw Failure.usage("--report and --token-file go together") }
            let (topology, broker) = (try options.topology(), try options.broker())
            let definitions = try await broker.definitions()
            let differences = topology.differences(from: definitions)
            differences.forEach { print($0) }
            for user in topology.surplusUsers(in: definitions) {
                let open = try await broker.connections(of: user).count
                if open > 0 { print("  \(user) has \(open) open connections") }
            }
            if let report, let tokenFile {
                let body: JSON = ["broker": .string(options.management), "differences": .array(differences.map(JSON.string))]
                let (status, answer) = try await Program.http(
                    "POST", report + "/v1/topology-report", token: try readSecret(tokenFile), body: body)
                guard status == 200 else {
                    throw Failure.unavailable("\(report): the ledger did not take the report (\(status)) \(answer["detail"]?.string ?? "")")
                }
            }
            if !differences.isEmpty {
                throw Failure.notAsItShouldBe(
                    "\(differences.count) differences; `wasl topology apply` mends what is missing and removes users whose participant is suspended or gone"
                )
            }
            print("The broker is as the registry asks for.")
        }
    }
}
