import ArgumentParser
import Foundation
import WaslModel
import WaslSeal

/// Public keys as `wasl keys show` prints them: `{"signing": JWK, "opening": [JWK, …]}`.
struct PublicKeysFile {
    let path: String
    let signing: PublicJWK
    /// The first is current.
    let opening: [PublicJWK]

    init(path: String) throws {
        self.path = path
        let json: JSON
        do { json = try JSON.parse(try Program.read(path)) } catch let error as JSONParseError {
            throw Failure.badInput("\(path): \(error)")
        }
        guard let signing = json["signing"], let opening = json["opening"]?.array else {
            throw Failure.badInput("\(path): expected what `wasl keys show` prints: `signing` and `opening`")
        }
        let all = [signing] + opening
        guard !all.contains(where: { $0["d"] != nil }) else {
            throw Failure.badInput(
                "\(path) holds PRIVATE keys, which must not leave their owner's machine; it is for `wasl keys show` to print the public halves"
            )
        }
        do {
            self.signing = try PublicJWK(signing)
            self.opening = try opening.map { try PublicJWK($0) }
        } catch { throw Failure.badInput("\(path): \(error)") }
        guard self.signing.curve == .ed25519 else { throw Failure.badInput("\(path): `signing`: expected crv Ed25519") }
        guard self.opening.allSatisfy({ $0.curve == .x25519 }) else { throw Failure.badInput("\(path): `opening`: expected crv X25519") }
    }

    var requiredOpening: PublicJWK {
        get throws {
            guard let first = opening.first else { throw Failure.badInput("\(path): `opening` is empty: no key to seal to") }
            return first
        }
    }
}

struct RegistryRotate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Exchanges a participant's keys: new ones begin, those of now get an end.",
        discussion: """
            For the overlap both are valid, so that the participant can take up the new ones any day of it. It keeps the old key to open with \
            for what was sealed to it.

            Example: wasl registry rotate --id hydra --keys hydra-2.public.json --overlap "7 d"
            """)

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "The participant.") var id: String
    @Option(help: "The new public keys, as `wasl keys show` prints them.") var keys: String
    @Option(help: "A person's name: exchange that person's key only.") var holder: String?
    @Option(help: "From when on the new keys are valid; now when not given.") var at: String?
    @Option(help: "How long the old keys stay valid beside the new ones.") var overlap: String = "7 d"

    func run() throws {
        var file = try RegistryFolder.participant(id, in: folder.folder)
        guard let overlap = Duration(text: overlap) else { throw Failure.usage("--overlap: expected a number and a unit, such as `7 d`") }
        let at = try RegistryCommand.time(at, "--at")
        let new = try PublicKeysFile(path: keys)
        var fresh: [Registry.Key]
        if let holder {
            guard file.participant.keys.contains(where: { $0.holder == holder }) else {
                throw Failure.badInput("\(file.path): nobody called \(holder) has a key; register one with `wasl registry add-person`")
            }
            fresh = [Registry.Key(jwk: new.signing, use: .person, holder: holder, from: at)]
        } else {
            fresh = [
                Registry.Key(jwk: new.signing, use: .signing, from: at),
                Registry.Key(jwk: try new.requiredOpening, use: .sealing, from: at),
            ]
        }
        let known = Set(file.participant.keys.map(\.jwk))
        // Somebody may exchange only one of the two.
        fresh.removeAll { known.contains($0.jwk) }
        guard !fresh.isEmpty else { throw Failure.badInput("\(keys): these keys are in \(file.path) already") }
        let replaced = Set(fresh.map(\.use))
        let end = at.advanced(by: overlap)
        let kept = file.participant.keys.map { key in
            replaced.contains(key.use) && key.holder == holder && key.end == nil ? key.ending(at: end) : key
        }
        file.participant = file.participant.with(keys: kept + fresh)
        try file.write()
        print("\(id): \(fresh.count) new keys from \(at); those before them end \(end). `wasl registry sign` makes it known.")
    }
}

struct RegistryRevoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Says that a key is not its owner's any more, from a time on.",
        discussion: """
            What the key signed and the ledger has not logged by then waits for two people, whatever time it claims. Give the participant a new \
            key with `rotate`.

            Example: wasl registry revoke --id hydra --key Jx3kq9 --from 2026-03-01T08:00:00Z
            """)

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "The participant.") var id: String
    // Unconditional: a thumbprint may begin with a hyphen.
    @Option(parsing: .unconditional, help: "The key's thumbprint, or its first 6 characters and more.") var key: String
    @Option(help: "From when on nothing of it is believed; now when not given.") var from: String?

    func run() throws {
        var file = try RegistryFolder.participant(id, in: folder.folder)
        guard key.utf8.count >= 6 else { throw Failure.usage("--key: expected 6 characters of the thumbprint at least") }
        let from = try RegistryCommand.time(from, "--from")
        let found = file.participant.keys.filter { $0.jwk.thumbprint.hasPrefix(key) }
        guard let revoked = found.first, found.count == 1 else {
            let known = file.participant.keys.map(\.jwk.thumbprint).joined(separator: ", ")
            throw Failure.badInput("\(file.path): \(found.count) keys begin with \(key); there are \(known)")
        }
        file.participant = file.participant.with(
            keys: file.participant.keys.map { $0.jwk == revoked.jwk ? $0.revoked(from: from) : $0 })
        try file.write()
        print("\(id): the key \(revoked.jwk.thumbprint) is revoked from \(from). `wasl registry sign` makes it known; hurry.")
        let left = file.participant.keys.contains { $0.use == revoked.use && $0.holder == revoked.holder && $0.isValid(at: Program.now) }
        if !left { print("It has no other such key: `wasl registry rotate --id \(id)` gives it one.") }
    }
}
