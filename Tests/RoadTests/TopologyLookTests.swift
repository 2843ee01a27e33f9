import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import TestSupport
import Testing
import WaslBroker
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslSimulation

@testable import WaslLedger

/// A ledger that looks at a real broker by the user that may only look.
@Suite(.timeLimit(.minutes(2))) struct TopologyLookTests {
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
        let ledger = try makeLedger(world) { registry in
            let seen = try await monitor.queuesAndBindings()
            return Topology(registry).differences(queues: seen.queues, bindings: seen.bindings)
        }
        let running = Task { await ledger.run() }
        let found = try await differences(of: ledger, for: "the deleted queue to be named") { $0.count == 2 }
        #expect(
            found == [
                "binding wasl.outcomes -> house.hydra by `hydra.#`: missing", "queue house.hydra: missing",
            ])
        try await node.management.apply(topology, passwords: [Topology.monitorUser: password])
        #expect(try await differences(of: ledger, for: "the findings to be cleared") { $0.isEmpty } == [])
        running.cancel()
        await running.value
    }

    private func makeLedger(_ world: TestWorld, _ differences: Ledger.TopologyDifferences? = nil) throws -> Ledger {
        try Ledger(
            Ledger.Parts(
                journalPath: world.folder + "/ledger.sqlite", headPath: world.folder + "/ledger.head", keys: world.keys["ledger"]!,
                registry: world.registry, catalogue: CatalogueHolder(world.catalogue), times: LedgerTimes(), version: "test",
                topologyDifferences: differences), broker: SimulatedBroker(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    @Test func anOperatorsReportIsTakenAndTheNextOneClearsIt() async throws {
        let world = try TestWorld()
        let ledger = try makeLedger(world)
        let token = "a token of sixteen characters"
        let router = ledger.router(token: token, hosts: [], description: "{}")
        try await Application(router: router).test(.live) { client in
            func report(_ body: String, token: String) async throws -> Int {
                try await client.execute(
                    uri: "/v1/topology-report", method: .post,
                    headers: [.authorization: "Bearer \(token)", .contentType: "application/json"], body: ByteBuffer(string: body)
                ) { Int($0.status.code) }
            }
            let whole = #"{"broker":"http://127.0.0.1:15672","differences":["user kerker: missing"]}"#
            let withAnotherToken = try await report(whole, token: "another token of sixteen")
            #expect(withAnotherToken == 401)
            for broken in [
                "{}", #"{"broker":"http://x","differences":"all"}"#, #"{"broker":"http://x","differences":[1]}"#,
                #"{"broker":"two words","differences":[]}"#, #"{"differences":[]}"#,
            ] {
                #expect(try await report(broken, token: token) == 422, "\(broken)")
            }
            #expect(try await differences(ledger) == [])
            #expect(try await report(whole, token: token) == 200)
            #expect(try await differences(ledger) == ["user kerker: missing"])
            #expect(try await report(#"{"broker":"http://127.0.0.1:15672","differences":[]}"#, token: token) == 200)
            #expect(try await differences(ledger) == [])
        }
    }

    private func differences(_ ledger: Ledger) async throws -> [String] {
        let findings = try await ledger.journal.read {
            try LedgerQueries.findings($0, state: "open", kind: FindingClass.topologyChanged.rawValue, after: 0, limit: 100)
        }
        return (findings["findings"]?.array ?? []).compactMap { $0["evidence"]?["difference"]?.string }.sorted()
    }

    private func differences(
        of ledger: Ledger, for what: String, until isThere: @escaping @Sendable ([String]) -> Bool
    ) async throws -> [String] {
        try await waiting(for: what) {
            while true {
                let version = ledger.changes.version
                let found = try await differences(ledger)
                if isThere(found) { return found }
                await ledger.changes.wait(past: version)
            }
        }
    }
}
