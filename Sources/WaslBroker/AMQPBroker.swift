public import Logging
public import WaslJournal

/// The broker port over AMQP 0-9-1. Publishing and consuming use separate connections: a publisher that the broker holds back
/// must not hold up acknowledgements.
public struct AMQPBroker: Broker {
    private let configuration: BrokerConfiguration
    private let logger: Logger
    private let outages: OutageLog

    public init(_ configuration: BrokerConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        outages = OutageLog(logger)
    }

    public func publisher(name: String) -> any PublisherLink {
        AMQPPublisher(configuration, name: name, logger: logger, outages: outages)
    }

    public func consumer(name: String, queues: [String], prefetch: Int) -> any ConsumerLink {
        AMQPConsumer(configuration, name: name, queues: queues, prefetch: prefetch, logger: logger, outages: outages)
    }
}
