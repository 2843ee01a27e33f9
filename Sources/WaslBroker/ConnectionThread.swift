import CRabbitMQ
import Foundation
import Logging
import Synchronization
import WaslModel

/// What a connection is for. Every method is called on the connection's thread only.
protocol ConnectionDriver: AnyObject, Sendable {
    func opened(_ connection: AMQPConnection) throws
    /// Moves a bounded part of the mailbox to the wire. Returns whether there is more to move now.
    func work(_ connection: AMQPConnection) throws -> Bool
    func received(_ frame: wasl_frame) throws
    /// After a run of frames: report what they brought, and judge time-outs.
    func settle(at now: ContinuousClock.Instant) throws
    func lost(reason: String)
}

/// One thread that owns one connection: connects, works, reconnects with full jitter, until closed.
///
/// librabbitmq is not thread-safe, so nobody else touches the connection; others leave mail with the driver and wake the thread.
final class ConnectionThread: Sendable {
    private struct State {
        var isSleeping = false
        var isClosing = false
        var hasStarted = false
    }

    /// A link without traffic counts as one that works when it has stood for so long.
    private static let provenAfter: Duration = .seconds(5)

    private let configuration: BrokerConfiguration
    private let name: String
    private let driver: any ConnectionDriver
    private let logger: Logger
    private let outages: OutageLog
    private let state = Mutex(State())
    private let wakeDescriptor: Int32
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameter outages: shared by all links of one broker.
    init(_ configuration: BrokerConfiguration, name: String, driver: any ConnectionDriver, logger: Logger, outages: OutageLog) {
        self.configuration = configuration
        self.name = name
        self.driver = driver
        self.logger = logger
        self.outages = outages
        wakeDescriptor = wasl_wake_open()
        precondition(wakeDescriptor >= 0, "no descriptor left for an eventfd")
    }

    deinit { Foundation.close(wakeDescriptor) }

    func start() {
        state.withLock { $0.hasStarted = true }
        let thread = Thread { [self] in
            wasl_name_thread("amqp")
            run()
            ended.signal()
        }
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Cheap while the thread is at work: the descriptor is written only when it sleeps.
    func wake() {
        let mustWrite = state.withLock { state in
            defer { state.isSleeping = false }
            return state.isSleeping
        }
        if mustWrite { wasl_wake_signal(wakeDescriptor) }
    }

    /// Ends the thread and waits for it. Unsettled messages stay with whoever handed them over.
    func close() {
        let mustWait = state.withLock { state in
            defer { state.isClosing = true }
            return state.hasStarted && !state.isClosing
        }
        wasl_wake_signal(wakeDescriptor)
        if mustWait { ended.wait() }
    }

    private var isClosing: Bool { state.withLock { $0.isClosing } }

    private func run() {
        var failures = 0
        while !isClosing {
            do {
                let connection = try AMQPConnection(configuration, name: name)
                let watch = PublishWatchdog.shared.watch(connection.descriptor, stallMax: configuration.publishStallMax)
                defer { PublishWatchdog.shared.forget(watch) }
                try driver.opened(connection)
                try serve(connection, watch) {
                    failures = 0
                    outages.end()
                }
                // What was left in the mailbox before the close still goes out: an acknowledgement above all.
                _ = try driver.work(connection)
                connection.close()
            } catch {
                driver.lost(reason: "\(error)")
                failures += 1
                if !isClosing { outages.tell(error, connection: name) }
            }
            if isClosing { break }
            // Full jitter: houses that lost the same broker come back spread over time.
            let ceiling = min(configuration.reconnectPauseMax.milliseconds, 250 << Int64(min(failures, 10)))
            sleep(milliseconds: Int32(Int64.random(in: 20...max(21, ceiling))), until: { self.isClosing })
        }
        driver.lost(reason: "closed")
    }

    /// - Parameter proven: called once, when the link has shown that it works. A broker may open a link and close it at once: without this
    ///   it would be tried several times a second, with a warning each time.
    private func serve(_ connection: AMQPConnection, _ watch: PublishWatchdog.Watch, proven: () -> Void) throws {
        let opened = ContinuousClock.now
        var isProven = false
        var nextLook = opened
        while !isClosing {
            if nextLook <= .now {
                // A connection may stand longer than a certificate.
                for line in connection.endingSoon(at: Date()) {
                    logger.warning("a certificate ends soon", metadata: ["connection": "\(name)", "certificate": "\(line)"])
                }
                nextLook = .now + .seconds(86_400)
            }
            watch.begin()
            let hasMore = try driver.work(connection)
            watch.end()
            var frames = 0
            while frames < 512, let frame = try connection.nextFrame() {
                try driver.received(frame)
                frames += 1
            }
            connection.releaseBuffers()
            try driver.settle(at: .now)
            if !isProven, frames > 0 || ContinuousClock.now - opened >= ConnectionThread.provenAfter {
                isProven = true
                proven()
            }
            if !hasMore, frames == 0 { poll(connection.descriptor) }
        }
    }

    private func poll(_ descriptor: Int32) {
        state.withLock { $0.isSleeping = true }
        // Mail that came before the flag was set would not have written the descriptor: look once more through a short poll.
        var descriptors = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        _ = Foundation.poll(&descriptors, 2, driverHasMail() ? 0 : 1000)
        state.withLock { $0.isSleeping = false }
        if descriptors[1].revents != 0 { wasl_wake_clear(wakeDescriptor) }
    }

    private func driverHasMail() -> Bool { (driver as? any MailHolder)?.hasMail ?? false }

    private func sleep(milliseconds: Int32, until condition: () -> Bool) {
        var descriptor = pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0)
        let end = ContinuousClock.now + .milliseconds(Int(milliseconds))
        while !condition(), ContinuousClock.now < end {
            _ = Foundation.poll(&descriptor, 1, Int32(max(1, (end - .now).milliseconds)))
            wasl_wake_clear(wakeDescriptor)
        }
    }
}

/// A driver with a mailbox that other threads fill.
protocol MailHolder {
    var hasMail: Bool { get }
}
