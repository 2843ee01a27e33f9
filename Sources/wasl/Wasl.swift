import ArgumentParser
import Foundation
import WaslCatalogue

@main
struct Wasl: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "wasl", abstract: "The delivery hub of the digital service houses.",
        discussion: """
            Start with `wasl dev`: a private broker, all houses, agencies, the ledger and simulated traffic in one command.

            Exit codes: 0 done; 1 not everything is as it should be; 64 the command was misused; 65 bad input; 69 something that is \
            needed is not there; 74 a disk failed; 78 bad configuration.
            """, version: version,
        subcommands: [
            DevCommand.self, TortureCommand.self, HouseCommand.self, AgencyCommand.self, LedgerCommand.self, TraceCommand.self,
            SimulateCommand.self, TopologyCommand.self, RegistryCommand.self, KeysCommand.self, CatalogueCommand.self,
            JournalCommand.self, BenchCommand.self, JQHelperCommand.self,
        ])

    static func main() async {
        // A peer that has gone is an error of a write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            say("wasl: \(failure.message)")
            Foundation.exit(failure.exitCode)
        } catch {
            if let (code, text) = Failure.explain(error) {
                say("wasl: \(text)")
                Foundation.exit(code)
            }
            exit(withError: error)
        }
    }
}

/// To the person at the terminal; standard output is for results.
func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

/// The translation helper's process: see WaslCatalogue. Not for people.
struct JQHelperCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "jq-helper", shouldDisplay: false)

    func run() throws { Foundation.exit(JQHelper.serve()) }
}
