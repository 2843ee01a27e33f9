import Crypto
import WaslModel

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

/// Where chance comes from: so many bytes. Handed in so that a simulation can hold it.
public typealias Entropy = @Sendable (_ count: Int) -> [UInt8]

/// SHA-256 of bytes that come one part after the other.
public struct RunningDigest: Sendable {
    private var hash = SHA256()

    public init() {}

    public mutating func update(_ bytes: some Collection<UInt8>) {
        let isContiguous: Void? = bytes.withContiguousStorageIfAvailable { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        if isContiguous == nil { hash.update(data: Array(bytes)) }
    }

    public func finish() -> [UInt8] { Array(hash.finalize()) }
}
