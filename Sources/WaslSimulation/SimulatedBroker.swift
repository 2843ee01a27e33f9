import Foundation
public import WaslJournal
public import WaslModel

/// A broker in memory: the same port, the same promises as the real one, with its failures at the caller's command.
///
/// Everything happens on one serial queue, so that links are called as a connection's thread calls them.
public final class SimulatedBroker: Broker, @unchecked Sendable {
    fileprivate struct Stored {
        let message: OutboundMessage
        let exchange: String
        var isRedelivered = false
    }

    private struct Queue {
        var ready: [Stored] = []
        var consumers: [ObjectIdentifier] = []
    }

    struct Binding {
        let exchange: String
        let queue: String
        let pattern: String
    }

    // Touched on `serial` only.
    private let serial = DispatchQueue(label: "simulated broker")
    private var queues: [String: Queue] = [:]
    private var bindings: [Binding] = []
    private var publishers: [ObjectIdentifier: SimulatedPublisher] = [:]
    private var consumers: [ObjectIdentifier: SimulatedConsumer] = [:]
    private var isUp = true
    private var nacks = 0

    public init() {}

    public func declare(queue: String) { serial.sync { queues[queue] = queues[queue] ?? Queue() } }

    public func bind(_ exchange: Exchange, _ queue: String, _ pattern: String) {
        serial.sync { bindings.append(Binding(exchange: exchange.rawValue, queue: queue, pattern: pattern)) }
    }

    public func publisher(name: String) -> any PublisherLink { SimulatedPublisher(broker: self) }

    public func consumer(name: String, queues: [String], prefetch: Int) -> any ConsumerLink {
        SimulatedConsumer(broker: self, queues: queues, prefetch: prefetch)
    }

    /// Cuts every connection; they come back when `restore` is called.
    public func cut() {
        serial.sync {
            isUp = false
            for publisher in publishers.values { publisher.handler(.down(reason: "cut")) }
            for consumer in consumers.values {
                requeue(consumer)
                consumer.handler(.down(reason: "cut"))
            }
        }
    }

    public func restore() {
        serial.sync {
            isUp = true
            for publisher in publishers.values { publisher.handler(.up) }
            for consumer in consumers.values { attach(consumer) }
            pump()
        }
    }

    /// The next messages are refused (`basic.nack`).
    public func nackNext(_ count: Int) { serial.sync { nacks = count } }

    public func depth(of queue: String) -> Int { serial.sync { queues[queue]?.ready.count ?? 0 } }

    // MARK: What links ask

    fileprivate func add(_ publisher: SimulatedPublisher) {
        serial.async { [self] in
            publishers[ObjectIdentifier(publisher)] = publisher
            if isUp { publisher.handler(.up) }
        }
    }

    fileprivate func remove(_ publisher: SimulatedPublisher) {
        serial.async { [self] in publishers[ObjectIdentifier(publisher)] = nil }
    }

    fileprivate func add(_ consumer: SimulatedConsumer) {
        serial.async { [self] in
            consumers[ObjectIdentifier(consumer)] = consumer
            if isUp { attach(consumer) }
            pump()
        }
    }

    fileprivate func remove(_ consumer: SimulatedConsumer) {
        serial.async { [self] in
            requeue(consumer)
            consumers[ObjectIdentifier(consumer)] = nil
            pump()
        }
    }

    fileprivate func publish(_ messages: [OutboundMessage], from publisher: SimulatedPublisher) {
        serial.async { [self] in
            guard isUp, publishers[ObjectIdentifier(publisher)] != nil else { return }
            publisher.handler(.settled(messages.map { Settlement(token: $0.token, result: route($0)) }))
            pump()
        }
    }

    fileprivate func acknowledge(_ tag: DeliveryTag, _ consumer: SimulatedConsumer) {
        serial.async { [self] in
            guard tag.generation == consumer.generation else { return }
            consumer.unacknowledged.removeAll { $0.number <= tag.number }
            pump()
        }
    }

    // MARK: The broker itself

    private func route(_ message: OutboundMessage) -> Settlement.Result {
        if nacks > 0 {
            nacks -= 1
            return .nacked
        }
        if deliver(message, exchange: message.exchange.rawValue) { return .confirmed }
        if message.exchange.isMandatory { return .returned("312 NO_ROUTE") }
        // The alternate exchange is a fanout.
        for binding in bindings where binding.exchange == Exchange.unroutable.rawValue {
            queues[binding.queue]?.ready.append(Stored(message: message, exchange: message.exchange.rawValue))
        }
        return .confirmed
    }

