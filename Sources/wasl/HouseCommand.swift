import ArgumentParser
import WaslBroker
import WaslCatalogue
import WaslHouse

struct HouseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "house", abstract: "A service house's daemon.", subcommands: [Run.self])

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs a house: accepts orders over HTTP, publishes them, records their outcomes.",
            discussion: "Example: wasl house run --config /etc/wasl/house.yaml")

        @Option(help: "The configuration file (YAML).") var config: String
        @Flag(help: .hidden) var followParent = false

        func run() async throws {
            let settings = try ParticipantConfiguration(file: config, roleKey: "house")
            try settings.settings.finish()
            let logger = settings.logger("house.\(settings.participant)")
            let catalogue = try CatalogueHolder(folder: settings.schemas)
            let house = try House(
                House.Parts(
                    id: settings.participant, journalPath: settings.journalPath, headPath: settings.headFile,
                    keys: settings.keys, registry: settings.registry, catalogue: catalogue,
                    version: Wasl.version), broker: AMQPBroker(settings.broker, logger: logger), logger: logger)
            let router = house.router(
                token: settings.http.token, metricsToken: settings.http.metricsToken, hosts: settings.http.hosts,
                description: try settings.description("house"))
            try await Daemon.run(
                router, settings.http, followsParent: followParent, logger: logger,
                reload: {
                    try await house.reloadRegistry()
                    try catalogue.reload()
                }
            ) {
                house.start()
                await house.run()
                await house.close()
            }
        }
    }
}
