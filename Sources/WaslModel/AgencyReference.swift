/// What an agency is given as our reference or idempotency key: 26 characters of base32, or, for a request that was called before
/// references were derived, its number as it stood (36 characters).
public struct AgencyReference: TextIdentifier {
    public let text: String

    /// Takes what a journal holds: ``init(derivedFrom:)``'s text, or a request's number.
    public init?(_ text: String) {
        guard text.utf8.count == AgencyReference.length ? text.utf8.allSatisfy(isBase32) : RequestID(text) != nil else { return nil }
        self.text = text
    }

    /// The number of a request alone, as it was sent before references were derived: no other house may be given it.
    public init(former subject: RequestID) { text = subject.text }

    /// Base32 (RFC 4648 section 6) of a digest's first 130 bits.
    ///
    /// - Parameter digest: SHA-256 of ``preimage(of:)``.
    public init(digest: [UInt8]) {
        precondition(digest.count == 32, "SHA-256 has 32 bytes")
        var text: [UInt8] = []
        for place in 0..<AgencyReference.length {
            let bit = place * 5
            let pair = UInt16(digest[bit / 8]) << 8 | UInt16(digest[bit / 8 + 1])
            text.append(AgencyReference.alphabet[Int(pair >> UInt16(11 - bit % 8)) & 31])
        }
        self.text = String(decoding: text, as: UTF8.self)
    }

    /// House and number, each behind its length in one byte: no two requests have the same bytes.
    public static func preimage(of request: RequestKey) -> [UInt8] {
        [request.house.text, request.subject.text].flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    }

    public static let length = 26
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
}

private func isBase32(_ byte: UInt8) -> Bool { byte >= 0x41 && byte <= 0x5A || byte >= 0x32 && byte <= 0x37 }
