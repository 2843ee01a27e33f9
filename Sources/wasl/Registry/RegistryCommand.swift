import ArgumentParser
import Foundation
import WaslModel
import WaslSeal

struct RegistryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registry", abstract: "Keeps, signs and shows the registry of participants.",
        discussion: """
            The registry is kept in a folder of YAML files that people read and edit: participants/<id>.yaml, groups.yaml, \
            delegations.yaml, approvals.yaml, registry.yaml. What is signed is made from it.

            Example: wasl registry init --folder registry
            """,
        subcommands: [
            RegistryInit.self, RegistryAdd.self, RegistryAddPerson.self, RegistrySuspend.self, RegistryResume.self, RegistryRotate.self,
            RegistryRevoke.self, RegistryApprove.self, RegistrySign.self, RegistryShow.self, RegistryDiff.self, RegistryRotateRoot.self,
        ])

    /// A public JWK in a file.
    static func publicKey(_ path: String) throws -> PublicJWK {
        do { return try PublicJWK(try JSON.parse(try Program.read(path))) } catch let error as Failure { throw error } catch {
            throw Failure.badInput("\(path): expected the root key's public JWK, as `wasl registry init` writes it (\(error))")
        }
    }

    /// A time that a person gave, or now.
    static func time(_ text: String?, _ option: String) throws -> Timestamp {
        guard let text else { return Program.now }
        guard let time = Timestamp(Registry.isDate(text) ? "\(text)T00:00:00Z" : text) else {
            throw Failure.usage("\(option): expected a day (2026-01-31) or a time in UTC (2026-01-31T08:00:00Z), found \(text)")
        }
        return time
    }
}

/// The folder, where every command finds it.
struct RegistryFolderOption: ParsableArguments {
    @Option(help: "The registry's folder.") var folder: String = "registry"
}

struct RegistryShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Verifies a signed registry and shows it for people.",
        discussion: "Example: wasl registry show --file registry.signed --root-key root.jwk.json")

    @Option(help: "The signed registry.") var file: String
    @Option(help: "The root key's public JWK; an older one will do where the registry holds the rotations.") var rootKey: String
    @Flag(help: "Print the registry's JSON.") var json = false

    func run() throws {
        let holder = try RegistryHolder(path: file, rootKey: try RegistryCommand.publicKey(rootKey))
        if json { return print(holder.registry.json.prettyText) }
        RegistryDescription(registry: holder.registry, now: Program.now).lines.forEach { print($0) }
        if let missing = holder.archiveMissing { print("Archive: \(missing)") }
    }
}

struct RegistryDiff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Says who came, who went and what changed, between two signed registries or the folder and a signed one.",
        discussion: """
            Example: wasl registry diff registry.signed newer.signed --root-key root.jwk.json

            Example: wasl registry diff registry.signed --folder registry
            """)

    @Argument(help: "The signed registry that was.") var before: String
    @Argument(help: "The signed registry that is; without it the folder is compared.") var after: String?
    @Option(help: "The registry's folder.") var folder: String = "registry"
    @Option(help: "The root key's public JWK; the folder's own when not given.") var rootKey: String?

    func run() throws {
        let key = try RegistryCommand.publicKey(rootKey ?? RegistryFolder.rootKeyFile(in: folder))
        let old = try RegistryHolder(path: before, rootKey: key)
        let new: Registry
        if let after {
            new = try RegistryHolder(path: after, rootKey: key).registry
        } else {
            new = try RegistryFolder(path: folder).draft(after: old, beside: before, now: Program.now).registry
        }
        let lines = RegistryDifferences(from: old.registry, to: new).lines
        print(lines.isEmpty ? "Nothing differs but versions and dates." : lines.joined(separator: "\n"))
    }
}
