import Foundation
import TestSupport
import Testing
import WaslBroker
import WaslJournal
import WaslModel
import WaslSimulation

/// One after the other: the tests share the real nodes.
@Suite(.serialized) enum BrokerTests {}

extension BrokerTests {
    /// What every implementation of the broker port must keep. Each test takes its implementations from ``BrokerUnderTest``.
    @Suite(.serialized) struct Conformance {}

    /// What only a real broker can refuse.
    @Suite(.serialized) struct Permissions {}
}

extension BrokerTests.Conformance {
    @Test(arguments: BrokerUnderTest.Kind.allCases) func everyPublishIsConfirmedAndDeliveredInOrder(
        _ kind: BrokerUnderTest.Kind
    ) async throws {
        let broker = try await BrokerUnderTest(kind)
        let consumer = await broker.consume("agency.steg", as: "steg")
        let publisher = await broker.publish(as: "hydra")
        let messages = (1...300).map { broker.message($0, .requests, "steg.steg-bill-view.hydra") }
        publisher.link.publish(messages)
        try await publisher.settled(300)
        #expect(publisher.settlements.allSatisfy { $0.result == .confirmed })
        #expect(publisher.settlements.map(\.token).sorted() == Array(1...300))
        let deliveries = try await consumer.delivered(300)
        #expect(deliveries.map(\.messageID) == messages.map(\.messageID))
        #expect(deliveries.map(\.body) == messages.map(\.body))
        #expect(deliveries.allSatisfy { $0.signature == "signature" && $0.contentType == Envelope.contentType })
        #expect(deliveries.allSatisfy { $0.exchange == "wasl.requests" && $0.routingKey == "steg.steg-bill-view.hydra" })
        #expect(deliveries.allSatisfy { $0.userID == (kind == .simulated ? nil : "hydra") })
        consumer.link.acknowledge(through: deliveries[299].tag)
        await broker.close(consumer, publisher)
    }

    @Test(arguments: BrokerUnderTest.Kind.allCases) func whatIsNotAcknowledgedComesAgain(_ kind: BrokerUnderTest.Kind) async throws {
        let broker = try await BrokerUnderTest(kind)
        let first = await broker.consume("agency.tt", as: "tt")
        let publisher = await broker.publish(as: "hydra")
        publisher.link.publish((1...5).map { broker.message($0, .requests, "tt.tt-bill-pay.hydra") })
        let deliveries = try await first.delivered(5)
        first.link.acknowledge(through: deliveries[1].tag)
        // An acknowledgement is not answered; what is published after it and delivered shows that it was taken.
        await broker.close(first)
        let second = await broker.consume("agency.tt", as: "tt")
        let again = try await second.delivered(3)
        #expect(Set(again.map(\.messageID)).isSuperset(of: deliveries[2...].map(\.messageID)))
        #expect(again.allSatisfy { $0.isRedelivered })
        second.link.acknowledge(through: again[again.count - 1].tag)
        await broker.close(second, publisher)
    }

    @Test(arguments: BrokerUnderTest.Kind.allCases) func aRequestThatNoQueueTakesGoesToUnroutable(_ kind: BrokerUnderTest.Kind) async throws
    {
        let broker = try await BrokerUnderTest(kind)
        let ledger = await broker.consume("unroutable", as: "ledger")
        let publisher = await broker.publish(as: "hydra")
        publisher.link.publish([broker.message(1, .requests, "nobody.x.hydra")])
        try await publisher.settled(1)
        #expect(publisher.settlements[0].result == .confirmed)
        let deliveries = try await ledger.delivered(1)
        #expect(deliveries[0].routingKey == "nobody.x.hydra")
        #expect(deliveries[0].queue == "unroutable")
        ledger.link.acknowledge(through: deliveries[0].tag)
        await broker.close(ledger, publisher)
    }

    @Test(arguments: BrokerUnderTest.Kind.allCases) func aCommandThatNoQueueTakesIsReturned(_ kind: BrokerUnderTest.Kind) async throws {
        let broker = try await BrokerUnderTest(kind)
        let publisher = await broker.publish(as: "ledger")
        publisher.link.publish([
            broker.message(1, .control, "hydra.resend"), broker.message(2, .control, "nobody.resend"),
            broker.message(3, .control, "hydra.resend"),
        ])
        try await publisher.settled(3)
        let results = Dictionary(uniqueKeysWithValues: publisher.settlements.map { ($0.token, $0.result) })
        #expect(results[1] == .confirmed && results[3] == .confirmed)
        guard case .returned(let reason)? = results[2] else {
            Issue.record("expected a return, found \(String(describing: results[2]))")
            return
        }
        #expect(reason.contains("NO_ROUTE"))
        await broker.close(publisher)
    }

    @Test(arguments: BrokerUnderTest.Kind.allCases) func aBodyOfTheGreatestSizeSurvives(_ kind: BrokerUnderTest.Kind) async throws {
        let broker = try await BrokerUnderTest(kind)
        let consumer = await broker.consume("house.kerker", as: "kerker")
        let publisher = await broker.publish(as: "steg")
        let body = (0..<Envelope.bytesMax).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        publisher.link.publish([broker.message(1, .outcomes, "kerker.steg.steg-bill-view", body: body)])
        let deliveries = try await consumer.delivered(1)
        #expect(deliveries[0].body == body)
        consumer.link.acknowledge(through: deliveries[0].tag)
        await broker.close(consumer, publisher)
    }

