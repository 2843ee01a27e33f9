import Crypto
public import WaslModel

import struct Foundation.Data

/// SHA-256 of bytes.
public func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

/// Base64url of SHA-256: how a message's `chain` and every digest on the wire is written.
public func digestText(_ bytes: [UInt8]) -> String { Base64URL.encode(sha256(bytes)) }

/// HMAC-SHA-256, for digests in sight that must not let anyone guess what they are of.
public func saltedDigestText(_ bytes: [UInt8], salt: [UInt8]) -> String {
    Base64URL.encode(Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: salt))))
}

/// Bytes from the system's generator.
public func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}

/// The two curves of this contract (RFC 8037): an algorithm is pinned to its key.
public enum Curve: String, Sendable {
    /// Signatures.
    case ed25519 = "Ed25519"
    /// Key agreement, for sealing.
    case x25519 = "X25519"
}

/// A public key as a JWK of type OKP (RFC 8037 section 2), named by its thumbprint (RFC 7638).
public struct PublicJWK: Sendable, Hashable {
    public let curve: Curve
    public let x: [UInt8]
    public let thumbprint: String

    public init(curve: Curve, x: [UInt8]) throws(SealError) {
        guard x.count == 32 else { throw SealError(.badKey, "x: expected 32 bytes, found \(x.count)") }
        self.curve = curve
        self.x = x
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
    let key: Curve25519.Signing.PrivateKey
    public let jwk: PublicJWK

    public var id: String { jwk.thumbprint }

    public init() { self.init(key: Curve25519.Signing.PrivateKey()) }

    public init(seed: [UInt8]) throws(SealError) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            throw SealError(.badKey, "d: expected 32 bytes, found \(seed.count)")
        }
        self.init(key: key)
    }

    private init(key: Curve25519.Signing.PrivateKey) {
        self.key = key
        // 32 bytes by construction.
        guard let jwk = try? PublicJWK(curve: .ed25519, x: Array(key.publicKey.rawRepresentation)) else {
            preconditionFailure("an Ed25519 public key has 32 bytes")
        }
        self.jwk = jwk
    }

    var seed: [UInt8] { Array(key.rawRepresentation) }

    func sign(_ bytes: [UInt8]) throws -> [UInt8] { Array(try key.signature(for: bytes)) }
}

/// A public Ed25519 key, ready to verify.
public struct VerificationKey: Sendable {
    private let key: Curve25519.Signing.PublicKey
    public let jwk: PublicJWK

    public init(_ jwk: PublicJWK) throws(SealError) {
        guard jwk.curve == .ed25519 else { throw SealError(.badKey, "expected an Ed25519 key to verify with") }
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: jwk.x) else {
            throw SealError(.badKey, "x is not an Ed25519 public key")
        }
        self.key = key
        self.jwk = jwk
    }

    func isValid(signature: [UInt8], of bytes: [UInt8]) -> Bool { key.isValidSignature(signature, for: bytes) }
}

/// A private X25519 key that opens what was sealed to its owner.
public struct OpeningKey: Sendable {
    let key: Curve25519.KeyAgreement.PrivateKey
    public let jwk: PublicJWK

    public var id: String { jwk.thumbprint }

    public init() { self.init(key: Curve25519.KeyAgreement.PrivateKey()) }

    public init(seed: [UInt8]) throws(SealError) {
        guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: seed) else {
            throw SealError(.badKey, "d: expected 32 bytes, found \(seed.count)")
        }
        self.init(key: key)
    }

    private init(key: Curve25519.KeyAgreement.PrivateKey) {
        self.key = key
        guard let jwk = try? PublicJWK(curve: .x25519, x: Array(key.publicKey.rawRepresentation)) else {
            preconditionFailure("an X25519 public key has 32 bytes")
        }
        self.jwk = jwk
    }

    var seed: [UInt8] { Array(key.rawRepresentation) }
}
