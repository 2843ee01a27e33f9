/// Decides what is published when: pure state, no I/O. ``PublishingPump`` acts.
///
/// Messages go out in the order of their numbers; a failed one is tried again alone and holds up nobody. After a loss of the link
/// everything past the watermark goes out again: receivers know duplicates.
package struct PublishingWindow {
    package enum Action: Equatable {
        case publish([OutboundMessage])
        /// Read messages after this number from the disk.
        case refill(after: Int64, limit: Int)
        /// Publish this one again after a pause that grows with `attempt`.
        case retry(OutboundMessage, attempt: Int)
    }

    /// Every number up to here is confirmed.
    package private(set) var confirmedThrough: Int64
    package private(set) var isUp = false
    private let inFlightMax: Int
    private let readyMax: Int
    /// The newest number in the journal.
    private var newest: Int64
    /// Every number up to here was taken into memory since the link came up.
    private var takenThrough: Int64
    private var ready: ArraySlice<OutboundMessage> = []
    private var inFlight: [Int64: OutboundMessage] = [:]
    private var attempts: [Int64: Int] = [:]
    private var confirmedAhead: Set<Int64> = []
    private var isRefilling = false

    package init(confirmedThrough: Int64, newest: Int64, inFlightMax: Int = 500) {
        self.confirmedThrough = confirmedThrough
        self.newest = newest
        self.inFlightMax = inFlightMax
        readyMax = 4 * inFlightMax
        takenThrough = confirmedThrough
    }

    /// Messages that wait for their confirmation, on disk or on the way.
    package var backlog: Int64 { newest - confirmedThrough - Int64(confirmedAhead.count) }

    package func isConfirmed(_ number: Int64) -> Bool { number <= confirmedThrough || confirmedAhead.contains(number) }

    package mutating func committed(_ messages: [OutboundMessage]) -> [Action] {
        guard let last = messages.last else { return [] }
        newest = max(newest, last.token)
        // Behind, or without a link, they stay on disk: memory stays bounded however long the broker is away.
        if isUp, !isRefilling, messages[0].token == takenThrough + 1, ready.count + messages.count <= readyMax {
            ready.append(contentsOf: messages)
            takenThrough = last.token
        }
        return proceed()
    }

    package mutating func linkUp() -> [Action] {
        restart()
        isUp = true
        return proceed()
    }

    package mutating func linkDown() {
        restart()
        isUp = false
    }

    private mutating func restart() {
        ready = []
        inFlight = [:]
        attempts = [:]
        takenThrough = confirmedThrough
    }

    package mutating func refilled(_ messages: [OutboundMessage]) -> [Action] {
        isRefilling = false
        guard isUp else { return [] }
        // The link may have gone and come between the question and the answer: take only what comes next.
        for message in messages where message.token == takenThrough + 1 {
            if !isConfirmed(message.token) { ready.append(message) }
            takenThrough = message.token
        }
        return proceed()
    }

    package mutating func settled(_ settlements: [Settlement]) -> [Action] {
        var actions: [Action] = []
        for settlement in settlements {
            guard let message = inFlight.removeValue(forKey: settlement.token) else { continue }
            // What the ledger asks for and cannot hand over it asks for again by itself: kept here, it would hold up everybody else's.
            if settlement.result == .confirmed || settlement.result.isReturned && message.exchange == .control {
                attempts[settlement.token] = nil
                confirmedAhead.insert(settlement.token)
            } else {
                let attempt = attempts[settlement.token, default: 0] + 1
                attempts[settlement.token] = attempt
                actions.append(.retry(message, attempt: attempt))
            }
        }
        while confirmedAhead.remove(confirmedThrough + 1) != nil { confirmedThrough += 1 }
        return actions + proceed()
    }

    /// The pause of a ``Action/retry(_:attempt:)`` is over.
    package mutating func retryDue(_ message: OutboundMessage) -> [Action] {
        // A link that came up since has already sent it again.
        guard isUp, attempts[message.token] != nil, inFlight[message.token] == nil else { return [] }
        inFlight[message.token] = message
        return [.publish([message])]
    }

    private mutating func proceed() -> [Action] {
        guard isUp else { return [] }
        var actions: [Action] = []
        // What fails is tried again alone and holds up nobody, unless nearly everything fails: then memory stays bounded.
        let room = attempts.count < readyMax ? inFlightMax - inFlight.count : 0
        if room > 0, !ready.isEmpty {
            let batch = Array(ready.prefix(room))
            ready = ready.dropFirst(batch.count)
            if ready.isEmpty { ready = [] }
            for message in batch { inFlight[message.token] = message }
            actions.append(.publish(batch))
        }
        if !isRefilling, takenThrough < newest, ready.count < inFlightMax {
            isRefilling = true
            actions.append(.refill(after: takenThrough, limit: inFlightMax))
        }
        return actions
    }
}
