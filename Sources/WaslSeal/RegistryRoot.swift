public import WaslModel

/// The directorate's root key passes to the next: signed by both, so that whoever holds one can come to the other.
///
/// Rotations stay in the registry for ever: a daemon whose configuration names an old root key still comes to the newest.
public struct RootRotation: Sendable, Hashable {
    /// The thumbprint of the key that was.
    public let from: String
    public let to: PublicJWK
    public let at: Timestamp
    /// Two detached signatures with a space between them: by the old key and by the new one.
    public let signatures: String

    private init(from: String, to: PublicJWK, at: Timestamp, signatures: String) {
        self.from = from
        self.to = to
        self.at = at
        self.signatures = signatures
    }

    public init(from old: SigningKey, to new: SigningKey, at time: Timestamp) throws {
        guard old.id != new.id else { throw SealError(.badKey, "the new root key is the old one") }
        let statement = RootRotation.statement(from: old.id, to: new.id, at: time)
        let signed = try RegistryFile(body: statement, as: .rootRotation, signedBy: [old, new])
        self.init(from: old.id, to: new.jwk, at: time, signatures: signed.signatures)
    }

    /// What is signed: both thumbprints and the time, with a space between them.
    private static func statement(from: String, to: String, at: Timestamp) -> [UInt8] { Array("\(from) \(to) \(at)".utf8) }

    /// The key that comes after another, when both have signed that it does.
    func next(after key: VerificationKey) -> VerificationKey? {
        guard key.jwk.thumbprint == from, let new = try? VerificationKey(to) else { return nil }
        let signed = RegistryFile(
            signatures: signatures, body: RootRotation.statement(from: from, to: to.thumbprint, at: at))
        guard (try? signed.isSigned(by: key, as: .rootRotation)) == true, (try? signed.isSigned(by: new, as: .rootRotation)) == true
        else { return nil }
        return new
    }

    public init(_ json: JSON, at place: String) throws(SealError) {
        guard let from = json["from"]?.string, let signatures = json["signatures"]?.string, let to = json["to"] else {
            throw SealError(.malformed, "\(place): expected from, to, at and signatures")
        }
        let key: PublicJWK
        do { key = try PublicJWK(to) } catch { throw SealError(.malformed, "\(place).to.\(error.reason)") }
        self.init(from: from, to: key, at: try Registry.time(json, "at", at: place), signatures: signatures)
    }

    public var json: JSON {
        ["from": .string(from), "to": to.json, "at": .string(at.description), "signatures": .string(signatures)]
    }
}

/// A registry that was verified, and the root key by which the next one is judged.
struct VerifiedRegistry {
    let registry: Registry
    let root: VerificationKey
    let file: RegistryFile
}

extension RegistryFile {
    /// Whether a key signed it. `false` when its signature is not there.
    ///
    /// - Throws: ``SealError`` when it is there and does not hold.
    func isSigned(by key: VerificationKey, as kind: DetachedSignature.Kind) throws(SealError) -> Bool {
        guard let text = try signatures(as: kind)[key.jwk.thumbprint] else { return false }
        try DetachedSignature.verify(text, over: body, as: kind) { _ throws(SealError) in key }
        return true
    }

    /// Reads a registry by the root key that its reader goes by.
    ///
    /// It must be signed by a key that the reader's own leads to, and by its own root key. These are one and the same but when the root
    /// key changes: then both sign, or the reader comes from one to the other by the registry's rotations.
    func verified(by pinned: VerificationKey) throws(SealError) -> VerifiedRegistry {
        var isSignedByKnown = try isSigned(by: pinned, as: .registry)
        let json: JSON
        do { json = try JSON.parse(body) } catch { throw SealError(.malformed, "registry: \(error)") }
        let registry = try Registry(json)
        var known = pinned
        for rotation in registry.rotations {
            guard let next = rotation.next(after: known) else { continue }
            known = next
            if try isSigned(by: known, as: .registry) { isSignedByKnown = true }
        }
        guard isSignedByKnown else {
            throw SealError(
                .unknownKey, "kid: not the directorate's root key, nor one that it passed to by a rotation that both keys signed")
        }
        let root = try registry.root.map { jwk throws(SealError) in try VerificationKey(jwk) } ?? pinned
        guard try isSigned(by: root, as: .registry) else {
            throw SealError(
                .badSignature, "root: the root key that the registry names has not signed it; a rotation takes both keys' signatures")
        }
        return VerifiedRegistry(registry: registry, root: root, file: self)
    }
}
