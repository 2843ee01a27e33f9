import WaslModel

/// A detached JWS with an unencoded payload over exact bytes (RFC 7515 appendix F, RFC 7797), Ed25519 (RFC 8037).
///
/// The protected header is exactly `{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":…,"typ":…}`; anything else is refused.
public enum DetachedSignature {
    /// What is signed. Each has its own `typ`, so that no signature can stand for another kind of thing.
    public enum Kind: String, Sendable, CaseIterable {
        case message = "wasl-message"
        case receipt = "wasl-receipt"
        case registry = "wasl-registry"
        /// Public keys that are no longer in use.
        case registryArchive = "wasl-registry-archive"
        /// The directorate's root key passes to the next one.
        case rootRotation = "wasl-root-rotation"
        case statement = "wasl-statement"
        case close = "wasl-close"
        case resolution = "wasl-resolution"
        /// What is to become of numbers that a revoked key had signed.
        case review = "wasl-review"
    }

    /// The header's text for a key and a kind, in base64url.
    static func header(kind: Kind, keyID: String) -> String {
        Base64URL.encode(
            Array(#"{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"\#(keyID)","typ":"\#(kind.rawValue)"}"#.utf8))
    }

    /// What is signed where `b64` is false (RFC 7797 section 3): the header, a point, the payload as it is.
    static func signingInput(header: String, payload: [UInt8]) -> [UInt8] {
        Array(header.utf8) + [UInt8(ascii: ".")] + payload
    }

    /// Signs exact bytes. Returns `<header>..<signature>`.
    public static func sign(_ payload: [UInt8], as kind: Kind, with key: SigningKey) throws -> String {
        let header = header(kind: kind, keyID: key.id)
        let signature = try key.sign(signingInput(header: header, payload: payload))
        return header + ".." + Base64URL.encode(signature)
    }

    /// Verifies a signature over exact bytes.
    ///
    /// - Parameter key: the key of that `kid`, from the registry; throw to refuse.
    /// - Returns: the `kid`.
    /// - Throws: ``SealError``
    @discardableResult
    public static func verify(
        _ compact: String, over payload: [UInt8], as kind: Kind,
        key: (_ keyID: String) throws(SealError) -> VerificationKey
    ) throws(SealError) -> String {
        let (headerText, keyID, signature) = try read(compact, as: kind)
        return try check(keyID, key(keyID), headerText, signature, payload)
    }

    /// Verifies with a key whose header is known by heart: exactly these bytes, so there is nothing to parse.
    ///
    /// - Parameter headers: header text to key, as ``header(kind:keyID:)`` writes it.
    /// - Returns: the `kid`; `nil` when the header is not among these, which says nothing yet.
    static func verify(
        _ compact: String, over payload: [UInt8], knownHeaders headers: [String: VerificationKey]
    ) throws(SealError) -> String? {
        guard let end = compact.utf8.firstIndex(of: UInt8(ascii: ".")), let key = headers[String(compact[..<end])],
            compact[end...].hasPrefix(".."), let signature = Base64URL.decode(compact[end...].dropFirst(2)), signature.count == 64
        else { return nil }
        return try check(key.jwk.thumbprint, key, String(compact[..<end]), signature, payload)
    }

    private static func check(
        _ keyID: String, _ key: VerificationKey, _ header: String, _ signature: [UInt8], _ payload: [UInt8]
    ) throws(SealError) -> String {
        guard key.isValid(signature: signature, of: signingInput(header: header, payload: payload)) else {
            throw SealError(.badSignature, "the signature does not match the bytes")
        }
        return keyID
    }

    /// The `kid` that a signature names, its header checked, the signature itself not.
    public static func keyID(_ compact: String, as kind: Kind) throws(SealError) -> String {
        try read(compact, as: kind).keyID
    }

    private static func read(
        _ compact: String, as kind: Kind
    ) throws(SealError) -> (header: String, keyID: String, signature: [UInt8]) {
        guard compact.utf8.count <= 1024 else { throw SealError(.malformed, "a signature of \(compact.utf8.count) bytes") }
        let parts = compact.pieces(UInt8(ascii: "."))
        guard parts.count == 3, parts[1].isEmpty else {
            throw SealError(.malformed, "expected <header>..<signature>")
        }
        guard let headerBytes = Base64URL.decode(parts[0]), let json = try? JSON.parse(headerBytes),
            let header = json.object
        else { throw SealError(.malformed, "the header is not a JSON object in base64url") }
        guard let signature = Base64URL.decode(parts[2]), signature.count == 64 else {
            throw SealError(.malformed, "the signature is not 64 bytes in base64url")
        }
        guard header["alg"] == "Ed25519" else { throw SealError(.headerRefused, "alg: expected Ed25519") }
        guard header["b64"] == false, header["crit"] == ["b64"] else {
            throw SealError(.headerRefused, "b64, crit: expected false and [\"b64\"]")
        }
        guard header["typ"]?.string == kind.rawValue else {
            throw SealError(.headerRefused, "typ: expected \(kind.rawValue)")
        }
        guard let keyID = header["kid"]?.string, keyID.utf8.count == 43 else {
            throw SealError(.headerRefused, "kid: expected a thumbprint of 43 characters")
        }
        guard header.count == 5 else {
            throw SealError(.headerRefused, "a member besides alg, b64, crit, kid and typ")
        }
        return (String(parts[0]), keyID, signature)
    }
}
