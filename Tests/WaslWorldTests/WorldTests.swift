import TestSupport
import Testing
import WaslCatalogue
import WaslSimulation
import WaslWorld

@Suite struct WorldTests {
    private let catalogue: Catalogue

    init() throws { catalogue = try Catalogue(folder: TestWorld.project + "/Schemas") }

    @Test(arguments: 1...6) func aSeedKeepsEveryPromise(_ seed: UInt64) throws {
        let report = try Simulation.run(WorldOptions(seed: seed), catalogue: catalogue)
        #expect(report.violations.isEmpty, "seed \(seed): \(report.violations.prefix(3).map(\.description))")
        #expect(report.faultCount > 0)
    }
}
