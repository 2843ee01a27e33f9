import GRDB
import WaslJournal
import WaslModel

/// Documents by their pieces. The ledger opens none; it counts, and misses what does not come.
extension LedgerSteps {
    /// A request or an outcome names what goes with it.
    func named(_ envelope: Envelope, _ findings: Findings, _ transaction: JournalTransaction) throws {
        guard let subject = envelope.subject else { return }
        let notices: [AttachmentNotice]
        do { notices = try AttachmentNotice.all(in: envelope.data) } catch {
            return try findings.open(
                .refusedMessage, key: "ledger \(envelope.id)", participant: envelope.source.participant, subject: subject,
                evidence: ["reason": .string("\(error)"), "by": "ledger"])
        }
        for notice in notices {
            try transaction.db.cachedStatement(
                sql: """
                    INSERT INTO attachment (source, id, subject, cause, pieces, moved) VALUES (?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET cause = excluded.cause, pieces = excluded.pieces
                    """
            ).execute(arguments: [
                envelope.source.description, notice.id.text, subject.text, envelope.id, notice.pieces, transaction.now.milliseconds,
            ])
            try look(at: notice.id, of: envelope.source, findings, transaction)
        }
        if envelope.type == .outcome, !notices.isEmpty { try supersede(envelope, subject, findings, transaction) }
        try endWithRequest(subject, findings, transaction)
    }

    /// An agency whose disk was lost asks for a document anew: what the outcome before it promised does not come any more.
    private func supersede(_ envelope: Envelope, _ subject: RequestID, _ findings: Findings, _ transaction: JournalTransaction) throws {
        try end(
            """
            subject = ?2 AND source = ?3 AND cause <> (SELECT outcome FROM request WHERE subject = ?2)
                AND EXISTS (SELECT 1 FROM request WHERE subject = ?2 AND outcome = ?4)
            """, [subject.text, envelope.source.description, envelope.id], subject, "another outcome took its place", findings, transaction)
    }

    /// A request that has ended needs no papers.
    func endWithRequest(_ subject: RequestID, _ findings: Findings, _ transaction: JournalTransaction) throws {
        try end(
            """
            subject = ?2 AND source LIKE '/houses/%' AND EXISTS (SELECT 1 FROM request WHERE subject = ?2 AND is_terminal = 1)
            """, [subject.text], subject, "the request has ended", findings, transaction)
    }

    private func end(
        _ condition: String, _ arguments: [String], _ subject: RequestID, _ cause: String, _ findings: Findings,
        _ transaction: JournalTransaction
    ) throws {
        let db = transaction.db
        try db.cachedStatement(sql: "UPDATE attachment SET ended = ?1 WHERE whole IS NULL AND ended IS NULL AND \(condition)")
            .execute(arguments: StatementArguments([transaction.now.milliseconds]) + StatementArguments(arguments))
        guard db.changesCount > 0 else { return }
        let rows = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT source, id FROM attachment WHERE subject = ? AND ended IS NOT NULL"), arguments: [subject.text])
        for row in rows {
            guard let source = Source(row[0]) else { continue }
            try findings.clear(.attachmentIncomplete, key: "\(source.participant) \(row[1] as String)", cause: cause)
        }
    }

    /// A piece has come. It may come before the message that names its document.
    func piece(_ envelope: Envelope, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let piece: AttachmentPiece
        do { piece = try AttachmentPiece(envelope) } catch {
            return try findings.open(
                .refusedMessage, key: "ledger \(envelope.id)", participant: envelope.source.participant, subject: envelope.subject,
                evidence: ["reason": .string("\(error)"), "by": "ledger"])
        }
        guard let subject = envelope.subject else { return }
        let db = transaction.db
        let source = envelope.source.description
        try db.cachedStatement(
            sql: "INSERT INTO attachment (source, id, subject, pieces, moved) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        ).execute(arguments: [source, piece.id.text, subject.text, piece.pieces, transaction.now.milliseconds])
        try db.cachedStatement(sql: "INSERT INTO attachment_piece (source, id, piece) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .execute(arguments: [source, piece.id.text, piece.number])
        guard db.changesCount > 0 else { return }
        try db.cachedStatement(sql: "UPDATE attachment SET seen = seen + 1, moved = ?, asks = 0 WHERE source = ? AND id = ?")
            .execute(arguments: [transaction.now.milliseconds, source, piece.id.text])
        try look(at: piece.id, of: envelope.source, findings, transaction)
        try endWithRequest(subject, findings, transaction)
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

    func sweepAttachments(_ findings: Findings, _ transaction: JournalTransaction) throws {
        let before = transaction.now.advanced(by: .zero - times.attachment).milliseconds
        let rows = try Row.fetchAll(
            transaction.db.cachedStatement(
                sql: """
                    SELECT source, id, subject, pieces, seen, asked, asks FROM attachment WHERE whole IS NULL AND ended IS NULL AND moved < ?
                    ORDER BY moved LIMIT 200
                    """), arguments: [before])
        for row in rows {
            guard let source = Source(row[0]), let subject = RequestID(row[2]) else { continue }
            let id: String = row[1]
            try findings.open(
                .attachmentIncomplete, key: "\(source.participant) \(id)", participant: source.participant, subject: subject,
                evidence: ["attachment": .string(id), "pieces": .integer(row[3]), "seen": .integer(row[4])])
            guard mayAsk(asked: row[5], asks: row[6], transaction) else { continue }
            try transaction.append(Draft(type: .resend, subject: subject, recipient: source.participant, data: [:]))
            try transaction.db.cachedStatement(sql: "UPDATE attachment SET asked = ?, asks = asks + 1 WHERE source = ? AND id = ?")
                .execute(arguments: [transaction.now.milliseconds, source.description, id])
        }
    }
}
