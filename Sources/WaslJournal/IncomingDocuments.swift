package import GRDB
public import WaslModel
public import WaslSeal

/// Why a document cannot be handed on.
public struct DocumentError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// A piece has not come yet.
        case incomplete
        /// What came is not what was promised.
        case damaged
    }

    public let code: Code
    public let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

extension SealedContent {
    /// The bytes of a piece, opened.
    ///
    /// - Throws: ``SealError``, ``EnvelopeError``
    public static func openPiece(_ sealed: String, in envelope: Envelope, with keys: [OpeningKey]) throws -> [UInt8] {
        let fields = try SealedContent.open(sealed, in: envelope, with: keys)
        guard let content = fields["content"]?.string.flatMap({ Base64URL.decode($0) }), content.count <= Attachments.pieceBytes else {
            throw EnvelopeError(
                attribute: "data.sealed", reason: "expected `content`: base64url of at most \(Attachments.pieceBytes) bytes")
        }
        return content
    }
}

extension Envelope {
    /// Checks what a message says of documents, and that a piece opens.
    ///
    /// - Throws: ``EnvelopeError``, ``SealError``
    public func checkDocuments(with keys: [OpeningKey]) throws {
        switch type {
        case .attachmentChunk:
            _ = try AttachmentPiece(self)
            _ = try SealedContent.openPiece(data["sealed"]?.string ?? "", in: self, with: keys)
        case .requestSubmitted, .outcome: _ = try AttachmentNotice.all(in: data)
        default: break
        }
    }
}

extension JournalTransaction {
    /// Whether a message speaks of documents that belong to another request: one name is one document.
    public func claimsAnothers(_ ids: [AttachmentID], _ envelope: Envelope) throws -> Bool {
        for id in ids {
            let row = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT subject, service, cause FROM incoming WHERE source = ? AND attachment = ?"),
                arguments: [envelope.source.description, id.text])
            guard let row else { continue }
            let cause: String? = row[2]
            let isOthers = row[0] != envelope.subject?.text || row[1] != envelope.service?.text
            if isOthers || envelope.type != .attachmentChunk && cause != nil && cause != envelope.id { return true }
        }
        return false
    }

    /// What a message names will come, or has come already.
    public func expect(_ notices: [AttachmentNotice], of envelope: Envelope) throws {
        guard let subject = envelope.subject, let service = envelope.service else { return }
        for (place, notice) in notices.enumerated() {
            try db.cachedStatement(
                sql: """
                    INSERT INTO incoming (source, attachment, subject, service, pieces, cause, place) VALUES (?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET cause = excluded.cause, place = excluded.place, pieces = excluded.pieces
                    """
            ).execute(arguments: [
                envelope.source.description, notice.id.text, subject.text, service.text, notice.pieces, envelope.id, place,
            ])
        }
    }

    /// Lets go of the papers of a request that has come to its end; that they came stays known.
    public func forgetDocuments(cause: String, subject: RequestID, source: Source) throws {
        try db.cachedStatement(
            sql: """
                DELETE FROM incoming_piece WHERE source = ?1 AND attachment IN (
                    SELECT attachment FROM incoming WHERE source = ?1 AND subject = ?2 AND cause = ?3)
                """
        ).execute(arguments: [source.description, subject.text, cause])
    }

    /// Keeps one piece, sealed as it came.
    ///
    /// - Returns: the message that names the document, where this piece was the last that its documents lacked.
    public func receive(_ piece: AttachmentPiece, of envelope: Envelope) throws -> String? {
        guard let subject = envelope.subject, let service = envelope.service, let sealed = envelope.data["sealed"]?.string else {
            return nil
        }
        let source = envelope.source.description
        try db.cachedStatement(
            sql: "INSERT INTO incoming (source, attachment, subject, service, pieces) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        ).execute(arguments: [source, piece.id.text, subject.text, service.text, piece.pieces])
        try db.cachedStatement(
            sql: "INSERT INTO incoming_piece (source, attachment, piece, message, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        ).execute(arguments: [source, piece.id.text, piece.number, envelope.id, sealed])
        guard db.changesCount > 0 else { return nil }
        try db.cachedStatement(sql: "UPDATE incoming SET seen = seen + 1 WHERE source = ? AND attachment = ?")
            .execute(arguments: [source, piece.id.text])
        let cause = try String.fetchOne(
            db.cachedStatement(sql: "SELECT cause FROM incoming WHERE source = ? AND attachment = ?"), arguments: [source, piece.id.text])
        guard let cause, try JournalStore.isWhole(db, cause: cause, subject: subject, source: envelope.source) else { return nil }
        return cause
    }
}

extension JournalStore {
    /// Whether all documents that a message names have come. One that names none is whole.
    package static func isWhole(_ db: Database, cause: String, subject: RequestID, source: Source) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(
                sql: "SELECT NOT EXISTS (SELECT 1 FROM incoming WHERE subject = ? AND cause = ? AND source = ? AND seen < pieces)"),
            arguments: [subject.text, cause, source.description]) ?? false
    }

    /// What has come of a message's documents, in the order of its notices.
    package static func incoming(
        _ db: Database, cause: String, subject: RequestID, source: Source
    ) throws -> [(id: AttachmentID, pieces: Int, seen: Int)] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT attachment, pieces, seen FROM incoming WHERE subject = ? AND cause = ? AND source = ? ORDER BY place"),
            arguments: [subject.text, cause, source.description]
        ).compactMap { row in AttachmentID(row[0]).map { ($0, row[1], row[2]) } }
    }

    /// A document's bytes, opened piece by piece and held against what the sealed fields promise.
    ///
    /// - Throws: ``DocumentError``, ``SealError``
    package static func document(
        _ db: Database, _ id: AttachmentID, from source: Source, to recipient: ParticipantID, claim: DocumentClaim, with keys: [OpeningKey]
    ) throws -> [UInt8] {
        guard
            let row = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT subject, service, pieces FROM incoming WHERE source = ? AND attachment = ?"),
                arguments: [source.description, id.text]), let subject = RequestID(row[0]), let service = ServiceID(row[1])
        else { throw DocumentError(.incomplete, "\(id): nothing of it has come") }
        let pieces: Int = row[2]
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pieces * Attachments.pieceBytes)
        let rows = try Row.fetchCursor(
            db.cachedStatement(sql: "SELECT piece, message, sealed FROM incoming_piece WHERE source = ? AND attachment = ? ORDER BY piece"),
            arguments: [source.description, id.text])
        var next = 1
        while let piece = try rows.next() {
            guard piece[0] == next else { break }
            next += 1
            let envelope = Envelope(
                id: piece[1], type: .attachmentChunk, source: source, time: Timestamp(milliseconds: 0), subject: subject,
                recipient: recipient, service: service)
            bytes += try SealedContent.openPiece(piece[2], in: envelope, with: keys)
        }
        guard next == pieces + 1 else { throw DocumentError(.incomplete, "\(id): \(next - 1) of \(pieces) pieces have come") }
        guard Int64(bytes.count) == claim.size, sha256(bytes) == claim.digest else {
            throw DocumentError(.damaged, "\(id): \(bytes.count) bytes, which are not those of the digest that was promised")
        }
        return bytes
    }
}
