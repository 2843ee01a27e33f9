import GRDB
import WaslJournal
import WaslModel

/// Lanes: one source's numbers in one epoch. Who owns an epoch, what is missing of it, what contradicts.
extension LedgerSteps {
    private struct Claim {
        let source: String
        let isOpened: Bool
        let isForeign: Bool
    }

    /// Whether an epoch is its source's own.
    ///
    /// Numbers are counted for each source apart, so nobody takes a number of another's. Whose the epoch is, its `journal.opened` tells:
    /// who speaks under an epoch that another has opened, without having opened it, is set aside and named. Where two have opened it, one
    /// has copied the other, and nothing here proves which: both go on, and nobody is blamed.
    func isOwnLane(
        _ message: Verified, _ lane: LanePosition, _ findings: Findings, _ transaction: JournalTransaction
    ) throws -> Bool {
        if planted == .foreignLaneTaken { return true }
        let (db, source) = (transaction.db, message.envelope.source)
        let claims = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT source, is_opened, is_foreign FROM lane WHERE epoch = ?"), arguments: [lane.epoch.text]
        ).map { Claim(source: $0["source"], isOpened: $0["is_opened"], isForeign: $0["is_foreign"]) }
        let own = claims.first { $0.source == source.description }
        let others = claims.filter { $0.source != source.description }
        let opens =
            message.envelope.type == .journalOpened && lane.sequence == 1 && message.envelope.data["epoch"]?.string == lane.epoch.text
        if opens {
            try enter(lane.epoch, source, isOpened: true, isForeign: false, db)
            try findings.clear(.foreignLane, key: "\(source) \(lane.epoch)", cause: "its own opening has come")
            for other in others where !other.isForeign {
                if other.isOpened {
                    try findings.open(
                        .foreignLane, key: "two openings \(lane.epoch)",
                        evidence: [
                            "epoch": .string(lane.epoch.text), "sources": [.string(other.source), .string(source.description)],
                            "reason": "two sources have opened this epoch: one has copied the other",
                        ])
                } else if let source = Source(other.source) {
                    try name(source, lane.epoch, findings, db)
                }
            }
            return true
        }
        guard own?.isOpened != true, others.contains(where: { $0.isOpened && !$0.isForeign }) else { return true }
        try name(source, lane.epoch, findings, db)
        try transaction.quarantine(message.delivery, reason: "journal: the epoch is another source's")
        return false
    }

    private func name(_ source: Source, _ epoch: EpochID, _ findings: Findings, _ db: Database) throws {
        try enter(epoch, source, isOpened: false, isForeign: true, db)
        try findings.open(
            .foreignLane, key: "\(source) \(epoch)", participant: source.participant,
            evidence: ["epoch": .string(epoch.text), "reason": "it speaks under an epoch that another source has opened"])
        try findings.clear(.gap, key: LedgerSteps.laneKey(source, epoch), cause: "the epoch is another source's")
    }

    private func enter(_ epoch: EpochID, _ source: Source, isOpened: Bool, isForeign: Bool, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO lane (source, epoch, through, seen, announced, is_opened, is_foreign) VALUES (?, ?, 0, 0, 0, ?, ?)
                ON CONFLICT DO UPDATE SET is_opened = excluded.is_opened, is_foreign = excluded.is_foreign,
                    gap_since = CASE WHEN excluded.is_foreign THEN NULL ELSE gap_since END
                """
        ).execute(arguments: [source.description, epoch.text, isOpened, isForeign])
    }

    /// By which a lane's gap is named.
    static func laneKey(_ source: Source, _ epoch: EpochID) -> String { "\(source) \(epoch)" }

    /// Both neighbours, since any order of arrival is legal.
    func checkChain(
        _ message: Verified, _ lane: LanePosition, _ findings: Findings, _ transaction: JournalTransaction
    ) throws {
        let (db, source) = (transaction.db, message.envelope.source.description)
        if lane.sequence > 1,
            let before = try String.fetchOne(
                db.cachedStatement(sql: "SELECT digest FROM entry WHERE source = ? AND epoch = ? AND sequence = ?"),
                arguments: [source, lane.epoch.text, lane.sequence - 1]), before != lane.chain
        {
            try openFork(message, "it is not chained to the message before it", findings, transaction)
        }
        if let after = try String.fetchOne(
            db.cachedStatement(sql: "SELECT chain FROM entry WHERE source = ? AND epoch = ? AND sequence = ?"),
            arguments: [source, lane.epoch.text, lane.sequence + 1]), after != message.digest
        {
            try openFork(message, "the message after it is chained to another", findings, transaction)
        }
    }

    func openFork(
        _ message: Verified, _ reason: String, _ findings: Findings, _ transaction: JournalTransaction
    ) throws {
        guard let lane = message.envelope.lane else { return }
        try transaction.quarantine(message.delivery, reason: "sequence: \(reason)")
        try findings.open(
            .fork, key: "\(message.envelope.source) \(lane.epoch) \(lane.sequence)", participant: message.envelope.source.participant,
            request: message.envelope.request,
            evidence: [
                "epoch": .string(lane.epoch.text), "sequence": .integer(lane.sequence), "reason": .string(reason),
                "digest": .string(message.digest),
            ])
    }

    /// Moves a lane's unbroken end forward, over messages that came early too.
    func advance(_ lane: LanePosition, of source: Source, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let db = transaction.db
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT through, seen, gap_since, announced FROM lane WHERE source = ? AND epoch = ?"),
            arguments: [source.description, lane.epoch.text])
        var through: Int64 = row?["through"] ?? 0
        let seen = max(row?["seen"] as Int64? ?? 0, lane.sequence)
        let announced: Int64 = row?["announced"] ?? 0
        let gap: Int64? = row?["gap_since"]
        if lane.sequence == through + 1 {
            through = lane.sequence
            if seen > through {
                let statement = try db.cachedStatement(sql: "SELECT 1 FROM entry WHERE source = ? AND epoch = ? AND sequence = ?")
                while try Bool.fetchOne(statement, arguments: [source.description, lane.epoch.text, through + 1]) == true { through += 1 }
            }
        }
        let isWhole = through >= max(seen, announced)
        let gapSince: Int64? = isWhole || source.role == .ledger ? nil : gap ?? transaction.now.milliseconds
        if isWhole, gap != nil { try findings.clear(.gap, key: LedgerSteps.laneKey(source, lane.epoch), cause: "every number has come") }
        try db.cachedStatement(
            sql: """
                INSERT INTO lane (source, epoch, through, seen, announced, gap_since) VALUES (?, ?, ?, ?, 0, ?)
                ON CONFLICT DO UPDATE SET through = excluded.through, seen = excluded.seen, gap_since = excluded.gap_since,
                    asks = CASE WHEN excluded.gap_since IS NULL THEN 0 ELSE asks END
                """
        ).execute(arguments: [source.description, lane.epoch.text, through, seen, gapSince])
    }

    /// Notes that a lane has come at least so far.
    func announce(_ epoch: EpochID, of source: Source, through end: Int64, _ transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(
            sql: """
                INSERT INTO lane (source, epoch, through, seen, announced, gap_since)
                VALUES (?1, ?2, 0, 0, ?3, CASE WHEN ?3 > 0 THEN ?4 END)
                ON CONFLICT DO UPDATE SET announced = max(announced, excluded.announced),
                    gap_since = CASE WHEN excluded.announced > through AND is_foreign = 0 THEN coalesce(gap_since, excluded.gap_since)
                        ELSE gap_since END
                """
        ).execute(arguments: [source.description, epoch.text, end, transaction.now.milliseconds])
    }

    /// Whether a house can have taken a request at the time that it claims: it may not lie ahead of now; not before what precedes it in its
    /// lane; and not before the newest beat that did not have it yet. Order of arrival is free, so what follows is looked at too.
    func checkTimes(_ envelope: Envelope, _ lane: LanePosition, _ findings: Findings, _ transaction: JournalTransaction) throws {
        guard planted != .timesUnchecked else { return }
        let (db, source) = (transaction.db, envelope.source)
        let place: StatementArguments = [source.description, lane.epoch.text, lane.sequence]
        let slack = times.clock.milliseconds
        if source.role == .house,
            let next = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT type, subject, time FROM entry WHERE source = ? AND epoch = ? AND sequence > ? ORDER BY sequence LIMIT 1
                        """), arguments: place), next["type"] == MessageType.requestSubmitted.rawValue,
            next["time"] < envelope.time.milliseconds - slack, let subject = (next["subject"] as String?).flatMap({ RequestID($0) })
        {
            try name(
                RequestKey(house: source.participant, subject: subject), Timestamp(milliseconds: next["time"]),
                "it lies before a message that precedes it in its lane", findings)
        }
        guard envelope.type == .requestSubmitted, let request = envelope.request else { return }
        let time = envelope.time.milliseconds
        var reasons: [String] = []
        if time > transaction.now.milliseconds + slack { reasons.append("it lies ahead of the ledger's clock") }
        let before = try Int64.fetchOne(
            db.cachedStatement(
                sql: "SELECT time FROM entry WHERE source = ? AND epoch = ? AND sequence < ? ORDER BY sequence DESC LIMIT 1"),
            arguments: place)
        if let before, time < before - slack { reasons.append("it lies before a message that precedes it in its lane") }
        let beat = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT beat_sequence, beat_at FROM lane WHERE source = ? AND epoch = ?"),
            arguments: [source.description, lane.epoch.text])
        if let at = beat?["beat_at"] as Int64?, lane.sequence > beat?["beat_sequence"] ?? 0, time < at - slack {
            reasons.append("its house had not taken it yet at \(Timestamp(milliseconds: at))")
        }
        if !reasons.isEmpty { try name(request, envelope.time, reasons.joined(separator: "; "), findings) }
    }

    private func name(_ request: RequestKey, _ time: Timestamp, _ reason: String, _ findings: Findings) throws {
        try findings.open(
            .implausibleTime, about: request, participant: request.house,
            evidence: ["time": .string(time.description), "reason": .string(reason)])
    }
}
