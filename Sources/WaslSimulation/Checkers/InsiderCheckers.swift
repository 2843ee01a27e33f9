import WaslModel

/// Findings that say, or may be taken to say, that somebody did what they must not do.
let accusations: Set = [
    "foreign-word", "foreign-lane", "contradicting-requests", "contradicting-outcomes", "orphan-outcome", "subject-collision", "fork",
    "refused-message", "implausible-time", "epoch-changed",
]

/// Every lie that reached the ledger is a finding that names its signer, or nobody where nobody is proven.
struct LiesAreNamed: Checker {
    private var lies: [ToldLie] = []
    private var vanished: Set<String> = []
    private var wrongClocks: Set<String> = []
    /// What the ledger's disk took along is told by nobody again: a liar's journal is not asked.
    private var ledgerLostAt: Timestamp?

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .lied(let lie): lies.append(lie)
        case .vanished(let digest): vanished.insert(digest)
        case .clockWrong(let participant): wrongClocks.insert(participant)
        case .diskLost(let at, "ledger"): ledgerLostAt = at
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for lie in lies where canBeSeen(lie) {
            if !word.findings.contains(where: { isNamed(lie, by: $0) }) {
                report(lie.request?.subject.text, "`\(lie.kind)` of \(lie.signer) is not named as `\(lie.finding)`")
            }
        }
    }

    private func canBeSeen(_ lie: ToldLie) -> Bool {
        guard !vanished.contains(lie.digest), vanished.isDisjoint(with: lie.restsOn) else { return false }
        // Two requests contradict each other where both have come.
        let pair = lies.filter { lie.finding == "contradicting-requests" && $0.finding == lie.finding && $0.request == lie.request }
        guard vanished.isDisjoint(with: pair.map(\.digest)) else { return false }
        // A time lies behind earlier words by the clocks of who said them and of who heard them.
        let isByClocks = lie.finding == "implausible-time" && !lie.restsOn.isEmpty
        if isByClocks, wrongClocks.contains(lie.signer) || wrongClocks.contains("ledger") { return false }
        return ledgerLostAt.map { $0 < lie.since } ?? true
    }

    private func isNamed(_ lie: ToldLie, by finding: FinalWord.Finding) -> Bool {
        guard finding.kind == lie.finding, finding.participant == (lie.namesSigner ? lie.signer : nil),
            lie.request == nil || finding.request?.subject == lie.request?.subject
        else { return false }
        // Beyond so many of one participant one finding stands for the rest.
        if finding.key.hasSuffix(" and more") { return true }
        switch lie.mark {
        case .epoch(let epoch)?: return finding.evidence["epoch"]?.string == epoch.text
        case .number(let epoch, let number)?:
            return finding.evidence["epoch"]?.string == epoch.text && finding.evidence["sequence"]?.integer == number
        case .message(let id)?: return finding.key == "ledger \(id)"
        case nil: return true
        }
    }
}

/// No finding that accuses names somebody for what they never said; cleared ones neither, but where its clearing is what
/// `Docs/operate/findings.md` says of its class.
struct NobodyHonestIsBlamed: Checker {
    /// The classes that somebody's own lies explain.
    private var explained: [String: Set<String>] = [:]
    private var liarsOrders: Set<RequestKey> = []
    private var wrongClocks: Set<String> = []
    private var lostDisks: Set<String> = []

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .lied(let lie):
            explained[lie.signer, default: []].insert(lie.finding)
            // Said before its request has come, the same word is about one that nobody knows.
            if lie.finding == "foreign-word" { explained[lie.signer, default: []].insert("orphan-outcome") }
            if let order = lie.order { liarsOrders.insert(order.request) }
        case .clockWrong(let participant): wrongClocks.insert(participant)
        case .diskLost(_, let participant): lostDisks.insert(participant)
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for finding in word.findings where accusations.contains(finding.kind) {
            guard let participant = finding.participant, explained[participant]?.contains(finding.kind) != true,
                !isExcused(finding, of: participant)
            else { continue }
            let cleared = finding.isOpen ? "" : ", cleared since"
            report(finding.request?.subject.text, "`\(finding.kind)` names \(participant): \(finding.evidence.text)\(cleared)")
        }
    }

    private func isExcused(_ finding: FinalWord.Finding, of participant: String) -> Bool {
        let isLiarsOrder = finding.request.map(liarsOrders.contains) ?? false
        switch finding.kind {
        // Against a ledger's clock that is wrong every right time looks wrong.
        case "implausible-time": return wrongClocks.contains(participant) || wrongClocks.contains("ledger")
        // Who orders two things under one number gets two answers.
        case "contradicting-outcomes": return isLiarsOrder
        // The request came later; or it was a liar's, who does not say it again; or it went with its house's disk.
        case "orphan-outcome":
            return !finding.isOpen || isLiarsOrder || finding.request.map { lostDisks.contains($0.house.text) } == true
        // A house's word may overtake its own request, and an agency answers whatever it is sent.
        case "foreign-word": return !finding.isOpen && (isLiarsOrder || finding.request?.house.text == participant)
        case "foreign-lane", "refused-message": return !finding.isOpen
        default: return false
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
    private struct Mute {
        let participant: String
        let from: Timestamp
        let until: Timestamp
    }

    private var mutes: [Mute] = []
    /// By a clock that was wrong at some time nobody can tell when the ledger said something.
    private var isClockRight = true

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .mutedByBroker(let participant, let from, let until):
            mutes.append(Mute(participant: participant, from: from, until: until))
        case .clockWrong(participant: "ledger"): isClockRight = false
        // What it had found so far went with its disk.
        case .diskLost(_, "ledger"): mutes = []
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for mute in mutes where !word.findings.contains(where: { isHeard(mute, by: $0) }) {
            report(nil, "\(mute.participant) was cut off for long from \(mute.from) on, and its old beats passed for news")
        }
    }

    private func isHeard(_ mute: Mute, by finding: FinalWord.Finding) -> Bool {
        guard finding.kind == "silent-participant", finding.participant == mute.participant else { return false }
        return !isClockRight || finding.opened <= mute.until && finding.cleared.map { $0 >= mute.from } ?? true
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
