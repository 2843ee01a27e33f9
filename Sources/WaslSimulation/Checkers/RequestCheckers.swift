import WaslModel

extension Envelope {
    var status: OutcomeStatus? {
        type == .outcome ? data["status"]?.string.flatMap(OutcomeStatus.init(rawValue:)) : nil
    }
}

/// What the wire says of each request: shared by the checkers that need it, counted anew by each.
struct Outcomes {
    var standing: [String: (status: OutcomeStatus, revision: Int64)] = [:]
    var submitted: Set<String> = []

    mutating func observe(_ observation: Observation) {
        guard case .routed(let message) = observation, !message.isForged, let subject = message.envelope.subject?.text else { return }
        if message.envelope.type == .requestSubmitted { submitted.insert(subject) }
        guard let status = message.envelope.status, let revision = message.envelope.data["revision"]?.integer else { return }
        if let known = standing[subject], known.status.isTerminal || !status.isTerminal && known.revision >= revision { return }
        standing[subject] = (status, revision)
    }
}

/// Every shown receipt ends terminal or parked, and its outcome is in the house; what a lost disk took along is named by a gap.
struct ReceiptsEnd: Checker {
    private var shown: [String: ShownReceipt] = [:]
    private var outcomes = Outcomes()
    private var delivered: Set<String> = []
    private var lost: [String: Timestamp] = [:]

    mutating func observe(_ observation: Observation) {
        outcomes.observe(observation)
        switch observation {
        case .shown(let receipt): shown[receipt.request] = shown[receipt.request] ?? receipt
        case .diskLost(let at, let participant): lost[participant] = at
        case .routed(let message) where message.envelope.type == .outcomeDelivered && !message.isForged:
            for entry in message.envelope.data["outcomes"]?.array ?? [] {
                if let subject = entry["subject"]?.string { delivered.insert(subject) }
            }
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for (request, receipt) in shown.sorted(by: { $0.key < $1.key }) {
            guard outcomes.submitted.contains(request) else {
                if lost[receipt.house].map({ $0 >= receipt.at }) == true { continue }
                report(request, "its request never left the house, whose disk was not lost")
                continue
            }
            guard let status = outcomes.standing[request]?.status else {
                report(request, "no outcome at all")
                continue
            }
            if !status.isTerminal, status != .parked { report(request, "it ends as `\(status.rawValue)`") }
            if !delivered.contains(request) { report(request, "its outcome `\(status.rawValue)` never reached the house") }
        }
    }
}

struct OneEffect: Checker {
    private var effects: [String: Int] = [:]

    mutating func observe(_ observation: Observation) {
        if case .effect(_, _, let reference, _) = observation { effects[reference, default: 0] += 1 }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for (reference, count) in effects.sorted(by: { $0.key < $1.key }) where count > 1 { report(reference, "\(count) effects") }
    }
}

/// Before the first byte of a call that cannot be repeated, the broker has its intention.
struct IntentionsFirst: Checker {
    let services: Set<String>
    private var intended: Set<String> = []
    private var concerned: Set<String> = []
    private var early: [String] = []

    init(services: Set<String>) { self.services = services }

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .routed(let message) where !message.isForged:
            guard let subject = message.envelope.subject?.text, let service = message.envelope.service?.text, services.contains(service)
            else { return }
            concerned.insert(subject)
            if message.envelope.type == .attemptIntended { intended.insert(subject) }
        case .effect(_, _, let reference, _):
            if concerned.contains(reference), !intended.contains(reference) { early.append(reference) }
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for reference in early { report(reference, "done before its intention was with the broker") }
    }
}

/// Completed means exactly one effect, any other end none. A read has no effect at all.
struct OutcomesMatch: Checker {
    let reads: Set<String>
    private var effects: [String: Int] = [:]
    private var readRequests: Set<String> = []
    private var outcomes = Outcomes()

    init(reads: Set<String>) { self.reads = reads }

    mutating func observe(_ observation: Observation) {
        outcomes.observe(observation)
        switch observation {
        case .effect(_, _, let reference, _): effects[reference, default: 0] += 1
        case .routed(let message):
            if let service = message.envelope.service?.text, reads.contains(service), let subject = message.envelope.subject?.text {
                readRequests.insert(subject)
            }
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for (request, outcome) in outcomes.standing.sorted(by: { $0.key < $1.key }) where outcome.status.isTerminal {
            let count = effects[request] ?? 0
            if outcome.status == .completed, count == 0, !readRequests.contains(request) {
                report(request, "completed, and nothing was done")
            }
            if outcome.status != .completed, count > 0 { report(request, "`\(outcome.status.rawValue)`, and it was done") }
        }
    }
}

/// Two different ends of one request contradict.
struct TerminalStays: Checker {
    private var first: [String: OutcomeStatus] = [:]
    private var broken: [String: String] = [:]

    mutating func observe(_ observation: Observation) {
        guard case .routed(let message) = observation, !message.isForged, let subject = message.envelope.subject?.text,
            let status = message.envelope.status, status.isTerminal
        else { return }
        if let known = first[subject], known != status {
            broken[subject] = "first `\(known.rawValue)`, then `\(status.rawValue)`"
        } else {
            first[subject] = status
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for (subject, reason) in broken.sorted(by: { $0.key < $1.key }) { report(subject, reason) }
    }
}

/// Effects are of requests that a house sent, for the amount that the citizen gave.
struct NothingForged: Checker {
    private var amounts: [String: Int64?] = [:]
    private var effects: [(reference: String, millimes: Int64?)] = []

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .shown(let receipt): amounts[receipt.request] = .some(receipt.millimes)
        case .routed(let message) where message.envelope.type == .requestSubmitted && !message.isForged:
            guard let subject = message.envelope.subject?.text, amounts[subject] == nil else { return }
            amounts[subject] = .some(message.envelope.data["millimes"]?.integer)
        case .effect(_, _, let reference, let millimes): effects.append((reference, millimes))
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for effect in effects {
            guard let expected = amounts[effect.reference] else {
                report(effect.reference, "done, and no house ever sent it")
                continue
            }
            if expected != effect.millimes { report(effect.reference, "done for another amount") }
        }
    }
}
