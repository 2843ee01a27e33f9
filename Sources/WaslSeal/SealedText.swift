import Crypto
public import WaslModel

import struct Foundation.Data

/// A JWE in compact form: ECDH-ES with X25519, A256GCM (RFC 7516, 7518 section 4.6, 8037 section 3.2).
///
/// The protected header holds only `alg`, `enc`, `epk`, `kid` (the recipient's key), `apu` (sender) and `apv` (recipient).
public enum SealedText {
    /// Seals a plaintext to a recipient's public key.
    public static func seal(
        _ plaintext: [UInt8], to recipientKey: PublicJWK, sender: ParticipantID, recipient: ParticipantID,
        entropy: Entropy = randomBytes
    ) throws -> String {
        guard recipientKey.curve == .x25519 else { throw SealError(.badKey, "expected an X25519 key to seal to") }
        let ephemeral = try OpeningKey(seed: entropy(32), suite: recipientKey.suite)
        let apu = Array(sender.text.utf8)
        let apv = Array(recipient.text.utf8)
        let secret = try ephemeral.sharedSecret(with: recipientKey.x, isSealing: true)
        let contentKey = contentKey(secret, apu: apu, apv: apv)
        let epk = #"{"kty":"OKP","crv":"X25519","x":"\#(Base64URL.encode(ephemeral.jwk.x))"}"#
        let header = Base64URL.encode(
            Array(
                #"{"alg":"ECDH-ES","enc":"A256GCM","epk":\#(epk),"kid":"\#(recipientKey.thumbprint)","apu":"\#(Base64URL.encode(apu))","apv":"\#(Base64URL.encode(apv))"}"#
                    .utf8))
        let box = try AES.GCM.seal(
            plaintext, using: contentKey, nonce: AES.GCM.Nonce(data: entropy(12)), authenticating: Array(header.utf8))
        return [header, "", Base64URL.encode(Array(box.nonce)), Base64URL.encode(box.ciphertext), Base64URL.encode(box.tag)]
            .joined(separator: ".")
    }

    /// Opens a sealed text.
    ///
    /// - Parameters:
    ///   - keys: the recipient's keys, retired ones included.
    ///   - sender: who the envelope says sealed it; `apu` must agree.
    /// - Throws: ``SealError``
    public static func open(
        _ compact: String, with keys: [OpeningKey], sender: ParticipantID, recipient: ParticipantID
    ) throws(SealError) -> [UInt8] {
        let parts = compact.pieces(UInt8(ascii: "."))
        guard parts.count == 5, parts[1].isEmpty else {
            throw SealError(.malformed, "expected <header>..<iv>.<ciphertext>.<tag>")
        }
        guard let headerBytes = Base64URL.decode(parts[0]), let json = try? JSON.parse(headerBytes),
            let header = json.object
        else { throw SealError(.malformed, "the header is not a JSON object in base64url") }
        guard let nonceBytes = Base64URL.decode(parts[2]), let ciphertext = Base64URL.decode(parts[3]),
            let tag = Base64URL.decode(parts[4]), nonceBytes.count == 12, tag.count == 16
        else { throw SealError(.malformed, "iv, ciphertext or tag is not base64url of its length") }
        let (keyID, ephemeral) = try readHeader(header, sender: sender, recipient: recipient)
        guard let key = keys.first(where: { $0.id == keyID }) else {
            throw SealError(.unknownKey, "sealed to a key that is not ours (kid \(keyID))")
        }
        do {
            let contentKey = contentKey(
                try key.sharedSecret(with: ephemeral, isSealing: false), apu: Array(sender.text.utf8),
                apv: Array(recipient.text.utf8))
            let box = try AES.GCM.SealedBox(nonce: AES.GCM.Nonce(data: nonceBytes), ciphertext: ciphertext, tag: tag)
            return Array(try AES.GCM.open(box, using: contentKey, authenticating: Array(parts[0].utf8)))
        } catch {
            throw (error as? SealError) ?? SealError(.notDecryptable, "the text does not open with this key")
        }
    }

    private static func readHeader(
        _ header: JSONObject, sender: ParticipantID, recipient: ParticipantID
    ) throws(SealError) -> (keyID: String, ephemeral: [UInt8]) {
        guard header["alg"] == "ECDH-ES" else { throw SealError(.headerRefused, "alg: expected ECDH-ES") }
        guard header["enc"] == "A256GCM" else { throw SealError(.headerRefused, "enc: expected A256GCM") }
        guard header["apu"]?.string == Base64URL.encode(Array(sender.text.utf8)) else {
            throw SealError(.headerRefused, "apu: not the message's sender")
        }
        guard header["apv"]?.string == Base64URL.encode(Array(recipient.text.utf8)) else {
            throw SealError(.headerRefused, "apv: not the message's recipient")
        }
        // It is named in an error below: nothing but what a thumbprint is made of may stand there.
        guard let keyID = header["kid"]?.string, keyID.utf8.count == 43, Base64URL.decode(keyID) != nil else {
            throw SealError(.headerRefused, "kid: expected a thumbprint of 43 characters")
        }
        guard header.count == 6 else {
            throw SealError(.headerRefused, "a member besides alg, enc, epk, kid, apu and apv")
        }
        guard case .object(let epk)? = header["epk"], epk.count == 3, epk["kty"] == "OKP", epk["crv"] == "X25519",
            let x = epk["x"]?.string.flatMap({ Base64URL.decode($0) }), x.count == 32
        else { throw SealError(.headerRefused, "epk: expected an X25519 public key and nothing else") }
        return (keyID, x)
    }

    private static func contentKey(_ secret: [UInt8], apu: [UInt8], apv: [UInt8]) -> SymmetricKey {
        SymmetricKey(data: concatKDF(secret: secret, algorithm: "A256GCM", keyBytes: 32, apu: apu, apv: apv))
    }

    /// Concat KDF with SHA-256 for keys of at most one hash (RFC 7518 section 4.6.2; NIST SP 800-56A section 5.8.1).
    static func concatKDF(secret: [UInt8], algorithm: String, keyBytes: Int, apu: [UInt8], apv: [UInt8]) -> [UInt8] {
        precondition(keyBytes <= 32)
        func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
        let name = Array(algorithm.utf8)
        let input =
            word(1) + secret + word(name.count) + name + word(apu.count) + apu + word(apv.count) + apv + word(keyBytes * 8)
        return Array(sha256(input).prefix(keyBytes))
    }
}
