import GRDB
public import Logging
public import WaslCatalogue
public import WaslJournal
public import WaslModel
public import WaslSeal
import WaslWeb

import struct Foundation.Data

/// A house's daemon: accepts orders durably whether the broker is there or not, publishes them, records outcomes.
public final class House: Sendable {
    public struct Parts: Sendable {
        public let id: ParticipantID
        public let journalPath: String
        public let headPath: String
        public let keys: KeyFile
        public let registry: RegistryHolder
        public let catalogue: CatalogueHolder
        public let version: String

        public init(
            id: ParticipantID, journalPath: String, headPath: String, keys: KeyFile, registry: RegistryHolder,
            catalogue: CatalogueHolder, version: String
        ) {
            self.id = id
            self.journalPath = journalPath
            self.headPath = headPath
            self.keys = keys
            self.registry = registry
            self.catalogue = catalogue
            self.version = version
        }
    }

    /// How long a paper waits for its order.
    static let paperPatience: Duration = .seconds(3 * 86_400)

    let parts: Parts
    let journal: Journal
    let steps: HouseSteps
    let publishing: PublishingPump
    let consuming: ConsumingPump<HouseDeliveries>
    let documents: DocumentPump
    let changes = ChangeSignal()
    let logger: Logger

    /// Opens the journal and prepares the pumps; nothing moves before ``start()``.
    ///
    /// - Throws: ``JournalError``; ``SealError`` for a registry older than the one held before.
    public init(_ parts: Parts, broker: any Broker, logger: Logger) throws {
        self.parts = parts
        self.logger = logger
        let identity = JournalIdentity(source: Source(role: .house, participant: parts.id), key: parts.keys.signing)
        let store = try JournalStore(
            path: parts.journalPath, headPath: parts.headPath, identity: identity, migrations: HouseSchema.register)
        try store.begin(with: parts.registry)
        journal = Journal(store, logger: logger)
        steps = HouseSteps(house: parts.id, key: parts.keys.signing)
        publishing = PublishingPump(journal, link: broker.publisher(name: "\(parts.id) publishing"), logger: logger)
        documents = DocumentPump(
            journal, publishing: publishing, registry: parts.registry, openingKeys: parts.keys.opening, logger: logger)
        consuming = ConsumingPump(
            journal,
            link: broker.consumer(
                name: "\(parts.id) consuming", queues: ["house.\(parts.id)", "control.\(parts.id)"], prefetch: 256),
            handler: HouseDeliveries(
                intake: HouseIntake(steps: steps, registry: parts.registry, openingKeys: parts.keys.opening),
                pump: publishing, changes: changes, logger: logger),
            linger: .milliseconds(100), logger: logger)
    }

    public func start() {
        publishing.start()
        consuming.start()
    }

    /// Reads the registry again, as an operator asks.
    public func reloadRegistry() async throws { try await parts.registry.reload(in: journal) }

    public func close() async {
        await consuming.close()
        publishing.close()
        journal.close()
    }

    /// Works until cancelled: beats, and sends papers on their way.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.beat() }
            group.addTask { await self.consuming.reexamineRegularly(under: self.parts.registry) }
            group.addTask { await self.documents.run() }
        }
    }

    /// Presence for the ledger, keep-alive for whoever watches events.
    private func beat() async {
        while !Task.isCancelled {
            changes.notify()
            documents.wake()
            _ = try? await journal.commit { try $0.forgetUnbound(olderThan: House.paperPatience) }
            if publishing.isUp {
                do {
                    let presence = Presence(
                        backlog: publishing.backlog, oldestAge: try await journal.oldestAge(past: publishing.confirmedThrough),
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

    /// Checks, seals and commits an order. When this returns, the order is durable: its time is the legal sending date.
    ///
    /// - Throws: ``Problem`` for the clerk.
    func accept(_ json: JSON, body: [UInt8], idempotencyKey: String) async throws -> Receipt {
        let order = try HouseOrder(json, house: parts.id, catalogue: parts.catalogue.catalogue, registry: parts.registry.registry)
        let prepared = try order.prepared(
            idempotencyKey: idempotencyKey, body: body, registry: parts.registry.registry, journal.environment)
        do {
            let receipt = try await journal.commit { [steps] in try steps.accept(prepared, in: $0) }
            if !receipt.isRepeated {
                changes.notify()
                if !prepared.papers.isEmpty { documents.wake() }
            }
            CrashPoint.houseBeforeAnswer.passed()
            return receipt
        } catch AcceptanceError.keyReused(let request) {
            throw Problem.keyReused(request)
        } catch AcceptanceError.paperMissing(let index) {
            throw Problem.paperMissing(order.service, index)
        } catch let error as JournalError {
            throw Problem.notNow(error)
        }
    }
}
