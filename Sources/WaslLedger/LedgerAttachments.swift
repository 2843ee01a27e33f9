import GRDB
import WaslJournal
import WaslModel
import WaslSeal

/// Documents by their pieces. The ledger opens none; it counts, and misses what does not come.
extension LedgerSteps {
    /// A request or an outcome names what goes with it.
    func named(_ envelope: Envelope, of request: RequestKey, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let notices: [AttachmentNotice]
        do { notices = try AttachmentNotice.all(in: envelope.data) } catch {
            return try findings.open(
                .refusedMessage, key: "ledger \(envelope.id)", participant: envelope.source.participant, request: request,
                evidence: ["reason": .string("\(error)"), "by": "ledger"])
        }
        for notice in notices {
            try transaction.db.cachedStatement(
                sql: """
                    INSERT INTO attachment (source, id, participant, house, subject, cause, pieces, moved) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET cause = excluded.cause, pieces = excluded.pieces
                        WHERE house = excluded.house AND subject = excluded.subject
                    """
            ).execute(arguments: [
                envelope.source.description, notice.id.text, envelope.source.participant.text, request.house.text, request.subject.text,
                envelope.id, notice.pieces, transaction.now.milliseconds,
            ])
            try look(at: notice.id, of: envelope.source, findings, transaction)
        }
        if envelope.type == .outcome {
            try supersede(envelope, request, findings, transaction)
        } else {
            // Its outcome may have overtaken it.
            try endWithRequest(request, findings, transaction)
        }
    }

    /// An agency whose disk was lost asks for a document anew: what the outcome before it promised does not come any more.
    private func supersede(_ envelope: Envelope, _ request: RequestKey, _ findings: Findings, _ transaction: JournalTransaction) throws {
        try end(
            """
            source = ?4 AND cause <> (SELECT outcome FROM request WHERE house = ?2 AND subject = ?3)
                AND EXISTS (SELECT 1 FROM request WHERE house = ?2 AND subject = ?3 AND outcome = ?5)
            """, [envelope.source.description, envelope.id], request, "another outcome took its place", findings, transaction)
    }

    /// A request that has ended needs no papers.
    func endWithRequest(_ request: RequestKey, _ findings: Findings, _ transaction: JournalTransaction) throws {
        try end(
            """
            source LIKE '/houses/%' AND EXISTS (SELECT 1 FROM request WHERE house = ?2 AND subject = ?3 AND is_terminal = 1)
            """, [], request, "the request has ended", findings, transaction)
    }

