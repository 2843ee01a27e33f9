import Foundation
import Synchronization
import WaslModel

/// The registry that a daemon goes by: read from a signed file, replaced only by a newer one, kept across restarts.
public final class RegistryHolder: Sendable {
    private let current: Mutex<Registry>
    private let path: String?
    private let rootKey: VerificationKey?

    /// Reads a signed registry: a first line with the root key's detached signature, then the registry's exact bytes.
    ///
    /// One file, so that a crash never leaves a body with another's signature.
    /// - Throws: ``SealError``
    public init(path: String, rootKey: PublicJWK) throws {
        self.path = path
        self.rootKey = try VerificationKey(rootKey)
        current = Mutex(try RegistryHolder.read(path: path, rootKey: VerificationKey(rootKey)))
    }

    /// One that is on no disk, for simulation: replaced by ``replace(with:)`` only.
    package init(inMemory registry: Registry) {
        path = nil
        rootKey = nil
        current = Mutex(registry)
    }

    /// - Throws: ``SealError`` with `stale`
    package func replace(with newer: Registry) throws {
        try current.withLock { held in
            guard newer.version > held.version else {
                throw SealError(.stale, "registry version \(newer.version) is not newer than \(held.version)")
            }
            held = newer
        }
    }

    private func disk() throws(SealError) -> (path: String, rootKey: VerificationKey) {
        guard let path, let rootKey else { throw SealError(.malformed, "this registry is on no disk") }
        return (path, rootKey)
    }

    public var registry: Registry { current.withLock { $0 } }

    /// Takes a newer registry and writes it down before anybody goes by it.
    ///
    /// - Throws: ``SealError`` with `stale` when it is older than, or another of the same version as, the one held.
    @discardableResult
    public func update(_ body: [UInt8], signature: String) throws -> Registry {
        let (path, rootKey) = try disk()
        let newer = try RegistryHolder.read(body, signature: signature, rootKey: rootKey)
        try current.withLock { held in
            guard newer.version > held.version else {
                throw SealError(.stale, "registry version \(newer.version) is not newer than \(held.version)")
            }
            try writePrivateFile(Array(signature.utf8) + [0x0A] + body, to: path)
            held = newer
        }
        return newer
    }

    /// Reads the files again, as an operator asks by SIGHUP. An older version than the one held is refused.
    @discardableResult
    public func reload() throws -> Registry {
        let (path, rootKey) = try disk()
        let onDisk = try RegistryHolder.read(path: path, rootKey: rootKey)
        try current.withLock { held in
            guard onDisk.version >= held.version else {
                throw SealError(.stale, "registry version \(onDisk.version) is older than \(held.version)")
            }
            held = onDisk
        }
        return onDisk
    }

    private static func read(path: String, rootKey: VerificationKey) throws -> Registry {
        guard let file = FileManager.default.contents(atPath: path).map({ [UInt8]($0) }) else {
            throw SealError(.malformed, "\(path): cannot be read; the directorate hands out the signed registry")
        }
        guard let end = file.firstIndex(of: 0x0A) else {
            throw SealError(.malformed, "\(path): expected a signature's line, then the registry")
        }
        return try read(
            Array(file[(end + 1)...]), signature: String(decoding: file[..<end], as: UTF8.self), rootKey: rootKey)
    }

    private static func read(_ body: [UInt8], signature: String, rootKey: VerificationKey) throws -> Registry {
        try DetachedSignature.verify(signature, over: body, as: .registry) { keyID throws(SealError) in
            guard keyID == rootKey.jwk.thumbprint else {
                throw SealError(.unknownKey, "kid: not the directorate's root key")
            }
            return rootKey
        }
        let json: JSON
        do { json = try JSON.parse(body) } catch { throw SealError(.malformed, "registry: \(error)") }
        return try Registry(json)
    }

    /// Signs a registry and writes the file.
    public static func write(_ registry: Registry, to path: String, rootKey: SigningKey) throws {
        let body = Array((registry.json.prettyText + "\n").utf8)
        let signature = try DetachedSignature.sign(body, as: .registry, with: rootKey)
        try writePrivateFile(Array(signature.utf8) + [0x0A] + body, to: path)
    }
}
