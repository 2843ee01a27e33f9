import Foundation
import Synchronization
import WaslModel

/// The registry that a daemon goes by: read from a signed file, replaced only by a newer one, kept across restarts.
public final class RegistryHolder: Sendable {
    fileprivate struct Held {
        var registry: Registry
        /// Where the registry is on a disk: its signed text, and the root key by which the next one is judged.
        var verified: VerifiedRegistry?
        /// What the journal says was held before.
        var versionMin: Int64 = 0
        /// Why the archive that the registry names is not here.
        var archiveMissing: String?
    }

    private struct Disk {
        let path: String
        /// The root key of the configuration; the registry may lead from it to a newer one.
        let configuredRoot: VerificationKey
    }

    /// Read for every message, so it is locked for a moment only, never while something is verified or written.
    private let held: Mutex<Held>
    /// One registry is accepted at a time, so that nothing older is written over a newer one. Taken before `held`, never inside it.
    private let accepting = Mutex(())
    private let disk: Disk?

    /// Reads a signed registry: see ``RegistryFile``.
    ///
    /// - Throws: ``SealError``
    public init(path: String, rootKey: PublicJWK) throws {
        let disk = Disk(path: path, configuredRoot: try VerificationKey(rootKey))
        self.disk = disk
        held = Mutex(
            RegistryHolder.completed(try RegistryFile(path: path).verified(by: disk.configuredRoot), disk, versionMin: 0))
    }

    /// One that is on no disk, for simulation: replaced by ``replace(with:)`` only.
    package init(inMemory registry: Registry) {
        disk = nil
        held = Mutex(Held(registry: registry))
    }

    /// - Throws: ``SealError`` with `stale`
    package func replace(with newer: Registry) throws {
        try held.withLock { held in
            guard newer.version > held.registry.version else {
                throw SealError(.stale, "registry version \(newer.version) is not newer than \(held.registry.version)")
            }
            held.registry = newer
        }
    }

    private func onDisk() throws(SealError) -> Disk {
        guard let disk else { throw SealError(.malformed, "this registry is on no disk") }
        return disk
    }

    public var registry: Registry { held.withLock { $0.registry } }

    /// The exact text and signatures of the registry held, to be handed on; `nil` where it is on no disk.
    public var signedText: RegistryFile? { held.withLock { $0.verified?.file } }

    /// The registry held with its own text, so that no newer one comes between the two.
    public var registryAndText: (registry: Registry, signed: RegistryFile?) { held.withLock { ($0.registry, $0.verified?.file) } }

    /// The root key that signs the registries to come: the configured one, or one to which it passed.
    public var rootKey: PublicJWK? { held.withLock { $0.verified?.root.jwk } }

    /// Why what retired keys signed cannot be verified, with the remedy; `nil` when nothing is missing.
    public var archiveMissing: String? { held.withLock { $0.archiveMissing } }

    /// Holds from here on to what the journal remembers, so that an older file put in place is refused.
    ///
    /// - Throws: ``SealError`` with `stale` when the registry held is older.
    public func requireAtLeast(_ version: Int64) throws(SealError) {
        let older = held.withLock { held -> Int64? in
            guard held.registry.version >= version else { return held.registry.version }
            held.versionMin = max(held.versionMin, version)
            return nil
        }
        if let older { throw RegistryHolder.older(older, than: version, disk?.path) }
    }

    private static func older(_ version: Int64, than held: Int64, _ path: String?) -> SealError {
        SealError(
            .stale,
            "registry version \(version)\(path.map { " in \($0)" } ?? "") is older than \(held), which was held before; put the newest registry in its place"
        )
    }

    /// A registry that was verified and is on the disk, and that nobody goes by yet: first its version is noted where a restart looks.
    public struct Accepted: Sendable {
        fileprivate let held: Held
        public var version: Int64 { held.registry.version }
    }

