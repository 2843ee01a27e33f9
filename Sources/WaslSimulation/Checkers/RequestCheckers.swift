import WaslModel

extension Envelope {
    var status: OutcomeStatus? {
        type == .outcome ? data["status"]?.string.flatMap(OutcomeStatus.init(rawValue:)) : nil
    }
}

/// What the wire says of each request: shared by the checkers that need it, counted anew by each.
struct Outcomes {
    var standing: [RequestKey: (status: OutcomeStatus, revision: Int64)] = [:]
    var submitted: [RequestKey: Envelope] = [:]

    mutating func observe(_ observation: Observation) {
        guard case .routed(let message) = observation, !message.isForged, let request = message.envelope.request else { return }
        if message.envelope.type == .requestSubmitted { submitted[request] = submitted[request] ?? message.envelope }
        guard let status = message.envelope.status, let revision = message.envelope.data["revision"]?.integer else { return }
        if let known = standing[request], known.status.isTerminal || !status.isTerminal && known.revision >= revision { return }
        standing[request] = (status, revision)
    }
}

/// Every shown receipt ends terminal or parked, and its outcome is in the house; what a lost disk took along is named by a gap.
struct ReceiptsEnd: Checker {
    private var shown: [RequestKey: ShownReceipt] = [:]
    private var outcomes = Outcomes()
    private var delivered: Set<RequestKey> = []
    private var lost: [String: Timestamp] = [:]

    mutating func observe(_ observation: Observation) {
        outcomes.observe(observation)
        switch observation {
        case .shown(let receipt): shown[receipt.request] = shown[receipt.request] ?? receipt
        case .diskLost(let at, let participant): lost[participant] = at
        case .routed(let message) where message.envelope.type == .outcomeDelivered && !message.isForged:
            for entry in message.envelope.data["outcomes"]?.array ?? [] {
                guard let subject = entry["subject"]?.string.flatMap({ RequestID($0) }) else { continue }
                delivered.insert(RequestKey(house: message.envelope.source.participant, subject: subject))
            }
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for (request, receipt) in shown.sorted(by: { $0.key < $1.key }) {
            let subject = request.subject.text
            guard outcomes.submitted[request] != nil else {
                if lost[request.house.text].map({ $0 >= receipt.at }) == true { continue }
                report(subject, "its request never left the house, whose disk was not lost")
                continue
            }
            guard let status = outcomes.standing[request]?.status else {
                report(subject, "no outcome at all")
                continue
            }
            if !status.isTerminal, status != .parked { report(subject, "it ends as `\(status.rawValue)`") }
            if !delivered.contains(request) { report(subject, "its outcome `\(status.rawValue)` never reached the house") }
        }
    }
}

struct OneEffect: Checker {
    private struct Place: Hashable, Comparable {
        let agency: String
        let reference: String
        static func < (left: Self, right: Self) -> Bool { (left.agency, left.reference) < (right.agency, right.reference) }
    }

    private var effects: [Place: Int] = [:]
    private var references = References()

    mutating func observe(_ observation: Observation) {
        references.observe(observation)
        if case .effect(_, let agency, let reference, _) = observation {
            effects[Place(agency: agency, reference: reference), default: 0] += 1
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for (place, count) in effects.sorted(by: { $0.key < $1.key }) where count > 1 {
            report(references.request(of: place.reference)?.subject.text ?? place.reference, "\(count) effects")
        }
    }
}

/// Before the first byte of a call that cannot be repeated, the broker has its intention.
struct IntentionsFirst: Checker {
    let services: Set<String>
    private var references = References()
    private var intended: Set<String> = []
    private var concerned: Set<RequestKey> = []
    private var early: [RequestKey] = []

    init(services: Set<String>) { self.services = services }

