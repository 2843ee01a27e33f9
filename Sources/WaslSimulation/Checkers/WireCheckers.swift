import WaslModel

/// In each lane every number from 1 to the newest, each chained to the one before, of one source, and none twice.
struct LanesHold: Checker {
    private struct Lane {
        let source: String
        var digests: [Int64: String] = [:]
        var chains: [Int64: String] = [:]
    }

    private var lanes: [EpochID: Lane] = [:]
    private var problems: [String] = []
    private var lost: Set<String> = []

    mutating func observe(_ observation: Observation) {
        if case .diskLost(_, let participant) = observation { lost.insert(participant) }
        guard case .routed(let message) = observation, !message.isForged, let position = message.envelope.lane else { return }
        let source = message.envelope.source.description
        // In place: a copy of a long lane for each message would make the whole quadratic.
        let known = lanes[position.epoch, default: Lane(source: source)].digests.updateValue(message.digest, forKey: position.sequence)
        if let known, known != message.digest { problems.append("\(source): two messages have number \(position.sequence)") }
        lanes[position.epoch]?.chains[position.sequence] = position.chain
        if let first = lanes[position.epoch]?.source, first != source {
            problems.append("epoch \(position.epoch) is of \(first) and of \(source)")
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for problem in problems { report(nil, problem) }
        for (_, lane) in lanes.sorted(by: { $0.key < $1.key }) {
            let participant = lane.source.split(separator: "/").last.map(String.init) ?? ""
            let newest = lane.digests.keys.max() ?? 0
            for number in 1...max(newest, 1) {
                if lane.digests[number] == nil {
                    if !lost.contains(participant), participant != "ledger" { report(nil, "\(lane.source): number \(number) never came") }
                } else if number > 1, let before = lane.digests[number - 1], lane.chains[number] != before {
                    report(nil, "\(lane.source): number \(number) is not chained to the one before")
                }
            }
        }
    }
}

/// A receipt names the very message that was sent, and its time is the message's.
struct ReceiptsHold: Checker {
    private var shown: [ShownReceipt] = []
    private var digests: [RequestKey: Set<String>] = [:]
    private var times: [RequestKey: Timestamp] = [:]

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .shown(let receipt): shown.append(receipt)
        case .routed(let message) where message.envelope.type == .requestSubmitted && !message.isForged:
            guard let request = message.envelope.request else { return }
            digests[request, default: []].insert(message.digest)
            times[request] = message.envelope.time
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for receipt in shown {
            let subject = receipt.request.subject.text
            guard let sent = digests[receipt.request], let json = try? JSON.parse(receipt.text) else { continue }
            if json["digest"]?.string.map({ sent == [$0] }) != true {
                report(subject, "the receipt's digest is of another message")
            }
            if json["time"]?.string != times[receipt.request]?.description { report(subject, "the receipt has another time") }
            if json["house"]?.string != receipt.request.house.text { report(subject, "the receipt is another house's") }
        }
    }
}

/// Nothing that a citizen said is on the wire or in the ledger's file.
struct NothingReadable: Checker {
    private var readable: [(subject: String?, type: String)] = []

