import GRDB
package import WaslJournal
package import WaslModel
package import WaslSeal

/// How long reconciliation waits before it calls something missing. Order of arrival is free, so nothing is missing at once.
public struct LedgerTimes: Sendable {
    public var gapGrace: Duration = .seconds(5)
    public var notTaken: Duration = .seconds(30)
    public var undelivered: Duration = .seconds(30)
    public var orphan: Duration = .seconds(10)
    public var silent: Duration = .seconds(60)
    /// How long no piece of a document may come before it is missed.
    public var attachment: Duration = .seconds(120)
    /// By how much a clock may be wrong before it is said.
    public var clock: Duration = .seconds(600)
    /// How long a participant may hold an older registry than the ledger.
    public var registry: Duration = .seconds(3_600)
    /// The first pause between two asks for the same thing; it doubles up to an hour.
    public var askPause: Duration = .seconds(15)

    public init() {}
}

/// What no message says: what has not come. Runs every second, over indices of what is open.
extension LedgerSteps {
    package func sweep(_ registry: Registry, startedAt: Timestamp, in transaction: JournalTransaction) throws {
        let findings = Findings(transaction: transaction, isBounded: planted != .floodListed)
        try sweepGaps(registry, findings, transaction)
        try sweepOpenings(registry, transaction)
        try sweepRequests(registry, findings, transaction)
        try sweepWaiting(findings, transaction)
        try sweepAttachments(registry, findings, transaction)
        try sweepSilence(registry, startedAt, findings, transaction)
        try sweepRegistries(registry.version, expires: registry.expires, findings, transaction)
        try sweepReview(findings, transaction)
    }

    /// So many lanes a sweep: those that were never asked about come first.
    private static let gapsMax = 200

    private func sweepGaps(_ registry: Registry, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let before = transaction.now.advanced(by: .zero - times.gapGrace).milliseconds
        let rows = try Row.fetchAll(
            transaction.db.cachedStatement(
                sql: """
                    SELECT epoch, source, through, seen, announced FROM lane WHERE gap_since < ?1 AND is_foreign = 0
                        AND (asks = 0 OR asked + min(?2 << min(asks, 12), 3600000) <= ?3)
                    ORDER BY asks, gap_since LIMIT \(LedgerSteps.gapsMax)
                    """),
            arguments: [before, times.askPause.milliseconds, transaction.now.milliseconds])
        for row in rows {
            guard let source = Source(row[1]), let lane = EpochID(row[0]) else { continue }
            let newest: Int64 = max(row[3], row[4])
            let through = try passRejected(source, lane, after: row[2], to: newest, registry, findings, transaction)
            guard through < newest else { continue }
            try findings.open(
                .gap, key: LedgerSteps.laneKey(source, lane), participant: source.participant,
                evidence: ["epoch": .string(lane.text), "after": .integer(through), "newest": .integer(newest)])
            // Exactly the numbers that are missing, a few ranges at a time.
            for (from, last) in try missingRanges(source, lane.text, after: through, to: newest, transaction.db) {
                try ask(source.participant, for: lane, from, through: last, registry, transaction)
            }
            try noteAsked(source, lane, transaction)
        }
    }

    /// Moves a lane's end over numbers that two people have rejected: nothing will come under them.
    private func passRejected(
        _ source: Source, _ lane: EpochID, after through: Int64, to newest: Int64, _ registry: Registry, _ findings: Findings,
        _ transaction: JournalTransaction
    ) throws -> Int64 {
        func isRejected(_ number: Int64) -> Bool {
            registry.decision(epoch: lane, sequence: number, of: source.participant) == .rejected
        }
        guard isRejected(through + 1) else { return through }
        let isHeard = try transaction.db.cachedStatement(sql: "SELECT 1 FROM entry WHERE source = ? AND epoch = ? AND sequence = ?")
        var end = through
        // The rest in the next sweep.
        while end < min(newest, through + 10_000) {
            guard try isRejected(end + 1) || Bool.fetchOne(isHeard, arguments: [source.description, lane.text, end + 1]) == true else {
                break
            }
            end += 1
        }
        try transaction.db.cachedStatement(
            sql: "UPDATE lane SET through = ?1, gap_since = CASE WHEN ?1 < ?2 THEN gap_since END WHERE source = ?3 AND epoch = ?4"
        ).execute(arguments: [end, newest, source.description, lane.text])
        if end == newest {
            try findings.clear(.gap, key: LedgerSteps.laneKey(source, lane), cause: "what is missing was rejected by two people")
        }
        return end
    }

