import WaslJournal
import WaslModel
import WaslSeal

/// What operators do with keys and disks, and what an adversary tries.
extension World {
    // MARK: Keys

    func rotate(_ process: WorldProcess) -> Bool {
        guard process.isUp else { return false }
        let suite: KeySuite = options.realCryptography ? .curves : .keyedHash
        guard let signing = try? SigningKey(seed: random.bytes(32), suite: suite),
            let opening = try? OpeningKey(seed: random.bytes(32), suite: suite),
            let index = participants.firstIndex(where: { $0.id == process.id })
        else { return false }
        let fresh = KeyFile(signing: signing, opening: [opening] + process.keys.opening)
        let old = participants[index]
        participants[index] = Registry.Participant(
            id: old.id, role: old.role, names: old.names, keys: old.keys + registryKeys(fresh, from: agenda.time), services: old.services)
        registryVersion += 1
        guard let registry = try? makeRegistry() else { return false }
        disturb(until: 7_200_000, nil)
        // Everybody hears of it in their own time; the owner speaks with the new key when it starts again.
        for other in processes where other !== process {
            agenda.after(random.number(1_000...3_600_000)) {
                try? other.registry.replace(with: registry)
                self.trace(nil, other.id.text, "holds registry \(other.registry.registry.version)")
                other.later(0) { other.reexamine() }
            }
        }
        agenda.after(random.number(1_000...3_600_000)) {
            // Whoever speaks with a key holds the registry that names it.
            try? process.registry.replace(with: registry)
            process.keys = fresh
            self.trace(nil, process.id.text, "speaks with a new key, of registry \(process.registry.registry.version)")
            process.crash(restartAfter: 1_000)
        }
        return true
    }

    // MARK: Disks

    /// One disk at a time: what house and ledger lose together is nowhere any more, and no program brings it back.
    var areDisksWhole: Bool {
        processes.allSatisfy { !$0.isHeld } && agenda.now > ledgerRestoredAt + 7_200_000
    }

    func restoreLater(_ process: WorldProcess) -> Bool {
        guard process.isUp, !process.isHeld, let backup = try? process.disk.backUp() else { return false }
        agenda.after(random.spread(60_000...Double(max(600_000, span / 2)))) { [self] in
            guard areDisksWhole, !isHealed else { return }
            process.die()
            guard (try? process.disk.restore(backup)) != nil else { return }
            observe(.diskLost(at: agenda.time, participant: process.id.text))
            disturb(until: 864_000_000, nil)
            trace(nil, process.id.text, "an old backup is put back")
            process.start()
        }
        return true
    }

    /// A journal that was put back from a backup refused to start: the operator's turn.
    func recognised(_ process: WorldProcess, _ error: JournalError) {
        recognisedCount += 1
        trace(nil, process.id.text, "refuses to start: \(error.reason)")
        process.isHeld = true
        if process === ledger { ledgerRestoredAt = agenda.now }
        if process === ledger || options.bug == .backupReopened {
            agenda.after(600_000) { [self] in
                process.isHeld = false
                try? process.reopen(reason: "a backup was put back")
                trace(nil, process.id.text, "goes on in a new epoch")
                process.start()
            }
        } else {
            lose(process, reason: "a backup was put back") {}
        }
    }

    /// The operator rebuilds a lost journal once the ledger has everything that the participant ever said.
    func lose(_ process: WorldProcess, reason: String, _ then: @escaping () -> Void) {
        observe(.diskLost(at: agenda.time, participant: process.id.text))
        disturb(until: 864_000_000, nil)
        trace(nil, process.id.text, "lost its journal: \(reason)")
        process.die()
        process.isHeld = true
        rebuildWhenPossible(process, reason)
    }

    private func rebuildWhenPossible(_ process: WorldProcess, _ reason: String) {
        agenda.after(600_000) { [self] in
            guard ledger.isUp, ledger.isConnected, broker.isLedgerCaughtUp else { return rebuildWhenPossible(process, reason) }
            do {
                let registry = process.registry.registry
                guard
                    let evidence = try ledger.evidence(of: process.id)?.judged(
                        of: process.id,
                        {
                            try registry.verify($0.envelope, body: $0.body, signature: $0.signature)
                        })
                else { return rebuildWhenPossible(process, reason) }
                let previous = EvidenceFile.lastHead(of: process.id, in: evidence.messages)
                switch process {
                case let house as WorldHouse: try house.rebuild(from: evidence, previous: previous, reason: reason)
                case let worker as WorldWorker: try worker.rebuild(from: evidence, previous: previous, reason: reason)
                default: break
                }
                rebuiltCount += 1
                trace(
                    nil, process.id.text,
                    "is rebuilt from \(evidence.messages.count) messages\(evidence.isWhole ? "" : ", not all there are")")
                process.isHeld = false
                process.start()
            } catch {
                story.append("REBUILD FAILED: \(error)")
                rebuildWhenPossible(process, reason)
            }
        }
    }

    // MARK: An adversary

    /// A request that no house ever sent: sealed as anybody can seal, signed with a key that nobody knows.
    func forge() -> Bool {
        let suite: KeySuite = options.realCryptography ? .curves : .keyedHash
        let id = UUIDv7(at: agenda.time, using: &random).text
        let subject = RequestID(UUIDv7(at: agenda.time, using: &random))
        let house = houses[0]
        let expiry = agenda.time.advanced(by: .seconds(86_400))
        guard let service = ServiceID("tt.bill.pay"), let agency = service.agency,
            let key = try? house.registry.registry.sealingKey(of: agency, at: agenda.time),
            let attacker = try? SigningKey(seed: random.bytes(32), suite: suite),
            let sealed = try? SealedContent(
                id: id, subject: subject, source: Source(role: .house, participant: house.id), recipient: agency, service: service,
                expiry: expiry, fields: ["line": "70000000", "amount": 5_001, "payment": "cash"]
            ).sealed(to: key, entropy: { [entropy = house.entropy] in entropy.bytes($0) })
        else { return false }
        let envelope = Envelope(
            id: id, type: .requestSubmitted, source: Source(role: .house, participant: house.id), time: agenda.time, subject: subject,
            lane: LanePosition(epoch: EpochID(UUIDv7(at: agenda.time, using: &random)), sequence: 1, chain: nil), recipient: agency,
            service: service, contract: 1, expiry: expiry, data: ["sealed": .string(sealed)])
        let body = envelope.encoded()
        guard let route = Route(envelope), let signature = try? DetachedSignature.sign(body, as: .message, with: attacker) else {
            return false
        }
        let message = OutboundMessage(
            token: 0, exchange: route.exchange, routingKey: route.key, messageID: id, time: agenda.time, body: body, signature: signature)
        tap(message, isForged: true)
        broker.inject(message)
        return true
    }
}
