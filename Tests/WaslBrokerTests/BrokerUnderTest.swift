import Foundation
import Logging
import TestSupport
import Testing
import WaslBroker
import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation

/// One implementation of the broker port with the whole topology on it. Real nodes are started once for all tests.
struct BrokerUnderTest {
    enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case simulated, real, federated
        var testDescription: String { rawValue }
    }

    static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private let kind: Kind
    /// Where houses publish, and where everybody consumes: two nodes when federated.
    private let houses: any BrokerSource
    private let center: any BrokerSource

    init(_ kind: Kind) async throws {
        self.kind = kind
        switch kind {
        case .simulated:
            let source = SimulatedSource()
            (houses, center) = (source, source)
        case .real:
            let node = try await RealNodes.shared.center()
            (houses, center) = (node, node)
        case .federated:
            center = try await RealNodes.shared.center()
            houses = try await RealNodes.shared.regional()
        }
    }

    /// A house publishes at its regional broker; federation carries requests to the center and outcomes back.
    func publish(as user: String) async -> Publishing {
        let isHouse = user == "hydra" || user == "kerker"
        let link = (isHouse ? houses : center).broker(user).publisher(name: "test \(user)")
        let publishing = Publishing(link: link)
        link.start { publishing.events.append($0) }
        await publishing.events.wait(for: "the publishing link of \(user)") { $0.contains(.up) }
        return publishing
    }

    func consume(_ queue: String, as user: String) async -> Consuming {
        let isHouse = queue.hasPrefix("house.")
        let link = (isHouse ? houses : center).broker(user).consumer(name: "test \(user)", queues: [queue], prefetch: 1000)
        let consuming = Consuming(link: link)
        link.start { consuming.events.append($0) }
        await consuming.events.wait(for: "\(user) to consume \(queue)") { $0.contains(.up) }
        return consuming
    }

    func message(_ number: Int, _ exchange: Exchange, _ key: String, body: [UInt8]? = nil) -> OutboundMessage {
        OutboundMessage(
            token: Int64(number), exchange: exchange, routingKey: key, messageID: "\(UUID().uuidString)-\(number)",
            time: Timestamp(milliseconds: 1_700_000_000_000), body: body ?? Array("body \(number) é".utf8), signature: "signature")
    }

    func close(_ links: any TestLink...) async { for link in links { link.closeLink() } }

    func configuration(_ user: String) async -> BrokerConfiguration {
        (center as? RealNode)?.configuration(user) ?? BrokerConfiguration(host: "", port: 1, user: user, password: "")
    }

    func topology() async throws -> (Topology, BrokerManagement) {
        let world = try TestWorld()
        return (Topology(world.registry.registry), try await RealNodes.shared.center().node.management)
    }

    var passwords: [String: String] {
        get async { RealNode.passwords }
    }
}

protocol TestLink { func closeLink() }

final class Publishing: TestLink, Sendable {
    let link: any PublisherLink
    let events = Recorder<PublisherEvent>()

    init(link: any PublisherLink) { self.link = link }

    var settlements: [Settlement] { Self.settlements(events.elements) }

    func settled(_ count: Int) async throws {
        let what = "\(count) settlements"
        guard await events.wait(for: what, until: { Self.settlements($0).count >= count }) else {
            throw WaitedTooLong(what: what)
        }
    }

    private static func settlements(_ events: [PublisherEvent]) -> [Settlement] {
        events.flatMap { if case .settled(let settlements) = $0 { settlements } else { [Settlement]() } }
    }

    func closeLink() { link.close() }
}

final class Consuming: TestLink, Sendable {
    let link: any ConsumerLink
    let events = Recorder<ConsumerEvent>()

    init(link: any ConsumerLink) { self.link = link }

    func delivered(_ count: Int) async throws -> [Delivery] {
        let what = "\(count) deliveries"
        guard await events.wait(for: what, until: { Self.deliveries($0).count >= count }) else {
            throw WaitedTooLong(what: what)
        }
        return Self.deliveries(events.elements)
    }

    private static func deliveries(_ events: [ConsumerEvent]) -> [Delivery] {
        events.flatMap { if case .deliveries(let deliveries) = $0 { deliveries } else { [Delivery]() } }
    }

    func closeLink() { link.close() }
}

protocol BrokerSource: Sendable { func broker(_ user: String) -> any Broker }

private struct SimulatedSource: BrokerSource {
    let simulated = SimulatedBroker()

    init() {
        for queue in ["agency.steg", "agency.sonede", "agency.tt", "house.hydra", "house.kerker", "control.hydra", "unroutable"] {
            simulated.declare(queue: queue)
        }
        for id in ["steg", "sonede", "tt"] { simulated.bind(.requests, "agency.\(id)", "\(id).#") }
        for id in ["hydra", "kerker"] { simulated.bind(.outcomes, "house.\(id)", "\(id).#") }
        simulated.bind(.control, "control.hydra", "hydra.#")
        simulated.bind(.unroutable, "unroutable", "")
    }

    func broker(_ user: String) -> any Broker { simulated }
}

struct RealNode: BrokerSource {
    let node: PrivateNode

    static let passwords = Dictionary(
        uniqueKeysWithValues: ["hydra", "kerker", "steg", "sonede", "tt", "ledger"].map { ($0, "password of \($0) in tests") })

    func configuration(_ user: String) -> BrokerConfiguration {
        var configuration = BrokerConfiguration(
            host: "127.0.0.1", port: node.amqpPort, user: user, password: RealNode.passwords[user] ?? "")
        configuration.reconnectPauseMax = .milliseconds(200)
        return configuration
    }

    func broker(_ user: String) -> any Broker { AMQPBroker(configuration(user), logger: BrokerUnderTest.logger) }
}

/// The nodes of this test run, started when first needed and stopped when the process ends.
actor RealNodes {
    static let shared = RealNodes()
    private var starting: [String: Task<RealNode, any Error>] = [:]
    private let folder = NSTemporaryDirectory() + "/wasl-nodes-\(getpid())"

    func center() async throws -> RealNode { try await node("center", .whole) { _ in } }

    func regional() async throws -> RealNode {
        let center = try await center()
        return try await node("regional", .houses) { regional in
            try await Federation.join(
                regional: regional.management, center: center.node.management, regionalNode: regional, centerNode: center.node)
        }
    }

    private func node(
        _ name: String, _ part: Topology.Part, then: @escaping @Sendable (PrivateNode) async throws -> Void
    ) async throws -> RealNode {
        if let task = starting[name] { return try await task.value }
        let path = "\(folder)/\(name)"
        let task = Task {
            let node = try PrivateNode(folder: path, name: name, plugins: ["rabbitmq_federation", "rabbitmq_federation_management"])
            NodesAtExit.add(node, path)
            try await node.start()
            let world = try TestWorld()
            try await node.management.apply(Topology(world.registry.registry, part: part).definitions(passwords: RealNode.passwords))
            try await then(node)
            return RealNode(node: node)
        }
        starting[name] = task
        return try await task.value
    }
}

enum NodesAtExit {
    nonisolated(unsafe) static var nodes: [(PrivateNode, String)] = []
    static let lock = NSLock()

    static func add(_ node: PrivateNode, _ path: String) {
        lock.withLock {
            if nodes.isEmpty {
                atexit {
                    for (node, path) in NodesAtExit.nodes {
                        node.stop()
                        try? FileManager.default.removeItem(atPath: (path as NSString).deletingLastPathComponent)
                    }
                }
            }
            nodes.append((node, path))
        }
    }
}