    mutating func observe(_ observation: Observation) {
        if case .routed(let message) = observation, message.isReadable {
            readable.append((message.envelope.subject?.text, message.envelope.type.rawValue))
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for message in readable { report(message.subject, "a citizen's words are in a `\(message.type)`") }
        if word.isLedgerReadable { report(nil, "a citizen's words are in the ledger's file") }
    }
}

/// What was acknowledged was committed before: a house says `outcome.delivered` of it at a time before its acknowledgement, and a
/// ledger never asks again for what it has acknowledged.
struct AcknowledgedIsKept: Checker {
    /// By outcome: the first acknowledgement, by the house's clock.
    private var acknowledged: [String: (house: String, clock: Timestamp)] = [:]
    private var delivered: [String: Timestamp] = [:]
    /// Outcome to its request.
    private var outcomes: [String: String] = [:]
    /// By message: when the ledger acknowledged it, by its own clock.
    private var ledgerHas: [String: Timestamp] = [:]
    /// By participant and epoch: who claims another's epoch is asked for its own numbers.
    private var lanes: [String: [Int64: String]] = [:]
    private var askedAgain: [(id: String, reason: String)] = []
    /// By participant and message: what was set aside was not lost, and may come again.
    private var refused: Set<String> = []
    /// How many pieces an outcome promises, and the messages that bring them.
    private var promised: [String: Int] = [:]
    private var pieces: [String: Set<String>] = [:]
    private var lost: Set<String> = []
    private var newestClock: [String: Timestamp] = [:]

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .diskLost(_, let participant):
            lost.insert(participant)
            if participant == "ledger" { ledgerHas = [:] }
        case .acknowledged(let queue, let id, let clock):
            if queue == "ledger" {
                ledgerHas[id] = ledgerHas[id] ?? clock
            } else if queue.hasPrefix("house.") {
                let house = String(queue.dropFirst(6))
                // A clock that was put back says less than the house knew.
                let latest = max(clock, newestClock[house] ?? clock)
                newestClock[house] = latest
                acknowledged[id] = acknowledged[id] ?? (house, latest)
            }
        case .routed(let message) where !message.isForged:
            observe(message)
        default: break
        }
    }

    private mutating func observe(_ message: RoutedMessage) {
        let envelope = message.envelope
        if let lane = envelope.lane {
            lanes["\(envelope.source.participant) \(lane.epoch)", default: [:]][lane.sequence] = envelope.id
        }
        switch envelope.type {
        case .outcome:
            outcomes[envelope.id] = envelope.subject?.text ?? ""
            for notice in (try? AttachmentNotice.all(in: envelope.data)) ?? [] { promised[envelope.id, default: 0] += notice.pieces }
        case .attachmentChunk:
            if let cause = envelope.causationID { pieces[cause, default: []].insert(envelope.id) }
        case .outcomeDelivered:
            for entry in envelope.data["outcomes"]?.array ?? [] {
                guard let id = entry["id"]?.string else { continue }
                delivered[id] = delivered[id].map { min($0, envelope.time) } ?? envelope.time
            }
        case .messageRefused:
            if let id = envelope.data["messageid"]?.string { refused.insert("\(envelope.source.participant) \(id)") }
        case .resend:
            guard envelope.subject == nil, let asked = envelope.recipient,
                let epoch = envelope.data["epoch"]?.string.flatMap({ EpochID($0) }),
                let from = envelope.data["from"]?.string.flatMap({ Int64($0) }),
                let through = envelope.data["through"]?.string.flatMap({ Int64($0) })
            else { return }
            for number in from...max(from, min(through, from + 5_000)) {
                // An ask that was minted before the message came may reach the wire after it.
                if let id = lanes["\(asked) \(epoch)"]?[number], let at = ledgerHas[id], at < envelope.time {
                    askedAgain.append((id, "number \(number) of epoch \(epoch) was acknowledged and asked for again"))
                }
            }
        default: break
        }
    }

    func conclude(_ word: FinalWord, _ report: (String?, String) -> Void) {
        for (id, reason) in askedAgain where !refused.contains("ledger \(id)") { report(nil, reason) }
        for (id, acknowledgement) in acknowledged.sorted(by: { $0.key < $1.key })
        where outcomes[id] != nil && !lost.contains(acknowledgement.house) && !refused.contains("\(acknowledgement.house) \(id)") {
            // An outcome with documents is there with the last of their pieces.
            let parts = pieces[id, default: []].compactMap { acknowledged[$0]?.clock }
            guard parts.count >= promised[id] ?? 0 else { continue }
            let latest = ([acknowledgement.clock] + parts).max() ?? acknowledgement.clock
            guard let time = delivered[id] else {
                report(outcomes[id], "\(acknowledgement.house) acknowledged outcome \(id) and never said that it has it")
                continue
            }
            if time > latest { report(outcomes[id], "\(acknowledgement.house) acknowledged outcome \(id) before it had it") }
        }
    }
}
