public import Logging
public import WaslSeal

/// Mints the pieces of documents while the broker takes them: few at a time, so that what else is said goes in between.
///
/// Resumable by nature: what is minted is in the outbox, what is not is in its table, and a piece is in one of the two.
public final class DocumentPump: Sendable {
    private let journal: Journal
    private let publishing: PublishingPump
    private let registry: RegistryHolder
    private let openingKeys: [OpeningKey]
    private let logger: Logger
    private let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    /// Pieces minted in one commit.
    package static let batch = 4
    /// Messages that may wait for the broker while pieces are minted.
    package static let backlogMax: Int64 = 16

    public init(
        _ journal: Journal, publishing: PublishingPump, registry: RegistryHolder, openingKeys: [OpeningKey], logger: Logger
    ) {
        self.journal = journal
        self.publishing = publishing
        self.registry = registry
        self.openingKeys = openingKeys
        self.logger = logger
        (wakes, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Something may be due.
    public func wake() { waker.yield() }

    /// Works until cancelled.
    public func run() async {
        wake()
        for await _ in wakes { await mintWhatIsDue() }
    }

    private func mintWhatIsDue() async {
        var lastMint = ContinuousClock.now
        while !Task.isCancelled {
            do {
                let isFree = publishing.backlog < DocumentPump.backlogMax
                // A participant that is always busy sends a piece a second all the same.
                let isOverdue = ContinuousClock.now - lastMint > .seconds(1)
                if publishing.isUp, !publishing.isBlocked, isFree || isOverdue {
                    let limit = isFree ? DocumentPump.batch : 1
                    let (minted, blocked) = try await journal.commit { [registry, openingKeys] in
                        try $0.mintPieces(limit, registry: registry.registry, opening: openingKeys)
                    }
                    lastMint = .now
                    if !blocked.isEmpty {
                        logger.error("documents that cannot be sealed wait", metadata: ["reasons": "\(blocked.prefix(5))"])
                    }
                    if minted < limit { return }
                } else {
                    guard try await journal.read({ try JournalStore.hasDuePieces($0) }) else { return }
                    // Until confirmations have come, or the link has.
                    try await Task.sleep(for: .milliseconds(publishing.isUp ? 50 : 1_000))
                }
            } catch let error as JournalError where error.code == .closed {
                return
            } catch is CancellationError {
                return
            } catch {
                logger.error("a document's pieces could not be minted; trying again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(2))
            }
        }
    }
}
