import Foundation
import Hummingbird
import Logging
import WaslWeb

/// How every role's process lives: work and HTTP side by side, until it is asked to stop.
enum Daemon {
    /// What is done between the wish to stop and the end of the work.
    struct Stop: Sendable {
        /// How long what is under way may take to end.
        let patience: Duration
        /// Begins nothing more, and returns when what was under way has ended.
        let drain: @Sendable () async -> Void

        /// Nothing is under way that an end would harm.
        static let plain = Stop(patience: .seconds(2), drain: {})
    }

    /// Beyond the patience: event streams are cut, journals and links closed.
    private static let closingMax: Duration = .seconds(10)

    /// - Parameters:
    ///   - reload: reads registry and catalogue again; asked for by SIGHUP.
    ///   - work: the role's own work; returns after cancellation.
    ///   - followsParent: ends when standard input does, so that children never outlive a killed parent.
    static func run(
        _ router: Router<BasicRequestContext>, _ http: ParticipantConfiguration.HTTP, followsParent: Bool, logger: Logger,
        stop: Stop = .plain, reload: @escaping @Sendable () async throws -> Void, work: @escaping @Sendable () async throws -> Void
    ) async throws {
        if followsParent { endWithStandardInput() }
        let notices = SystemdNotices()
        let hangUp = onHangUp {
            notices.reloading()
            do {
                try await reload()
                logger.notice("registry and catalogue read again")
            } catch {
                logger.error("not read again; what was there stays", metadata: ["error": "\(error)"])
            }
            notices.ready()
        }
        defer { hangUp.cancel() }
        let signals = StopSignals(limit: stop.patience + closingMax, logger: logger, notices: notices)
        let started = ContinuousClock.now
        let working = Task { try await work() }
        let draining = Task {
            await signals.untilAsked()
            await stop.drain()
        }
        do {
            try await Server.run(router, host: http.host, port: http.port, limits: http.limits, logger: logger) { port in
                signals.listen()
                logger.notice(
                    "ready",
                    metadata: [
                        "address": "http://\(http.host):\(port)", "after": "\(started.duration(to: .now))",
                    ])
                notices.ready()
            }
        } catch {
            working.cancel()
            throw Failure.unavailable(
                "http.port \(http.port) on \(http.host) cannot be listened on (\(error)). Is another program using it?")
        }
        if await !ends(draining, within: stop.patience) {
            logger.warning("calls in flight did not end in time and are cut off: they become doubt")
        }
        working.cancel()
        try await working.value
        logger.notice("stopped")
    }

    private static func ends(_ task: Task<Void, Never>, within limit: Duration) async -> Bool {
        let (ends, news) = AsyncStream<Bool>.makeStream()
        let waiting = Task {
            await task.value
            news.yield(true)
        }
        let timer = Task {
            try? await Task.sleep(for: limit)
            news.yield(false)
        }
        defer {
            waiting.cancel()
            timer.cancel()
        }
        return await ends.first { _ in true } ?? false
    }

    /// One after the other, however fast they come: what comes while one is under way is one more.
    private static func onHangUp(_ action: @escaping @Sendable () async -> Void) -> any DispatchSourceSignal {
        signal(SIGHUP, SIG_IGN)
        let (asks, ask) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        Task { for await _ in asks { await action() } }
        let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "reload"))
        source.setEventHandler { ask.yield() }
        source.setCancelHandler { ask.finish() }
        source.resume()
        return source
    }

    static func endWithStandardInput() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while read(0, &byte, 1) > 0 {}
            kill(getpid(), SIGTERM)
        }
    }
}
