import ArgumentParser
import Foundation
import WaslAgency
import WaslCatalogue
import WaslHouse
import WaslJournal
import WaslLedger
import WaslSeal

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Checks a journal's file, or puts a lost one right.",
        subcommands: [Check.self, Reopen.self, Rebuild.self])

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
            abstract: "Starts a new epoch of the ledger's journal, with the reason, after a backup was put back.",
            discussion: """
                The ledger must be stopped. What it had recorded since the backup it asks for again: every participant keeps what it said. \
                A house's or a worker's journal is not reopened but rebuilt, since what it took in would be forgotten.
                Example: wasl journal reopen --config ledger.yaml --reason "disk replaced, backup of 12 May"
                """)

        @Option(help: "The ledger's configuration file.") var config: String
        @Option(help: "Why; it is kept.") var reason: String

        func run() throws {
            let settings = try ParticipantConfiguration(file: config, roleKey: nil)
            try Ledger.reopen(settings.journalPath, settings.headFile, settings.keys, reason: reason)
            print("A new epoch is open. Start the ledger; it will ask for what it lacks.")
        }
    }

    struct Rebuild: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Rebuilds the lost journal of a house or of an agency's worker from the ledger's evidence.",
            discussion: """
                The daemon must be stopped and the old journal moved aside. The evidence comes from `wasl ledger evidence`, taken after the \
                ledger has worked off its queue. What a worker may have done and not said becomes doubt, and goes the way of its effect class.
                Example: wasl journal rebuild --config agency.yaml --role agency --evidence steg.evidence --reason "disk died on 12 May"
                """)

        @Option(help: "The daemon's configuration file.") var config: String
        @Option(help: "house or agency.") var role: String
        @Option(help: "The file that `wasl ledger evidence` wrote.") var evidence: String
        @Option(help: "Why; the ledger keeps it.") var reason: String

        func run() throws {
            guard ["house", "agency"].contains(role) else { throw Failure.usage("--role: house or agency") }
            let settings = try ParticipantConfiguration(file: config, roleKey: role)
            guard let data = FileManager.default.contents(atPath: evidence) else {
                throw Failure.badInput("--evidence \(evidence): cannot be read")
            }
            let registry = settings.registry.registry
            let messages = try EvidenceFile.read([UInt8](data), of: settings.participant) { try $0.verify(under: registry) }
            let known: Int
            if role == "house" {
                known = try House.rebuild(
                    settings.participant, settings.journalPath, settings.headFile, settings.keys, settings.registry, from: messages,
                    reason: reason)
            } else {
                let catalogue = try Catalogue(folder: settings.schemas)
                guard let agency = catalogue.agencies[settings.participant] else {
                    throw Failure.badInput("\(settings.schemas) describes no \(settings.participant)")
                }
                known = try AgencyWorker.rebuild(
                    agency, settings.journalPath, settings.headFile, settings.keys, catalogue, settings.registry, from: messages,
                    reason: reason)
            }
            print("Rebuilt from \(messages.messages.count) messages: \(known) requests are known again. Start the daemon.")
            for message in messages.leftOut { print("Left out: \(message).") }
            if !messages.isWhole {
                print(
                    "The ledger has set messages of this participant aside, or misses some: what cannot be repeated and has no end in the evidence was parked."
                )
            }
        }
    }
}