    mutating func observe(_ observation: Observation) {
        references.observe(observation)
        switch observation {
        case .routed(let message) where !message.isForged:
            guard let request = message.envelope.request, let service = message.envelope.service?.text, services.contains(service)
            else { return }
            concerned.insert(request)
            if message.envelope.type == .attemptIntended { intended.insert(References.reference(of: request)) }
        case .effect(_, _, let reference, _):
            if let request = references.request(of: reference), concerned.contains(request), !intended.contains(reference) {
                early.append(request)
            }
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for request in early { report(request.subject.text, "done before its intention was with the broker") }
    }
}

/// Completed means exactly one effect, any other end none. A read has no effect at all.
struct OutcomesMatch: Checker {
    let reads: Set<String>
    private var effects: [String: Int] = [:]
    private var readRequests: Set<RequestKey> = []
    private var liarsOrders: Set<RequestKey> = []
    private var outcomes = Outcomes()

    init(reads: Set<String>) { self.reads = reads }

    mutating func observe(_ observation: Observation) {
        outcomes.observe(observation)
        switch observation {
        case .effect(_, _, let reference, _): effects[reference, default: 0] += 1
        case .lied(let lie): if let order = lie.order { liarsOrders.insert(order.request) }
        case .routed(let message):
            if let service = message.envelope.service?.text, reads.contains(service), let request = message.envelope.request {
                readRequests.insert(request)
            }
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for (request, outcome) in outcomes.standing.sorted(by: { $0.key < $1.key })
        where outcome.status.isTerminal && !liarsOrders.contains(request) {
            let count = effects[References.reference(of: request)] ?? 0
            if outcome.status == .completed, count == 0, !readRequests.contains(request) {
                report(request.subject.text, "completed, and nothing was done")
            }
            if outcome.status != .completed, count > 0 {
                report(request.subject.text, "`\(outcome.status.rawValue)`, and it was done")
            }
        }
    }
}

/// Two different ends of one request contradict.
struct TerminalStays: Checker {
    private var first: [RequestKey: OutcomeStatus] = [:]
    private var broken: [RequestKey: String] = [:]
    private var liarsOrders: Set<RequestKey> = []

    mutating func observe(_ observation: Observation) {
        if case .lied(let lie) = observation, let order = lie.order { liarsOrders.insert(order.request) }
        guard case .routed(let message) = observation, !message.isForged, let request = message.envelope.request,
            let status = message.envelope.status, status.isTerminal
        else { return }
        if let known = first[request], known != status {
            broken[request] = "first `\(known.rawValue)`, then `\(status.rawValue)`"
        } else {
            first[request] = status
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        // Who orders two things under one number gets two answers.
        for (request, reason) in broken.sorted(by: { $0.key < $1.key }) where !liarsOrders.contains(request) {
            report(request.subject.text, reason)
        }
    }
}

/// Effects are of requests that a house sent, for the amount that the citizen gave.
struct NothingForged: Checker {
    private var references = References()
    private var amounts: [RequestKey: Int64?] = [:]
    /// What liars may order: one thing or another.
    private var liarsAmounts: [RequestKey: Set<Int64?>] = [:]
    private var effects: [(reference: String, millimes: Int64?)] = []

    mutating func observe(_ observation: Observation) {
        references.observe(observation)
        switch observation {
        case .shown(let receipt): amounts[receipt.request] = .some(receipt.millimes)
        case .routed(let message) where message.envelope.type == .requestSubmitted && !message.isForged:
            guard let request = message.envelope.request, amounts[request] == nil else { return }
            amounts[request] = .some(message.envelope.data["millimes"]?.integer)
        case .lied(let lie):
            // Its own order, which it may make.
            if let order = lie.order { liarsAmounts[order.request, default: []].insert(order.millimes) }
        case .effect(_, _, let reference, let millimes): effects.append((reference, millimes))
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for effect in effects {
            let named = references.request(of: effect.reference)
            if let named, liarsAmounts[named]?.contains(effect.millimes) == true { continue }
            guard let request = named, let expected = amounts[request] else {
                report(effect.reference, "done, and no house ever sent it")
                continue
            }
            if expected != effect.millimes { report(request.subject.text, "done for another amount") }
        }
    }
}
