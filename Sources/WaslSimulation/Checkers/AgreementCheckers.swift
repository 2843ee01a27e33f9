import WaslModel

/// After the faults have stopped, house and ledger say what the wire says, or an open finding says why not.
struct WordsAgree: Checker {
    private var outcomes = Outcomes()
    private var liarsOrders: Set<RequestKey> = []
    /// What each outcome says, by its identifier.
    private var statuses: [String: OutcomeStatus] = [:]
    /// The outcomes that a request's own house said it has.
    private var delivered: [RequestKey: Set<String>] = [:]

    mutating func observe(_ observation: Observation) {
        outcomes.observe(observation)
        switch observation {
        case .lied(let lie): if let order = lie.order { liarsOrders.insert(order.request) }
        case .routed(let message) where !message.isForged: note(message.envelope)
        default: break
        }
    }

    private mutating func note(_ envelope: Envelope) {
        if let status = envelope.status { statuses[envelope.id] = status }
        guard envelope.type == .outcomeDelivered else { return }
        for entry in envelope.data["outcomes"]?.array ?? [] {
            guard let id = entry["id"]?.string, let subject = entry["subject"]?.string.flatMap({ RequestID($0) }) else { continue }
            delivered[RequestKey(house: envelope.source.participant, subject: subject), default: []].insert(id)
        }
    }

    /// Whether the house has said that it has an outcome that says so. The same end may be said anew under another identifier.
    private func isDelivered(_ request: RequestKey, as status: String) -> Bool {
        delivered[request, default: []].contains { statuses[$0]?.rawValue == status }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        // That somebody lied about a request explains nothing of it: that is what must not matter.
        let explained = Set(word.findings.filter { $0.isOpen && !accusations.contains($0.kind) }.compactMap(\.request))
        for (request, submitted) in outcomes.submitted.sorted(by: { $0.key < $1.key }) {
            let subject = request.subject.text
            guard let known = word.ledger[request] else {
                report(subject, "the ledger does not know it")
                continue
            }
            // What was sent is never explained away: no finding makes it another request.
            if known.agency != submitted.recipient?.text { report(subject, "the ledger has it at \(known.agency)") }
            if known.service != submitted.service?.text { report(subject, "the ledger has it as \(known.service)") }
            if known.submitted != submitted.time { report(subject, "the ledger has it sent at \(known.submitted)") }
            if known.millimes != submitted.data["millimes"]?.integer { report(subject, "the ledger has another amount") }
            let standing = outcomes.standing[request]?.status
            let isSaid = isDelivered(request, as: known.status) || standing.map { isDelivered(request, as: $0.rawValue) } == true
            if known.isDelivered, !isSaid {
                report(subject, "the ledger believes that `\(known.status)` was delivered, and its house never said so")
            }
            guard let status = standing, !explained.contains(request) else { continue }
            if known.status != status.rawValue { report(subject, "the ledger says `\(known.status)`, the wire `\(status.rawValue)`") }
            if word.houses[request] != status.rawValue {
                report(subject, "the house says `\(word.houses[request] ?? "nothing")`, the wire `\(status.rawValue)`")
            }
            if status.isTerminal, !known.isDelivered { report(subject, "the ledger does not know that the outcome was delivered") }
        }
        for request in word.ledger.keys.sorted()
        where outcomes.submitted[request] == nil && !explained.contains(request) && !liarsOrders.contains(request) {
            report(request.subject.text, "the ledger knows it, and no house ever sent it")
        }
    }
}

/// While nothing is wrong with house, agency, broker and ledger, an order is answered within two minutes, whatever happens elsewhere.
struct NobodyWaits: Checker {
    private static let patience: Duration = .seconds(120)
    private var shown: [ShownReceipt] = []
    private var answered: [RequestKey: Timestamp] = [:]
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
            guard let request = message.envelope.request, message.envelope.status != nil else { return }
            answered[request] = answered[request] ?? message.at
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
            if ["", receipt.request.house.text, receipt.agency, "ledger"].contains(where: { isDisturbed($0, in: window) }) { continue }
            guard let at = answered[receipt.request], at <= until else {
                report(
                    receipt.request.subject.text,
                    "nothing was wrong with \(receipt.request.house) and \(receipt.agency), and it took more than two minutes")
                continue
            }
        }
    }
}
