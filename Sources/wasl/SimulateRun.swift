import ArgumentParser
import Foundation
import WaslCatalogue
import WaslModel
import WaslSimulation
import WaslWorld

/// `wasl simulate run`
struct SimulateRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "A whole world in one thread, from a seed: the same steps as in production, with everything going wrong.",
        discussion: """
            Houses, workers, ledger, broker, agencies and clocks in virtual time. Checkers that see only what anybody outside sees \
            decide. The same seed gives the same run, to the byte; a failed one is printed with the story of its requests.

            Examples:
              wasl simulate run --seed 7
              wasl simulate run --count 1000 --json
              wasl simulate run --seed 3 --houses 34 --hours 168 --requests 14280
              wasl simulate run --count 50 --bug confirm-on-publish
            """)

    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds, one after the other.") var count = 1
    @Option(help: "How many houses.") var houses = 5
    @Option(help: "How many orders a seed.") var requests = 200
    @Option(help: "Virtual hours over which they come; without it the seed chooses between 2 and 240.") var hours: Int?
    @Option(help: "How much goes wrong: 1 is the usual measure, 0 nothing.") var faults = 1.0
    @Option(help: "A fault that is left out; may be repeated.") var without: [String] = []
    @Option(help: "A known bug to plant, to see that the checkers see it.") var bug: String?
    @Flag(help: "Real curves in every seed; without it in one of twenty, a keyed hash in the others.") var real = false
    @Flag(help: "Print one JSON object at the end.") var json = false
    @Option(help: "The Schemas folder.") var schemas: String?

    func run() async throws {
        guard (1...34).contains(houses), (1...1_000_000).contains(requests), count >= 1, (0...100).contains(faults), hours.map({ (1...8760).contains($0) }) ?? true
        else { throw Failure.usage("--houses is 1 to 34, --requests 1 to 1000000, --count at least 1, --faults 0 to 100, --hours 1 to 8760") }
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
            options.realCryptography = real || options.seed % 20 == 0
            let start = ContinuousClock.now
            let report = try simulation.run(options)
            summary.add(report, took: ContinuousClock.now - start)
            if count <= 20 || !report.violations.isEmpty { say(SimulationSummary.line(report)) }
            if !report.violations.isEmpty {
                for violation in report.violations.prefix(10) { say("  \(violation)") }
                if planted == nil {
                    for line in try simulation.story(of: report, options) { say("  | \(line)") }
                    say("reproduce with: wasl simulate run --seed \(report.seed) --houses \(houses) --requests \(requests)\(hours.map { " --hours \($0)" } ?? "")\(options.realCryptography ? " --real" : "")")
                }
            } else if count > 100, (index + 1) % 100 == 0 {
                say("\(index + 1) seeds, \(summary.failed.count) failed, \(summary.faultCount) faults")
            }
        }
        print(json ? summary.json.text : summary.text)
        if planted == nil, !summary.failed.isEmpty {
            throw Failure.notAsItShouldBe("\(summary.failed.count) of \(count) seeds broke a promise: see above")
        }
        if let planted, summary.failed.isEmpty {
            throw Failure.notAsItShouldBe("\(planted.rawValue) was not caught within \(count) seeds")
        }
    }
}

/// What many seeds came to.
struct SimulationSummary {
    private var seeds = 0
    private var requests = 0
    private var effects = 0
    private var parked = 0
    private var recognised = 0
    private var rebuilt = 0
    private var simulated: Duration = .zero
    private var took: [Double] = []
    private var faults: [Fault: Int] = [:]
    private(set) var failed: [UInt64] = []
    private var digests: [String] = []

    var faultCount: Int { faults.values.reduce(0, +) }

    mutating func add(_ report: WorldReport, took duration: Duration) {
        seeds += 1
        requests += report.requests
        effects += report.effects
        parked += report.parked
        recognised += report.recognised
        rebuilt += report.rebuilt
        simulated += report.simulated
        took.append(Double(duration.milliseconds) / 1000)
        faults.merge(report.faults, uniquingKeysWith: +)
        if !report.violations.isEmpty { failed.append(report.seed) }
        digests.append(report.digest)
    }

    static func line(_ report: WorldReport) -> String {
        "seed \(report.seed): \(report.violations.isEmpty ? "holds" : "BROKEN"), \(report.requests) orders over \(report.simulated.milliseconds / 3_600_000) hours, \(report.faultCount) faults, digest \(report.digest.prefix(12))"
    }

    private var seconds: Double { took.reduce(0, +) }
    /// A house-day is 60 requests.
    private var houseDaysPerSecond: Double { Double(requests) / 60 / max(seconds, 0.001) }

    var text: String {
        let kinds = Fault.allCases.map { "  \($0.rawValue): \(faults[$0] ?? 0)" }.joined(separator: "\n")
        return """
            \(seeds) seeds, \(requests) orders, \(effects) effects, \(parked) parked, \(simulated.milliseconds / 86_400_000) days in \
            \(String(format: "%.1f", seconds)) s (\(String(format: "%.1f", houseDaysPerSecond)) house-days a second); \(failed.count) broken
            \(recognised) backups recognised, \(rebuilt) journals rebuilt; faults:
            \(kinds)
            """
    }

    var json: JSON {
        [
            "seeds": JSON(seeds), "failed": .array(failed.map { JSON(Int($0)) }), "requests": JSON(requests), "effects": JSON(effects),
            "parked": JSON(parked), "recognised": JSON(recognised), "rebuilt": JSON(rebuilt),
            "seconds": .number((seconds * 1000).rounded() / 1000),
            "secondsMedian": .number((took.sorted()[took.count / 2] * 1000).rounded() / 1000),
            "houseDaysPerSecond": .number((houseDaysPerSecond * 10).rounded() / 10),
            "digest": .string(digests.joined(separator: " ")),
            "faults": .object(JSONObject(Fault.allCases.map { ($0.rawValue, JSON(faults[$0] ?? 0)) })),
        ]
    }
}
