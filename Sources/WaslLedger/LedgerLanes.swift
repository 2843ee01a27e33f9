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
        guard own?.isOpened == true || !others.contains(where: { $0.isOpened && !$0.isForeign }) else {
            try name(source, lane.epoch, findings, db)
            try transaction.quarantine(message.delivery, reason: "journal: the epoch is another source's")
            try excuse(message, findings)
            return false
        }
        guard try own != nil || mayBegin(lane.epoch, of: source, findings, db) else {
            try transaction.quarantine(message.delivery, reason: "journal: it has too many epochs whose opening has not come")
            try excuse(message, findings)
            return false
        }
        if lane.sequence == 1, own?.isOpened != true, try hasAnother(than: lane.epoch, source, db) {
            try nameUnexplained(lane.epoch, source, "its journal began anew, and its first message does not say so", findings)
        }
        return true
    }

    /// So many epochs of one source at most are asked about, or known without their opening: who makes them up costs no more than that.
    private static let unsettledMax = 50

    /// Whether an epoch that is new and not opened is kept at all.
    func mayBegin(_ epoch: EpochID, of source: Source, _ findings: Findings, _ db: Database) throws -> Bool {
        let count = try Int.fetchOne(
            db.cachedStatement(sql: "SELECT COUNT(*) FROM lane WHERE source = ? AND (gap_since IS NOT NULL OR is_opened = 0)"),
            arguments: [source.description])
        guard count ?? 0 >= LedgerSteps.unsettledMax else { return true }
        try findings.open(
            .epochChanged, key: "\(source)\(Findings.more)", participant: source.participant,
            evidence: ["epoch": .string(epoch.text), "reason": "it names more epochs than are kept of which something is missing"])
        return false
    }

    /// Whether a source has spoken under another epoch of its own.
    func hasAnother(than epoch: EpochID, _ source: Source, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(
                sql: "SELECT EXISTS (SELECT 1 FROM lane WHERE source = ? AND epoch <> ? AND is_foreign = 0 AND seen > 0)"),
            arguments: [source.description, epoch.text]) ?? false
    }

    func nameUnexplained(_ epoch: EpochID, _ source: Source, _ reason: String, _ findings: Findings) throws {
        guard planted != .epochsUnexplained, source.role != .ledger else { return }
        try findings.open(
            .epochChanged, key: "\(source) \(epoch)", participant: source.participant,
            evidence: ["epoch": .string(epoch.text), "reason": .string(reason)])
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
                INSERT INTO lane (source, epoch, through, seen, announced, time_max, is_opened, is_foreign) VALUES (?, ?, 0, 0, 0, ?, ?, ?)
                ON CONFLICT DO UPDATE SET is_opened = excluded.is_opened, is_foreign = excluded.is_foreign,
                    gap_since = CASE WHEN excluded.is_foreign THEN NULL ELSE gap_since END
                """
        ).execute(arguments: [source.description, epoch.text, try newestTime(of: source, db), isOpened, isForeign])
    }

    /// Before which no epoch that begins now can say anything: what its source has said or shown under those before it.
    func newestTime(of source: Source, _ db: Database) throws -> Int64 {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT max(time_max) FROM lane WHERE source = ? AND is_foreign = 0"), arguments: [source.description])
            ?? 0
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
        try excuse(message, findings)
        try findings.open(
            .fork, key: "\(message.envelope.source) \(lane.epoch) \(lane.sequence)", participant: message.envelope.source.participant,
            request: message.envelope.request,
            evidence: [
                "epoch": .string(lane.epoch.text), "sequence": .integer(lane.sequence), "reason": .string(reason),
                "digest": .string(message.digest),
            ])
    }

    /// Moves a lane's unbroken end forward, over messages that came early too. As it passes over them, each is held to its time.
    func advance(_ lane: LanePosition, of source: Source, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let db = transaction.db
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT through, seen, gap_since, announced, time_max FROM lane WHERE source = ? AND epoch = ?"),
            arguments: [source.description, lane.epoch.text])
        var through: Int64 = row?["through"] ?? 0
        let seen = max(row?["seen"] as Int64? ?? 0, lane.sequence)
        let announced: Int64 = row?["announced"] ?? 0
        let gap: Int64? = row?["gap_since"]
        var newest: Int64 = try row?["time_max"] ?? newestTime(of: source, db)
        let statement = try db.cachedStatement(
            sql: "SELECT type, subject, time, received FROM entry WHERE source = ? AND epoch = ? AND sequence = ?")
        if lane.sequence > through + 1 {
            // Beyond what is missing, and whatever that may be: after what came before it all the same.
            if let own = try Row.fetchOne(statement, arguments: [source.description, lane.epoch.text, lane.sequence]) {
                try checkOrder(own, of: source, after: newest, findings)
            }
        } else if lane.sequence == through + 1 {
            while through < seen, let next = try Row.fetchOne(statement, arguments: [source.description, lane.epoch.text, through + 1]) {
                through += 1
                try checkOrder(next, of: source, after: newest, findings)
                // A clock that was ahead does not make those late that follow its correction.
                let (time, received): (Int64, Int64) = (next["time"], next["received"])
                newest = max(newest, min(time, received))
            }
        }
        let isWhole = through >= max(seen, announced)
        let gapSince: Int64? = isWhole || source.role == .ledger ? nil : gap ?? transaction.now.milliseconds
        if isWhole, gap != nil { try findings.clear(.gap, key: LedgerSteps.laneKey(source, lane.epoch), cause: "every number has come") }
        try db.cachedStatement(
            sql: """
                INSERT INTO lane (source, epoch, through, seen, announced, gap_since, time_max) VALUES (?, ?, ?, ?, 0, ?, ?)
                ON CONFLICT DO UPDATE SET through = excluded.through, seen = excluded.seen, gap_since = excluded.gap_since,
                    time_max = excluded.time_max,
                    asks = CASE WHEN excluded.gap_since IS NULL THEN 0 ELSE asks END
                """
        ).execute(arguments: [source.description, lane.epoch.text, through, seen, gapSince, newest])
    }

    /// Notes that a lane has come at least so far.
    ///
    /// - Parameter newest: for a lane that is new: ``newestTime(of:_:)``, unless it lies before the others.
    func announce(
        _ epoch: EpochID, of source: Source, through end: Int64, after newest: Int64 = 0, _ transaction: JournalTransaction
    ) throws {
        try transaction.db.cachedStatement(
            sql: """
                INSERT INTO lane (source, epoch, through, seen, announced, gap_since, time_max)
                VALUES (?1, ?2, 0, 0, ?3, CASE WHEN ?3 > 0 THEN ?4 END, ?5)
                ON CONFLICT DO UPDATE SET announced = max(announced, excluded.announced),
                    gap_since = CASE WHEN excluded.announced > through AND is_foreign = 0 THEN coalesce(gap_since, excluded.gap_since)
                        ELSE gap_since END
                """
        ).execute(arguments: [source.description, epoch.text, end, transaction.now.milliseconds, newest])
    }

    /// Whether a house can have taken a request at the time that it claims: it may not lie ahead of now, nor before the newest beat that
    /// did not have it yet. ``checkOrder(_:of:after:_:)`` holds it to what came before it.
    func checkTimes(_ envelope: Envelope, _ lane: LanePosition, _ findings: Findings, _ transaction: JournalTransaction) throws {
        guard planted != .timesUnchecked, envelope.type == .requestSubmitted, let request = envelope.request else { return }
        let (db, source) = (transaction.db, envelope.source)
        let time = envelope.time.milliseconds
        let slack = times.clock.milliseconds
        var reasons: [String] = []
        if time > transaction.now.milliseconds + slack { reasons.append("it lies ahead of the ledger's clock") }
        let beat = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT beat_sequence, beat_at FROM lane WHERE source = ? AND epoch = ?"),
            arguments: [source.description, lane.epoch.text])
        if let at = beat?["beat_at"] as Int64?, lane.sequence > beat?["beat_sequence"] ?? 0, time < at - slack {
            reasons.append("its house had not taken it yet at \(Timestamp(milliseconds: at))")
        }
        if !reasons.isEmpty { try name(request, envelope.time, reasons.joined(separator: "; "), findings) }
    }

    /// A request's time does not fall along the messages of its house, over all of them and not from one to the next: many small steps
    /// back would lead anywhere.
    ///
    /// - Parameter newest: the newest time that its house had said or shown before it, in milliseconds.
    private func checkOrder(_ entry: Row, of source: Source, after newest: Int64, _ findings: Findings) throws {
        guard planted != .timesUnchecked, source.role == .house, entry["type"] == MessageType.requestSubmitted.rawValue,
            entry["time"] < newest - times.clock.milliseconds, let subject = (entry["subject"] as String?).flatMap({ RequestID($0) })
        else { return }
        try name(
            RequestKey(house: source.participant, subject: subject), Timestamp(milliseconds: entry["time"]),
            "it lies before what its house had said or shown by then, at \(Timestamp(milliseconds: newest))", findings)
    }

    private func name(_ request: RequestKey, _ time: Timestamp, _ reason: String, _ findings: Findings) throws {
        try findings.open(
            .implausibleTime, about: request, participant: request.house,
            evidence: ["time": .string(time.description), "reason": .string(reason)])
    }
}