    /// Whose words stand aside because another has opened the same epoch is asked for its own opening, a few times: it may have been lost.
    private func sweepOpenings(_ registry: Registry, _ transaction: JournalTransaction) throws {
        let rows = try Row.fetchAll(
            transaction.db.cachedStatement(
                sql: """
                    SELECT source, epoch FROM lane WHERE is_opened = 0 AND is_foreign = 1 AND asks < 8
                        AND (asks = 0 OR asked + min(?1 << min(asks, 12), 3600000) <= ?2) LIMIT 50
                    """),
            arguments: [times.askPause.milliseconds, transaction.now.milliseconds])
        for row in rows {
            guard let source = Source(row[0]), let lane = EpochID(row[1]) else { continue }
            try ask(source.participant, for: lane, 1, through: 1, registry, transaction)
            try noteAsked(source, lane, transaction)
        }
    }

    private func noteAsked(_ source: Source, _ lane: EpochID, _ transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(sql: "UPDATE lane SET asked = ?, asks = asks + 1 WHERE source = ? AND epoch = ?")
            .execute(arguments: [transaction.now.milliseconds, source.description, lane.text])
    }

    private func ask(
        _ participant: ParticipantID, for lane: EpochID, _ from: Int64, through last: Int64, _ registry: Registry,
        _ transaction: JournalTransaction
    ) throws {
        try ask(
            participant,
            [
                "epoch": .string(lane.text), "from": .string(LanePosition.sequenceText(from)),
                "through": .string(LanePosition.sequenceText(last)),
            ], registry, transaction)
    }

    /// Asks a participant to say again what is missing. Who is suspended or has left has no queue that anybody reads.
    func ask(
        _ participant: ParticipantID, about subject: RequestID? = nil, _ data: JSONObject, _ registry: Registry,
        _ transaction: JournalTransaction
    ) throws {
        guard registry.participants[participant]?.state == .active else { return }
        try transaction.append(Draft(type: .resend, subject: subject, recipient: participant, data: data))
    }

    private func missingRanges(
        _ source: Source, _ epoch: String, after through: Int64, to newest: Int64, _ db: Database
    ) throws
        -> [(Int64, Int64)]
    {
        let present = try Row.fetchCursor(
            db.cachedStatement(sql: "SELECT sequence FROM entry WHERE source = ? AND epoch = ? AND sequence > ? ORDER BY sequence"),
            arguments: [source.description, epoch, through])
        var ranges: [(Int64, Int64)] = []
        var next = through + 1
        while ranges.count < 8, let row = try present.next() {
            let sequence: Int64 = row[0]
            if sequence > next { ranges.append((next, sequence - 1)) }
            next = sequence + 1
        }
        if ranges.count < 8, next <= newest { ranges.append((next, newest)) }
        return ranges
    }

    private func sweepRequests(_ registry: Registry, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let now = transaction.now
        func before(_ age: Duration) -> Int64 { now.advanced(by: .zero - age).milliseconds }
        // Oldest citizen first, and paced: so many a sweep.
        try each(
            .notTaken, "taken IS NULL AND is_terminal = 0 AND first_seen < ?1 AND \(LedgerSteps.isWhole)", "first_seen",
            before(times.notTaken), findings, registry, concerns: "agency", asks: "house")
        try each(.overdue, "is_terminal = 0 AND due < ?1", "due", now.milliseconds, findings, registry, concerns: "agency")
        try each(
            .undeliveredOutcome,
            "(is_terminal = 1 OR status = 'parked') AND delivered IS NULL AND status_at < ?1 AND \(LedgerSteps.isWhole)", "status_at",
            before(times.undelivered), findings, registry, concerns: "house", asks: "agency")
    }

    /// A request is taken, and an outcome delivered, with all its documents: while these are on their way, nobody is late with it.
    private static let isWhole = """
        NOT EXISTS (SELECT 1 FROM attachment a WHERE a.house = request.house AND a.subject = request.subject AND a.ended IS NULL
            AND (a.whole IS NULL OR a.whole >= ?1))
        """

