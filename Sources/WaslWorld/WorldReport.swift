public import WaslCatalogue
import WaslModel
public import WaslSimulation

/// What one seed came to.
public struct WorldReport: Sendable {
    public let seed: UInt64
    public let requests: Int
    /// Requests that some agency acted on.
    public let effects: Int
    public let faults: [Fault: Int]
    public let violations: [Violation]
    /// Over every message that the broker took, in order: the same seed, the same digest.
    public let digest: String
    public let simulated: Duration
    /// Journals that were known to be put back from a backup.
    public let recognised: Int
    /// Journals that were rebuilt from the ledger's evidence.
    public let rebuilt: Int
    public let parked: Int
    public let findings: Int
    /// What happened to the traced requests.
    public let story: [String]

    public var faultCount: Int { faults.values.reduce(0, +) }
}

/// Runs a world from its seed.
public enum Simulation {
    public static func run(_ options: WorldOptions, catalogue: Catalogue) throws -> WorldReport {
        try World(options, catalogue: catalogue).run()
    }

    /// Runs a failed seed once more, and writes down the story of the requests concerned.
    public static func story(of report: WorldReport, _ options: WorldOptions, catalogue: Catalogue) throws -> [String] {
        var options = options
        options.traced = Set(report.violations.compactMap(\.subject).prefix(3))
        return try run(options, catalogue: catalogue).story
    }
}
