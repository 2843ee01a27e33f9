import ArgumentParser

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures what is promised. Use a release build.",
        discussion: """
            Each bench prints the machine, the versions and its figures, and writes them as JSON with --out. The machine should be \
            otherwise idle.
            """, subcommands: [Road.self, HouseBench.self, CatalogueBench.self, Documents.self])
}
