import ArgumentParser
import WaslCatalogue
import WaslModel
import WaslWorld

/// `wasl simulate bugs`
struct SimulateBugs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bugs",
        abstract:
            "Plants every known bug in turn, and shows that the checkers see it, that the same seed holds without it, and within how many seeds.",
        discussion: "Example: wasl simulate bugs --within 30 --json")

    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds a bug may hide for.") var within = 30
    @Flag(help: "Print one JSON object at the end.") var json = false
    @Option(help: "The Schemas folder.") var schemas: String?

    func run() async throws {
        guard within >= 1 else { throw Failure.usage("--within is at least 1") }
        let simulation = try Simulation(catalogue: try Catalogue(folder: try Program.schemas(schemas)))
        var rows = JSONObject()
        var hidden: [String] = []
        for bug in PlantedBug.allCases {
            var caught: (after: Int, by: String)?
            for index in 0..<within where caught == nil {
                var options = WorldOptions(seed: seed + UInt64(index))
                options.requests = 60
                options.faultRate = 2
                options.insiders = bug.needsLiars
                options.bug = bug
                guard let violation = try simulation.run(options).violations.first else { continue }
                // The catch is the bug's only if the very same seed holds without it.
                options.bug = nil
                if let own = try simulation.run(options).violations.first {
                    throw Failure.notAsItShouldBe("seed \(options.seed) does not hold without \(bug.rawValue) either: \(own)")
                }
                caught = (index + 1, violation.invariant)
            }
            if let caught {
                say("\(bug.rawValue): caught within \(caught.after) seeds by \u{201C}\(caught.by)\u{201D}")
                rows[bug.rawValue] = ["seeds": JSON(caught.after), "invariant": .string(caught.by)]
            } else {
                say("\(bug.rawValue): NOT CAUGHT")
                hidden.append(bug.rawValue)
            }
        }
        if json { print(JSON.object(["caught": .object(rows), "hidden": .array(hidden.map(JSON.string))]).text) }
        guard hidden.isEmpty else { throw Failure.notAsItShouldBe("not caught: \(hidden.joined(separator: ", "))") }
    }
}