    private func end(
        _ condition: String, _ arguments: [String], _ request: RequestKey, _ cause: String, _ findings: Findings,
        _ transaction: JournalTransaction
    ) throws {
        let db = transaction.db
        try db.cachedStatement(
            sql: """
                UPDATE attachment SET ended = ?1
                WHERE whole IS NULL AND ended IS NULL AND house = ?2 AND subject = ?3 AND \(condition)
                """
        ).execute(
            arguments: StatementArguments([transaction.now.milliseconds])
                + StatementArguments([request.house.text, request.subject.text] + arguments))
        guard db.changesCount > 0 else { return }
        let rows = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT source, id FROM attachment WHERE house = ? AND subject = ? AND ended IS NOT NULL"),
            arguments: [request.house.text, request.subject.text])
        for row in rows {
            guard let source = Source(row[0]) else { continue }
            try findings.clear(.attachmentIncomplete, key: "\(source.participant) \(row[1] as String)", cause: cause)
        }
    }

    /// A piece has come. It may come before the message that names its document.
    func piece(_ envelope: Envelope, of request: RequestKey, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let piece: AttachmentPiece
        do { piece = try AttachmentPiece(envelope) } catch {
            return try findings.open(
                .refusedMessage, key: "ledger \(envelope.id)", participant: envelope.source.participant, request: request,
                evidence: ["reason": .string("\(error)"), "by": "ledger"])
        }
        let db = transaction.db
        let source = envelope.source.description
        try db.cachedStatement(
            sql:
                "INSERT INTO attachment (source, id, participant, house, subject, pieces, moved) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        ).execute(arguments: [
            source, piece.id.text, envelope.source.participant.text, request.house.text, request.subject.text, piece.pieces,
            transaction.now.milliseconds,
        ])
        try db.cachedStatement(sql: "INSERT INTO attachment_piece (source, id, piece) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .execute(arguments: [source, piece.id.text, piece.number])
        guard db.changesCount > 0 else { return }
        try db.cachedStatement(sql: "UPDATE attachment SET seen = seen + 1, moved = ?, asks = 0 WHERE source = ? AND id = ?")
            .execute(arguments: [transaction.now.milliseconds, source, piece.id.text])
        try db.cachedStatement(sql: "UPDATE participant SET piece_at = ? WHERE id = ?")
            .execute(arguments: [transaction.now.milliseconds, envelope.source.participant.text])
        try look(at: piece.id, of: envelope.source, findings, transaction)
        try endWithRequest(request, findings, transaction)
    }

    private func look(
        at id: AttachmentID, of source: Source, _ findings: Findings, _ transaction: JournalTransaction
    ) throws {
        try transaction.db.cachedStatement(
            sql: """
                UPDATE attachment SET whole = ?1
                WHERE source = ?2 AND id = ?3 AND whole IS NULL AND cause IS NOT NULL AND seen >= pieces
                """
        ).execute(arguments: [transaction.now.milliseconds, source.description, id.text])
        guard transaction.db.changesCount > 0 else { return }
        try findings.clear(.attachmentIncomplete, key: "\(source.participant) \(id)", cause: "every piece has come")
    }

    /// A document is missed when nothing at all of its sender's documents has come for a while: they go out one after the other, and a slow
    /// link is not a loss.
    private static let isMissed = """
        whole IS NULL AND ended IS NULL AND moved < ?1
            AND NOT EXISTS (SELECT 1 FROM participant p WHERE p.id = attachment.participant AND p.piece_at >= ?1)
        """

    /// Two looks, so that what is already open or not yet due again never hides what is new.
    func sweepAttachments(_ registry: Registry, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let db = transaction.db
        let before = transaction.now.advanced(by: .zero - times.attachment).milliseconds
        let new = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT participant, id, house, subject, pieces, seen FROM attachment WHERE \(LedgerSteps.isMissed) AND NOT EXISTS (
                        SELECT 1 FROM finding WHERE class = 'attachment-incomplete'
                            AND key = attachment.participant || ' ' || attachment.id AND cleared IS NULL)
                    ORDER BY moved LIMIT 200
                    """), arguments: [before])
        for row in new {
            let (participant, id): (String, String) = (row["participant"], row["id"])
            try findings.open(
                .attachmentIncomplete, key: "\(participant) \(id)", participant: ParticipantID(participant),
                request: RequestKey("\(row["house"] as String) \(row["subject"] as String)"),
                evidence: ["attachment": .string(id), "pieces": .integer(row["pieces"]), "seen": .integer(row["seen"])])
        }
        // All documents of a request at once: one word brings them all.
        let due = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT participant, subject, MIN(asks), MAX(asked) FROM attachment WHERE \(LedgerSteps.isMissed)
                    GROUP BY participant, subject
                    HAVING MIN(asks) = 0 OR MAX(asked) + min(?2 << min(MIN(asks), 12), 3600000) <= ?3
                    ORDER BY MIN(moved) LIMIT 50
                    """), arguments: [before, times.askPause.milliseconds, transaction.now.milliseconds])
        for row in due {
            guard let participant = ParticipantID(row[0]), let subject = RequestID(row[1]) else { continue }
            try ask(participant, about: subject, [:], registry, transaction)
            try db.cachedStatement(sql: "UPDATE attachment SET asked = ?, asks = asks + 1 WHERE participant = ? AND subject = ?")
                .execute(arguments: [transaction.now.milliseconds, participant.text, subject.text])
        }
    }
}