    /// Two looks at the same condition, so that what is already open or not yet due again never hides what is new.
    ///
    /// - Parameters:
    ///   - concerns: the column that names who is concerned.
    ///   - asks: the column that names who is asked to say its word again.
    private func each(
        _ kind: FindingClass, _ condition: String, _ order: String, _ time: Int64, _ findings: Findings, _ registry: Registry,
        concerns: String, asks: String? = nil
    ) throws {
        let (transaction, db) = (findings.transaction, findings.transaction.db)
        let new = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT house, subject, agency, refused FROM request WHERE \(condition) AND NOT EXISTS (
                        SELECT 1 FROM finding WHERE class = '\(kind.rawValue)' AND key = request.house || ' ' || request.subject
                            AND cleared IS NULL)
                    ORDER BY \(order) LIMIT 500
                    """), arguments: [time])
        for row in new {
            guard let request = LedgerSteps.request(row) else { continue }
            if let refused = row["refused"] as Int64?, concerns == "agency" {
                // Whether it was right to, only people can tell.
                try findings.open(
                    kind, about: request,
                    evidence: [
                        "agency": .string(row["agency"]),
                        "setAside": .string(Timestamp(milliseconds: refused).description),
                    ])
            } else {
                try findings.open(kind, about: request, participant: ParticipantID(row[concerns] as String))
            }
        }
        guard let asks else { return }
        let due = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT house, subject, agency FROM request WHERE \(condition)
                        AND (asks = 0 OR asked + min(?2 << min(asks, 12), 3600000) <= ?3)
                    ORDER BY \(order) LIMIT 500
                    """),
            arguments: [time, times.askPause.milliseconds, transaction.now.milliseconds])
        for row in due {
            guard let request = LedgerSteps.request(row), let participant = ParticipantID(row[asks] as String) else { continue }
            try ask(participant, about: request, registry, transaction)
        }
    }

    static func request(_ row: Row) -> RequestKey? {
        guard let house = ParticipantID(row["house"]), let subject = RequestID(row["subject"]) else { return nil }
        return RequestKey(house: house, subject: subject)
    }

    /// What can be mended is mended: the participant is asked to say again what it said about this request.
    private func ask(
        _ participant: ParticipantID, about request: RequestKey, _ registry: Registry, _ transaction: JournalTransaction
    ) throws {
        try ask(participant, about: request.subject, [:], registry, transaction)
        try transaction.db.cachedStatement(sql: "UPDATE request SET asked = ?, asks = asks + 1 WHERE house = ? AND subject = ?")
            .execute(arguments: [transaction.now.milliseconds, request.house.text, request.subject.text])
    }

    private func sweepSilence(
        _ registry: Registry, _ startedAt: Timestamp, _ findings: Findings, _ transaction: JournalTransaction
    ) throws {
        let seen = Dictionary(
            uniqueKeysWithValues: try Row.fetchAll(transaction.db.cachedStatement(sql: "SELECT id, seen FROM participant"))
                .map { ($0[0] as String, $0[1] as Int64) })
        let limit = transaction.now.advanced(by: .zero - times.silent).milliseconds
        for participant in registry.participants.values.sorted(by: { $0.id < $1.id })
        where participant.role != .ledger && participant.state == .active {
            // The ledger's own absence is nobody's silence.
            let last = max(seen[participant.id.text] ?? 0, startedAt.milliseconds)
            if last < limit {
                try findings.open(
                    .silentParticipant, key: participant.id.text, participant: participant.id,
                    evidence: ["lastSeen": .string(Timestamp(milliseconds: last).description)])
            } else if (seen[participant.id.text] ?? 0) >= limit {
                try findings.clear(.silentParticipant, key: participant.id.text, cause: "it speaks again")
            }
        }
        try sweepGone(registry, findings, transaction)
    }

    /// Who is suspended or has left is not waited for: nothing that it says could clear these.
    private func sweepGone(_ registry: Registry, _ findings: Findings, _ transaction: JournalTransaction) throws {
        for kind in [FindingClass.silentParticipant, .clockSkew] {
            let open = try String.fetchAll(
                transaction.db.cachedStatement(sql: "SELECT key FROM finding WHERE class = ? AND cleared IS NULL"),
                arguments: [kind.rawValue])
            for key in open where ParticipantID(key).flatMap({ registry.participants[$0] })?.state != .active {
                try findings.clear(kind, key: key, cause: "the registry no longer has it as active")
            }
        }
    }
}
