import WaslModel

/// Findings that say, or may be taken to say, that somebody did what they must not do.
let accusations: Set = [
    "foreign-word", "foreign-lane", "contradicting-requests", "fork", "refused-message", "implausible-time", "epoch-changed",
]

/// Every lie that reached the ledger is a finding that names its signer, or nobody where nobody is proven.
struct LiesAreNamed: Checker {
    private var lies: [ToldLie] = []
    private var vanished: Set<String> = []
    /// What the ledger's disk took along is told by nobody again: a liar's journal is not asked.
    private var ledgerLostAt: Timestamp?

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .lied(let lie): lies.append(lie)
        case .vanished(let digest): vanished.insert(digest)
        case .diskLost(let at, "ledger"): ledgerLostAt = at
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for lie in lies
        where !vanished.contains(lie.digest) && lie.restsOn.map({ !vanished.contains($0) }) ?? true
            && ledgerLostAt.map({ $0 < lie.at }) ?? true
        {
            let isNamed = word.findings.contains {
                $0.kind == lie.finding && $0.participant == (lie.namesSigner ? lie.signer : nil)
                    && (lie.request == nil || $0.request?.subject == lie.request?.subject)
            }
            if !isNamed {
                report(lie.request?.subject.text, "`\(lie.kind)` of \(lie.signer) is not named as `\(lie.finding)`")
            }
        }
    }
}

/// No finding that accuses names somebody who told no lie.
struct NobodyHonestIsBlamed: Checker {
    private var liars: Set<String> = []
    private var wrongClocks: Set<String> = []

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .lied(let lie): liars.insert(lie.signer)
        case .clockWrong(let participant): wrongClocks.insert(participant)
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for finding in word.findings where finding.isOpen && accusations.contains(finding.kind) {
            guard let participant = finding.participant, !liars.contains(participant) else { continue }
            // Against a ledger's clock that is wrong every right time looks wrong.
            if finding.kind == "implausible-time", wrongClocks.contains(participant) || wrongClocks.contains("ledger") { continue }
            report(finding.request?.subject.text, "`\(finding.kind)` names \(participant): \(finding.evidence.text)")
        }
    }
}

/// All that honest participants said is in the ledger's log in the end, whatever liars and broker did.
struct HonestIsLogged: Checker {
    private var said: [String: (source: String, sequence: Int64)] = [:]
    private var lost: Set<String> = []

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .diskLost(_, let participant): lost.insert(participant)
        case .routed(let message) where !message.isForged && message.envelope.source.role != .ledger:
            if let lane = message.envelope.lane { said[message.digest] = (message.envelope.source.participant.text, lane.sequence) }
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for (digest, place) in said where !word.logged.contains(digest) && !lost.contains(place.source) {
            report(nil, "number \(place.sequence) of \(place.source) is not in the ledger's log")
        }
    }
}

/// However many lies one participant tells, the findings about it are few.
struct FloodIsBounded: Checker {
    private static let openMax = 520

    mutating func observe(_ observation: Observation) {}

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        var counts: [String: Int] = [:]
        for finding in word.findings where finding.isOpen && accusations.contains(finding.kind) {
            let group = finding.participant ?? "nobody, by \(finding.evidence["by"]?.string ?? "nobody")"
            counts["\(finding.kind) about \(group)", default: 0] += 1
        }
        for (what, count) in counts.sorted(by: { $0.key < $1.key }) where count > FloodIsBounded.openMax {
            report(nil, "\(count) open findings `\(what)`")
        }
    }
}

/// Who was cut off is named silent, whatever is played again in its name.
struct SilenceIsHeard: Checker {
    private var muted: Set<String> = []

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .mutedByBroker(let participant): muted.insert(participant)
        // What it had found so far went with its disk.
        case .diskLost(_, "ledger"): muted = []
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for participant in muted.sorted()
        where !word.findings.contains(where: { $0.kind == "silent-participant" && $0.participant == participant }) {
            report(nil, "\(participant) was cut off for long, and its old beats passed for news")
        }
    }
}

/// A request whose time lies far ahead is not acted upon before.
struct NothingEarly: Checker {
    private var notBefore: [String: (request: RequestKey, time: Timestamp)] = [:]
    private var early: [RequestKey] = []

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .lied(let lie):
            guard let order = lie.order, let time = order.notBefore else { return }
            notBefore[References.reference(of: order.request)] = (order.request, time)
        case .effect(let at, _, let reference, _):
            if let known = notBefore[reference], at < known.time { early.append(known.request) }
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for request in early { report(request.subject.text, "done long before the time that it claims") }
    }
}
