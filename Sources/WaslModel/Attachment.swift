/// One document that goes with a request or an outcome: a UUID (version 7), minted by who sends it.
public struct AttachmentID: TextIdentifier {
    public let text: String

    public init?(_ text: String) {
        guard RequestID(text) != nil else { return nil }
        self.text = text
    }

    public init(_ identifier: UUIDv7) { text = identifier.text }
}

/// How documents travel (wire contract, section 7): cut into pieces, each sealed into a message of its own.
public enum Attachments {
    /// A document's bytes at most: 20 MB.
    public static let bytesMax = 20 << 20
    /// Bytes of every piece but the last. Sealed and encoded twice, a piece stays below ``Envelope/bytesMax``.
    public static let pieceBytes = 128 << 10
    /// Documents of one message at most.
    public static let countMax = 50

    public static func pieces(ofBytes count: Int) -> Int { max(1, (count + pieceBytes - 1) / pieceBytes) }

    static let piecesMax = pieces(ofBytes: bytesMax)
}

/// What a request or an outcome says in sight of a document that comes with it. What it is, stands in the sealed fields, in the same order.
public struct AttachmentNotice: Sendable, Hashable {
    public let id: AttachmentID
    public let pieces: Int
    /// Salted: tells nobody what the document is.
    public let digest: String

    public init(id: AttachmentID, pieces: Int, digest: String) {
        self.id = id
        self.pieces = pieces
        self.digest = digest
    }

    public var json: JSON { ["attachment": .string(id.text), "pieces": JSON(pieces), "digest": .string(digest)] }

    /// Reads `attachments` of a message's `data`; empty where there is none.
    ///
    /// - Throws: ``EnvelopeError`` naming the member.
    public static func all(in data: JSONObject) throws(EnvelopeError) -> [AttachmentNotice] {
        guard let member = data["attachments"] else { return [] }
        guard let entries = member.array, (1...Attachments.countMax).contains(entries.count) else {
            throw EnvelopeError(
                attribute: "data.attachments", reason: "expected 1 to \(Attachments.countMax) entries, found \(member.shape)")
        }
        var notices: [AttachmentNotice] = []
        for (index, entry) in entries.enumerated() {
            guard let id = entry["attachment"]?.string.flatMap({ AttachmentID($0) }),
                let pieces = entry["pieces"]?.integer, (1...Int64(Attachments.piecesMax)).contains(pieces),
                let digest = entry["digest"]?.string, digest.utf8.count == 43
            else {
                throw EnvelopeError(
                    attribute: "data.attachments[\(index)]",
                    reason: "expected attachment (UUID), pieces (1 to \(Attachments.piecesMax)) and digest (43 characters)")
            }
            guard !notices.contains(where: { $0.id == id }) else {
                throw EnvelopeError(attribute: "data.attachments[\(index)]", reason: "the same attachment twice")
            }
            notices.append(AttachmentNotice(id: id, pieces: Int(pieces), digest: digest))
        }
        return notices
    }
}

/// Which piece of which document an `attachment.chunk` carries.
public struct AttachmentPiece: Sendable, Hashable {
    public let id: AttachmentID
    /// From 1.
    public let number: Int
    public let pieces: Int

    public init(id: AttachmentID, number: Int, pieces: Int) {
        self.id = id
        self.number = number
        self.pieces = pieces
    }

    public var data: JSONObject { ["attachment": .string(id.text), "piece": JSON(number), "pieces": JSON(pieces)] }

    /// - Throws: ``EnvelopeError`` naming the member.
    public init(_ envelope: Envelope) throws(EnvelopeError) {
        let data = envelope.data
        guard let id = data["attachment"]?.string.flatMap({ AttachmentID($0) }) else {
            throw EnvelopeError(attribute: "data.attachment", reason: "expected a UUID in lower case")
        }
        guard let pieces = data["pieces"]?.integer, (1...Int64(Attachments.piecesMax)).contains(pieces) else {
            throw EnvelopeError(attribute: "data.pieces", reason: "expected 1 to \(Attachments.piecesMax)")
        }
        guard let number = data["piece"]?.integer, (1...pieces).contains(number) else {
            throw EnvelopeError(attribute: "data.piece", reason: "expected 1 to \(pieces)")
        }
        guard envelope.subject != nil else { throw EnvelopeError(attribute: "subject", reason: "missing on a piece of a document") }
        guard data["sealed"]?.string != nil else { throw EnvelopeError(attribute: "data.sealed", reason: "missing") }
        self.id = id
        self.number = Int(number)
        self.pieces = Int(pieces)
    }
}
