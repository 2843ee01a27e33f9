import ArgumentParser
import Foundation
import WaslModel
import WaslSeal

struct RegistrySign: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Signs the folder's registry with the directorate's root key, as the version after the one held.",
        discussion: """
            Says in words what changes. Nothing older is ever signed over something newer.

            Example: wasl registry sign --folder registry --key root.json --out registry.signed

            While the root key changes, both keys sign: add --old-key with the old one's file, for as long as somebody may hold only that.
            """)

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "A registry's JSON to sign as it is, instead of a folder.") var file: String?
    @Option(help: "The root key's file.") var key: String
    @Option(help: "The old root key's file, while the root key changes.") var oldKey: String?
    @Option(help: "The signed registry to write; its archive is written beside it.") var out: String = "registry.signed"
    @Option(help: "Sign as this version rather than as the next one: where the newest signed registry is not here.")
    var asVersion: Int64?
    @Flag(help: "Only say what would change.") var dryRun = false

    func run() throws {
        let root = try KeyFile(path: key).signing
        let old = try oldKey.map { try KeyFile(path: $0).signing }
        let held = try heldRegistry(root, old)
        if let file { return try signFile(file, held, root, old) }
        let source = try RegistryFolder(path: folder.folder)
        guard root.jwk == source.root else {
            throw Failure.badInput(
                "\(key) is not the key of \(RegistryFolder.rootKeyFile(in: source.path)); name the newest root key's file")
        }
        try requireBothKeys(source, held, old)
        let draft = try source.draft(after: held, beside: out, now: Program.now)
        let registry = try versioned(draft.registry, after: held?.registry)
        draft.warnings.forEach { say("Mind: \($0)") }
        if let held {
            let lines = RegistryDifferences(from: held.registry, to: registry).lines
            print(lines.isEmpty ? "Nothing changes but version and dates." : lines.joined(separator: "\n"))
        }
        let keys = old.map { [$0, root] } ?? [root]
        try requireThatItFits(registry, keys)
        if dryRun { return print("Nothing is signed: this was a dry run.") }
        if let archive = draft.archive, archive.name != held?.registry.archive {
            try keepOlderArchive(held?.registry.archive)
            try archive.write(to: RegistryArchive.path(beside: out), rootKey: root)
        }
        try RegistryHolder.write(registry, to: out, rootKeys: keys)
        print(
            "Version \(registry.version) with \(registry.participants.count) participants is signed, in \(out). It expires \(registry.expires)."
        )
        if let archive = draft.archive {
            print("Archive version \(archive.version) is in \(RegistryArchive.path(beside: out)); hand it out with the registry.")
        }
    }

    /// The signed registry that is there, by whichever root key it was signed.
    private func heldRegistry(_ root: SigningKey, _ old: SigningKey?) throws -> RegistryHolder? {
        guard FileManager.default.fileExists(atPath: out) else { return nil }
        do { return try RegistryHolder(path: out, rootKey: root.jwk) } catch let error as SealError where error.code == .unknownKey {
            guard let old else {
                throw Failure.badInput(
                    "\(out) is signed by another root key than \(key). If the root key was rotated, name the old one's file with --old-key; else keep this file and sign into another"
                )
            }
            return try RegistryHolder(path: out, rootKey: old.jwk)
        }
    }

    /// The first registry after a rotation is taken only when both keys have signed it.
    private func requireBothKeys(_ source: RegistryFolder, _ held: RegistryHolder?, _ old: SigningKey?) throws {
        guard let held, let before = held.rootKey, before != source.root, old?.jwk != before else { return }
        throw Failure.usage("\(out) is signed by the root key \(before.thumbprint): name its file with --old-key, so that both keys sign")
    }

    private func versioned(_ registry: Registry, after held: Registry?) throws -> Registry {
        guard let version = asVersion else { return registry }
        guard version >= 1 else { throw Failure.usage("--as-version: expected a whole number from 1") }
        if let held, version <= held.version {
            throw Failure.badInput("--as-version: \(version) is not newer than \(held.version) in \(out)")
        }
        return try Registry(
            version: version, issued: registry.issued, expires: registry.expires, participants: Array(registry.participants.values),
            delegations: registry.delegations, approvals: registry.approvals, archive: registry.archive, root: registry.root,
            rotations: registry.rotations)
    }

    /// Participants get the registry in one message.
    private func requireThatItFits(_ registry: Registry, _ keys: [SigningKey]) throws {
        let file = try RegistryFile(body: registry.body, as: .registry, signedBy: keys)
        let data: JSON = ["registry": .string(String(decoding: file.body, as: UTF8.self)), "signature": .string(file.signatures)]
        // What the envelope around it takes, generously.
        let size = data.bytes.count + 2_048
        guard size <= Envelope.bytesMax else {
            throw Failure.badInput(
                "the registry's message would take \(size) of at most \(Envelope.bytesMax) bytes; let ended keys go to the archive sooner (keep-ended-keys in \(RegistryFolder.settingsFile(in: folder.folder))), or say delegations by groups"
            )
        }
    }

    /// A crash between archive and registry leaves a registry that names the older archive: it must still be there to be put back.
    private func keepOlderArchive(_ older: RegistryArchive.Name?) throws {
        guard let older else { return }
        let kept = "\(RegistryArchive.path(beside: out)).\(older.version)"
        if FileManager.default.fileExists(atPath: kept) { try FileManager.default.removeItem(atPath: kept) }
        try FileManager.default.copyItem(atPath: RegistryArchive.path(beside: out), toPath: kept)
    }

    private func signFile(_ file: String, _ held: RegistryHolder?, _ root: SigningKey, _ old: SigningKey?) throws {
        let registry = try Registry(try JSON.parse(try Program.read(file)))
        if let held, registry.version <= held.registry.version {
            throw Failure.badInput("\(file): version \(registry.version) is not newer than \(held.registry.version) in \(out)")
        }
        let keys = old.map { [$0, root] } ?? [root]
        try requireThatItFits(registry, keys)
        if dryRun { return print("Nothing is signed: this was a dry run.") }
        try RegistryHolder.write(registry, to: out, rootKeys: keys)
        print("Version \(registry.version) with \(registry.participants.count) participants is signed.")
    }
}
