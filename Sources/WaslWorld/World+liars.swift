import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation

/// A request as anybody sees it on the wire.
struct SeenRequest {
    let request: RequestKey
    let agency: ParticipantID
    let service: ServiceID
    let message: String
}

/// What one house and one agency say that is not theirs to say.
extension World {
    /// How often each is tried in one seed; what lies ahead of its chance is not told, and most queues that are purged are empty.
    private static let times: [(lie: Lie, expected: Double)] = [
        (.unexplainedEpoch, 1), (.silentEpoch, 1), (.foreignDelivery, 3), (.stolenNumber, 2), (.secondRequest, 1), (.timeAhead, 1),
        (.timeBehind, 1), (.squattedLane, 2), (.lyingPresence, 1), (.neighboursName, 2), (.unsigned, 1), (.flood, 0.2),
        (.foreignOutcome, 3), (.foreignTaking, 2), (.foreignPiece, 1), (.dropped, 3), (.purged, 1.5), (.rebound, 1),
        (.replayedBeats, 0.7),
    ]

    func scheduleLies() {
        guard options.insiders else { return }
        let house = houses[Int(random.number(0...Int64(houses.count - 1)))]
        let worker = workers[Int(random.number(0...Int64(workers.count - 1)))]
        liars = [Liar(house, in: self), Liar(worker, in: self)]
        for (lie, expected) in World.times {
            let count = Int64(expected) + (random.happens(expected - Double(Int64(expected))) ? 1 : 0)
            for _ in 0..<count {
                agenda.after(random.number(span / 8...max(span / 8 + 1, span * 7 / 8))) { [self] in
                    if tell(lie) { lies[lie, default: 0] += 1 }
                }
            }
        }
    }

    /// - Returns: whether it is told already. What takes effect later is counted then.
    private func tell(_ lie: Lie) -> Bool {
        guard !isHealed else { return false }
        switch lie {
        case .dropped, .purged, .rebound, .replayedBeats:
            misuse(lie)
            return false
        case .foreignOutcome where random.happens(0.5):
            ambushes += 1
            return false
        case .foreignOutcome, .foreignTaking, .foreignPiece: return speakOfAnothers(lie, by: liars[1])
        case .squattedLane, .lyingPresence, .neighboursName: return liar(liars[random.happens(0.5) ? 0 : 1], tells: lie)
        default: return liar(liars[0], tells: lie)
        }
    }

    // MARK: An epoch of one's own

    /// Whoever has no lane of their own yet begins one first, and says nothing of what came before.
    private func ensureBegun(_ liar: Liar) -> Bool {
        if liar.hasBegun { return true }
        guard begin(liar, .unexplainedEpoch) else { return false }
        lies[.unexplainedEpoch, default: 0] += 1
        return true
    }

    private func begin(_ liar: Liar, _ lie: Lie) -> Bool {
        // Without an earlier lane in the log a new one is nothing unusual.
        guard isKnown(liar.process), let message = lie == .silentEpoch ? liar.beginSilently() : liar.begin(), let lane = liar.lane
        else { return false }
        return send(message, lie: lie, by: liar, finding: "epoch-changed", mark: .epoch(lane.epoch))
    }

    // MARK: A house

    private func liar(_ liar: Liar, tells lie: Lie) -> Bool {
        if lie == .unexplainedEpoch || lie == .silentEpoch { return begin(liar, lie) }
        guard ensureBegun(liar) else { return false }
        switch lie {
        case .foreignDelivery:
            guard let victim = pick(where: { $0.request.house != liar.id && !claimed.contains($0.request) }) else { return false }
            claimed.insert(victim.request)
            let entry: JSON = [
                "id": .string(UUIDv7(at: agenda.time, using: &random).text), "subject": .string(victim.request.subject.text),
            ]
            return send(
                liar.say(.outcomeDelivered, data: ["outcomes": [entry]]), lie: lie, by: liar, finding: "foreign-word",
                request: RequestKey(house: liar.id, subject: victim.request.subject))
        case .stolenNumber:
            guard let victim = pick(where: { $0.request.house != liar.id && !claimed.contains($0.request) }) else { return false }
            claimed.insert(victim.request)
            return order(liar, lie, victim.request.subject, finding: "subject-collision", namesSigner: false)
        case .secondRequest:
            let subject = RequestID(UUIDv7(at: agenda.time, using: &random))
            guard order(liar, lie, subject, finding: "contradicting-requests") else { return false }
            // To the same agency, which knows the number, or to another, which does not.
            let second =
                random.happens(0.5)
                ? liar.order("sonede.bill.pay", ["police_number": "20415678", "amount": 5_003, "payment": "cash"], subject: subject)
                : liar.order("tt.bill.pay", ["line": "70000000", "amount": 5_003, "payment": "cash"], subject: subject)
            let request = RequestKey(house: liar.id, subject: subject)
            return send(
                second, lie: lie, by: liar, finding: "contradicting-requests", request: request, order: (request, 5_003, nil))
        case .timeAhead:
            let time = agenda.time.advanced(by: .seconds(365 * 86_400))
            return order(liar, lie, RequestID(UUIDv7(at: agenda.time, using: &random)), finding: "implausible-time", time: time)
        case .timeBehind: return orderFromBefore(liar)
        case .squattedLane, .lyingPresence: return speakUnderAnothersEpoch(lie, by: liar)
        case .neighboursName, .unsigned, .flood: return speakInANeighboursName(lie, by: liar)
        default: return false
        }
    }

