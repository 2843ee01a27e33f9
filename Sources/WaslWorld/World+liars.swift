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

/// What one house, one agency and the broker's operator say and do that is not theirs.
extension World {
    /// How often each is tried in one seed; what lies ahead of its chance is not told.
    private static let times: [(lie: Lie, expected: Double)] = [
        (.unexplainedEpoch, 1), (.foreignDelivery, 3), (.stolenNumber, 2), (.secondRequest, 1), (.timeAhead, 1), (.timeBehind, 1),
        (.squattedLane, 2), (.neighboursName, 1), (.unsigned, 1), (.flood, 0.1), (.foreignOutcome, 3), (.foreignTaking, 2),
        (.foreignPiece, 1), (.dropped, 3), (.purged, 0.7), (.rebound, 1), (.replayedBeats, 0.7),
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

    /// - Returns: whether there was an occasion.
    private func tell(_ lie: Lie) -> Bool {
        guard !isHealed else { return false }
        switch lie {
        case .dropped, .purged, .rebound: return misuse(lie)
        case .replayedBeats: return mute()
        case .foreignOutcome where random.happens(0.5):
            // Told, and counted, when there is one.
            ambushes += 1
            return false
        case .foreignOutcome, .foreignTaking, .foreignPiece: return speakOfAnothers(lie, by: liars[1])
        default: return liar(liars[0], tells: lie)
        }
    }

    // MARK: A house

    private func liar(_ liar: Liar, tells lie: Lie) -> Bool {
        if !liar.hasBegun || lie == .unexplainedEpoch {
            // Without an earlier lane in the log a new one is nothing unusual.
            guard isKnown(liar.process) else { return false }
            guard let opening = liar.begin() else { return false }
            send(opening, lie: .unexplainedEpoch, by: liar, finding: "epoch-changed")
            if lie == .unexplainedEpoch { return true }
            lies[.unexplainedEpoch, default: 0] += 1
        }
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
        case .timeAhead, .timeBehind:
            let subject = RequestID(UUIDv7(at: agenda.time, using: &random))
            let time = agenda.time.advanced(by: .seconds(lie == .timeAhead ? 365 * 86_400 : -20 * 3_600))
            return order(liar, lie, subject, finding: "implausible-time", time: time)
        case .squattedLane:
            guard
                let victim = seenLanes.filter({ $0.key.participant != liar.id && $0.key.role != .ledger }).sorted(by: {
                    $0.key.participant < $1.key.participant
                }).randomElement(using: &random)
            else { return false }
            let claim = LanePosition(epoch: victim.value.epoch, sequence: victim.value.sequence + 3, chain: digestText([1]))
            return send(
                liar.say(.messageRefused, data: ["reason": "x", "digest": .string(digestText([2])), "bytes": 1], claimed: claim), lie: lie,
                by: liar, finding: "foreign-lane")
        case .neighboursName, .unsigned, .flood: return inANeighboursName(liar, lie)
        default: return false
        }
    }

    private func order(
        _ liar: Liar, _ lie: Lie, _ subject: RequestID, finding: String, namesSigner: Bool = true, time: Timestamp? = nil
    ) -> Bool {
        let request = RequestKey(house: liar.id, subject: subject)
        // Only against an earlier word in the same lane does a time lie behind: otherwise the liar may have been silent for so long.
        let earlier = lie == .timeBehind ? liar.say(.outcomeDelivered, data: ["outcomes": []]) : nil
        if let earlier {
            tap(earlier, isForged: true)
            broker.inject(earlier)
        }
        let message = liar.order("tt.bill.pay", ["line": "70000000", "amount": 5_002, "payment": "cash"], subject: subject, time: time)
        return send(
            message, lie: lie, by: liar, finding: finding, namesSigner: namesSigner, request: request,
            order: (request, 5_002, lie == .timeAhead ? time?.advanced(by: .seconds(-3_600)) : nil),
            restsOn: earlier.map { digestText($0.body) })
    }

