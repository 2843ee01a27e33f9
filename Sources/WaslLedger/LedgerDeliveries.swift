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
    /// Its own signature was verified; otherwise the verified end of its run vouches for it, through the chain.
    var isChecked = true
}

/// A message that is set aside, and what is proven about where it came from. What it says of itself proves nothing.
struct Refused: Sendable {
    let delivery: Delivery
    let envelope: Envelope?
    let reason: String
    /// Whose key signed its bytes, where that also says who is to blame.
    ///
    /// Bytes that their signer has said in its own name, and that came by another's user, may have been kept by whoever was sent them and
    /// put before the ledger again: then nobody is named.
    let signer: ParticipantID?
    /// Where nothing is wrong with it but that its key was revoked.
    let revoked: RevokedWord?

    /// - Parameter isBodyRight: nothing is wrong with what was signed.
    init(
        _ delivery: Delivery, _ envelope: Envelope?, _ reason: String, _ registry: Registry, isBodyRight: Bool = false,
        revoked: RevokedWord? = nil
    ) {
        self.revoked = revoked
        self.delivery = delivery
        self.envelope = envelope
        self.reason = reason
        let carrier = delivery.carrier
        signer =
            isBodyRight
            ? nil
            : delivery.signature.flatMap { registry.signer(of: delivery.body, signature: $0) }.flatMap { signer in
                carrier == nil || carrier == signer || envelope?.source.participant != signer ? signer : nil
            }
    }
}

/// What arrives at the ledger: a copy of everything.
package struct LedgerDeliveries: DeliveryHandler {
    package struct Prepared: Sendable {
        var verified: [Verified] = []
        var refused: [Refused] = []
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
        let registry = registry.registry
        let check = DeliveryCheck(registry: registry, recipient: nil)
        var prepared = Prepared()
        var parsed: [Verified] = []
        for delivery in deliveries {
            do {
                parsed.append(
                    Verified(
                        envelope: try check.parse(delivery), delivery: delivery, digest: digestText(delivery.body),
                        way: Way(delivery)))
            } catch {
                let envelope = try? Envelope(parsing: delivery.body)
                // What anybody on the way could alter proves nothing against who signed the body.
                let isBodyRight =
                    envelope.flatMap { delivery.asItShouldBe(for: $0) }.map {
                        if case .accepted = check.check($0) { true } else { false }
                    } ?? false
                prepared.refused.append(Refused(delivery, envelope, "\(error)", registry, isBodyRight: isBodyRight))
            }
        }
        var refusals: [Int: SealError] = [:]
        for run in LedgerDeliveries.runs(parsed) {
            guard let last = run.last else { continue }
            if (try? check.verify(parsed[last].envelope, parsed[last].delivery)) == true {
                for index in run.dropLast() { parsed[index].isChecked = false }
                continue
            }
            // The end does not vouch: each for itself, to find the ones that are good.
            for index in run {
                do { try check.verify(parsed[index].envelope, parsed[index].delivery) } catch { refusals[index] = error }
            }
        }
        for (index, message) in parsed.enumerated() {
            if let error = refusals[index] {
                prepared.refused.append(
                    Refused(
                        message.delivery, message.envelope, "wasl-signature: \(error)", registry,
                        revoked: error.code == .revoked ? RevokedWord(message.envelope, registry) : nil))
            } else {
                prepared.verified.append(message)
            }
        }
        return prepared
    }

    private struct Lane: Hashable {
        let source: Source
        let epoch: EpochID
    }

    /// Groups indices into runs: one lane, one key, consecutive numbers, each chained to the one before. Presence stands alone.
    static func runs(_ messages: [Verified]) -> [[Int]] {
        var runs: [[Int]] = []
        var byLane: [Lane: [Int]] = [:]
        for (index, message) in messages.enumerated() {
            guard let lane = message.envelope.lane else {
                runs.append([index])
                continue
            }
            byLane[Lane(source: message.envelope.source, epoch: lane.epoch), default: []].append(index)
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

    /// Of its signature: it names the key, and is the same text for every message of that key.
    private var header: Substring? { delivery.signature?.prefix { $0 != "." } }

    fileprivate func follows(_ other: Verified) -> Bool {
        guard let lane = envelope.lane, let before = other.envelope.lane else { return false }
        return lane.sequence == before.sequence + 1 && lane.chain == other.digest
            // A good key does not carry a revoked one's word in.
            && header == other.header
            // Keys are judged at each message's time: a run must not carry an old key's word past its end, nor a new one's before it.
            && (0..<3_600_000).contains(envelope.time.milliseconds - other.envelope.time.milliseconds)
    }
}

extension Delivery {
    /// The same body and signature with the properties and the address that belong to it; `nil` where it has no address.
    fileprivate func asItShouldBe(for envelope: Envelope) -> Delivery? {
        guard let route = Route(envelope) else { return nil }
        return Delivery(
            tag: tag, queue: queue, exchange: route.exchange.rawValue, routingKey: route.key, isRedelivered: isRedelivered,
            messageID: envelope.id, contentType: Envelope.contentType, userID: userID, signature: signature, body: body)
    }
}
