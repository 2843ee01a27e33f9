import CRabbitMQ
import Logging
import Synchronization
import WaslJournal
import WaslModel

/// Consumes queues with a bounded prefetch; acknowledgements come back through a mailbox.
final class AMQPConsumer: ConsumerLink {
    private let driver: ConsumerDriver
    private let thread: ConnectionThread

    init(_ configuration: BrokerConfiguration, name: String, queues: [String], prefetch: Int, logger: Logger, outages: OutageLog) {
        driver = ConsumerDriver(queues: queues, prefetch: prefetch)
        thread = ConnectionThread(configuration, name: name, driver: driver, logger: logger, outages: outages)
    }

    func start(_ handler: @escaping @Sendable (ConsumerEvent) -> Void) {
        driver.setHandler(handler)
        thread.start()
    }

    func acknowledge(through tag: DeliveryTag) {
        driver.leave(tag)
        thread.wake()
    }

    func close() { thread.close() }
}

/// Everything but the mailbox and the handler is touched by the connection's thread alone.
private final class ConsumerDriver: ConnectionDriver, MailHolder, @unchecked Sendable {
    /// A message being put together: its method frame, then its header, then its body.
    private struct Partial {
        let number: UInt64
        let isRedelivered: Bool
        let queue: String
        let exchange: String
        let routingKey: String
        var messageID = ""
        var contentType = ""
        var userID: String?
        var signature: String?
        var bodySize: UInt64?
        var body: [UInt8] = []
        var received: UInt64 = 0
    }

    private let mailbox = Mutex<DeliveryTag?>(nil)
    private var handler: @Sendable (ConsumerEvent) -> Void = { _ in }
    private let queues: [String]
    private let prefetch: Int
    private var generation = 0
    private var isUp = false
    private var partial: Partial?
    private var deliveries: [Delivery] = []

    init(queues: [String], prefetch: Int) {
        self.queues = queues
        self.prefetch = prefetch
    }

    /// Before the thread starts.
    func setHandler(_ handler: @escaping @Sendable (ConsumerEvent) -> Void) { self.handler = handler }

    func leave(_ tag: DeliveryTag) {
        mailbox.withLock { held in
            if let current = held, current.generation > tag.generation { return }
            if let current = held, current.generation == tag.generation, current.number >= tag.number { return }
            held = tag
        }
    }

    var hasMail: Bool { mailbox.withLock { $0 != nil } }

    func opened(_ connection: AMQPConnection) throws {
        generation += 1
        try connection.consume(queues, prefetch: prefetch)
        isUp = true
        handler(.up)
    }

    func work(_ connection: AMQPConnection) throws -> Bool {
        let tag = mailbox.withLock { $0.take() }
        if let tag, tag.generation == generation { try connection.acknowledge(through: tag.number) }
        return false
    }

    func received(_ frame: wasl_frame) throws {
        switch frame.kind {
        case WASL_FRAME_DELIVER:
            partial = Partial(
                number: frame.delivery_tag, isRedelivered: frame.redelivered, queue: string(frame.consumer_tag),
                exchange: string(frame.exchange),
                routingKey: string(frame.routing_key))
        case WASL_FRAME_HEADER:
            guard let properties = frame.properties else { return }
            let signature = wasl_header(properties, "wasl-signature")
            partial?.messageID = string(wasl_message_id(properties))
            partial?.contentType = string(wasl_content_type(properties))
            let user = wasl_user_id(properties)
            partial?.userID = user.len > 0 ? string(user) : nil
            partial?.signature = signature.len > 0 ? string(signature) : nil
            partial?.bodySize = frame.body_size
            finishIfWhole()
        case WASL_FRAME_BODY:
            // One byte more than is allowed tells the parser enough; the rest is counted and not kept.
            let room = Envelope.bytesMax + 1 - (partial?.body.count ?? 0)
            partial?.received += UInt64(frame.fragment.len)
            if room > 0 { partial?.body.append(contentsOf: array(frame.fragment).prefix(room)) }
            finishIfWhole()
        case WASL_FRAME_CANCEL:
            throw BrokerError(.cancelled, "the broker cancelled the consumer: was a queue deleted?")
        case WASL_FRAME_CHANNEL_CLOSE, WASL_FRAME_CONNECTION_CLOSE:
            throw BrokerError(.closed, "the broker closed: \(frame.code) \(string(frame.text))")
        default: break
        }
    }

    private func finishIfWhole() {
        guard let whole = partial, let size = whole.bodySize, whole.received >= size else { return }
        partial = nil
        deliveries.append(
            Delivery(
                tag: DeliveryTag(generation: generation, number: whole.number), queue: whole.queue, exchange: whole.exchange,
                routingKey: whole.routingKey, isRedelivered: whole.isRedelivered, messageID: whole.messageID,
                contentType: whole.contentType, userID: whole.userID, signature: whole.signature, body: whole.body))
    }

    func settle(at now: ContinuousClock.Instant) throws {
        guard !deliveries.isEmpty else { return }
        let batch = deliveries
        deliveries = []
        handler(.deliveries(batch))
    }

    func lost(reason: String) {
        partial = nil
        deliveries = []
        if isUp {
            isUp = false
            handler(.down(reason: reason))
        }
    }
}
