import GRDB
public import Logging
import Synchronization
public import WaslCatalogue
public import WaslJournal
import WaslModel
public import WaslSeal

/// An agency's worker: takes requests durably, calls the agency by each service's rules, says what came of it.
public final class AgencyWorker: Sendable {
    public struct Parts: Sendable {
        public let agency: Agency
        public let endpoint: String
        /// The text of the credentials' file, where the agency asks for credentials.
        public let secret: String?
        /// Who may sign in to the desk, where the agency has one.
        public let staffFile: String?
        public let journalPath: String
        public let headPath: String
        public let keys: KeyFile
        public let registry: RegistryHolder
        public let catalogue: CatalogueHolder
        public let translator: Translator
        public let version: String

        public init(
            agency: Agency, endpoint: String, secret: String? = nil, staffFile: String? = nil, journalPath: String, headPath: String,
            keys: KeyFile,
            registry: RegistryHolder, catalogue: CatalogueHolder, translator: Translator, version: String
        ) {
            self.agency = agency
            self.endpoint = endpoint
            self.secret = secret
            self.staffFile = staffFile
            self.journalPath = journalPath
            self.headPath = headPath
            self.keys = keys
            self.registry = registry
            self.catalogue = catalogue
            self.translator = translator
            self.version = version
        }
    }

    let parts: Parts
    let journal: Journal
    let steps: AgencySteps
    let desk: JobDesk
    let publishing: PublishingPump
    let documents: DocumentPump
    let scheduler: JobScheduler
    let client: AgencyClient
    let logger: Logger
    private let consuming: ConsumingPump<AgencyDeliveries>
    private let stopping = Mutex(false)
    /// The translation helper did not start when it was last needed.
    let isTranslatorDown = Mutex(false)

    /// - Throws: ``JournalError``; ``SealError`` for a registry older than the one held before.
    public init(_ parts: Parts, broker: any Broker, logger: Logger) throws {
        self.parts = parts
        self.logger = logger
        let id = parts.agency.id
        let identity = JournalIdentity(source: Source(role: .agency, participant: id), key: parts.keys.signing)
        let store = try JournalStore(
            path: parts.journalPath, headPath: parts.headPath, identity: identity, migrations: AgencySchema.register)
        try store.begin(with: parts.registry)
        try store.sealOldResolutions(with: OwnSeal(own: id, keys: parts.keys.opening))
        let journal = Journal(store, logger: logger)
        self.journal = journal
        steps = AgencySteps(agency: id)
        desk = JobDesk(
            agency: parts.agency, catalogue: parts.catalogue, openingKeys: parts.keys.opening, registry: parts.registry)
        let scheduler = JobScheduler(parts.agency, now: { journal.now })
        self.scheduler = scheduler
        client = try AgencyClient(parts.agency, endpoint: parts.endpoint, secret: parts.secret, logger: logger)
        publishing = PublishingPump(journal, link: broker.publisher(name: "\(id) publishing"), logger: logger)
        documents = DocumentPump(
            journal, publishing: publishing, registry: parts.registry, openingKeys: parts.keys.opening, logger: logger)
        consuming = ConsumingPump(
            journal,
            link: broker.consumer(name: "\(id) consuming", queues: ["agency.\(id)", "control.\(id)"], prefetch: 512),
            handler: AgencyDeliveries(
                intake: AgencyIntake(steps: steps, registry: parts.registry, openingKeys: parts.keys.opening),
                pump: publishing, logger: logger,
                taken: { jobs, fields in
                    for job in jobs { await scheduler.add(job, fields: fields[job.request]) }
                }),
            logger: logger)
    }

    /// Works until cancelled. What an earlier run left open is taken up first.
    public func run() async throws {
        publishing.start()
        // Whoever is stopped while it still takes things up again closes all the same.
        let recovery: Result<Void, any Error>
        do { recovery = .success(try await recover()) } catch { recovery = .failure(error) }
        if case .success = recovery { await work() }
        await consuming.close()
        publishing.close()
        journal.close()
        parts.translator.close()
        await client.close()
        try recovery.get()
    }

    /// Reads the registry again, as an operator asks.
    public func reloadRegistry() async throws { try await parts.registry.reload(in: journal) }

    /// Whether only what has begun is brought to its end.
    var isStopping: Bool { stopping.withLock { $0 } }

    /// How long what is under way may take to end: a call with its largest paper, its answer's translation, and the word of it.
    public var stopPatience: Duration {
        let bytesMax = parts.catalogue.catalogue.all.filter { $0.agency == parts.agency.id }.compactMap { $0.attachments?.bytesMax }.max()
        return AgencyClient.timeout(of: parts.agency, contentBytes: Int(bytesMax ?? 0)) + .seconds(5) + AgencyWorker.flushMax
    }

    private static let flushMax: Duration = .seconds(5)

    /// Takes nothing more, begins no call, and returns when the calls in flight have ended, their results are recorded and, where the
    /// broker is there, published. A call that is cut off is a doubt that need not be.
    public func drain() async {
        stopping.withLock { $0 = true }
        await scheduler.close()
        await consuming.close()
        publishing.giveUpWaiting()
        await scheduler.untilIdle()
        await publishing.flush(within: AgencyWorker.flushMax)
    }

    private func work() async {
        consuming.start()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.scheduler.run { await self.execute($0) } }
            group.addTask { await self.sayTakenRegularly() }
            group.addTask { await self.beat() }
            group.addTask { await self.consuming.reexamineRegularly(under: self.parts.registry) }
            group.addTask { await self.documents.run() }
            await untilCancelled()
            group.cancelAll()
            await self.scheduler.close()
        }
    }

    private func recover() async throws {
        let interrupted = try await journal.commit { [steps] in try steps.interrupted(in: $0) }
        let open = try await journal.read { [steps] in try steps.open($0) }
        // After the others were read: settling an interrupted one schedules it.
        for job in interrupted {
            let run = JobRun(job, fields: nil, desk: desk, jitter: Double.random(in: 0..<1))
            await conclude(run.interrupted(at: journal.now))
        }
        for job in open { await scheduler.add(number: job.number, due: job.due, state: job.state, attemptUptime: .zero) }
        if !interrupted.isEmpty || !open.isEmpty {
            logger.info("taken up again", metadata: ["open": "\(open.count)", "interrupted": "\(interrupted.count)"])
        }
    }

    /// An outcome that comes at once is word enough; what takes longer is said to be taken.
    private func sayTakenRegularly() async {
        while !Task.isCancelled {
            do { try await journal.commit { [steps] in try steps.sayTaken(olderThan: .seconds(2), in: $0) } } catch {
                logger.warning("`taken` could not be said", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func beat() async {
        while !Task.isCancelled {
            documents.wake()
            if publishing.isUp {
                do {
                    let presence = Presence(
                        backlog: publishing.backlog,
                        oldestAge: try await journal.oldestAge(past: publishing.confirmedThrough),
                        registryVersion: parts.registry.registry.version,
                        circuit: await scheduler.circuitState.rawValue)
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

/// Suspends until the surrounding task is cancelled.
func untilCancelled() async {
    let (stream, continuation) = AsyncStream<Never>.makeStream()
    await withTaskCancellationHandler {
        for await _ in stream {}
    } onCancel: {
        continuation.finish()
    }
}
