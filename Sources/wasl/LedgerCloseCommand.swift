import ArgumentParser
import Foundation
import WaslCatalogue
import WaslModel
import WaslWeb

extension LedgerCommand {
    struct Close: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Closes a finding that nothing clears by itself: by a person, with a reason.",
            discussion: """
                The running ledger closes it and writes into its log who did, and why. What clears by itself is refused. \
                `Docs/operate/findings.md` says of every class what to do and what ends it.
                Examples:
                  wasl ledger close --finding 12 --reason "Stolen key, replaced in registry 14" --by amina --config /etc/wasl/ledger.yaml
                  wasl ledger close --finding 12 --reason "Stolen key, replaced in registry 14" --by amina \\
                      --address http://127.0.0.1:8100 --token-file token
                """)

        @Option(help: "The finding's number, as `GET /v1/findings` and `wasl trace` show it.") var finding: Int64
        @Option(help: "Why it needs nobody any more, on one line.") var reason: String
        @Option(help: "Who closes it.") var by: String
        @Option(help: "The ledger's configuration file (YAML): its address and token.") var config: String?
        @Option(help: "The ledger's address, instead of its configuration.") var address: String?
        @Option(help: "The file with the ledger's token, instead of its configuration.") var tokenFile: String?

        func run() async throws {
            let (address, token) = try ledger()
            let (status, answer) = try await Program.http(
                "POST", "\(address)/v1/findings/\(finding)/close", token: token, body: ["reason": .string(reason), "by": .string(by)])
            guard status == 200 else { throw Failure.badInput(answer["detail"]?.string ?? "the ledger answered with \(status)") }
            print("Finding \(finding) (\(answer["class"]?.string ?? "")) is closed.")
        }

        private func ledger() throws -> (address: String, token: String) {
            switch (config, address, tokenFile) {
            case (let config?, nil, nil):
                let settings = try Settings(file: config, environment: ProcessInfo.processInfo.environment)
                let http = try ParticipantConfiguration.http(settings)
                return (http.ownAddress, http.token)
            case (nil, let address?, let tokenFile?): return (address, try readSecret(tokenFile))
            default: throw Failure.usage("name the ledger: --config, or --address and --token-file")
            }
        }
    }
}

extension ParticipantConfiguration.HTTP {
    /// Where this machine itself reaches it.
    var ownAddress: String {
        let name = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
        return "http://\(name.contains(":") ? "[\(name)]" : name):\(port)"
    }
}
