import ArgumentParser
import Foundation
import WaslModel
import WaslSeal

struct RegistryInit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Makes the directorate's root key and an empty registry's folder.",
        discussion: """
            Keep the root key on a medium that is in a safe but when something is signed.

            Example: wasl registry init --folder registry --key root.json
            """)

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "The root key's file to make; in the folder when not given.") var key: String?

    func run() throws {
        let path = folder.folder
        let keyFile = key ?? path + "/root.json"
        for file in [keyFile, RegistryFolder.settingsFile(in: path)] where FileManager.default.fileExists(atPath: file) {
            throw Failure.usage("\(file) exists: nothing is overwritten")
        }
        try FileManager.default.createDirectory(
            atPath: RegistryFolder.participantsFolder(in: path), withIntermediateDirectories: true)
        let root = KeyFile(opening: [])
        try root.write(to: keyFile)
        try RegistryInit.write(root.signing.jwk.json.prettyText + "\n", to: RegistryFolder.rootKeyFile(in: path))
        for (file, text) in RegistryInit.templates(path) { try RegistryInit.write(text, to: file) }
        print("The root key is in \(keyFile): keep it in a safe. Every participant gets \(RegistryFolder.rootKeyFile(in: path)).")
        print("Next: `wasl registry add --folder \(path) --id … --role …`, then delegations.yaml, then `wasl registry sign`.")
    }

    static func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    private static func templates(_ path: String) -> [(file: String, text: String)] {
        [
            (
                RegistryFolder.settingsFile(in: path),
                """
                # How long a signed registry is fresh. A stale one stops nobody; it is a finding of the ledger.
                valid: 365 d
                # After this time a key that has ended moves from the registry to its archive.
                keep-ended-keys: 400 d

                """
            ),
            (
                RegistryFolder.groupsFile(in: path),
                """
                # Services and participants by group, for delegations.yaml. Built in: all-houses, all-agencies.
                #
                # services:
                #   bills: [steg.bill.view, steg.bill.pay]
                # participants:
                #   pilots: [hydra, kerker]

                """
            ),
            (
                RegistryFolder.delegationsFile(in: path),
                """
                # Who may ask for what, by which decree. Of two rows for the same service and participant the later one stands.
                #
                # delegations:
                #   - services: [bills, steg.fault.report]
                #     participants: [all-houses]
                #     decree: "Décret n° 2026-…, article …"
                #     date: 2026-01-31

                """
            ),
            (
                RegistryFolder.approvalsFile(in: path),
                """
                # What two people decided about what revoked keys had signed: `wasl registry approve` adds to the end.
                approvals:

                """
            ),
        ]
    }
}

struct RegistryRotateRoot: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-root", abstract: "Makes a new root key and has the old one sign that it follows.",
        discussion: """
            The next `wasl registry sign` takes both keys. Whoever holds the old root key comes to the new one by the registry; give new \
            participants the new one.

            Example: wasl registry rotate-root --folder registry --key root.json --new-key root-2.json
            """)

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "The old root key's file.") var key: String
    @Option(help: "The new root key's file to make.") var newKey: String

    func run() throws {
        let path = folder.folder
        guard !FileManager.default.fileExists(atPath: newKey) else { throw Failure.usage("\(newKey) exists: a key is never overwritten") }
        let old = try KeyFile(path: key).signing
        let publicFile = RegistryFolder.rootKeyFile(in: path)
        guard try RegistryCommand.publicKey(publicFile) == old.jwk else {
            throw Failure.badInput("\(key) is not the key of \(publicFile); name the newest root key's file")
        }
        let rotations = try RegistryFolder.readRotations(path)
        let new = KeyFile(opening: [])
        let rotation = try RootRotation(from: old, to: new.signing, at: Program.now)
        // The key first: of the two files after it, each says nothing without it.
        try new.write(to: newKey)
        try RegistryInit.write(
            JSON.array((rotations + [rotation]).map(\.json)).prettyText + "\n", to: RegistryFolder.rotationsFile(in: path))
        try RegistryInit.write(new.signing.jwk.json.prettyText + "\n", to: publicFile)
        print("The new root key is in \(newKey), its public half in \(publicFile).")
        print("Next, with both keys: wasl registry sign --folder \(path) --key \(newKey) --old-key \(key) --out registry.signed")
    }
}