    private func deliver(_ message: OutboundMessage, exchange: String) -> Bool {
        let matching = Set(
            bindings.filter {
                $0.exchange == exchange && queues[$0.queue] != nil && SimulatedBroker.matches(message.routingKey, $0.pattern)
            }.map(\.queue))
        for queue in matching { queues[queue]?.ready.append(Stored(message: message, exchange: exchange)) }
        return !matching.isEmpty
    }

    /// AMQP topic matching: `*` is one word, `#` any number of them.
    static func matches(_ key: String, _ pattern: String) -> Bool {
        func match(_ words: ArraySlice<Substring>, _ pattern: ArraySlice<Substring>) -> Bool {
            guard let first = pattern.first else { return words.isEmpty }
            if first == "#" {
                return match(words, pattern.dropFirst()) || (!words.isEmpty && match(words.dropFirst(), pattern))
            }
            guard let word = words.first, first == "*" || first == word else { return false }
            return match(words.dropFirst(), pattern.dropFirst())
        }
        return match(
            key.pieces(UInt8(ascii: "."))[...],
            pattern.pieces(UInt8(ascii: "."))[...])
    }

    private func attach(_ consumer: SimulatedConsumer) {
        consumer.generation += 1
        consumer.lastNumber = 0
        for queue in consumer.queueNames where queues[queue]?.consumers.contains(ObjectIdentifier(consumer)) == false {
            queues[queue]?.consumers.append(ObjectIdentifier(consumer))
        }
        consumer.handler(.up)
    }

    private func requeue(_ consumer: SimulatedConsumer) {
        for held in consumer.unacknowledged.reversed() {
            var message = held.stored
            message.isRedelivered = true
            queues[held.queue]?.ready.insert(message, at: 0)
        }
        consumer.unacknowledged = []
        for queue in consumer.queueNames { queues[queue]?.consumers.removeAll { $0 == ObjectIdentifier(consumer) } }
    }

    /// Single active consumer: the first of a queue gets everything, the next waits.
    private func pump() {
        guard isUp else { return }
        for name in queues.keys.sorted() {
            guard let active = queues[name]?.consumers.first, let consumer = consumers[active] else { continue }
            var batch: [Delivery] = []
            while consumer.unacknowledged.count < consumer.prefetch, let stored = queues[name]?.ready.first {
                queues[name]?.ready.removeFirst()
                consumer.lastNumber += 1
                let tag = DeliveryTag(generation: consumer.generation, number: consumer.lastNumber)
                consumer.unacknowledged.append((tag.number, name, stored))
                batch.append(
                    Delivery(
                        tag: tag, queue: name, exchange: stored.exchange, routingKey: stored.message.routingKey,
                        isRedelivered: stored.isRedelivered, messageID: stored.message.messageID,
                        contentType: Envelope.contentType, signature: stored.message.signature, body: stored.message.body))
            }
            if !batch.isEmpty { consumer.handler(.deliveries(batch)) }
        }
    }

    /// One publisher's link.
    fileprivate final class SimulatedPublisher: PublisherLink, @unchecked Sendable {
        let broker: SimulatedBroker
        // Set before the broker knows of the link.
        var handler: @Sendable (PublisherEvent) -> Void = { _ in }

        init(broker: SimulatedBroker) { self.broker = broker }

        func start(_ handler: @escaping @Sendable (PublisherEvent) -> Void) {
            self.handler = handler
            broker.add(self)
        }

        func publish(_ messages: [OutboundMessage]) { broker.publish(messages, from: self) }
        func close() { broker.remove(self) }
    }

    /// One consumer's link.
    fileprivate final class SimulatedConsumer: ConsumerLink, @unchecked Sendable {
        let broker: SimulatedBroker
        let queueNames: [String]
        let prefetch: Int
        // Touched on the broker's serial queue only, the handler excepted, which is set before.
        var handler: @Sendable (ConsumerEvent) -> Void = { _ in }
        var generation = 0
        var lastNumber: UInt64 = 0
        var unacknowledged: [(number: UInt64, queue: String, stored: Stored)] = []

        init(broker: SimulatedBroker, queues: [String], prefetch: Int) {
            self.broker = broker
            queueNames = queues
            self.prefetch = prefetch
        }

        func start(_ handler: @escaping @Sendable (ConsumerEvent) -> Void) {
            self.handler = handler
            broker.add(self)
        }

        func acknowledge(through tag: DeliveryTag) { broker.acknowledge(tag, self) }
        func close() { broker.remove(self) }
    }
}