    private func inANeighboursName(_ liar: Liar, _ lie: Lie) -> Bool {
        guard let neighbour = houses.first(where: { $0.id != liar.id }), let service = ServiceID("tt.bill.pay") else { return false }
        var isTold = false
        for _ in 0..<(lie == .flood ? 600 : 1) {
            let subject = RequestID(UUIDv7(at: agenda.time, using: &random))
            let place = LanePosition(epoch: EpochID(UUIDv7(at: agenda.time, using: &random)), sequence: 1, chain: nil)
            guard
                let message = liar.say(
                    .requestSubmitted, subject: subject, to: service.agency, service: service,
                    expiry: agenda.time.advanced(by: .seconds(86_400)), data: ["sealed": "x"], claimed: place,
                    neighbour: Source(role: .house, participant: neighbour.id), isSigned: lie != .unsigned),
                // Whose key it is can be told where the ledger's registry has it.
                lie == .unsigned || ledger.registry.registry.signer(of: message.body, signature: message.signature) == liar.id
            else { continue }
            isTold = send(message, lie: lie, by: liar, finding: "refused-message", namesSigner: lie != .unsigned) || isTold
        }
        return isTold
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
        if !liar.hasBegun {
            guard isKnown(liar.process), let opening = liar.begin() else { return false }
            send(opening, lie: .unexplainedEpoch, by: liar, finding: "epoch-changed")
            lies[.unexplainedEpoch, default: 0] += 1
        }
        guard let victim = seen ?? pick(where: { $0.agency != liar.id && $0.request.house != liars[0].id }) else { return false }
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

    // MARK: The broker's operator

    private func misuse(_ lie: Lie) -> Bool {
        disturb(until: 864_000_000, nil)
        switch lie {
        case .dropped: broker.dropNext(Int(random.number(1...4)), of: anyQueue())
        case .purged: return broker.purge(anyQueue())
        case .rebound:
            let (one, other) = (houses[0], houses[houses.count - 1])
            guard one !== other else { return false }
            broker.misroute(Int(random.number(1...3)), from: "house.\(one.id)", to: "house.\(other.id)")
        default: return false
        }
        return true
    }

    private func anyQueue() -> String {
        let all = processes.flatMap(\.queues).sorted()
        return all[Int(random.number(0...Int64(all.count - 1)))]
    }

    /// Cuts somebody off and plays their last beat again meanwhile.
    private func mute() -> Bool {
        let honest = processes.filter { process in process !== ledger && !liars.contains { $0.process === process } }
        let victim = honest[Int(random.number(0...Int64(honest.count - 1)))]
        guard victim.isUp, victim.isConnected, ledger.isConnected, broker.isLedgerCaughtUp, let beat = broker.beats[victim.id] else {
            return false
        }
        victim.isCut = true
        victim.linkLost("cut by the operator")
        disturb(until: 10 * presenceInterval + 120_000, nil)
        let (began, life) = (agenda.now, ledger.life)
        var isUndisturbed = true
        func again(_ count: Int) {
            agenda.after(presenceInterval / 2) { [self] in
                isUndisturbed =
                    isUndisturbed && victim.isCut && ledger.isConnected && ledger.life == life && ledger.clock.skew == 0
                    && !ledger.isDiskFull
                    && (broker.lastRouted[victim.id] ?? 0) < began
                if count > 0, !isHealed {
                    broker.inject(beat, isReplay: true)
                    return again(count - 1)
                }
                if isUndisturbed, !isHealed { observe(.mutedByBroker(participant: victim.id.text)) }
                victim.isCut = false
                victim.connectSoon()
            }
        }
        again(14)
        return true
    }

    // MARK: Telling

    private func pick(where isFit: (SeenRequest) -> Bool) -> SeenRequest? { seenRequests.filter(isFit).randomElement(using: &random) }

    /// The ledger has heard the participant's own journal.
    private func isKnown(_ process: WorldProcess) -> Bool {
        (try? ledger.read { try LedgerWord.hasLane($0, of: Source(role: process.role, participant: process.id)) }) == true
    }

    @discardableResult
    private func send(
        _ message: OutboundMessage?, lie: Lie, by liar: Liar, finding: String, namesSigner: Bool = true, request: RequestKey? = nil,
        order: (request: RequestKey, millimes: Int64?, notBefore: Timestamp?)? = nil, restsOn: String? = nil
    ) -> Bool {
        guard let message else { return false }
        tap(message, isForged: true)
        observe(
            .lied(
                ToldLie(
                    at: agenda.time, kind: lie.rawValue, signer: liar.id.text, digest: digestText(message.body), finding: finding,
                    namesSigner: namesSigner, request: request, order: order, restsOn: restsOn)))
        trace(request?.subject.text, liar.id.text, "lies: \(lie.rawValue)")
        broker.inject(message)
        return true
    }
}
