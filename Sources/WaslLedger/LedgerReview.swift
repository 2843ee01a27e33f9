import GRDB
import WaslJournal
public import WaslModel
import WaslSeal

/// What a revoked key signed and was not logged before: two people decide about it, by ranges of a lane, and their decision comes back in
/// the registry.
enum RevokedWord: Sendable, Hashable {
    case waits, rejected
    /// Presence: it has no number, so nobody can approve it, and its like comes again by the new key.
    case outsideLanes

    init(_ envelope: Envelope, _ registry: Registry) {
        guard let lane = envelope.lane else {
            self = .outsideLanes
            return
        }
        let decision = registry.decision(epoch: lane.epoch, sequence: lane.sequence, of: envelope.source.participant)
        self = decision == .rejected ? .rejected : .waits
    }
}

extension LedgerSteps {
    /// So many lanes are named at most; who has stolen a key can make up as many as it likes.
    private static let lanesNamedMax = 200

    /// Sets aside what a revoked key signed. It is looked at again under every newer registry, so that a decision does what it says.
    func holdBack(_ refused: Refused, _ word: RevokedWord, _ transaction: JournalTransaction) throws {
        guard word != .outsideLanes, let envelope = refused.envelope, let lane = envelope.lane else { return }
        try transaction.quarantine(refused.delivery, reason: refused.reason)
        try transaction.db.cachedStatement(
            sql: """
                INSERT INTO review (source, epoch, sequence, digest, id, type, time, received, is_rejected)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET is_rejected = excluded.is_rejected
                """
        ).execute(arguments: [
            envelope.source.description, lane.epoch.text, lane.sequence, digestText(refused.delivery.body), envelope.id,
            envelope.type.rawValue, envelope.time.milliseconds, transaction.now.milliseconds, word == .rejected,
        ])
    }

    /// What was approved is waited for no more.
    func endReview(of messages: [Verified], _ transaction: JournalTransaction) throws {
        let db = transaction.db
        guard try Bool.fetchOne(db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM review)")) == true else { return }
        for message in messages {
            guard let lane = message.envelope.lane else { continue }
            try db.cachedStatement(sql: "DELETE FROM review WHERE source = ? AND epoch = ? AND sequence = ? AND digest = ?")
                .execute(arguments: [message.envelope.source.description, lane.epoch.text, lane.sequence, message.digest])
        }
    }

    /// Whether a participant's word that it refused a message is about one that waits here: then nothing besides is to be named.
    func waits(_ refusal: Envelope, _ transaction: JournalTransaction) throws -> Bool {
        guard refusal.data["reason"]?.string?.hasPrefix("wasl-signature: \(SealError.Code.revoked.rawValue)") == true,
            let id = refusal.data["messageid"]?.string
        else { return false }
        return try Bool.fetchOne(
            transaction.db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM review WHERE id = ?)"), arguments: [id]) ?? false
    }

    /// One finding for each lane in which something waits.
    func sweepReview(_ findings: Findings, _ transaction: JournalTransaction) throws {
        let lanes = try LedgerReview.lanes(transaction.db, limit: LedgerSteps.lanesNamedMax)
        let found = lanes.map { lane in
            Findings.Found(
                key: "\(lane.source) \(lane.epoch)", participant: Source(lane.source)?.participant,
                evidence: [
                    "epoch": .string(lane.epoch), "from": .integer(lane.from), "through": .integer(lane.through),
                    "count": .integer(lane.count),
                ])
        }
        try findings.agree(.revokedKey, prefix: "", with: found, cause: "two people have decided about all of it")
    }
}

/// What waits for two people, for those who decide. Reads only.
public enum LedgerReview {
    /// One lane in which something waits.
    struct Lane {
        let source: String
        let epoch: String
        let from: Int64
        let through: Int64
        let count: Int64
    }

    /// The oldest first.
    static func lanes(_ db: Database, limit: Int) throws -> [Lane] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT source, epoch, MIN(sequence), MAX(sequence), COUNT(*) FROM review WHERE is_rejected = 0
                    GROUP BY source, epoch ORDER BY MIN(received), source, epoch LIMIT ?
                    """), arguments: [limit]
        ).map { Lane(source: $0[0], epoch: $0[1], from: $0[2], through: $0[3], count: $0[4]) }
    }

    /// What waits in a ledger's file.
    public static func list(path: String) throws -> JSON {
        var configuration = Configuration()
        configuration.readonly = true
        return try DatabaseQueue(path: path, configuration: configuration).read { db in
            guard try db.tableExists("review") else {
                throw JournalError(
                    .foreign, "\(path): not the file of a ledger of this version",
                    remedy: "Name the ledger's journal.sqlite; one of an earlier version is brought up to date when its ledger starts")
            }
            return try list(db)
        }
    }

    /// Each lane with its unbroken ranges of numbers, the kinds of messages, the times that these claim, and when they came.
    static func list(_ db: Database) throws -> JSON {
        let lanes = try lanes(db, limit: 1_000).map { lane -> JSON in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT MIN(sequence), MAX(sequence), COUNT(*), COUNT(DISTINCT sequence), MIN(time), MAX(time), MIN(received), MAX(received)
                    FROM (SELECT *, sequence - DENSE_RANK() OVER (ORDER BY sequence) AS run FROM review
                        WHERE is_rejected = 0 AND source = ?1 AND epoch = ?2) GROUP BY run ORDER BY 1 LIMIT 1000
                    """, arguments: [lane.source, lane.epoch])
            let types = try Row.fetchAll(
                db,
                sql: "SELECT type, COUNT(*) FROM review WHERE is_rejected = 0 AND source = ? AND epoch = ? GROUP BY type ORDER BY type",
                arguments: [lane.source, lane.epoch])
            return [
                "source": .string(lane.source), "epoch": .string(lane.epoch), "count": .integer(lane.count),
                "types": .object(JSONObject(types.map { ($0[0] as String, .integer($0[1])) })),
                "ranges": .array(rows.map(range)),
            ]
        }
        return ["lanes": .array(lanes)]
    }

    private static func range(_ row: Row) -> JSON {
        func time(_ index: Int) -> JSON { .string(Timestamp(milliseconds: row[index]).description) }
        let (count, numbers): (Int64, Int64) = (row[2], row[3])
        return [
            "from": .integer(row[0]), "through": .integer(row[1]), "count": .integer(count),
            // Two different messages under one number: at most one of them is the participant's.
            "contradicting": .integer(count - numbers), "claimedFrom": time(4), "claimedThrough": time(5), "receivedFrom": time(6),
            "receivedThrough": time(7),
        ]
    }
}
