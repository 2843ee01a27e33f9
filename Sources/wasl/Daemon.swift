import Foundation
import Hummingbird
import Logging
import WaslWeb

/// How every role's process lives: work and HTTP side by side, until it is asked to stop.
enum Daemon {
    /// - Parameters:
    ///   - reload: reads registry and catalogue again; asked for by SIGHUP.
    ///   - work: the role's own work; returns after cancellation.
    ///   - followsParent: ends when standard input does, so that children never outlive a killed parent.
    static func run(
        _ router: Router<BasicRequestContext>, _ http: ParticipantConfiguration.HTTP, followsParent: Bool, logger: Logger,
        reload: @escaping @Sendable () throws -> Void, work: @escaping @Sendable () async throws -> Void
    ) async throws {
        if followsParent { endWithStandardInput() }
        let hangUp = onHangUp {
            do {
                try reload()
                logger.notice("registry and catalogue read again")
            } catch {
                logger.error("not read again; what was there stays", metadata: ["error": "\(error)"])
            }
        }
        defer { hangUp.cancel() }
        let started = ContinuousClock.now
        let working = Task { try await work() }
        do {
            try await Server.run(router, host: http.host, port: http.port, limits: http.limits, logger: logger) { port in
                logger.notice(
                    "ready",
                    metadata: [
                        "address": "http://\(http.host):\(port)", "after": "\(started.duration(to: .now))",
                    ])
            }
        } catch {
            working.cancel()
            throw Failure.unavailable(
                "http.port \(http.port) on \(http.host) cannot be listened on (\(error)). Is another program using it?")
        }
        working.cancel()
        // Everything acknowledged is on disk, so an end in the middle of anything is like any crash: it is only not waited for for ever.
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 5)
            _exit(0)
        }
        try await working.value
        logger.notice("stopped")
    }

    private static func onHangUp(_ action: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
        signal(SIGHUP, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "reload"))
        source.setEventHandler(handler: action)
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
