import Dispatch
import Foundation
import Logging

/// SIGTERM and SIGINT: the first asks for an orderly stop, the second ends the process at once.
final class StopSignals: @unchecked Sendable {
    // `sources` and `count` are touched on `queue` only.
    private let queue = DispatchQueue(label: "stop")
    private var sources: [any DispatchSourceSignal] = []
    private var count = 0
    private let limit: Duration
    private let logger: Logger
    private let notices: SystemdNotices
    private let asked: AsyncStream<Never>
    private let asker: AsyncStream<Never>.Continuation

    /// - Parameter limit: after which the process ends whatever is still under way.
    init(limit: Duration, logger: Logger, notices: SystemdNotices) {
        self.limit = limit
        self.logger = logger
        self.notices = notices
        (asked, asker) = AsyncStream.makeStream()
    }

    /// Listens from now on. Before this a signal ends the process as it does any program: nothing has begun.
    func listen() {
        queue.sync {
            sources = [SIGTERM, SIGINT].map { number in
                let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
                source.setEventHandler { [self] in received() }
                source.resume()
                return source
            }
        }
    }

    /// Returns once a stop is asked for. For one caller.
    func untilAsked() async { for await _ in asked {} }

    private func received() {
        count += 1
        guard count == 1 else {
            logger.notice("stopping at once, as asked again: calls in flight become doubt")
            _exit(0)
        }
        logger.notice("stopping: calls in flight may end", metadata: ["within": "\(limit)"])
        notices.stopping(within: limit)
        asker.finish()
        // Everything acknowledged is on disk, so an end in the middle of anything is like any crash: it is only not waited for for ever.
        Thread.detachNewThread { [limit, logger] in
            Thread.sleep(forTimeInterval: Double(limit.components.seconds))
            logger.warning("the stop took too long: ending at once")
            _exit(0)
        }
    }
}
