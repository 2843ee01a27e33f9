import WaslModel
import WaslSeal
import WaslSimulation

/// What goes wrong, how often, and for how long.
extension World {
    var crashPerEvent: Double { 0.0003 }

    /// Rolls the dice for a fault, and counts it.
    func strikes(_ fault: Fault, _ probability: Double, about: String) -> Bool {
        guard !isHealed, !options.without.contains(fault), random.happens(probability * options.faultRate) else { return false }
        count(fault, about)
        // What is wrong with one message may delay it: the parties are not undisturbed.
        observe(.disturbed(at: agenda.time, until: agenda.time.advanced(by: .seconds(120)), participant: fault == .crash ? about : nil))
        return true
    }

    private func count(_ fault: Fault, _ about: String) {
        faults[fault, default: 0] += 1
        trace(about, "fault", fault.rawValue)
    }

    func disturb(until milliseconds: Int64, _ participant: ParticipantID?) {
        observe(
            .disturbed(at: agenda.time, until: agenda.time.advanced(by: .milliseconds(milliseconds)), participant: participant?.text))
    }

    /// So many of a fault over the span, at times that the seed chooses.
    private func schedule(_ fault: Fault, _ expected: Double, _ action: @escaping () -> Bool) {
        guard !options.without.contains(fault) else { return }
        let mean = expected * options.faultRate
        let count = Int64(mean) + (random.happens(mean - Double(Int64(mean))) ? 1 : 0)
        guard count > 0 else { return }
        for _ in 0..<count {
            agenda.after(random.number(120_000...max(120_001, span))) { [self] in if action() { self.count(fault, "") } }
        }
    }

    private func anyone() -> WorldProcess { processes[Int(random.number(0...Int64(processes.count - 1)))] }

    func scheduleFaults() {
        let scale = max(1, Double(options.requests) / 200)
        schedule(.crash, 3 * scale) { [self] in
            let process = anyone()
            let pause = random.spread(500...Double(max(600_000, span / 4)))
            disturb(until: pause + 120_000, process.id)
            process.crash(restartAfter: pause)
            return true
        }
        schedule(.brokerRestart, 0.7 * scale) { [self] in
            broker.restart(downFor: random.spread(2_000...1_800_000))
            return true
        }
        schedule(.partition, 1.2 * scale) { [self] in
            let process = anyone()
            let pause = random.spread(5_000...Double(max(600_000, span / 3)))
            disturb(until: pause + 120_000, process.id)
            process.isCut = true
            process.linkLost("cut")
            agenda.after(pause) {
                process.isCut = false
                process.connectSoon()
            }
            return true
        }
        schedule(.diskFull, 0.5 * scale) { [self] in
            let process = anyone()
            let pause = random.spread(5_000...3_600_000)
            disturb(until: pause + 120_000, process.id)
            guard (try? process.disk.setFull(true)) != nil else { return false }
            process.isDiskFull = true
            agenda.after(pause) {
                try? process.disk.setFull(false)
                process.isDiskFull = false
            }
            return true
        }
        schedule(.clockJump, 0.5 * scale) { [self] in
            let process = anyone()
            let pause = random.spread(60_000...Double(max(600_000, span / 2)))
            disturb(until: pause + 86_500_000, nil)
            process.clock.skew = random.number(-86_400_000...86_400_000)
            observe(.clockWrong(participant: process.id.text))
            agenda.after(pause) { process.clock.skew = 0 }
            return true
        }
        schedule(.agencyDark, 0.7 * scale) { [self] in
            let institution = institutions[Int(random.number(0...Int64(institutions.count - 1)))]
            let pause = random.spread(20_000...604_800_000)
            disturb(until: pause + 300_000, ParticipantID(institution.id))
            institution.goDark(for: pause)
            return true
        }
        schedule(.replayed, 2 * scale) { [self] in broker.replay() }
        schedule(.tampered, 3 * scale) { [self] in random.happens(0.5) ? broker.tamper() : forge() }
        schedule(.conflicting, 0.2 * scale) { [self] in
            broker.contradict { [self] envelope in
                guard let house = houses.first(where: { $0.id == envelope.source.participant }) else { return nil }
                let body = envelope.encoded()
                // Under a key that was not valid yet at the message's time it is no second word of the house: nobody believes it.
                guard let signature = try? DetachedSignature.sign(body, as: .message, with: house.keys.signing),
                    (try? ledger.registry.registry.verify(envelope, body: body, signature: signature)) != nil
                else { return nil }
                observe(
                    .lied(
                        ToldLie(
                            at: agenda.time, kind: "conflicting", signer: house.id.text, digest: digestText(body), finding: "fork",
                            mark: envelope.lane.map { ToldLie.Mark.number($0.epoch, $0.sequence) })))
                return (body, signature)
            }
        }
        schedule(.keyRotation, 0.4) { [self] in rotate(anyone()) }
        schedule(.restoredBackup, 0.3) { [self] in restoreLater(anyone()) }
        schedule(.lostDisk, 0.2) { [self] in
            let process = anyone()
            guard process !== ledger, areDisksWhole else { return false }
            lose(process, reason: "the disk died") {}
            return true
        }
    }
}
