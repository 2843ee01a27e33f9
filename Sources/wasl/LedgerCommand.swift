import ArgumentParser
import WaslBroker
import WaslCatalogue
import WaslLedger
import WaslModel

struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "The central ledger.",
        subcommands: [Run.self, StaffCommand.self, Close.self, ReviewCommand.self, Verify.self, Evidence.self])

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs the ledger: verifies, records and reconciles everything that is said.",
            discussion: "Example: wasl ledger run --config /etc/wasl/ledger.yaml")

        @Option(help: "The configuration file (YAML).") var config: String
        @Flag(help: .hidden) var followParent = false

        func run() async throws {
            let settings = try ParticipantConfiguration(file: config, roleKey: nil)
            var times = LedgerTimes()
            if let group = try settings.settings.group("times") {
                times.gapGrace = try group.duration("gap-grace") ?? times.gapGrace
                times.notTaken = try group.duration("not-taken") ?? times.notTaken
                times.undelivered = try group.duration("undelivered") ?? times.undelivered
                times.orphan = try group.duration("orphan") ?? times.orphan
                times.silent = try group.duration("silent") ?? times.silent
                times.askPause = try group.duration("ask-pause") ?? times.askPause
            }
            let staffFile = try settings.settings.string("staff-file")
            try settings.settings.finish()
            let logger = settings.logger("ledger")
            let catalogue = try CatalogueHolder(folder: settings.schemas)
            let ledger = try Ledger(
                Ledger.Parts(
                    journalPath: settings.journalPath, headPath: settings.headFile, keys: settings.keys,
                    registry: settings.registry, catalogue: catalogue, times: times,
                    version: Wasl.version,
                    topologyDifferences: settings.monitor.map { $0.differences }), broker: AMQPBroker(settings.broker, logger: logger),
                logger: logger)
            let router = ledger.router(
                token: settings.http.token, metricsToken: settings.http.metricsToken, hosts: settings.http.hosts, staffFile: staffFile,
                description: try settings.description("ledger"))
            try await Daemon.run(
                router, settings.http, followsParent: followParent, logger: logger,
                reload: {
                    try await ledger.reloadRegistry()
                    try catalogue.reload()
                }
            ) { await ledger.run() }
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks a ledger's file: every digest, every chain, every number. Changes nothing.",
            discussion: "Example: wasl ledger verify --db /var/lib/wasl/ledger/journal.sqlite")

        @Option(help: "The ledger's SQLite file.") var db: String
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let report = try LedgerVerification(path: db)
            if json { print(report.json.text) } else { print(report.summary) }
            if !report.problems.isEmpty { throw Failure.notAsItShouldBe("\(db): \(report.problems.count) problems") }
        }
    }

    struct Evidence: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes all that a participant said, and all that was said to it: what its lost journal is rebuilt from.",
            discussion: """
                Take it when the ledger has worked off its queue and every federation link is drained; otherwise what is still on its way is \
                missing. The last line counts the messages, so that a torn file is known for one. Changes nothing.
                Example: wasl ledger evidence --db /var/lib/wasl/ledger/journal.sqlite --participant steg > steg.evidence
                """)

        @Option(help: "The ledger's SQLite file.") var db: String
        @Option(help: "The house or agency.") var participant: String

        func run() throws {
            guard let id = ParticipantID(participant) else { throw Failure.usage("--participant: expected an identifier such as steg") }
            print(try Ledger.evidence(path: db, of: id), terminator: "")
        }
    }
}
