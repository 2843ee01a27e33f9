import CRabbitMQ
import Logging
import Synchronization
import WaslJournal

/// Publishes with confirms. The mailbox is the only thing that two threads touch.
final class AMQPPublisher: PublisherLink {
    private let driver: PublisherDriver
    private let thread: ConnectionThread

    init(_ configuration: BrokerConfiguration, name: String, logger: Logger, outages: OutageLog) {
        driver = PublisherDriver(confirmTimeout: configuration.confirmTimeout)
        thread = ConnectionThread(configuration, name: name, driver: driver, logger: logger, outages: outages)
    }

    func start(_ handler: @escaping @Sendable (PublisherEvent) -> Void) {
        driver.setHandler(handler)
        thread.start()
    }

    func publish(_ messages: [OutboundMessage]) {
        driver.leave(messages)
        thread.wake()
    }

    func close() { thread.close() }
}

/// Everything but the mailbox and the handler is touched by the connection's thread alone.
private final class PublisherDriver: ConnectionDriver, MailHolder, @unchecked Sendable {
    private struct Mailbox {
        var isUp = false
        var messages: [OutboundMessage] = []
    }

    private struct Pending {
        let token: Int64
        let messageID: String
        var since: ContinuousClock.Instant
        var returned: String?
    }

    private let mailbox = Mutex(Mailbox())
    private var handler: @Sendable (PublisherEvent) -> Void = { _ in }
    private let confirmTimeout: Duration
    private var taken: ArraySlice<OutboundMessage> = []
    private var pending: [UInt64: Pending] = [:]
    private var mandatoryTags: [String: UInt64] = [:]
    private var lastTag: UInt64 = 0
    private var settledThrough: UInt64 = 0
    private var settlements: [Settlement] = []
    private var isBlocked = false
    private var returning: (code: UInt16, text: String)?

    init(confirmTimeout: Duration) { self.confirmTimeout = confirmTimeout }

    /// Before the thread starts.
    func setHandler(_ handler: @escaping @Sendable (PublisherEvent) -> Void) { self.handler = handler }

    func leave(_ messages: [OutboundMessage]) {
        mailbox.withLock { if $0.isUp { $0.messages.append(contentsOf: messages) } }
    }

    var hasMail: Bool { !isBlocked && (!taken.isEmpty || mailbox.withLock { !$0.messages.isEmpty }) }

    func opened(_ connection: AMQPConnection) throws {
        try connection.selectConfirms()
        (lastTag, settledThrough) = (0, 0)
        mailbox.withLock { $0.isUp = true }
        handler(.up)
    }

    func work(_ connection: AMQPConnection) throws -> Bool {
        guard !isBlocked else { return false }
        if taken.isEmpty {
            taken = mailbox.withLock { mailbox in
                defer { mailbox.messages = [] }
                return mailbox.messages[...]
            }
        }
        // A slice of 64, then frames are read: what the broker says must not pile up while we speak.
        for message in taken.prefix(64) {
            try connection.publish(message)
            lastTag += 1
            pending[lastTag] = Pending(token: message.token, messageID: message.messageID, since: .now)
            if message.exchange.isMandatory { mandatoryTags[message.messageID] = lastTag }
        }
        taken = taken.dropFirst(64)
        return !taken.isEmpty
    }

    func received(_ frame: wasl_frame) throws {
        switch frame.kind {
        case WASL_FRAME_ACK: settle(frame, isConfirmed: true)
        case WASL_FRAME_NACK: settle(frame, isConfirmed: false)
        case WASL_FRAME_RETURN: returning = (frame.code, string(frame.text))
        case WASL_FRAME_HEADER:
            // A return's header and body frames follow it; the acknowledgement comes after them.
            if let returning, let properties = frame.properties {
                let messageID = string(wasl_message_id(properties))
                if let tag = mandatoryTags[messageID] { pending[tag]?.returned = "\(returning.code) \(returning.text)" }
            }
            returning = nil
        case WASL_FRAME_BLOCKED:
            isBlocked = true
            handler(.blocked(reason: string(frame.text)))
        case WASL_FRAME_UNBLOCKED:
            isBlocked = false
            // The broker had stopped reading: the time to confirm begins now.
            for tag in pending.keys { pending[tag]?.since = .now }
            handler(.unblocked)
        case WASL_FRAME_CHANNEL_CLOSE, WASL_FRAME_CONNECTION_CLOSE:
            throw BrokerError(.closed, "the broker closed: \(frame.code) \(string(frame.text))")
        default: break
        }
    }

    private func settle(_ frame: wasl_frame, isConfirmed: Bool) {
        let first = frame.multiple ? settledThrough + 1 : frame.delivery_tag
        guard first <= frame.delivery_tag else { return }
        for tag in first...frame.delivery_tag {
            guard let entry = pending.removeValue(forKey: tag) else { continue }
            if mandatoryTags[entry.messageID] == tag { mandatoryTags[entry.messageID] = nil }
            let result: Settlement.Result =
                isConfirmed ? entry.returned.map { .returned($0) } ?? .confirmed : .nacked
            settlements.append(Settlement(token: entry.token, result: result))
        }
        if frame.multiple { settledThrough = max(settledThrough, frame.delivery_tag) }
    }

    func settle(at now: ContinuousClock.Instant) throws {
        if !settlements.isEmpty {
            let batch = settlements
            settlements = []
            handler(.settled(batch))
        }
        // Tags grow with time, and a lone late one is found once the others are gone.
        if !isBlocked, let oldest = pending[settledThrough + 1] ?? pending.min(by: { $0.key < $1.key })?.value,
            now - oldest.since > confirmTimeout
        {
            throw BrokerError(.timedOut, "no confirm within \(confirmTimeout)")
        }
    }

    func lost(reason: String) {
        let wasUp = mailbox.withLock { mailbox in
            defer { mailbox = Mailbox() }
            return mailbox.isUp
        }
        taken = []
        pending = [:]
        mandatoryTags = [:]
        settlements = []
        isBlocked = false
        returning = nil
        if wasUp { handler(.down(reason: reason)) }
    }
}