    @Test(arguments: BrokerUnderTest.Kind.allCases) func theSecondConsumerOfAQueueWaits(_ kind: BrokerUnderTest.Kind) async throws {
        let broker = try await BrokerUnderTest(kind)
        let active = await broker.consume("agency.sonede", as: "sonede")
        let waiting = await broker.consume("agency.sonede", as: "sonede")
        let publisher = await broker.publish(as: "hydra")
        publisher.link.publish((1...10).map { broker.message($0, .requests, "sonede.sonede-bill-pay.hydra") })
        let deliveries = try await active.delivered(10)
        #expect(waiting.events.elements.allSatisfy { $0 == .up })
        active.link.acknowledge(through: deliveries[9].tag)
        await broker.close(active)
        publisher.link.publish([broker.message(11, .requests, "sonede.sonede-bill-pay.hydra")])
        let taken = try await waiting.delivered(1)
        waiting.link.acknowledge(through: taken[taken.count - 1].tag)
        await broker.close(waiting, publisher)
    }
}

extension BrokerTests.Permissions {
    private func refusal(
        user: String, speakingAs: String? = nil, _ exchange: Exchange, _ key: String
    ) async throws -> String {
        let broker = try await BrokerUnderTest(.real)
        var configuration = await broker.configuration(user)
        if let speakingAs { configuration.messageUser = speakingAs }
        let link = AMQPBroker(configuration, logger: BrokerUnderTest.logger).publisher(name: "test")
        let events = Recorder<PublisherEvent>()
        link.start { events.append($0) }
        await events.wait(for: "the link of \(user)") { $0.contains(.up) }
        link.publish([broker.message(1, exchange, key)])
        await events.wait(for: "the broker to close the link of \(user)") { $0.contains { if case .down = $0 { true } else { false } } }
        link.close()
        for case .down(let reason) in events.elements { return reason }
        return ""
    }

    @Test func anothersUserIDIsRefused() async throws {
        let reason = try await refusal(user: "hydra", speakingAs: "kerker", .requests, "steg.x.hydra")
        #expect(reason.contains("406") && reason.contains("user_id"), "\(reason)")
    }

    @Test func anothersRoutingKeyIsRefused() async throws {
        let reason = try await refusal(user: "hydra", .requests, "steg.steg-bill-view.kerker")
        #expect(reason.contains("403"), "\(reason)")
    }

    @Test func anothersExchangeIsRefused() async throws {
        #expect(try await refusal(user: "hydra", .outcomes, "hydra.steg.steg-bill-view").contains("403"))
        #expect(try await refusal(user: "steg", .control, "hydra.resend").contains("403"))
    }

    @Test func anothersQueueIsRefused() async throws {
        let broker = try await BrokerUnderTest(.real)
        let log = Recorder<String>()
        let link = AMQPBroker(await broker.configuration("hydra"), logger: RecordingLog.logger(log))
            .consumer(name: "test", queues: ["house.kerker"], prefetch: 1)
        let events = Recorder<ConsumerEvent>()
        link.start { events.append($0) }
        // The refusal itself, so that what follows is no mere lateness.
        await log.wait(for: "the broker to refuse the queue") { $0.contains { $0.contains("403") } }
        #expect(events.elements.isEmpty, "the refused consumer never comes up")
        link.close()
    }

    @Test func topologyCheckNamesWhatDiffers() async throws {
        let broker = try await BrokerUnderTest(.real)
        let (topology, management) = try await broker.topology()
        #expect(topology.differences(from: try await management.definitions()).isEmpty)
        try await management.call(.delete, "/api/queues/wasl/control.tt")
        try await management.call(.put, "/api/permissions/wasl/hydra", body: ["configure": ".*", "write": ".*", "read": ".*"])
        let differences = topology.differences(from: try await management.definitions())
        #expect(differences.contains("queue control.tt: missing"))
        #expect(differences.contains { $0.hasPrefix("permissions of hydra: configure is `.*`") })
        try await management.apply(topology.definitions(passwords: await broker.passwords))
        #expect(topology.differences(from: try await management.definitions()).isEmpty)
    }

    @Test func aConnectionThatBreaksComesBackByItself() async throws {
        let broker = try await BrokerUnderTest(.real)
        let publisher = await broker.publish(as: "kerker")
        let (_, management) = try await broker.topology()
        let listed = try await management.call(.get, "/api/connections")
        for connection in listed.array ?? [] where connection["user"]?.string == "kerker" {
            let name = connection["name"]?.string?.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            try await management.call(.delete, "/api/connections/\(name)")
        }
        await publisher.events.wait(for: "the link to come back") { events in
            let states = events.filter { if case .settled = $0 { false } else { true } }
            return states.count >= 3 && states.last == .up
        }
        publisher.link.publish([broker.message(1, .requests, "steg.steg-bill-view.kerker")])
        try await publisher.settled(1)
        await broker.close(publisher)
    }
}
