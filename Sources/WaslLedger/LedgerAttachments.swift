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
                    SELECT source, id, subject, pieces, seen, asked, asks FROM attachment WHERE whole IS NULL AND moved < ?
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
