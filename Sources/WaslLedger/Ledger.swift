import GRDB
public import Logging
public import WaslCatalogue
public import WaslJournal
import WaslModel
public import WaslSeal

/// The central ledger: takes its own copy of everything, verifies, records in order, reconciles, asks for what is missing.
public final class Ledger: Sendable {
    public struct Parts: Sendable {
        public let journalPath: String
        public let headPath: String
        public let keys: KeyFile
        public let registry: RegistryHolder
        public let catalogue: CatalogueHolder
        public let times: LedgerTimes
        public let version: String
        /// `nil` where the ledger was not told how to look.
        public let topologyDifferences: TopologyDifferences?

        public init(
            journalPath: String, headPath: String, keys: KeyFile, registry: RegistryHolder, catalogue: CatalogueHolder,
            times: LedgerTimes, version: String, topologyDifferences: TopologyDifferences? = nil
        ) {
            self.journalPath = journalPath
            self.headPath = headPath
            self.keys = keys
            self.registry = registry
            self.catalogue = catalogue
            self.times = times
            self.version = version
            self.topologyDifferences = topologyDifferences
        }
    }

    let parts: Parts
    let journal: Journal
    let steps: LedgerSteps
    let publishing: PublishingPump
    let changes = ChangeSignal()
    let logger: Logger
    let startedAt: Timestamp
    private let consuming: ConsumingPump<LedgerDeliveries>
    private let control: ConsumingPump<LedgerControl>

    /// - Throws: ``JournalError``; ``SealError`` for a registry older than the one held before.
    public init(_ parts: Parts, broker: any Broker, logger: Logger) throws {
        self.parts = parts
        self.logger = logger
        let identity = JournalIdentity(source: Source(role: .ledger, participant: .ledger), key: parts.keys.signing)
        let store = try JournalStore(
            path: parts.journalPath, headPath: parts.headPath, identity: identity, migrations: LedgerSchema.register)
        try store.begin(with: parts.registry)
        journal = Journal(store, logger: logger)
        startedAt = journal.now
        steps = LedgerSteps(catalogue: parts.catalogue, times: parts.times)
        publishing = PublishingPump(journal, link: broker.publisher(name: "ledger publishing"), logger: logger)
        consuming = ConsumingPump(
            journal,
            link: broker.consumer(name: "ledger consuming", queues: ["ledger", "unroutable", "dead"], prefetch: 1024),
            handler: LedgerDeliveries(steps: steps, registry: parts.registry, changes: changes), batchMax: 512,
            logger: logger)
        control = ConsumingPump(
            journal, link: broker.consumer(name: "ledger control", queues: ["control.ledger"], prefetch: 64),
            handler: LedgerControl(), logger: logger)
    }

    /// Works until cancelled.
    public func run() async {
        publishing.start()
        consuming.start()
        control.start()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.sweepRegularly() }
            group.addTask { await self.beat() }
            group.addTask { await self.consuming.reexamineRegularly(under: self.parts.registry) }
            if let differences = parts.topologyDifferences { group.addTask { await self.lookAtTopology(differences) } }
        }
        await consuming.close()
        await control.close()
        publishing.close()
        journal.close()
    }

    public var isConsuming: Bool { consuming.isUp }

    /// Reads the registry again, as an operator asks. What is newer is published to everybody.
    public func reloadRegistry() async throws { try await parts.registry.reload(in: journal) }

    private func sweepRegularly() async {
        while !Task.isCancelled {
            // What did not come while nothing could come is not missing.
            if consuming.isUp {
                do {
                    let (registry, signed) = parts.registry.registryAndText
                    try await journal.commit { [steps, startedAt] in
                        try steps.sweep(registry, startedAt: startedAt, in: $0)
                        try steps.publish(registry, signed, in: $0)
                    }
                    changes.notify()
                } catch {
                    logger.error("the sweep failed", metadata: ["error": "\(error)"])
                }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func beat() async {
        while !Task.isCancelled {
            if publishing.isUp {
                do {
                    let presence = Presence(
                        backlog: publishing.backlog,
                        oldestAge: try await journal.oldestAge(past: publishing.confirmedThrough),
                        registryVersion: parts.registry.registry.version)
                    publishing.publishUnrecorded([try await journal.presenceMessage(presence, version: parts.version)])
                } catch _ where Task.isCancelled {
                    return
                } catch {
                    logger.warning("no presence beat", metadata: ["error": "\(error)"])
                }
            }
            try? await Task.sleep(for: Presence.interval)
        }
    }
}

/// What is asked of the ledger itself: nothing yet. Set aside, so that it is seen.
struct LedgerControl: DeliveryHandler {
    func prepare(_ deliveries: [Delivery]) -> [Delivery] { deliveries }

    func record(_ prepared: [Delivery], in transaction: JournalTransaction) throws {
        for delivery in prepared {
            try transaction.quarantine(delivery, reason: "type: the ledger takes no commands")
        }
    }

    func committed(_ prepared: [Delivery], _: Void) async {}
}
