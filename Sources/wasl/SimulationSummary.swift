import Foundation
import WaslModel
import WaslWorld

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
    private var lies: [Lie: Int] = [:]
    private(set) var failed: [UInt64] = []
    private var digests: [String] = []

    var faultCount: Int { faults.values.reduce(0, +) }
    var untold: [Lie] { Lie.allCases.filter { lies[$0] == nil } }

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
        lies.merge(report.lies, uniquingKeysWith: +)
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
        let told =
            lies.isEmpty ? "" : "\nlies told:\n" + Lie.allCases.map { "  \($0.rawValue): \(lies[$0] ?? 0)" }.joined(separator: "\n")
        return """
            \(seeds) seeds, \(requests) orders, \(effects) effects, \(parked) parked, \(simulated.milliseconds / 86_400_000) days in \
            \(String(format: "%.1f", seconds)) s (\(String(format: "%.1f", houseDaysPerSecond)) house-days a second); \(failed.count) broken
            \(recognised) backups recognised, \(rebuilt) journals rebuilt; faults:
            \(kinds)\(told)
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
            "lies": .object(JSONObject(Lie.allCases.compactMap { lie in lies[lie].map { (lie.rawValue, JSON($0)) } })),
            "faults": .object(JSONObject(Fault.allCases.map { ($0.rawValue, JSON(faults[$0] ?? 0)) })),
        ]
    }
}