    /// Only against what the house has said or shown earlier does a time lie behind: otherwise it may have been silent for so long.
    private func orderFromBefore(_ liar: Liar) -> Bool {
        let time = agenda.time.advanced(by: .seconds(-20 * 3_600))
        if random.happens(0.5), hasBeaten(liar.process), let end = seenLanes[liar.source] {
            // Its opening is backdated too: nothing but the house's honest beats and words, under the epochs before, gives it away.
            inject(liar.begin(after: end, time: time))
        } else {
            inject(liar.say(.outcomeDelivered, data: ["outcomes": []]))
        }
        guard let lane = liar.lane else { return false }
        return order(
            liar, .timeBehind, RequestID(UUIDv7(at: agenda.time, using: &random)), finding: "implausible-time", time: time,
            restsOn: lane)
    }

    /// Whether the ledger has just heard a house's own beat, by clocks that are right.
    private func hasBeaten(_ process: WorldProcess) -> Bool {
        guard let beat = broker.beats[process.id], process.clock.skew == 0, ledger.clock.skew == 0, ledger.isConnected,
            broker.isLedgerCaughtUp
        else { return false }
        return beat.time.milliseconds > max(agenda.now - 2 * presenceInterval, ledgerRestoredAt + 600_000)
    }

    /// - Parameter restsOn: the lane, as far as it goes, without which its time cannot be told from a right one.
    private func order(
        _ liar: Liar, _ lie: Lie, _ subject: RequestID, finding: String, namesSigner: Bool = true, time: Timestamp? = nil,
        restsOn lane: Liar.Lane? = nil
    ) -> Bool {
        let request = RequestKey(house: liar.id, subject: subject)
        let message = liar.order("tt.bill.pay", ["line": "70000000", "amount": 5_002, "payment": "cash"], subject: subject, time: time)
        return send(
            message, lie: lie, by: liar, finding: finding, namesSigner: namesSigner, request: request,
            order: (request, 5_002, lie == .timeAhead ? time?.advanced(by: .seconds(-3_600)) : nil),
            restsOn: lane?.digests ?? [], since: lane?.began)
    }

    // MARK: A house or an agency

    private func speakUnderAnothersEpoch(_ lie: Lie, by liar: Liar) -> Bool {
        let others = seenLanes.filter { $0.key.participant != liar.id && $0.key.role != .ledger }
        guard let victim = others.sorted(by: { $0.key.participant < $1.key.participant }).randomElement(using: &random)?.value else {
            return false
        }
        let claim = LanePosition(epoch: victim.epoch, sequence: victim.sequence + 3, chain: digestText([1]))
        let message =
            lie == .lyingPresence
            ? liar.beat(naming: claim)
            : liar.say(.messageRefused, data: ["reason": "x", "digest": .string(digestText([2])), "bytes": 1], claimed: claim)
        return send(message, lie: lie, by: liar, finding: "foreign-lane", mark: .epoch(claim.epoch))
    }

    private func speakInANeighboursName(_ lie: Lie, by liar: Liar) -> Bool {
        var isTold = false
        for _ in 0..<(lie == .flood ? 600 : 1) {
            guard let message = inANeighboursName(liar, isSigned: lie != .unsigned),
                // Whose key it is can be told where the ledger's registry has it.
                lie == .unsigned || ledger.registry.registry.signer(of: message.body, signature: message.signature) == liar.id
            else { continue }
            isTold =
                send(
                    message, lie: lie, by: liar, finding: "refused-message", namesSigner: lie != .unsigned,
                    mark: .message(message.messageID)) || isTold
        }
        return isTold
    }

