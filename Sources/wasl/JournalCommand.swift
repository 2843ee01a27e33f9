import ArgumentParser
import WaslAgency
import WaslHouse
import WaslJournal
import WaslLedger

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Checks a journal's file, or starts a new epoch after a backup was put back.",
        subcommands: [Check.self, Reopen.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks every page and the whole chain of a journal. Changes nothing.",
            discussion: "Example: wasl journal check --db /var/lib/wasl/hydra/journal.sqlite")

        @Option(help: "The journal's SQLite file.") var db: String

        func run() throws {
            if let damage = try JournalCheck.damage(path: db) {
                throw Failure.notAsItShouldBe("\(db): \(damage)")
            }
            print("\(db): every page and the whole chain hold.")
        }
    }

    struct Reopen: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Starts a new epoch, with the reason, after a backup was put back.",
            discussion: """
                The daemon must be stopped. What was said under the lost numbers is known to the ledger; the journal goes on under a new \
                epoch and never reuses them.
                Example: wasl journal reopen --config house.yaml --role house --reason "disk replaced, backup of 12 May"
                """)

        @Option(help: "The daemon's configuration file.") var config: String
        @Option(help: "house, agency or ledger.") var role: String
        @Option(help: "Why; the ledger keeps it.") var reason: String

        func run() throws {
            guard ["house", "agency", "ledger"].contains(role) else { throw Failure.usage("--role: house, agency or ledger") }
            let settings = try ParticipantConfiguration(file: config, roleKey: role == "ledger" ? nil : role)
            switch role {
            case "house": try House.reopen(settings.participant, settings.journalPath, settings.headFile, settings.keys, reason: reason)
            case "agency":
                try AgencyWorker.reopen(settings.participant, settings.journalPath, settings.headFile, settings.keys, reason: reason)
            default: try Ledger.reopen(settings.journalPath, settings.headFile, settings.keys, reason: reason)
            }
            print("A new epoch is open. Start the daemon; the ledger will hear of it first.")
        }
    }
}
