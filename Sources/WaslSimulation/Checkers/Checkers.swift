import WaslModel

/// One invariant: it observes a run from outside, and says in the end what was not as promised.
protocol Checker {
    mutating func observe(_ observation: Observation)
    func conclude(_ word: FinalWord, _ report: (_ subject: String?, _ reason: String) -> Void)
}

/// All invariants side by side.
public struct Checkers {
    private var checkers: [(name: String, checker: any Checker)]

    /// - Parameters:
    ///   - reads: the services that change nothing at the agency.
    ///   - unrepeatable: the agencies' services that can neither be repeated nor looked up.
    public init(reads: Set<String>, unrepeatable: Set<String>) {
        checkers = [
            ("every receipt ends", ReceiptsEnd()),
            ("at most one effect", OneEffect()),
            ("an intention is known before its call", IntentionsFirst(services: unrepeatable)),
            ("outcomes say what was done", OutcomesMatch(reads: reads)),
            ("lanes are gapless and never fork", LanesHold()),
            ("terminal states never change", TerminalStays()),
            ("receipts say what was sent", ReceiptsHold()),
            ("nothing forged is done", NothingForged()),
            ("no citizen's data in sight", NothingReadable()),
            ("no acknowledgement before its commit", AcknowledgedIsKept()),
            ("house and ledger agree", WordsAgree()),
            ("nobody waits for another's trouble", NobodyWaits()),
            ("every lie is named", LiesAreNamed()),
            ("nobody honest is blamed", NobodyHonestIsBlamed()),
            ("nothing honest is set aside", HonestIsLogged()),
            ("a flood is counted, not listed", FloodIsBounded()),
            ("silence is heard", SilenceIsHeard()),
            ("nothing is begun before its time", NothingEarly()),
        ]
    }

    public static var names: [String] { Checkers(reads: [], unrepeatable: []).checkers.map(\.name) }

    public mutating func observe(_ observation: Observation) {
        for index in checkers.indices { checkers[index].checker.observe(observation) }
    }

    public func conclude(_ word: FinalWord) -> [Violation] {
        var violations: [Violation] = []
        for (name, checker) in checkers {
            checker.conclude(word) { violations.append(Violation(invariant: name, subject: $0, reason: $1)) }
        }
        return violations
    }
}
