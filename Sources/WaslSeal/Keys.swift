import Crypto
public import WaslModel

import struct Foundation.Data

/// The two curves of this contract (RFC 8037): an algorithm is pinned to its key.
public enum Curve: String, Sendable {
    /// Signatures.
    case ed25519 = "Ed25519"
    /// Key agreement, for sealing.
    case x25519 = "X25519"
}

/// What stands behind a key.
package enum KeySuite: Sendable {
    case curves
    /// A keyed hash in the curves' place: proves nothing to anybody, and costs a simulation next to nothing. No text that is read can
    /// ask for it.
    case keyedHash
}

/// A public key as a JWK of type OKP (RFC 8037 section 2), named by its thumbprint (RFC 7638).
public struct PublicJWK: Sendable, Hashable {
    public let curve: Curve
    public let x: [UInt8]
    public let thumbprint: String
    package let suite: KeySuite

    public init(curve: Curve, x: [UInt8]) throws(SealError) { try self.init(curve: curve, x: x, suite: .curves) }

    package init(curve: Curve, x: [UInt8], suite: KeySuite) throws(SealError) {
        guard x.count == 32 else { throw SealError(.badKey, "x: expected 32 bytes, found \(x.count)") }
        self.curve = curve
        self.x = x
        self.suite = suite
        // RFC 7638 section 3.2: the required members in the order of their names, nothing between tokens.
        let canonical = #"{"crv":"\#(curve.rawValue)","kty":"OKP","x":"\#(Base64URL.encode(x))"}"#
        thumbprint = digestText(Array(canonical.utf8))
    }

    public init(_ json: JSON) throws(SealError) {
        guard json["kty"]?.string == "OKP" else { throw SealError(.badKey, "kty: expected OKP") }
        guard let curve = json["crv"]?.string.flatMap(Curve.init(rawValue:)) else {
            throw SealError(.badKey, "crv: expected Ed25519 or X25519")
        }
        guard let x = json["x"]?.string.flatMap({ Base64URL.decode($0) }) else {
            throw SealError(.badKey, "x: expected base64url")
        }
        try self.init(curve: curve, x: x)
    }

    public var json: JSON {
        ["kty": "OKP", "crv": .string(curve.rawValue), "x": .string(Base64URL.encode(x)), "kid": .string(thumbprint)]
    }
}

/// A private Ed25519 key that signs messages, receipts, registries and resolutions.
public struct SigningKey: Sendable {
    private enum Secret: Sendable {
        case curve(Curve25519.Signing.PrivateKey)
        case keyedHash
    }

    private let secret: Secret
    let seed: [UInt8]
    public let jwk: PublicJWK

    public var id: String { jwk.thumbprint }

    public init() {
        // A fresh key's own bytes.
        guard let key = try? SigningKey(seed: Array(Curve25519.Signing.PrivateKey().rawRepresentation)) else {
            preconditionFailure("an Ed25519 seed has 32 bytes")
        }
        self = key
    }

    public init(seed: [UInt8]) throws(SealError) { try self.init(seed: seed, suite: .curves) }

    package init(seed: [UInt8], suite: KeySuite) throws(SealError) {
        self.seed = seed
        switch suite {
        case .curves:
            guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
                throw SealError(.badKey, "d: expected 32 bytes, found \(seed.count)")
            }
            secret = .curve(key)
            jwk = try PublicJWK(curve: .ed25519, x: Array(key.publicKey.rawRepresentation))
        case .keyedHash:
            secret = .keyedHash
            jwk = try PublicJWK(curve: .ed25519, x: sha256(seed), suite: suite)
        }
    }

    func sign(_ bytes: [UInt8]) throws -> [UInt8] {
        switch secret {
        case .curve(let key): Array(try key.signature(for: bytes))
        case .keyedHash: keyedHashSignature(of: bytes, key: jwk)
        }
    }
}

/// 64 bytes, as a signature has.
private func keyedHashSignature(of bytes: [UInt8], key: PublicJWK) -> [UInt8] {
    let code = Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key.x)))
    return code + code
}

/// A public Ed25519 key, ready to verify.
public struct VerificationKey: Sendable {
    private let key: Curve25519.Signing.PublicKey?
    public let jwk: PublicJWK

    public init(_ jwk: PublicJWK) throws(SealError) {
        guard jwk.curve == .ed25519 else { throw SealError(.badKey, "expected an Ed25519 key to verify with") }
        self.jwk = jwk
        if jwk.suite == .keyedHash {
            key = nil
            return
        }
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: jwk.x) else {
            throw SealError(.badKey, "x is not an Ed25519 public key")
        }
        self.key = key
    }

    func isValid(signature: [UInt8], of bytes: [UInt8]) -> Bool {
        key?.isValidSignature(signature, for: bytes) ?? (signature == keyedHashSignature(of: bytes, key: jwk))
    }
}

/// A private X25519 key that opens what was sealed to its owner.
public struct OpeningKey: Sendable {
    private let key: Curve25519.KeyAgreement.PrivateKey?
    let seed: [UInt8]
    public let jwk: PublicJWK

    public var id: String { jwk.thumbprint }

    public init() {
        guard let key = try? OpeningKey(seed: randomBytes(32)) else { preconditionFailure("any 32 bytes are an X25519 key") }
        self = key
    }

    public init(seed: [UInt8]) throws(SealError) { try self.init(seed: seed, suite: .curves) }

    package init(seed: [UInt8], suite: KeySuite) throws(SealError) {
        self.seed = seed
        switch suite {
        case .curves:
            guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: seed) else {
                throw SealError(.badKey, "d: expected 32 bytes, found \(seed.count)")
            }
            self.key = key
            jwk = try PublicJWK(curve: .x25519, x: Array(key.publicKey.rawRepresentation))
        case .keyedHash:
            key = nil
            jwk = try PublicJWK(curve: .x25519, x: sha256(seed), suite: suite)
        }
    }

    /// X25519 (RFC 7748 section 6.1). An all-zero secret means that the other's point adds nothing; RFC 8037 section 5 has us refuse it.
    ///
    /// - Parameter isSealing: whose side this is: the sealing one holds the ephemeral key.
    func sharedSecret(with other: [UInt8], isSealing: Bool) throws(SealError) -> [UInt8] {
        guard let key else { return sha256(isSealing ? other + jwk.x : jwk.x + other) }
        guard let point = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: other),
            let shared = try? key.sharedSecretFromKeyAgreement(with: point).withUnsafeBytes({ Array($0) }),
            shared.contains(where: { $0 != 0 })
        else { throw SealError(.headerRefused, "epk: an all-zero shared secret") }
        return shared
    }
}
