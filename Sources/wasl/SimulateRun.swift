import ArgumentParser
import Foundation
import WaslCatalogue
import WaslModel
import WaslSimulation
import WaslWorld

/// `wasl simulate run`
struct SimulateRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "A whole world in one thread, from a seed: the same steps as in production, with everything going wrong.",
        discussion: """
            Houses, workers, ledger, broker, agencies and clocks in virtual time. Checkers that see only what anybody outside sees \
            decide. The same seed gives the same run, to the byte; a failed one is printed with the story of its requests.

            Examples:
              wasl simulate run --seed 7
              wasl simulate run --count 1000 --json
              wasl simulate run --seed 3 --houses 34 --hours 168 --requests 14280
              wasl simulate run --count 50 --bug confirm-on-publish
              wasl simulate run --count 2000 --insiders
            """)

    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds, one after the other.") var count = 1
    @Option(help: "How many houses.") var houses = 5
    @Option(help: "How many orders a seed.") var requests = 200
    @Option(help: "Virtual hours over which they come; without it the seed chooses between 2 and 240.") var hours: Int?
    @Option(help: "How much goes wrong: 1 is the usual measure, 0 nothing.") var faults = 1.0
    @Option(help: "A fault that is left out; may be repeated.") var without: [String] = []
    @Option(help: "A known bug to plant, to see that the checkers see it.") var bug: String?
    @Flag(help: "One house, one agency and the broker's operator lie, each with a valid key and user; in 500 seeds or more in every way.")
    var insiders = false
    @Flag(help: "Real curves in every seed; without it in one of twenty, a keyed hash in the others.") var real = false
    @Flag(help: "Print one JSON object at the end.") var json = false
    @Option(help: "The Schemas folder.") var schemas: String?

    func run() async throws {
        guard (1...34).contains(houses), (1...1_000_000).contains(requests), count >= 1, (0...100).contains(faults),
            hours.map({ (1...8760).contains($0) }) ?? true
        else {
            throw Failure.usage("--houses is 1 to 34, --requests 1 to 1000000, --count at least 1, --faults 0 to 100, --hours 1 to 8760")
        }
        let left = try without.map { name in
            guard let fault = Fault(rawValue: name) else {
                throw Failure.usage("--without \(name): one of \(Fault.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return fault
        }
        let planted = try bug.map { name in
            guard let bug = PlantedBug(rawValue: name) else {
                throw Failure.usage("--bug \(name): one of \(PlantedBug.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return bug
        }
        let simulation = try Simulation(catalogue: try Catalogue(folder: try Program.schemas(schemas)))
        var summary = SimulationSummary()
        for index in 0..<UInt64(count) {
            var options = WorldOptions(seed: seed + index)
            options.houses = houses
            options.requests = requests
            options.span = hours.map { .seconds($0 * 3600) }
            options.faultRate = faults
            options.without = Set(left)
            options.bug = planted
            options.insiders = insiders || planted?.needsLiars == true
            options.realCryptography = real || options.seed % 20 == 0
            let start = ContinuousClock.now
            let report = try simulation.run(options)
            summary.add(report, took: ContinuousClock.now - start)
            if count <= 20 || !report.violations.isEmpty { say(SimulationSummary.line(report)) }
            if !report.violations.isEmpty {
                // What concerns no request first: it is often why the others are.
                for violation in (report.violations.filter { $0.subject == nil } + report.violations.filter { $0.subject != nil }).prefix(
                    10)
                {
                    say("  \(violation)")
                }
                if planted == nil {
                    for line in try simulation.story(of: report, options) { say("  | \(line)") }
                    let span = hours.map { " --hours \($0)" } ?? ""
                    let rest =
                        (faults == 1 ? "" : " --faults \(faults)") + (options.realCryptography ? " --real" : "")
                        + (insiders ? " --insiders" : "")
                    say("reproduce with: wasl simulate run --seed \(report.seed) --houses \(houses) --requests \(requests)\(span)\(rest)")
                }
            } else if count > 100, (index + 1) % 100 == 0 {
                say("\(index + 1) seeds, \(summary.failed.count) failed, \(summary.faultCount) faults")
            }
        }
        print(json ? summary.json.text : summary.text)
        if planted == nil, !summary.failed.isEmpty {
            throw Failure.notAsItShouldBe("\(summary.failed.count) of \(count) seeds broke a promise: see above")
        }
        // What never happened was not withstood.
        if planted == nil, insiders, count >= 500, !summary.untold.isEmpty {
            throw Failure.notAsItShouldBe("told in none of \(count) seeds: \(summary.untold.map(\.rawValue).joined(separator: ", "))")
        }
        if let planted, summary.failed.isEmpty {
            throw Failure.notAsItShouldBe("\(planted.rawValue) was not caught within \(count) seeds")
        }
    }
}
