import GRDB
import WaslJournal
import WaslModel

/// What participants say of themselves every few seconds.
extension LedgerSteps {
    /// A beat names the lane's head: what is missing at its end is known without waiting for its next message.
    ///
    /// A beat that is not newer than one that came before is counted and says nothing: kept and played again it could hide that its
    /// participant is silent.
    func recordPresence(_ envelope: Envelope, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let (db, source) = (transaction.db, envelope.source)
        let beat: Beat
        do { beat = try Beat(envelope) } catch {
            return try findings.open(
                .refusedMessage, key: "ledger presence of \(source.participant)", participant: source.participant,
                evidence: ["reason": .string("\(error)"), "by": "ledger"])
        }
        let known = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT beat, is_foreign FROM lane WHERE source = ? AND epoch = ?"),
            arguments: [source.description, beat.epoch.text])
        let isAnothers =
            try known?["is_foreign"] as Bool? == true
            || known == nil
                && Bool.fetchOne(
                    db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM lane WHERE epoch = ? AND is_opened = 1)"),
                    arguments: [beat.epoch.text]) == true
        if isAnothers {
            return try findings.open(
                .foreignLane, key: "\(source) \(beat.epoch)", participant: source.participant,
                evidence: ["epoch": .string(beat.epoch.text), "reason": "its presence names an epoch that another source has opened"])
        }
        guard beat.number > known?["beat"] ?? 0 || planted == .oldBeatsCount else {
            return try db.cachedStatement(sql: "UPDATE participant SET old_beats = old_beats + 1 WHERE id = ?")
                .execute(arguments: [source.participant.text])
        }
        try noteSeen(source.participant, transaction)
        try findings.clear(.refusedMessage, key: "ledger presence of \(source.participant)", cause: "its presence is as it should be")
        // The ledger's own commands go to others' queues: its lane is not whole here, and nobody could send it again.
        guard source.role != .ledger else { return }
        // What still waits in the participant's own outbox is not missing: it says so itself.
        let isKept = try known != nil || mayBegin(beat.epoch, of: source, findings, db)
        guard isKept else { return }
        try announce(
            beat.epoch, of: source, through: max(0, beat.sequence - beat.backlog), after: newestTime(of: source, db), transaction)
        // A beat that was long on its way bounds nothing by when it came.
        let at = min(transaction.now, beat.clock)
        // Where all that it names has come, whatever follows was made later.
        try db.cachedStatement(
            sql: """
                UPDATE lane SET beat = ?1, beat_sequence = ?2, beat_at = ?3,
                    time_max = CASE WHEN ?2 <= through THEN max(time_max, ?3) ELSE time_max END
                WHERE source = ?4 AND epoch = ?5
                """
        ).execute(arguments: [beat.number, beat.sequence, at.milliseconds, source.description, beat.epoch.text])
        try keep(beat, of: source.participant, findings, transaction)
    }

    private func keep(_ beat: Beat, of participant: ParticipantID, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let db = transaction.db
        let skew = beat.clock.since(transaction.now)
        let lateBefore =
            try Int64.fetchOne(
                db.cachedStatement(sql: "SELECT late_beats FROM participant WHERE id = ?"), arguments: [participant.text]) ?? 0
        // Behind may be a slow road; twice in a row is a clock.
        let late = skew < .zero - times.clock ? lateBefore + 1 : 0
        try db.cachedStatement(
            sql: """
                UPDATE participant SET epoch = ?, backlog = ?, oldest = ?, circuit = ?, version = ?, registry = ?, skew = ?, late_beats = ?
                WHERE id = ?
                """
        ).execute(arguments: [
            beat.epoch.text, beat.backlog, beat.oldest.milliseconds, beat.circuit, beat.version, beat.registry, skew.milliseconds, late,
            participant.text,
        ])
        if skew > times.clock || late > 1 {
            try findings.open(
                .clockSkew, key: participant.text, participant: participant, evidence: ["milliseconds": .integer(skew.milliseconds)])
        } else if late == 0 {
            try findings.clear(.clockSkew, key: participant.text, cause: "its clock is right again")
        }
    }

    /// Who holds an older registry than the ledger for long, and whether the ledger's own has run out. Neither stops anything.
    func sweepRegistries(_ version: Int64, expires: Timestamp, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let db = transaction.db
        if expires <= transaction.now {
            try findings.open(
                .staleRegistry, key: "expired", evidence: ["version": .integer(version), "expires": .string(expires.description)])
        } else {
            try findings.clear(.staleRegistry, key: "expired", cause: "a newer registry is held")
        }
        try db.cachedStatement(
            sql: """
                UPDATE participant SET registry_behind = CASE WHEN registry < ?1 THEN coalesce(registry_behind, ?2) END
                WHERE (registry < ?1) IS NOT (registry_behind IS NOT NULL)
                """
        ).execute(arguments: [version, transaction.now.milliseconds])
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT id, registry, registry_behind < ?1 AS is_behind FROM participant
                    WHERE registry_behind < ?1 OR registry_behind IS NULL AND EXISTS (
                        SELECT 1 FROM finding WHERE class = 'stale-registry' AND key = participant.id AND cleared IS NULL)
                    """), arguments: [transaction.now.advanced(by: .zero - times.registry).milliseconds])
        for row in rows {
            guard let participant = ParticipantID(row["id"]) else { continue }
            if row["is_behind"] as Bool? == true {
                try findings.open(
                    .staleRegistry, key: participant.text, participant: participant,
                    evidence: ["holds": .integer(row["registry"]), "newest": .integer(version)])
            } else {
                try findings.clear(.staleRegistry, key: participant.text, cause: "it holds the newest registry")
            }
        }
    }
}

/// A presence message's data, every member of it checked.
private struct Beat {
    let epoch: EpochID
    let number: Int64
    let sequence: Int64
    let backlog: Int64
    let oldest: Duration
    let clock: Timestamp
    let version: String?
    let registry: Int64?
    let circuit: String?

    /// - Throws: ``EnvelopeError`` naming the member.
    init(_ envelope: Envelope) throws(EnvelopeError) {
        let data = envelope.data
        func fail(_ key: String, _ expected: String) -> EnvelopeError {
            EnvelopeError(attribute: "data.\(key)", reason: "expected \(expected), found \(data[key]?.shape ?? "nothing")")
        }
        func whole(_ key: String) throws(EnvelopeError) -> Int64? {
            guard let value = data[key] else { return nil }
            guard let number = value.integer, (0...LanePosition.sequenceMax).contains(number) else {
                throw fail(key, "a whole number from 0 to \(LanePosition.sequenceMax)")
            }
            return number
        }
        guard envelope.lane == nil else {
            throw EnvelopeError(attribute: "sequence", reason: "presence stands outside every lane")
        }
        guard let epoch = data["epoch"]?.string.flatMap({ EpochID($0) }) else { throw fail("epoch", "an epoch's UUID") }
        guard let text = data["sequence"]?.string, text.utf8.count == 20, let sequence = Int64(text),
            (0...LanePosition.sequenceMax).contains(sequence)
        else { throw fail("sequence", "20 digits") }
        if let version = data["version"], version.string.map({ $0.utf8.count <= 64 }) != true { throw fail("version", "a short text") }
        if let circuit = data["circuit"], circuit.string.map({ ["closed", "open", "half-open"].contains($0) }) != true {
            throw fail("circuit", "closed, open or half-open")
        }
        if let clock = data["clock"], clock.string.flatMap({ Timestamp($0) }) == nil { throw fail("clock", "RFC 3339 in UTC") }
        self.epoch = epoch
        self.sequence = sequence
        // Version 1.0 counts no beats: there its time is all that grows.
        number = try whole("beat") ?? envelope.time.milliseconds
        backlog = try whole("backlog") ?? 0
        oldest = .milliseconds(try whole("oldestms") ?? 0)
        clock = data["clock"]?.string.flatMap { Timestamp($0) } ?? envelope.time
        version = data["version"]?.string
        registry = try whole("registry")
        circuit = data["circuit"]?.string
    }
}