    /// Verifies a newer registry and writes it to the disk; ``goBy(_:)`` makes it the one that is held.
    ///
    /// - Returns: `nil` for the one that is held already.
    /// - Throws: ``SealError`` with `stale` when it is older than, or another of the same version as, the one held.
    public func accept(_ body: [UInt8], signature: String) throws -> Accepted? {
        let disk = try onDisk()
        return try accepting.withLock { _ in
            let now = held.withLock { $0 }
            let newer = try RegistryFile(signatures: signature, body: body).verified(by: now.verified?.root ?? disk.configuredRoot)
            if newer.registry.version == now.registry.version, now.verified?.file.body == body { return nil }
            guard newer.registry.version > max(now.registry.version, now.versionMin - 1) else {
                throw SealError(.stale, "registry version \(newer.registry.version) is not newer than \(now.registry.version)")
            }
            try RegistryHolder.requireReadableAtRestart(newer, disk)
            if !newer.file.isWritten(to: disk.path) { try newer.file.write(to: disk.path) }
            return accepted(newer, disk)
        }
    }

    /// From here on nothing older is accepted, though nobody goes by this one yet.
    private func accepted(_ newer: VerifiedRegistry, _ disk: Disk) -> Accepted {
        let versionMin = held.withLock { held in
            held.versionMin = max(held.versionMin, newer.registry.version)
            return held.versionMin
        }
        return Accepted(held: RegistryHolder.completed(newer, disk, versionMin: versionMin))
    }

    /// Holds what was accepted, unless a newer one is held by now.
    public func goBy(_ accepted: Accepted) {
        held.withLock { held in
            guard accepted.version >= held.registry.version else { return }
            let versionMin = max(held.versionMin, accepted.version)
            held = accepted.held
            held.versionMin = versionMin
        }
    }

    /// Both in turn, where nothing is noted in between.
    @discardableResult
    public func update(_ body: [UInt8], signature: String) throws -> Registry {
        if let accepted = try accept(body, signature: signature) { goBy(accepted) }
        return registry
    }

    /// A restart begins with the configured root key again: the registry on the disk has to lead from there to its own.
    private static func requireReadableAtRestart(_ newer: VerifiedRegistry, _ disk: Disk) throws(SealError) {
        guard (try? newer.file.verified(by: disk.configuredRoot))?.root.jwk == newer.root.jwk else {
            throw SealError(
                .unknownKey,
                "root: no rotation in the registry leads from the configured root key to the one that signed; put the newest root key in the configuration, or have `wasl registry sign` list all rotations"
            )
        }
    }

    /// Reads the files again, as an operator asks by SIGHUP; ``goBy(_:)`` makes what was read the one that is held.
    ///
    /// - Throws: ``SealError`` with `stale` when it is older than the one held.
    public func acceptFromDisk() throws -> Accepted {
        let disk = try onDisk()
        return try accepting.withLock { _ in
            let now = held.withLock { $0 }
            let found = try RegistryFile(path: disk.path).verified(by: now.verified?.root ?? disk.configuredRoot)
            let versionMin = max(now.registry.version, now.versionMin)
            guard found.registry.version >= versionMin else {
                throw RegistryHolder.older(found.registry.version, than: versionMin, disk.path)
            }
            return accepted(found, disk)
        }
    }

    /// Both in turn, where nothing is noted in between.
    @discardableResult
    public func reload() throws -> Registry {
        goBy(try acceptFromDisk())
        return registry
    }

    /// A registry with the archive that lies beside it. Without its archive it works for all keys that are in use.
    private static func completed(_ verified: VerifiedRegistry, _ disk: Disk, versionMin: Int64) -> Held {
        var held = Held(registry: verified.registry, verified: verified, versionMin: versionMin)
        guard let name = verified.registry.archive else { return held }
        do {
            let archive = try RegistryArchive.read(name, at: RegistryArchive.path(beside: disk.path))
            held.registry = try verified.registry.with(archive)
        } catch { held.archiveMissing = error.reason }
        return held
    }

    /// Signs a registry and writes the file.
    public static func write(_ registry: Registry, to path: String, rootKey: SigningKey) throws {
        try write(registry, to: path, rootKeys: [rootKey])
    }

    /// - Parameter rootKeys: one, or the old and the new one while the root key is rotated.
    public static func write(_ registry: Registry, to path: String, rootKeys: [SigningKey]) throws {
        try RegistryFile(body: registry.body, as: .registry, signedBy: rootKeys).write(to: path)
    }
}

extension Registry {
    /// The exact bytes that are signed: one line, for the whole of it goes into one message as a string. `wasl registry show` is for people.
    public var body: [UInt8] { json.bytes + [0x0A] }
}
