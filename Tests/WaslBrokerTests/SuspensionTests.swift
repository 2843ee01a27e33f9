import Foundation
import TestSupport
import Testing
import WaslBroker
import WaslJournal
import WaslModel
import WaslSeal

/// A node of its own: what is done here to users would disturb every other test.
private final class SuspensionNode: Sendable {
    let node: PrivateNode
    let world: TestWorld
    private let folder: String
    static let monitorPassword = "password of the monitor in tests"

    init() async throws {
        world = try TestWorld()
        folder = try TestWorld.makeFolder()
        node = try PrivateNode(folder: folder + "/node", name: "suspension")
        do { try await node.start() } catch {
            node.stop()
            throw error
        }
    }

    deinit {
        node.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    var real: RealNode { RealNode(node: node) }

    @discardableResult
    func apply(_ registry: Registry) async throws -> [RemovedUser] {
        var passwords = RealNode.passwords
        passwords[Topology.monitorUser] = SuspensionNode.monitorPassword
        return try await node.management.apply(Topology(registry), passwords: passwords)
    }

    func publisher(_ user: String) async -> Publishing {
        let link = real.broker(user).publisher(name: "test \(user)")
        let publishing = Publishing(link: link)
        link.start { publishing.events.append($0) }
        await publishing.events.wait { $0.contains(.up) }
        return publishing
    }
}

extension Recorder where Element == PublisherEvent {
    var hasGoneDown: Bool { elements.contains(where: Self.isDown) }
    static func isDown(_ event: PublisherEvent) -> Bool { if case .down = event { true } else { false } }
}

@Suite(.serialized, .timeLimit(.minutes(3))) struct SuspensionTests {
    private func message(_ number: Int, from house: String) -> OutboundMessage {
        OutboundMessage(
            token: Int64(number), exchange: .requests, routingKey: "steg.steg-bill-view.\(house)", messageID: "\(house)-\(number)",
            time: TestWorld.start, body: Array("body".utf8), signature: "signature")
    }

    @Test func aSuspendedParticipantIsCutOffWithinTenSecondsAndComesBackWhenItMay() async throws {
        let test = try await SuspensionNode()
        let world = test.world
        try await test.apply(world.registry.registry)
        let suspended = await test.publisher("hydra")
        let other = await test.publisher("kerker")
        suspended.link.publish([message(1, from: "hydra")])
        try await suspended.settled(1)

        let registry = try registry(of: world, suspending: "hydra")
        let start = ContinuousClock.now
        let removed = try await test.apply(registry)
        await suspended.events.wait { $0.contains(where: Recorder<PublisherEvent>.isDown) }
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(removed.map(\.name) == ["hydra"])
        #expect(removed.first?.connectionsClosed == 1 && removed.first?.connectionsUnanswered == 0, "\(removed)")

        // The link tries to log in again by itself, all the time: it must not succeed, and nothing of it may be left.
        let management = test.node.management
        let users = try await management.definitions()["users"]?.array?.compactMap { $0["name"]?.string } ?? []
        #expect(!users.contains("hydra") && users.contains("kerker") && users.contains(PrivateNode.adminUser))
        #expect(Topology(registry).differences(from: try await management.definitions()) == [])
        other.link.publish([message(1, from: "kerker")])
        try await other.settled(1)
        #expect(!other.events.hasGoneDown, "another participant's connection lives on")
        #expect(suspended.events.elements.count(where: { $0 == .up }) == 1)

        try await test.apply(world.registry.registry)
        await suspended.events.wait { $0.count(where: { $0 == .up }) == 2 }
        suspended.link.publish([message(2, from: "hydra")])
        try await suspended.settled(2)
        suspended.closeLink()
        other.closeLink()
    }

    @Test func aRemovedParticipantsUserGoesAndForeignOnesStay() async throws {
        let test = try await SuspensionNode()
        try await test.apply(test.world.registry.registry)
        let management = test.node.management
        try await management.call(.put, "/api/users/watcher", body: ["password": "x", "tags": "monitoring"])
        let removed = try await test.apply(try registry(of: test.world, without: "kerker"))
        #expect(removed == [RemovedUser(name: "kerker", connectionsClosed: 0, connectionsUnanswered: 0)])
        let definitions = try await management.definitions()
        let users = definitions["users"]?.array?.compactMap { $0["name"]?.string } ?? []
        #expect(!users.contains("kerker") && users.contains("watcher"))
        let permitted = definitions["permissions"]?.array?.compactMap { $0["user"]?.string } ?? []
        #expect(!permitted.contains("kerker"))
    }

    @Test func theMonitoringUserSeesQueuesAndBindingsAndChangesNothing() async throws {
        let test = try await SuspensionNode()
        let topology = Topology(test.world.registry.registry)
        try await test.apply(test.world.registry.registry)
        let monitor = BrokerManagement(
            address: "http://127.0.0.1:\(test.node.managementPort)", user: Topology.monitorUser, password: SuspensionNode.monitorPassword)
        var seen = try await monitor.queuesAndBindings()
        #expect(topology.differences(queues: seen.queues, bindings: seen.bindings) == [])
        await #expect(throws: BrokerError.self) { try await monitor.call(.delete, "/api/queues/wasl/house.hydra") }
        await #expect(throws: BrokerError.self) { try await monitor.definitions() }
        try await test.node.management.call(.delete, "/api/queues/wasl/house.hydra")
        seen = try await monitor.queuesAndBindings()
        #expect(
            topology.differences(queues: seen.queues, bindings: seen.bindings) == [
                "queue house.hydra: missing", "binding wasl.outcomes -> house.hydra by `hydra.#`: missing",
            ])
    }
}
