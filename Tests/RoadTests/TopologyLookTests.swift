import Foundation
import Logging
import TestSupport
import Testing
import WaslBroker
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslSimulation

@testable import WaslLedger

/// A ledger that looks at a real broker by the user that may only look.
@Suite struct TopologyLookTests {
    @Test func aDeletedQueueIsAFindingWithinALookAndClearedOnceItIsThereAgain() async throws {
        let world = try TestWorld()
        let folder = try TestWorld.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let node = try PrivateNode(folder: folder + "/node", name: "look")
        defer { node.stop() }
        try await node.start()
        let password = "password of the monitor in tests"
        let topology = Topology(world.registry.registry)
        try await node.management.apply(topology, passwords: [Topology.monitorUser: password])
        try await node.management.call(.delete, "/api/queues/wasl/house.hydra")

        let monitor = BrokerManagement(
            address: "http://127.0.0.1:\(node.managementPort)", user: Topology.monitorUser, password: password)
        let ledger = try Ledger(
            Ledger.Parts(
                journalPath: world.folder + "/ledger.sqlite", headPath: world.folder + "/ledger.head", keys: world.keys["ledger"]!,
                registry: world.registry, catalogue: CatalogueHolder(world.catalogue), times: LedgerTimes(), version: "test",
                topologyDifferences: { registry in
                    let seen = try await monitor.queuesAndBindings()
                    return Topology(registry).differences(queues: seen.queues, bindings: seen.bindings)
                }), broker: SimulatedBroker(), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let running = Task { await ledger.run() }
        let found = try await keys(of: ledger, for: "the deleted queue to be named") { $0.count == 2 }
        #expect(
            found == [
                "ledger binding wasl.outcomes -> house.hydra by `hydra.#`: missing", "ledger queue house.hydra: missing",
            ])
        try await node.management.apply(topology, passwords: [Topology.monitorUser: password])
        #expect(try await keys(of: ledger, for: "the findings to be cleared") { $0.isEmpty } == [])
        running.cancel()
        await running.value
    }

    private func keys(of ledger: Ledger, for what: String, until isThere: @escaping @Sendable ([String]) -> Bool) async throws -> [String] {
        try await waiting(for: what) {
            while true {
                let version = ledger.changes.version
                let findings = try await ledger.journal.read {
                    try LedgerQueries.findings($0, state: "open", kind: FindingClass.topologyChanged.rawValue, after: 0, limit: 100)
                }
                let keys = (findings["findings"]?.array ?? []).compactMap { $0["evidence"]?["difference"]?.string }.sorted()
                if isThere(keys) { return keys.map { "ledger \($0)" } }
                await ledger.changes.wait(past: version)
            }
        }
    }
}
