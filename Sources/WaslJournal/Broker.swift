public import WaslModel

/// The port to the message broker. The real one speaks AMQP; the simulated one lives in memory. One conformance suite holds both.
///
/// Every handler is called from the link's own thread and must return quickly; it may call the link again.
public protocol Broker: Sendable {
    func publisher(name: String) -> any PublisherLink
    func consumer(name: String, queues: [String], prefetch: Int) -> any ConsumerLink
}

/// One message on its way out: exact bytes, never encoded again.
public struct OutboundMessage: Sendable, Hashable {
    /// The publisher's own name for it, given back when it is settled.
    public let token: Int64
    public let exchange: Exchange
    public let routingKey: String
    public let messageID: String
    public let time: Timestamp
    public let body: [UInt8]
    public let signature: String

    public init(
        token: Int64, exchange: Exchange, routingKey: String, messageID: String, time: Timestamp, body: [UInt8],
        signature: String
    ) {
        self.token = token
        self.exchange = exchange
        self.routingKey = routingKey
        self.messageID = messageID
        self.time = time
        self.body = body
        self.signature = signature
    }
}

extension OutboundMessage {
    /// The same message beside the window: nobody waits for its confirmation.
    package var again: OutboundMessage { again(as: 0) }

    func again(as token: Int64) -> OutboundMessage {
        OutboundMessage(
            token: token, exchange: exchange, routingKey: routingKey, messageID: messageID, time: time, body: body,
            signature: signature)
    }
}

/// What became of a published message.
public struct Settlement: Sendable, Hashable {
    public enum Result: Sendable, Hashable {
        /// The broker has it, durably.
        case confirmed
        /// The broker could not keep it.
        case nacked
        /// No queue took it, though it was mandatory.
        case returned(String)

        var isReturned: Bool { if case .returned = self { true } else { false } }
    }

    public let token: Int64
    public let result: Result

    public init(token: Int64, result: Result) {
        self.token = token
        self.result = result
    }
}

public enum PublisherEvent: Sendable, Hashable {
    /// Connected: publish from here on. Nothing that was published before counts as settled.
    case up
    case settled([Settlement])
    /// Everything not settled is lost or unknown: publish it again when the link is up.
    case down(reason: String)
    /// The broker asks publishers to hold back (`connection.blocked`). The link holds what it was given.
    case blocked(reason: String)
    case unblocked
}

public protocol PublisherLink: AnyObject, Sendable {
    func start(_ handler: @escaping @Sendable (PublisherEvent) -> Void)
    /// Never blocks. What is handed over while the link is down is dropped: `up` asks for it again.
    func publish(_ messages: [OutboundMessage])
    func close()
}

/// Which delivery of which connection: acknowledging one of an earlier connection has no effect.
public struct DeliveryTag: Sendable, Hashable {
    public let generation: Int
    public let number: UInt64

    public init(generation: Int, number: UInt64) {
        self.generation = generation
        self.number = number
    }
}

/// One message that arrived, as the broker handed it over: nothing in it is trusted yet.
public struct Delivery: Sendable, Hashable {
    public let tag: DeliveryTag
    /// The queue that it came from.
    public let queue: String
    /// Where it was published; by a dead-letter exchange, that one.
    public let exchange: String
    public let routingKey: String
    public let isRedelivered: Bool
    public let messageID: String
    public let contentType: String
    /// Property `user-id`; `nil` where absent. The broker takes no other than that of the user who publishes.
    public let userID: String?
    /// Header `wasl-signature`; `nil` where absent.
    public let signature: String?
    public let body: [UInt8]

    public init(
        tag: DeliveryTag, queue: String, exchange: String, routingKey: String, isRedelivered: Bool, messageID: String,
        contentType: String, userID: String? = nil, signature: String?, body: [UInt8]
    ) {
        self.tag = tag
        self.queue = queue
        self.exchange = exchange
        self.routingKey = routingKey
        self.isRedelivered = isRedelivered
        self.messageID = messageID
        self.contentType = contentType
        self.userID = userID
        self.signature = signature
        self.body = body
    }

    /// Whose user put it on the broker, as far as the broker says.
    public var carrier: ParticipantID? { Delivery.carrier(exchange: exchange, routingKey: routingKey, userID: userID) }

    /// By `user-id`, else by the part of the routing key that the broker's permissions hold to the user.
    public static func carrier(exchange: String, routingKey: String, userID: String?) -> ParticipantID? {
        if let userID { return ParticipantID(userID) }
        let place: Int? =
            switch Exchange(rawValue: exchange) {
            case .requests: 2
            case .outcomes: 1
            case .receipts: 0
            default: nil
            }
        let words = routingKey.split(separator: ".", omittingEmptySubsequences: false)
        return place.flatMap { $0 < words.count ? ParticipantID(String(words[$0])) : nil }
    }
}

public enum ConsumerEvent: Sendable, Hashable {
    case up
    case deliveries([Delivery])
    case down(reason: String)
}

public protocol ConsumerLink: AnyObject, Sendable {
    func start(_ handler: @escaping @Sendable (ConsumerEvent) -> Void)
    /// Acknowledges this delivery and every earlier one of the same connection.
    func acknowledge(through tag: DeliveryTag)
    func close()
}
