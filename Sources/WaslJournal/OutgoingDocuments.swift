package import GRDB
public import WaslModel
public import WaslSeal

/// A document cut into pieces that only we can open: ready to be laid down in the journal.
public struct LaidDownDocument: Sendable {
    public let id: AttachmentID
    /// SHA-256 of its bytes.
    public let digest: [UInt8]
    /// Its media type.
    public let type: String
    public let size: Int
    /// Each sealed to ourselves.
    let pieces: [String]

    public var claim: DocumentClaim { DocumentClaim(digest: digest, type: type, size: Int64(size)) }

    /// Takes a document's bytes as they come, so that nobody holds all of them in the clear.
    public struct Writer {
        private let key: PublicJWK
        private let own: ParticipantID
        private let entropy: Entropy
        private var hash = RunningDigest()
        private var rest: [UInt8] = []
        private var pieces: [String] = []
        public private(set) var size = 0

        public init(own: ParticipantID, key: PublicJWK, entropy: @escaping Entropy) {
            self.own = own
            self.key = key
            self.entropy = entropy
        }

        public mutating func write(_ bytes: some Collection<UInt8>) throws {
            hash.update(bytes)
            size += bytes.count
            let isCopied: Void? = bytes.withContiguousStorageIfAvailable { rest.append(contentsOf: $0) }
            if isCopied == nil { rest.append(contentsOf: bytes) }
            while rest.count >= Attachments.pieceBytes {
                try cut(Array(rest.prefix(Attachments.pieceBytes)))
                rest.removeFirst(Attachments.pieceBytes)
            }
        }

        private mutating func cut(_ piece: [UInt8]) throws {
            pieces.append(try SealedText.seal(piece, to: key, sender: own, recipient: own, entropy: entropy))
        }

        public mutating func finish(id: AttachmentID, type: String) throws -> LaidDownDocument {
            if !rest.isEmpty || pieces.isEmpty { try cut(rest) }
            rest = []
            return LaidDownDocument(id: id, digest: hash.finish(), type: type, size: size, pieces: pieces)
        }
    }
}

/// What a document goes with.
public struct DocumentErrand: Sendable {
    public let subject: RequestID
    public let recipient: ParticipantID
    public let service: ServiceID
    public let contract: Int64
    /// The message that names the document.
    public let cause: String

    public init(subject: RequestID, recipient: ParticipantID, service: ServiceID, contract: Int64, cause: String) {
        self.subject = subject
        self.recipient = recipient
        self.service = service
        self.contract = contract
        self.cause = cause
    }
}

/// What an order says of a document that was laid down before.
public struct DocumentClaim: Sendable, Hashable {
    public let digest: [UInt8]
    public let type: String
    public let size: Int64

    public init(digest: [UInt8], type: String, size: Int64) {
        self.digest = digest
        self.type = type
        self.size = size
    }
}

extension JournalTransaction {
    /// Puts a document into the journal. The same bytes, laid down before and not bound yet, are the same document.
    public func layDown(_ document: LaidDownDocument) throws {
        let digest = saltedDigestText(document.digest, salt: salt)
        try db.cachedStatement(sql: "UPDATE outgoing SET laid_down = ? WHERE digest = ? AND type = ? AND subject IS NULL")
            .execute(arguments: [now.milliseconds, digest, document.type])
        if db.changesCount > 0 { return }
        try db.cachedStatement(
            sql: "INSERT INTO outgoing (attachment, laid_down, digest, type, size, pieces) VALUES (?, ?, ?, ?, ?, ?)"
        ).execute(arguments: [document.id.text, now.milliseconds, digest, document.type, document.size, document.pieces.count])
        for (index, sealed) in document.pieces.enumerated() {
            try db.cachedStatement(sql: "INSERT INTO outgoing_piece (attachment, piece, sealed) VALUES (?, ?, ?)")
                .execute(arguments: [document.id.text, index + 1, sealed])
        }
    }

