import Foundation
import GRDB
public import WaslModel
public import WaslSeal

/// A message as the ledger kept it: exact bytes and signature. From these a lost journal is rebuilt.
public struct Evidence: Sendable, Hashable {
    public let envelope: Envelope
    public let body: [UInt8]
    public let signature: String
    /// The ledger had set it aside for its signature: under a key that it does not know, or forged. Who rebuilds may know better.
    public let isSetAside: Bool
    /// The ledger did not verify its own signature: the verified end of its run vouches for it, through the chain.
    public let isVouched: Bool

    /// - Throws: ``EnvelopeError``
    public init(body: [UInt8], signature: String, isSetAside: Bool = false, isVouched: Bool = false) throws(EnvelopeError) {
        self.isSetAside = isSetAside
        self.isVouched = isVouched
        envelope = try Envelope(parsing: body)
        self.body = body
        self.signature = signature
    }
}

extension Evidence {
    /// What the ledger logged stands, whatever became of its key since. Of what it set aside, a revoked key's word counts where two people
    /// approved it.
    ///
    /// - Throws: ``SealError``
    public func verify(under registry: Registry) throws(SealError) {
        let keyID = try registry.verify(envelope, body: body, signature: signature)
        if isSetAside { try registry.requireApproved(envelope, signedBy: keyID) }
    }
}

/// All that the ledger kept of a participant.
public struct EvidenceOfParticipant: Sendable, Hashable {
    public let messages: [Evidence]
    /// The ledger set nothing of this participant's aside, and misses none of its numbers. Otherwise what is not in here may still have
    /// been said: a message under a key that the ledger did not know yet, say.
    public let isWhole: Bool
    /// What was left out because neither its own signature nor its run's end speaks for it: named, for an operator.
    public let leftOut: [String]

    public init(messages: [Evidence], isWhole: Bool, leftOut: [String] = []) {
        self.messages = messages
        self.isWhole = isWhole
        self.leftOut = leftOut
    }

    /// Each message as it stands under the registry that is held now. What the ledger had set aside stays in where it verifies. What it
    /// took on its run's word may have an altered signature: then the message after it speaks for it, by its chain. Everything else is left
    /// out and named, and something may be missing: but for what was set aside and says to be of another.
    ///
    /// - Parameter participant: whose evidence it is.
    public func judged(of participant: ParticipantID, _ verify: (Evidence) throws -> Void) -> EvidenceOfParticipant {
        struct Place: Hashable {
            let source: Source
            let epoch: EpochID
            let sequence: Int64
        }
        func place(_ envelope: Envelope, plus one: Int64 = 0) -> Place? {
            envelope.lane.map { Place(source: envelope.source, epoch: $0.epoch, sequence: $0.sequence + one) }
        }
        var verified = messages.map { (try? verify($0)) != nil }
        let byPlace = Dictionary(
            messages.indices.compactMap { index in place(messages[index].envelope).map { ($0, index) } }, uniquingKeysWith: { $1 })
        // From the ends of runs backwards.
        let backwards = messages.indices.sorted {
            (messages[$0].envelope.lane?.sequence ?? 0) > (messages[$1].envelope.lane?.sequence ?? 0)
        }
        for index in backwards where !verified[index] && messages[index].isVouched {
            guard let next = place(messages[index].envelope, plus: 1).flatMap({ byPlace[$0] }), verified[next],
                messages[next].envelope.lane?.chain == digestText(messages[index].body)
            else { continue }
            verified[index] = true
        }
        let lost = messages.indices.filter { !verified[$0] }
        let isDoubt = lost.contains { !messages[$0].isSetAside || messages[$0].envelope.source.participant == participant }
        return EvidenceOfParticipant(
            messages: messages.indices.filter { verified[$0] }.map { messages[$0] }, isWhole: isWhole && !isDoubt,
            leftOut: leftOut
                + lost.map { index in
                    let envelope = messages[index].envelope
                    return "\(envelope.type.routingWord) \(envelope.id) of \(envelope.source): its signature does not verify"
                })
    }
}

