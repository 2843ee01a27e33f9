import Foundation
import Logging
import TestSupport
import Testing
import WaslBroker
import WaslJournal
import WaslModel

/// A node that speaks nothing but TLS, the authority of everybody's certificates, and a stranger's authority.
struct TLSNode {
    let node: PrivateNode
    let folder: String
    let authority: DevelopmentAuthority
    let stranger: DevelopmentAuthority

    /// Agencies have passwords; who else comes, comes by certificate.
    static let passwords = ["steg": "password of steg in TLS tests"]
    /// The one name in the node's certificate.
    static let host = "localhost"

    init(name: String, folder: String, requiresCertificate: Bool) async throws {
        self.folder = folder
        authority = try DevelopmentAuthority(folder: folder + "/authority", name: "Authority of the tests")
        stranger = try DevelopmentAuthority(folder: folder + "/stranger", name: "Stranger's authority")
        try authority.issue(TLSNode.host, .server(names: [TLSNode.host]), to: folder + "/broker")
        var listener = PrivateNode.TLSListener(
            authorityFile: authority.certificateFile, certificateFile: folder + "/broker.pem", keyFile: folder + "/broker.key",
            revocationsFolder: authority.revocationsFolder)
        listener.requiresCertificate = requiresCertificate
        node = try PrivateNode(folder: folder + "/node", name: name, tls: listener)
        NodesAtExit.add(node, folder)
        try await node.start()
        try await node.management.apply(Topology(TestWorld().registry.registry).definitions(passwords: TLSNode.passwords))
    }

    /// A certificate in a file of its own, so that no test takes another's.
    func issue(
        _ commonName: String, by authority: DevelopmentAuthority? = nil, until: Date = Date(timeIntervalSinceNow: 90 * 86_400)
    ) throws -> BrokerConfiguration.TLS.Certificate {
        try (authority ?? self.authority).issue(
            commonName, .client, to: "\(folder)/\(commonName)-\(UUID().uuidString.prefix(8))",
            from: Date(timeIntervalSince1970: 1_600_000_000),
            until: until)
    }

    func configuration(
        _ user: String, _ certificate: BrokerConfiguration.TLS.Certificate?, password: String? = nil
    ) -> BrokerConfiguration {
        var configuration = BrokerConfiguration(
            host: TLSNode.host, port: node.amqpPort, user: user, password: password,
            tls: BrokerConfiguration.TLS(authorityFile: authority.certificateFile, certificate: certificate))
        configuration.reconnectPauseMax = .milliseconds(100)
        return configuration
    }
}

/// Started when first needed, stopped when the process ends.
actor TLSNodes {
    static let shared = TLSNodes()
    private var starting: [Bool: Task<TLSNode, any Error>] = [:]

    /// - Parameter requiresCertificate: `fail_if_no_peer_cert`.
    func node(requiresCertificate: Bool = true) async throws -> TLSNode {
        if let task = starting[requiresCertificate] { return try await task.value }
        let name = requiresCertificate ? "tls" : "tls-lenient"
        let folder = NSTemporaryDirectory() + "/wasl-nodes-\(getpid())/\(name)"
        let task = Task { try await TLSNode(name: name, folder: folder, requiresCertificate: requiresCertificate) }
        starting[requiresCertificate] = task
        return try await task.value
    }
}

/// What a link says: to its owner, and to the log.
enum Happening: Sendable {
    struct Line: Sendable {
        let level: Logger.Level
        let metadata: [String: String]

        var reason: String { metadata["reason"] ?? "" }
    }

    case event(PublisherEvent)
    case line(Line)

    var isUp: Bool { if case .event(.up) = self { true } else { false } }

    /// What an operator reads; tries between are written for debugging only.
    var visible: Line? { if case .line(let line) = self, line.level > .debug { line } else { nil } }
}

struct LogRecorder: LogHandler {
    let happenings: Recorder<Happening>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        happenings.append(.line(.init(level: event.level, metadata: (event.metadata ?? [:]).mapValues { "\($0)" })))
    }
}

/// A publisher and all that it says, in order.
final class LoggedPublisher: TestLink, Sendable {
    let link: any PublisherLink
    let happenings = Recorder<Happening>()

    init(_ configuration: BrokerConfiguration) {
        let logger = Logger(label: "test", factory: { [happenings] _ in LogRecorder(happenings: happenings) })
        link = AMQPBroker(configuration, logger: logger).publisher(name: "tls")
        link.start { [happenings] in happenings.append(.event($0)) }
    }

    var isUp: Bool { happenings.elements.contains(where: \.isUp) }
    var visible: [Happening.Line] { happenings.elements.compactMap(\.visible) }

    /// Returns once it is up, or has said why not.
    func decided() async { await happenings.wait { $0.contains { $0.isUp || $0.visible != nil } } }

    /// Publishes one message once it is up; `nil` where the link says why it is not.
    func settle(_ message: OutboundMessage) async -> Settlement.Result? {
        await decided()
        guard isUp else { return nil }
        link.publish([message])
        await happenings.wait { $0.contains { LoggedPublisher.settlement($0) != nil || $0.visible != nil } }
        return happenings.elements.compactMap(LoggedPublisher.settlement).first
    }

    private static func settlement(_ happening: Happening) -> Settlement.Result? {
        if case .event(.settled(let settlements)) = happening { settlements.first?.result } else { nil }
    }

    func closeLink() { link.close() }
}