    /// The notice of a document that is laid down and bound to nothing yet; `nil` where there is none of that digest, type and size.
    public func notice(of claim: DocumentClaim) throws -> AttachmentNotice? {
        let digest = saltedDigestText(claim.digest, salt: salt)
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: "SELECT attachment, pieces FROM outgoing WHERE digest = ? AND type = ? AND size = ? AND subject IS NULL"),
            arguments: [digest, claim.type, claim.size])
        guard let row, let id = AttachmentID(row[0]) else { return nil }
        return AttachmentNotice(id: id, pieces: row[1], digest: digest)
    }

    /// From here on the document goes with a message, and its pieces are due.
    public func bind(_ notices: [AttachmentNotice], to errand: DocumentErrand) throws {
        for notice in notices {
            try db.cachedStatement(
                sql: "UPDATE outgoing SET subject = ?, recipient = ?, service = ?, contract = ?, cause = ? WHERE attachment = ?"
            ).execute(arguments: [
                errand.subject.text, errand.recipient.text, errand.service.text, errand.contract, errand.cause, notice.id.text,
            ])
        }
    }

    /// Mints the messages of the pieces that are due, the oldest document first, at most so many.
    ///
    /// A few at a time, so that a large paper holds up nobody's order behind it in the outbox.
    ///
    /// - Returns: how many were minted (below `limit`, nothing more can be now), and why others cannot be sealed: those wait, and hold up
    ///   no other.
    public func mintPieces(
        _ limit: Int, registry: Registry, opening keys: [OpeningKey]
    ) throws -> (minted: Int, blocked: [String]) {
        var minted = 0
        var blocked: [String] = []
        let due = try String.fetchAll(
            db.cachedStatement(
                sql: "SELECT attachment FROM outgoing WHERE subject IS NOT NULL AND minted < pieces ORDER BY number LIMIT 200"))
        for attachment in due where minted < limit {
            let rows = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT o.attachment, o.pieces, o.subject, o.recipient, o.service, o.contract, o.cause, p.piece, p.sealed
                        FROM outgoing o JOIN outgoing_piece p ON p.attachment = o.attachment
                        WHERE o.attachment = ? ORDER BY p.piece LIMIT ?
                        """), arguments: [attachment, limit - minted])
            do {
                for row in rows {
                    try mint(row, registry, keys)
                    minted += 1
                }
            } catch let error as SealError {
                blocked.append("\(attachment): \(error)")
            }
        }
        return (minted, blocked)
    }

    private func mint(_ row: Row, _ registry: Registry, _ keys: [OpeningKey]) throws {
        guard let id = AttachmentID(row[0]), let subject = RequestID(row[2]), let recipient = ParticipantID(row[3]),
            let service = ServiceID(row[4])
        else { preconditionFailure("a bound document names what it goes with") }
        let own = identity.source.participant
        let content = try SealedText.open(row[8], with: keys, sender: own, recipient: own)
        let message = makeUUID().text
        let piece = AttachmentPiece(id: id, number: row[7], pieces: row[1])
        let sealed = try SealedContent(
            id: message, subject: subject, source: identity.source, recipient: recipient, service: service, expiry: nil,
            fields: ["content": .string(Base64URL.encode(content))]
        ).sealed(to: try registry.sealingKey(of: recipient, at: now), entropy: environment.entropy)
        var data = piece.data
        data["sealed"] = .string(sealed)
        try append(
            Draft(
                type: .attachmentChunk, subject: subject, recipient: recipient, service: service, contract: row[5],
                causationID: row[6], id: message, time: now, data: data))
        try db.cachedStatement(sql: "DELETE FROM outgoing_piece WHERE attachment = ? AND piece = ?")
            .execute(arguments: [id.text, piece.number])
        try db.cachedStatement(sql: "UPDATE outgoing SET minted = minted + 1 WHERE attachment = ?").execute(arguments: [id.text])
    }

    /// Forgets documents that nobody's order has named for so long.
    public func forgetUnbound(olderThan age: Duration) throws {
        let rows = try String.fetchAll(
            db.cachedStatement(sql: "SELECT attachment FROM outgoing WHERE subject IS NULL AND laid_down < ?"),
            arguments: [now.advanced(by: .zero - age).milliseconds])
        for id in rows {
            try db.cachedStatement(sql: "DELETE FROM outgoing_piece WHERE attachment = ?").execute(arguments: [id])
            try db.cachedStatement(sql: "DELETE FROM outgoing WHERE attachment = ?").execute(arguments: [id])
        }
    }
}

extension JournalStore {
    package static func hasDuePieces(_ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM outgoing WHERE subject IS NOT NULL AND minted < pieces)")) ?? false
    }
}

extension DocumentClaim {
    /// What a form or an outcome says of a document: `type`, `size`, `digest` (SHA-256 in hexadecimal).
    public init?(_ json: JSON) {
        guard let digest = json["digest"]?.string.flatMap(hexBytes), digest.count == 32, let type = json["type"]?.string,
            let size = json["size"]?.integer, size >= 0
        else { return nil }
        self.init(digest: digest, type: type, size: size)
    }
}