    private func inANeighboursName(_ liar: Liar, isSigned: Bool) -> OutboundMessage? {
        let place = LanePosition(epoch: EpochID(UUIDv7(at: agenda.time, using: &random)), sequence: 1, chain: nil)
        if liar.process.role == .agency {
            guard let victim = pick(where: { $0.agency != liar.id }) else { return nil }
            return liar.say(
                .outcome, subject: victim.request.subject, to: victim.request.house, service: victim.service, answering: victim.message,
                data: ["status": "refused", "revision": 9], claimed: place,
                neighbour: Source(role: .agency, participant: victim.agency), isSigned: isSigned)
        }
        guard let neighbour = houses.first(where: { $0.id != liar.id }), let service = ServiceID("tt.bill.pay") else { return nil }
        return liar.say(
            .requestSubmitted, subject: RequestID(UUIDv7(at: agenda.time, using: &random)), to: service.agency, service: service,
            expiry: agenda.time.advanced(by: .seconds(86_400)), data: ["sealed": "x"], claimed: place,
            neighbour: Source(role: .house, participant: neighbour.id), isSigned: isSigned)
    }

    // MARK: An agency

    /// A request has just left its house: an agency that waits for it concludes it before its own agency can.
    func ambush(_ seen: SeenRequest) {
        guard ambushes > 0, seen.agency != liars[1].id, seen.request.house != liars[0].id else { return }
        ambushes -= 1
        agenda.after(1) { [self] in
            if speakOfAnothers(.foreignOutcome, by: liars[1], about: seen) { lies[.foreignOutcome, default: 0] += 1 }
        }
    }

    private func speakOfAnothers(_ lie: Lie, by liar: Liar, about seen: SeenRequest? = nil) -> Bool {
        guard ensureBegun(liar), let victim = seen ?? pick(where: { $0.agency != liar.id && $0.request.house != liars[0].id }) else {
            return false
        }
        let (type, data): (MessageType, JSONObject) =
            switch lie {
            case .foreignTaking: random.happens(0.5) ? (.requestTaken, [:]) : (.attemptIntended, ["attempt": 1])
            case .foreignPiece: (.attachmentChunk, foreignPiece())
            default: (.outcome, ["status": "refused", "revision": 9])
            }
        let message = liar.say(
            type, subject: victim.request.subject, to: victim.request.house, service: victim.service, answering: victim.message, data: data)
        return send(message, lie: lie, by: liar, finding: "foreign-word", request: victim.request)
    }

    private func foreignPiece() -> JSONObject {
        var data = AttachmentPiece(id: AttachmentID(UUIDv7(at: agenda.time, using: &random)), number: 1, pieces: 1).data
        data["sealed"] = "x"
        return data
    }

    // MARK: Telling

    private func pick(where isFit: (SeenRequest) -> Bool) -> SeenRequest? { seenRequests.filter(isFit).randomElement(using: &random) }

    /// The ledger has heard the participant's own journal.
    private func isKnown(_ process: WorldProcess) -> Bool {
        (try? ledger.read { try LedgerWord.hasLane($0, of: Source(role: process.role, participant: process.id)) }) == true
    }

    private func send(
        _ message: OutboundMessage?, lie: Lie, by liar: Liar, finding: String, namesSigner: Bool = true, request: RequestKey? = nil,
        order: (request: RequestKey, millimes: Int64?, notBefore: Timestamp?)? = nil, mark: ToldLie.Mark? = nil, restsOn: [String] = [],
        since: Timestamp? = nil
    ) -> Bool {
        guard let message else { return false }
        observe(
            .lied(
                ToldLie(
                    at: agenda.time, kind: lie.rawValue, signer: liar.id.text, digest: digestText(message.body), finding: finding,
                    namesSigner: namesSigner, request: request, order: order, mark: mark, restsOn: restsOn, since: since)))
        trace(request?.subject.text, liar.id.text, "lies: \(lie.rawValue)")
        inject(message)
        return true
    }

    private func inject(_ message: OutboundMessage?) {
        guard let message else { return }
        tap(message, isForged: true)
        broker.inject(message)
    }
}
