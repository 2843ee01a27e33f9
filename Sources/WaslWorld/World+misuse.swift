import WaslModel
import WaslSimulation

/// What whoever runs the broker does. Each act is counted when it takes effect on a message, and not when it is set up.
extension World {
    /// How long the owner of a queue may wait for what is missing to be asked for again: the asks begin with the next sweep, and their
    /// pauses double up to an hour.
    private static let mendingTime: Int64 = 7_200_000
    /// The queues that nobody here publishes to.
    private static let emptyQueues: Set = ["unroutable", "dead", "control.ledger"]

    func misuse(_ lie: Lie) {
        switch lie {
        case .dropped: broker.dropNext(Int(random.number(1...4)), of: anyQueue())
        case .purged: broker.purge(anyQueue())
        case .rebound:
            let (one, other) = (houses[0], houses[houses.count - 1])
            if one !== other { broker.misroute(Int(random.number(1...3)), from: "house.\(one.id)", to: "house.\(other.id)") }
        case .replayedBeats: mute()
        default: break
        }
    }

    private func anyQueue() -> String {
        let all = processes.flatMap(\.queues).filter { !World.emptyQueues.contains($0) }.sorted()
        return all[Int(random.number(0...Int64(all.count - 1)))]
    }

    /// Something has been taken out of a queue. Nobody but its owner may be late for it.
    func misused(_ lie: Lie, queue: String) {
        lies[lie, default: 0] += 1
        guard let owner = processes.first(where: { $0.queues.contains(queue) }) else { return }
        disturb(until: World.mendingTime, owner.id)
    }

    /// Cuts somebody off and plays their last beat again meanwhile.
    private func mute() {
        let honest = processes.filter { process in process !== ledger && !liars.contains { $0.process === process } }
        let victim = honest[Int(random.number(0...Int64(honest.count - 1)))]
        guard victim.isUp, victim.isConnected, ledger.isConnected, broker.isLedgerCaughtUp, let beat = broker.beats[victim.id] else {
            return
        }
        victim.isCut = true
        victim.linkLost("cut by the operator")
        disturb(until: 10 * presenceInterval + 120_000, victim.id)
        let (began, life) = (agenda.time, ledger.life)
        var isUndisturbed = true
        func again(_ count: Int) {
            agenda.after(presenceInterval / 2) { [self] in
                isUndisturbed =
                    isUndisturbed && victim.isCut && ledger.isConnected && ledger.life == life && ledger.clock.skew == 0
                    && !ledger.isDiskFull
                    && (broker.lastRouted[victim.id] ?? 0) < began.milliseconds
                if count > 0, !isHealed {
                    broker.inject(beat, isReplay: true)
                    return again(count - 1)
                }
                if isUndisturbed, !isHealed {
                    lies[.replayedBeats, default: 0] += 1
                    observe(.mutedByBroker(participant: victim.id.text, from: began, until: agenda.time))
                }
                victim.isCut = false
                victim.connectSoon()
            }
        }
        again(14)
    }
}