/// Evidence as a file: one JSON object a line with `body` and `signature`, and a last line that counts them, so that a torn file is
/// known for one.
public enum EvidenceFile {
    public static func text(_ evidence: EvidenceOfParticipant) -> String {
        evidence.messages.map { line in
            JSON.object([
                "body": .string(String(decoding: line.body, as: UTF8.self)), "signature": .string(line.signature),
                "setaside": .bool(line.isSetAside), "vouched": .bool(line.isVouched),
            ]).text + "\n"
        }.joined() + JSON.object(["messages": JSON(evidence.messages.count), "whole": .bool(evidence.isWhole)]).text + "\n"
    }

    /// Every message that speaks for itself or is spoken for: see ``EvidenceOfParticipant/judged(of:_:)``.
    ///
    /// - Throws: ``JournalError`` naming the line, where the file is not what was exported.
    public static func read(
        _ bytes: [UInt8], of participant: ParticipantID, verify: (Evidence) throws -> Void
    ) throws -> EvidenceOfParticipant {
        func error(_ line: Int, _ reason: String) -> JournalError {
            JournalError(
                .damaged, "evidence line \(line): \(reason)", remedy: "Export it again with `wasl ledger evidence`; nothing was changed")
        }
        var evidence: [Evidence] = []
        var isWhole: Bool?
        for (index, line) in bytes.split(separator: 0x0A).enumerated() {
            guard isWhole == nil else { throw error(index + 1, "something follows the count") }
            guard let json = try? JSON.parse(Array(line)) else { throw error(index + 1, "not a JSON object") }
            if let count = json["messages"]?.integer {
                guard count == evidence.count else { throw error(index + 1, "counts \(count) messages, found \(evidence.count)") }
                isWhole = json["whole"] == true
                continue
            }
            guard let body = json["body"]?.string, let signature = json["signature"]?.string else {
                throw error(index + 1, "expected `body` and `signature`")
            }
            do {
                evidence.append(
                    try Evidence(
                        body: Array(body.utf8), signature: signature, isSetAside: json["setaside"] == true,
                        isVouched: json["vouched"] == true))
            } catch let reason { throw error(index + 1, "\(reason)") }
        }
        guard let isWhole else { throw error(evidence.count + 1, "the file ends before its count: it is torn") }
        return EvidenceOfParticipant(messages: evidence, isWhole: isWhole).judged(of: participant, verify)
    }

    /// The end of a participant's last lane, as far as the evidence goes.
    public static func lastHead(of participant: ParticipantID, in evidence: [Evidence]) -> LaneHead? {
        let own = evidence.filter { $0.envelope.source.participant == participant && $0.envelope.lane != nil }
        guard let epoch = own.max(by: { ($0.envelope.time, $0.body.count) < ($1.envelope.time, $1.body.count) })?.envelope.lane?.epoch,
            let last = own.filter({ $0.envelope.lane?.epoch == epoch }).max(by: {
                ($0.envelope.lane?.sequence ?? 0) < ($1.envelope.lane?.sequence ?? 0)
            })
        else { return nil }
        return LaneHead(epoch: epoch, sequence: last.envelope.lane?.sequence ?? 0, hash: digestText(last.body))
    }
}

extension JournalTransaction {
    /// Keeps what an earlier, lost journal of this participant had said, to be said again when the ledger asks.
    public func recover(_ evidence: Evidence) throws {
        let envelope = evidence.envelope
        guard let lane = envelope.lane, let route = Route(envelope) else { return }
        try db.cachedStatement(
            sql: """
                INSERT INTO recovered (epoch, sequence, id, exchange, routing_key, subject, time, hash, signature, body)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """
        ).execute(arguments: [
            lane.epoch.text, lane.sequence, envelope.id, route.exchange.rawValue, route.key, envelope.subject?.text,
            envelope.time.milliseconds, digestText(evidence.body), evidence.signature, Data(evidence.body),
        ])
    }
}
