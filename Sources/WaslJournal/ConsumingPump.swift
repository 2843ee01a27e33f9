public import Logging
import Synchronization
public import WaslSeal

/// What a role does with deliveries, in two parts: what needs no database, then the step.
public protocol DeliveryHandler: Sendable {
    associatedtype Prepared: Sendable
    associatedtype Recorded: Sendable

    /// Parses, verifies, opens: everything that needs no database. Never fails: what is wrong is part of the result.
    func prepare(_ deliveries: [Delivery]) -> Prepared
    /// The step: one transaction for the whole batch.
    func record(_ prepared: Prepared, in transaction: JournalTransaction) throws -> Recorded
    /// After the commit, before the acknowledgement.
    func committed(_ prepared: Prepared, _ recorded: Recorded) async
}

/// Moves deliveries into a journal: a batch, a commit, and only then the acknowledgement.
public final class ConsumingPump<Handler: DeliveryHandler>: Sendable {
    private let journal: Journal
    private let link: any ConsumerLink
    private let handler: Handler
    private let logger: Logger
    private let queue = BatchQueue<Delivery>()
    private let task = Mutex<Task<Void, Never>?>(nil)
    private let isLinkUp = Mutex(false)
    private let isClosing = Mutex(false)
    private let examinedUnder = Mutex<Int64>(-1)
    /// How far what was set aside for its time was looked at: the next look goes on there.
    private let examinedThrough = Mutex<UInt64>(0)
    private let batchMax: Int
    private let linger: Duration
    private let planted: PlantedOrder?

    /// - Parameter linger: under load, how long a batch waits for more: a delivery that comes within this time of the last commit. One
    ///   commit and one message then serve many; a lone delivery never waits.
    public convenience init(
        _ journal: Journal, link: any ConsumerLink, handler: Handler, batchMax: Int = 256, linger: Duration = .zero,
        logger: Logger
    ) {
        self.init(journal, link: link, handler: handler, batchMax: batchMax, linger: linger, planted: nil, logger: logger)
    }

    package init(
        _ journal: Journal, link: any ConsumerLink, handler: Handler, batchMax: Int = 256, linger: Duration = .zero,
        planted: PlantedOrder?, logger: Logger
    ) {
        self.planted = planted
        self.journal = journal
        self.link = link
        self.handler = handler
        self.batchMax = batchMax
        self.linger = linger
        self.logger = logger
    }

    public var isUp: Bool { isLinkUp.withLock { $0 } }

    public func start() {
        link.start { [weak self] event in
            guard let self else { return }
            switch event {
            case .up:
                isLinkUp.withLock { $0 = true }
                logger.info("consuming")
            case .deliveries(let deliveries):
                queue.append(contentsOf: deliveries)
            case .down(let reason):
                isLinkUp.withLock { $0 = false }
                // That a link ends which we have closed is no news.
                logger.log(
                    level: isClosing.withLock { $0 } ? .debug : .warning, "not consuming", metadata: ["reason": "\(reason)"])
            }
        }
        task.withLock { $0 = Task { await run() } }
    }

    /// Looks again, as often as a beat, until cancelled. Beside the beats and not before them: it may be long.
    public func reexamineRegularly(under registry: RegistryHolder) async {
        while !Task.isCancelled {
            await reexamine(underRegistry: registry.registry.version)
            try? await Task.sleep(for: Presence.interval)
        }
    }

    /// Looks again at what was set aside for a reason that may pass: for its time at every call, for its signature once for each version
    /// of the registry, since a key that was not known yet may be known now.
    func reexamine(underRegistry version: Int64) async {
        let isNew = examinedUnder.withLock { examined in
            defer { examined = version }
            return examined != version
        }
        for cause in PassingCause.allCases where cause != .signature || isNew {
            do { try await reexamine(cause) } catch {
                logger.error("what was set aside could not be looked at again", metadata: ["error": "\(error)"])
            }
        }
    }

    /// A page at a time, and for a signature all of it, for its time a part at each look: what stays refused, and there may be much, must
    /// not hide what is good by now.
    private func reexamine(_ cause: PassingCause) async throws {
        var last = cause == .time ? examinedThrough.withLock { $0 } : 0
        defer { if cause == .time { examinedThrough.withLock { [last] in $0 = last } } }
        let pagesMax = cause == .signature ? Int.max : 10
        for _ in 0..<pagesMax where !Task.isCancelled {
            let deliveries = try await journal.commit { [last] in try $0.setAside(for: cause, after: last, limit: 500) }
            guard let newest = deliveries.last else {
                last = 0
                return
            }
            last = newest.tag.number
            let prepared = handler.prepare(deliveries)
            let recorded = try await journal.commit { [handler] in try handler.record(prepared, in: $0) }
            await handler.committed(prepared, recorded)
        }
    }

    public func close() async {
        isClosing.withLock { $0 = true }
        link.close()
        queue.close()
        await task.withLock { $0 }?.value
    }

    private func run() async {
        var lastCommit: ContinuousClock.Instant?
        while var batch = await queue.next(max: batchMax) {
            if linger > .zero, let lastCommit, ContinuousClock.now - lastCommit < linger {
                try? await Task.sleep(for: linger)
                batch += queue.takeWaiting(max: batchMax - batch.count)
            }
            defer { lastCommit = .now }
            let prepared = handler.prepare(batch)
            let redelivered = batch.count(where: \.isRedelivered)
            if planted == .acknowledgesBeforeCommit { acknowledge(batch) }
            while !Task.isCancelled {
                do {
                    let recorded = try await journal.commit { [handler] in
                        try $0.countRedelivered(redelivered)
                        return try handler.record(prepared, in: $0)
                    }
                    await handler.committed(prepared, recorded)
                    CrashPoint.deliveriesBeforeAcknowledge.passed()
                    if planted != .acknowledgesBeforeCommit { acknowledge(batch) }
                    CrashPoint.deliveriesAfterAcknowledge.passed()
                    break
                } catch let error as JournalError where error.code == .closed {
                    return
                } catch {
                    // Not acknowledged, so not lost: the disk may be full or the journal behind.
                    logger.error("a batch could not be recorded; trying again", metadata: ["error": "\(error)"])
                    if isClosing.withLock({ $0 }) { return }
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
    }

    /// Tags grow within a connection, and one acknowledgement covers the earlier ones; a batch may span two connections.
    private func acknowledge(_ batch: [Delivery]) {
        for (index, delivery) in batch.enumerated()
        where index + 1 == batch.count || batch[index + 1].tag.generation != delivery.tag.generation {
            link.acknowledge(through: delivery.tag)
        }
    }
}
