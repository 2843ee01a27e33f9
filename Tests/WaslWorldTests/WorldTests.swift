import TestSupport
import Testing
import WaslCatalogue
import WaslSimulation
import WaslWorld

@Suite struct WorldTests {
    private let simulation: Simulation

    init() throws { simulation = try Simulation(catalogue: try Catalogue(folder: TestWorld.project + "/Schemas")) }

    @Test(arguments: 1...6) func aSeedKeepsEveryPromise(_ seed: UInt64) throws {
        let report = try simulation.run(WorldOptions(seed: seed))
        #expect(report.violations.isEmpty, "seed \(seed): \(report.violations.prefix(3).map(\.description))")
        #expect(report.faultCount > 0)
    }
}
