import GRDB
import Logging
import Synchronization
import TestSupport
import Testing
import WaslModel
import WaslSimulation

@testable import WaslJournal

@Suite(.timeLimit(.minutes(2))) struct PumpTests {
    private let world: TestWorld
    private let broker = SimulatedBroker()
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    init() throws {
        world = try TestWorld()
        broker.declare(queue: "ledger")
        broker.bind(.receipts, "ledger", "#")
    }

    private func journal(_ participant: String) throws -> Journal {
        Journal(
            try JournalStore(
                path: world.folder + "/\(participant).sqlite", headPath: world.folder + "/\(participant).head",
                identity: world.identity(participant), migrations: { _ in }),
            logger: logger)
    }

    private static let draft = Draft(type: .outcomeDelivered, data: ["outcomes": []])

    private func confirmed(_ number: Int64, by pump: PublishingPump) async throws {
        _ = try await waiting(for: "message \(number) to be confirmed") { await pump.awaitConfirmation(of: number) }
    }

    @Test func whatWasAcceptedWhileTheBrokerWasAwayArrivesWhole() async throws {
        let journal = try journal("hydra")
        broker.cut()
        let pump = PublishingPump(journal, link: broker.publisher(name: ""), logger: logger)
        pump.start()
        for _ in 0..<50 { try await journal.commit { _ = try $0.append(Self.draft) } }
        #expect(pump.backlog == 51)
        broker.restore()
        try await confirmed(51, by: pump)
        let arrived = Recorder<Int64>()
        let consumer = broker.consumer(name: "", queues: ["ledger"], prefetch: 1_000)
        consumer.start { event in
            guard case .deliveries(let deliveries) = event else { return }
            for delivery in deliveries { arrived.append((try? Envelope(parsing: delivery.body))?.lane?.sequence ?? 0) }
            if let last = deliveries.last { consumer.acknowledge(through: last.tag) }
        }
        await arrived.wait(for: "every number from 1 to 51 at the ledger") { Set($0).isSuperset(of: 1...51) }
        #expect(Set(arrived.elements) == Set(1...51), "nothing but these")
        consumer.close()
        pump.close()
        journal.close()
    }

    /// A link that reports its own end when it is closed, as a real one does.
    private final class ClosingLink: PublisherLink, ConsumerLink {
        private let ends = Mutex<[@Sendable () -> Void]>([])

        func start(_ handler: @escaping @Sendable (PublisherEvent) -> Void) {
            handler(.up)
            ends.withLock { $0.append { handler(.down(reason: "closed")) } }
        }

        func start(_ handler: @escaping @Sendable (ConsumerEvent) -> Void) {
            handler(.up)
            ends.withLock { $0.append { handler(.down(reason: "closed")) } }
        }

        func publish(_ messages: [OutboundMessage]) {}
        func acknowledge(through tag: DeliveryTag) {}
        func close() { for end in ends.withLock({ $0 }) { end() } }
        func cut() { close() }
    }

    @Test func aLinkThatIsClosedInOrderIsNoNewsAndOneThatBreaksIs() async throws {
        let lines = Recorder<Logger.Level>()
        let logger = Logger(label: "test", factory: { _ in RecordingLog(lines: lines) })
        let journal = try journal("hydra")
        let (out, into) = (ClosingLink(), ClosingLink())
        let publishing = PublishingPump(journal, link: out, logger: logger)
        let consuming = ConsumingPump(journal, link: into, handler: IdleHandler(), logger: logger)
        publishing.start()
        consuming.start()
        out.cut()
        into.cut()
        #expect(lines.elements.count { $0 >= .warning } == 2)
        await consuming.close()
        publishing.close()
        journal.close()
        #expect(lines.elements.count { $0 >= .warning } == 2)
    }

    @Test func whoeverWaitsForABrokerThatIsAwayIsLetGoAtAStop() async throws {
        let journal = try journal("hydra")
        broker.cut()
        let pump = PublishingPump(journal, link: broker.publisher(name: ""), logger: logger)
        pump.start()
        let (_, appended) = try await journal.commit { ((), try $0.append(Self.draft)) }
        async let isConfirmed = pump.awaitConfirmation(of: appended.number)
        pump.giveUpWaiting()
        #expect(await !isConfirmed)
        #expect(await !pump.awaitConfirmation(of: appended.number), "nor does anybody begin to wait")
        pump.close()
        journal.close()
    }

    @Test func aNackedMessageIsConfirmedInTheEnd() async throws {
        let journal = try journal("hydra")
        let pump = PublishingPump(journal, link: broker.publisher(name: ""), logger: logger)
        broker.nackNext(3)
        pump.start()
        for _ in 0..<5 { try await journal.commit { _ = try $0.append(Self.draft) } }
        for number in 1...6 as ClosedRange<Int64> { try await confirmed(number, by: pump) }
        #expect(pump.confirmedThrough == 6)
        #expect(pump.counts.nacked >= 3)
        pump.close()
        journal.close()
    }

    @Test func whatIsAskedForAgainComesPageByPageAndWhole() async throws {
        let journal = try journal("hydra")
        let pump = PublishingPump(journal, link: broker.publisher(name: ""), logger: logger)
        broker.declare(queue: "agency.steg")
        broker.bind(.requests, "agency.steg", "steg.#")
        pump.start()
        let subject = TestWorld.uuid()
        let request = Draft(
            type: .requestSubmitted, subject: subject, recipient: ParticipantID("steg"), service: ServiceID("steg.bill.view"), data: [:])
        for _ in 0..<70 { try await journal.commit { _ = try $0.append(request) } }
        try await confirmed(71, by: pump)
        let arrived = Recorder<String>()
        let consumer = broker.consumer(name: "", queues: ["agency.steg"], prefetch: 1_000)
        consumer.start { event in
            guard case .deliveries(let deliveries) = event else { return }
            for delivery in deliveries { arrived.append(delivery.messageID) }
            if let last = deliveries.last { consumer.acknowledge(through: last.tag) }
        }
        await arrived.wait(for: "the 70 messages once") { $0.count == 70 }
        pump.resend(subject: subject)
        pump.resend(subject: subject)
        // The link goes in the middle of it, or before, or after: whoever asks again is answered whole.
        broker.cut()
        broker.restore()
        pump.resend(subject: subject)
        await arrived.wait(for: "each of the 70 messages a second time") { names in
            Dictionary(grouping: names, by: { $0 }).count { $0.value.count >= 2 } == 70
        }
        #expect(Set(arrived.elements).count == 70)
        pump.close()
        journal.close()
    }

    @Test func anAskThatFoundNoPlaceCountsWhenItComesAgain() async throws {
        let resending = Resending()
        let epoch = EpochID(UUIDv7(at: TestClock.shared.now))
        @Sendable func ask(_ number: Int) -> Resending.Job { .range(epoch: epoch, from: Int64(number), through: Int64(number)) }
        let (last, tooMany) = (ask(Resending.queuedMax), ask(Resending.queuedMax + 1))
        for number in 1...Resending.queuedMax + 1 { resending.add(ask(number)) }
        let read = Recorder<Resending.Job>()
        await resending.run(
            read: { job, _, _ in
                read.append(job)
                if job == last {
                    resending.add(tooMany)
                    resending.close()
                }
                return []
            }, publish: { _ in })
        #expect(read.elements.count == Resending.queuedMax + 1)
        #expect(read.elements.last == tooMany)
    }

    @Test func aFailingStepFailsAloneInItsGroup() async throws {
        struct Stop: Error {}
        let journal = try journal("hydra")
        let results = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<200 {
                group.addTask {
                    do {
                        try await journal.commit { transaction in
                            try transaction.append(Self.draft)
                            if index % 10 == 3 { throw Stop() }
                        }
                        return true
                    } catch { return false }
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(results.count { $0 } == 180)
        let count = try await journal.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM outbox") }
        #expect(count == 181)
        let damage = try await journal.read { try JournalStore.chainDamage($0, last: nil) }
        #expect(damage == nil)
        journal.close()
    }

    @Test func aDeliveryIsAcknowledgedAfterItsCommitAndNotBefore() async throws {
        let events = try await eventsOfADelivery(planted: nil) { $0.last == "acknowledged" }
        #expect(events == ["applied", "applied", "committed", "acknowledged"])
    }

    @Test func anAcknowledgementBeforeItsCommitIsSeen() async throws {
        let events = try await eventsOfADelivery(planted: .acknowledgesBeforeCommit) { $0.last == "committed" }
        #expect(events == ["acknowledged", "applied", "applied", "committed"])
    }

    @Test(arguments: [nil, PlantedOrder.confirmsWhenPublished]) func aNackedMessageThatCountsAsConfirmedIsSeen(
        _ planted: PlantedOrder?
    ) async throws {
        let journal = try journal("hydra")
        let pump = PublishingPump(journal, link: broker.publisher(name: ""), planted: planted, logger: logger)
        broker.nackNext(1)
        pump.start()
        for _ in 0..<5 { try await journal.commit { _ = try $0.append(Self.draft) } }
        for number in 1...6 as ClosedRange<Int64> { try await confirmed(number, by: pump) }
        #expect(broker.depth(of: "ledger") == (planted == nil ? 6 : 5), "all that is confirmed is with the broker")
        pump.close()
        journal.close()
    }

    private func eventsOfADelivery(planted: PlantedOrder?, until isDone: @escaping @Sendable ([String]) -> Bool) async throws -> [String] {
        broker.declare(queue: "house.hydra")
        broker.bind(.outcomes, "house.hydra", "hydra.#")
        let journal = try journal("hydra")
        let handler = FailingOnce()
        let link = RecordingLink(broker.consumer(name: "", queues: ["house.hydra"], prefetch: 10), handler.events)
        let pump = ConsumingPump(journal, link: link, handler: handler, planted: planted, logger: logger)
        pump.start()
        let sender = broker.publisher(name: "")
        let up = Recorder<PublisherEvent>()
        sender.start { up.append($0) }
        await up.wait(for: "the sender's link") { $0.contains(.up) }
        sender.publish([
            OutboundMessage(
                token: 1, exchange: .outcomes, routingKey: "hydra.steg.x", messageID: "m", time: Timestamp(milliseconds: 0),
                body: [1], signature: "s")
        ])
        await handler.events.wait(for: "the delivery's last step", until: isDone)
        let events = handler.events.elements
        await pump.close()
        journal.close()
        return events
    }
}

/// Fails at the first try, as a full disk would.
private final class FailingOnce: DeliveryHandler {
    let events = Recorder<String>()
    private let tries = Mutex(0)

    func prepare(_ deliveries: [Delivery]) -> [Delivery] { deliveries }

    func record(_ prepared: [Delivery], in transaction: JournalTransaction) throws {
        events.append("applied")
        let count = tries.withLock { tries in
            tries += 1
            return tries
        }
        if count == 1 { throw JournalError(.full, "full", remedy: "") }
    }

    func committed(_ prepared: [Delivery], _: Void) async { events.append("committed") }
}

private final class RecordingLink: ConsumerLink {
    let link: any ConsumerLink
    let events: Recorder<String>

    init(_ link: any ConsumerLink, _ events: Recorder<String>) {
        self.link = link
        self.events = events
    }

    func start(_ handler: @escaping @Sendable (ConsumerEvent) -> Void) { link.start(handler) }

    func acknowledge(through tag: DeliveryTag) {
        events.append("acknowledged")
        link.acknowledge(through: tag)
    }

    func close() { link.close() }
}

/// Takes deliveries and does nothing with them.
private struct IdleHandler: DeliveryHandler {
    func prepare(_ deliveries: [Delivery]) {}
    func record(_ prepared: Void, in transaction: JournalTransaction) {}
    func committed(_ prepared: Void, _ recorded: Void) async {}
}

/// Notes how loud each line is.
private struct RecordingLog: LogHandler {
    let lines: Recorder<Logger.Level>
    var metadata = Logger.Metadata()
    var logLevel = Logger.Level.trace

    init(lines: Recorder<Logger.Level>) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.append(event.level) }
}
