import GRDB
import WaslAgency
public import WaslCatalogue
import WaslHouse
import WaslJournal
import WaslLedger
import WaslModel
public import WaslSimulation

/// What one seed came to.
public struct WorldReport: Sendable {
    public let seed: UInt64
    public let requests: Int
    /// Requests that some agency acted on.
    public let effects: Int
    /// Lies told, by kind.
    public let lies: [Lie: Int]
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

/// Runs worlds from their seeds.
public struct Simulation {
    private let catalogue: Catalogue
    private let templates: [Role: DatabaseQueue]

    public init(catalogue: Catalogue) throws {
        self.catalogue = catalogue
        templates = [
            .house: try MemoryDisk.template(migrations: HouseSchema.register),
            .agency: try MemoryDisk.template(migrations: AgencySchema.register),
            .ledger: try MemoryDisk.template(migrations: LedgerSchema.register),
        ]
    }

    public func run(_ options: WorldOptions) throws -> WorldReport {
        try World(options, catalogue: catalogue, templates: templates).run()
    }

    /// Runs a failed seed once more, and writes down the story of the requests concerned.
    public func story(of report: WorldReport, _ options: WorldOptions) throws -> [String] {
        var options = options
        options.traced = Set(report.violations.compactMap(\.subject).prefix(3))
        return try run(options).story
    }
}
