import WaslModel

/// After the faults have stopped, house and ledger say what the wire says, or an open finding says why not.
struct WordsAgree: Checker {
    private var outcomes = Outcomes()
    private var houses: [String: String] = [:]

    mutating func observe(_ observation: Observation) {
        outcomes.observe(observation)
        guard case .routed(let message) = observation, !message.isForged, message.envelope.type == .requestSubmitted,
            let subject = message.envelope.subject?.text
        else { return }
        houses[subject] = message.envelope.source.participant.text
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        let explained = Set(word.findings.compactMap(\.subject))
        for subject in outcomes.submitted.sorted() {
            let status = outcomes.standing[subject]?.status.rawValue
            if word.ledger[subject] == nil { report(subject, "the ledger does not know it") }
            if let status, word.ledger[subject] != status, !explained.contains(subject) {
                report(subject, "the ledger says `\(word.ledger[subject] ?? "nothing")`, the wire `\(status)`")
            }
            if let status, word.houses[subject] != status, !explained.contains(subject) {
                report(subject, "the house says `\(word.houses[subject] ?? "nothing")`, the wire `\(status)`")
            }
            if let status, OutcomeStatus(rawValue: status)?.isTerminal == true, !word.delivered.contains(subject),
                !explained.contains(subject)
            {
                report(subject, "the ledger does not know that the outcome was delivered")
            }
        }
        for subject in word.ledger.keys.sorted() where !outcomes.submitted.contains(subject) && !explained.contains(subject) {
            report(subject, "the ledger knows it, and no house ever sent it")
        }
    }
}

/// While nothing is wrong with house, agency, broker and ledger, an order is answered within two minutes, whatever happens elsewhere.
struct NobodyWaits: Checker {
    private static let patience: Duration = .seconds(120)
    private var shown: [ShownReceipt] = []
    private var answered: [String: Timestamp] = [:]
    /// By participant (`""` is everybody): stretches of trouble, joined where they touch.
    private var disturbances: [String: [ClosedRange<Int64>]] = [:]

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .shown(let receipt): shown.append(receipt)
        case .disturbed(let at, let until, let participant):
            let (key, last) = (participant ?? "", disturbances[participant ?? ""]?.last)
            if let last, last.contains(at.milliseconds) {
                disturbances[key]?.removeLast()
                disturbances[key]?.append(last.lowerBound...max(last.upperBound, until.milliseconds))
            } else {
                disturbances[key, default: []].append(at.milliseconds...until.milliseconds)
            }
        case .routed(let message) where !message.isForged:
            guard let subject = message.envelope.subject?.text, message.envelope.status != nil else { return }
            answered[subject] = answered[subject] ?? message.at
        default: break
        }
    }

    private func isDisturbed(_ participant: String, in window: ClosedRange<Int64>) -> Bool {
        disturbances[participant]?.contains { $0.overlaps(window) } ?? false
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for receipt in shown {
            let until = receipt.at.advanced(by: NobodyWaits.patience)
            let window = receipt.at.milliseconds - 600_000...until.milliseconds
            if ["", receipt.house, receipt.agency, "ledger"].contains(where: { isDisturbed($0, in: window) }) { continue }
            guard let at = answered[receipt.request], at <= until else {
                report(receipt.request, "nothing was wrong with \(receipt.house) and \(receipt.agency), and it took more than two minutes")
                continue
            }
        }
    }
}
