import WaslModel
public import WaslSeal

/// Exchanges, queues, bindings, users and permissions of the wire contract, section 2, for the participants of a registry.
///
/// One description serves two ends: it is applied as one RabbitMQ definitions document, and compared with what a broker has.
public struct Topology: Sendable {
    public static let virtualHost = "wasl"

    public struct Binding: Sendable, Hashable {
        public let source: String
        public let queue: String
        public let routingKey: String
    }

    /// The tag by which users of ours are known on a broker that others use too.
    public static let userTag = "wasl-participant"

    /// With this user the ledger looks at queues and bindings each minute. It reads and writes no message; the point keeps its name apart
    /// from every participant's.
    public static let monitorUser = "wasl.monitor"

    public struct Permission: Sendable, Hashable {
        public let user: String
        public let tags: [String]
        public let write: String
        public let read: String
    }

    public struct TopicPermission: Sendable, Hashable {
        public let user: String
        public let exchange: String
        public let write: String
    }

    /// Which part of the topology a broker holds: all of it, or with federation one side.
    public enum Part: String, Sendable, CaseIterable {
        case whole
        /// A regional broker: the houses and their queues.
        case houses
        /// The center beside regional brokers: agencies and ledger.
        case center
    }

    public let queues: [String]
    public let bindings: [Binding]
    public let permissions: [Permission]
    public let topicPermissions: [TopicPermission]
    /// Every participant of the registry, whatever its state and part.
    let registered: Set<String>
    /// Those that may log in somewhere.
    let active: Set<String>

    public init(_ registry: Registry, part: Part = .whole) {
        let hasCenter = part != .houses
        let known = registry.participants(.house).map(\.id.text)
        let houses = part == .center ? [] : known
        let agencies = hasCenter ? registry.participants(.agency).map(\.id.text) : []
        let all = houses + agencies + (hasCenter ? [ParticipantID.ledger.text] : [])
        queues =
            agencies.map { "agency.\($0)" } + houses.map { "house.\($0)" } + all.map { "control.\($0)" }
            + (hasCenter ? ["ledger", "unroutable", "dead"] : [])

        var bindings: [Binding] = []
        func bind(_ exchange: Exchange, _ queue: String, _ key: String) {
            bindings.append(Binding(source: exchange.rawValue, queue: queue, routingKey: key))
        }
        for id in agencies {
            bind(.requests, "agency.\(id)", "\(id).#")
            // Not a plain `#`: that would make every message routable and hide what no participant takes.
            bind(.requests, "ledger", "\(id).#")
        }
        for id in houses { bind(.outcomes, "house.\(id)", "\(id).#") }
        for id in all { bind(.control, "control.\(id)", "\(id).#") }
        if hasCenter {
            for id in known { bind(.outcomes, "ledger", "\(id).#") }
            bind(.receipts, "ledger", "#")
            bind(.unroutable, "unroutable", "")
            bind(.dead, "dead", "#")
        }
        self.bindings = bindings

        // A suspended participant keeps its queues, so that nothing meant for it is lost, and loses its voice.
        let active = Set(registry.participants.values.filter { $0.state == .active }.map(\.id.text))
        var permissions: [Permission] = []
        var topics: [TopicPermission] = []
        func allow(_ id: String, writes: [Exchange: String], reads: [String]) {
            guard active.contains(id), all.contains(id) else { return }
            permissions.append(
                Permission(
                    user: id, tags: [Topology.userTag], write: Topology.anyOf(writes.keys.map(\.rawValue).sorted()),
                    read: Topology.anyOf(reads)))
            for (exchange, pattern) in writes {
                topics.append(TopicPermission(user: id, exchange: exchange.rawValue, write: pattern))
            }
        }
        for id in houses {
            allow(
                id, writes: [.requests: "^[^.]+\\.[^.]+\\.\(id)$", .receipts: "^\(id)\\."],
                reads: ["house.\(id)", "control.\(id)"])
        }
        for id in agencies {
            allow(
                id, writes: [.outcomes: "^[^.]+\\.\(id)\\.[^.]+$", .receipts: "^\(id)\\."],
                reads: ["agency.\(id)", "control.\(id)"])
        }
        allow(
            ParticipantID.ledger.text, writes: [.control: "^[^.]+\\.[^.]+$", .receipts: "^ledger\\."],
            reads: ["ledger", "unroutable", "dead", "control.ledger"])
        if hasCenter {
            permissions.append(
                Permission(user: Topology.monitorUser, tags: ["monitoring", Topology.userTag], write: "^$", read: "^$"))
        }
        self.permissions = permissions
        self.active = active
        registered = Set(registry.participants.keys.map(\.text))
        topicPermissions = topics
    }

    private static func anyOf(_ names: [String]) -> String {
        "^(" + names.map { $0.split(separator: ".").joined(separator: "\\.") }.joined(separator: "|") + ")$"
    }

    static func exchangeType(_ exchange: Exchange) -> String { exchange == .unroutable ? "fanout" : "topic" }

    static func exchangeArguments(_ exchange: Exchange) -> JSON {
        exchange == .requests || exchange == .outcomes
            ? ["alternate-exchange": .string(Exchange.unroutable.rawValue)] : [:]
    }

    /// Consumers never nack and there is no delivery limit, so dead letters are an accident; at-least-once keeps even those.
    static func queueArguments(_ queue: String) -> JSON {
        var arguments: JSONObject = ["x-queue-type": "quorum", "x-single-active-consumer": true]
        if queue != "dead" {
            arguments["x-dead-letter-exchange"] = .string(Exchange.dead.rawValue)
            arguments["x-dead-letter-strategy"] = "at-least-once"
            arguments["x-overflow"] = "reject-publish"
        }
        return .object(arguments)
    }
}
