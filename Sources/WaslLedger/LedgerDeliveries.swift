import Logging
package import WaslJournal
import WaslModel
package import WaslSeal

/// How a message came to the ledger.
enum Way: Sendable, Hashable {
    case copy
    /// By the alternate exchange: no participant's queue took it.
    case unroutable
    /// By the dead-letter exchange.
    case dead

    init(_ delivery: Delivery) {
        switch delivery.queue {
        case "unroutable": self = .unroutable
        case "dead": self = .dead
        default: self = .copy
        }
    }
}

/// A message whose form and signature hold.
struct Verified: Sendable {
    let envelope: Envelope
    let delivery: Delivery
    let digest: String
    let way: Way
}

/// What arrives at the ledger: a copy of everything.
package struct LedgerDeliveries: DeliveryHandler {
    package struct Prepared: Sendable {
        var verified: [Verified] = []
        var refused: [(delivery: Delivery, envelope: Envelope?, reason: String)] = []
    }

    let steps: LedgerSteps
    let registry: RegistryHolder
    let changes: ChangeSignal

    package init(steps: LedgerSteps, registry: RegistryHolder, changes: ChangeSignal) {
        self.steps = steps
        self.registry = registry
        self.changes = changes
    }

    /// In an unbroken run of a lane one verified signature at its end vouches, through `chain`, for the whole run.
    package func prepare(_ deliveries: [Delivery]) -> Prepared {
        let check = DeliveryCheck(registry: registry.registry, recipient: nil)
        var prepared = Prepared()
        var parsed: [Verified] = []
        for delivery in deliveries {
            do {
                parsed.append(
                    Verified(
                        envelope: try check.parse(delivery), delivery: delivery, digest: digestText(delivery.body),
                        way: Way(delivery)))
            } catch {
                prepared.refused.append((delivery, try? Envelope(parsing: delivery.body), "\(error)"))
            }
        }
        var refusedIndices: [Int: String] = [:]
        for run in LedgerDeliveries.runs(parsed) {
            guard let last = run.last else { continue }
            if (try? check.verify(parsed[last].envelope, parsed[last].delivery)) != nil { continue }
            // The end does not vouch: each for itself, to find the ones that are good.
            for index in run {
                do { try check.verify(parsed[index].envelope, parsed[index].delivery) } catch {
                    refusedIndices[index] = "wasl-signature: \(error)"
                }
            }
        }
        for (index, message) in parsed.enumerated() {
            if let reason = refusedIndices[index] {
                prepared.refused.append((message.delivery, nil, reason))
            } else {
                prepared.verified.append(message)
            }
        }
        return prepared
    }

    /// Groups indices into runs: one lane, consecutive numbers, each chained to the one before. Presence stands alone.
    ///
    /// The whole lane must be one source's: a run's end vouches for what its signer could have written.
    static func runs(_ messages: [Verified]) -> [[Int]] {
        var runs: [[Int]] = []
        var byLane: [EpochID: [Int]] = [:]
        for (index, message) in messages.enumerated() {
            if let lane = message.envelope.lane { byLane[lane.epoch, default: []].append(index) } else { runs.append([index]) }
        }
        for indices in byLane.values {
            let sorted = indices.sorted { messages[$0].sequence < messages[$1].sequence }
            var run: [Int] = []
            for index in sorted {
                if let last = run.last, !messages[index].follows(messages[last]) {
                    runs.append(run)
                    run = []
                }
                run.append(index)
            }
            runs.append(run)
        }
        return runs
    }

    package func record(_ prepared: Prepared, in transaction: JournalTransaction) throws {
        try steps.record(prepared, in: transaction)
    }

    package func committed(_ prepared: Prepared, _: Void) async { changes.notify() }
}

extension Verified {
    var sequence: Int64 { envelope.lane?.sequence ?? 0 }

    fileprivate func follows(_ other: Verified) -> Bool {
        guard let lane = envelope.lane, let before = other.envelope.lane else { return false }
        return lane.sequence == before.sequence + 1 && lane.chain == other.digest && envelope.source == other.envelope.source
            // Keys are judged at each message's time: a run must not carry an old key's word past its end.
            && envelope.time.milliseconds - other.envelope.time.milliseconds < 3_600_000
    }
}
