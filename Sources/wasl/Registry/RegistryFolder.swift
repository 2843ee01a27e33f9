import Foundation
import WaslCatalogue
import WaslModel
import WaslSeal

/// The directorate's registry as people keep it: a folder of YAML files, from which the signed one is made.
struct RegistryFolder {
    let path: String
    /// How long a signed registry is fresh.
    let validFor: Duration
    /// After this time a key that has ended moves to the archive.
    let keepsEndedKeysFor: Duration
    let files: [RegistryParticipantFile]
    let delegations: [Registry.Delegation]
    let approvals: [Registry.Approval]
    let rotations: [RootRotation]
    let root: PublicJWK

    static func settingsFile(in folder: String) -> String { folder + "/registry.yaml" }
    static func participantsFolder(in folder: String) -> String { folder + "/participants" }
    static func participantFile(_ id: ParticipantID, in folder: String) -> String { "\(participantsFolder(in: folder))/\(id).yaml" }
    static func groupsFile(in folder: String) -> String { folder + "/groups.yaml" }
    static func delegationsFile(in folder: String) -> String { folder + "/delegations.yaml" }
    static func approvalsFile(in folder: String) -> String { folder + "/approvals.yaml" }
    static func rotationsFile(in folder: String) -> String { folder + "/rotations.json" }
    static func rootKeyFile(in folder: String) -> String { folder + "/root.jwk.json" }

    /// Reads everything and checks that it fits together.
    ///
    /// - Throws: ``SettingsError`` naming file and key.
    init(path: String) throws {
        self.path = path
        let settingsFile = RegistryFolder.settingsFile(in: path)
        guard FileManager.default.fileExists(atPath: settingsFile) else {
            throw Failure.badInput(
                "\(settingsFile) is not there: make the folder with `wasl registry init --folder \(path)`, or name it with --folder")
        }
        let settings = try Settings(file: settingsFile)
        validFor = try settings.duration("valid") ?? .seconds(365 * 86_400)
        keepsEndedKeysFor = try settings.duration("keep-ended-keys") ?? .seconds(400 * 86_400)
        guard validFor >= .seconds(86_400) else { throw settings.error("valid", "expected a day at least, such as `365 d`") }
        try settings.finish()
        root = try RegistryCommand.publicKey(RegistryFolder.rootKeyFile(in: path))
        rotations = try RegistryFolder.readRotations(path)
        files = try RegistryFolder.readParticipants(path)
        let names = try RegistryNames(folder: path, participants: files.map(\.participant))
        delegations = try names.delegations(in: RegistryFolder.delegationsFile(in: path))
        approvals = try RegistryFolder.readApprovals(path, files)
    }

    static func readRotations(_ path: String) throws -> [RootRotation] {
        let file = rotationsFile(in: path)
        guard FileManager.default.fileExists(atPath: file) else { return [] }
        do {
            return try (JSON.parse(try Program.read(file)).array ?? []).enumerated().map { try RootRotation($1, at: "rotations[\($0)]") }
        } catch { throw Failure.badInput("\(file): \(error); `wasl registry rotate-root` writes it, put its last version back") }
    }

    private static func readParticipants(_ path: String) throws -> [RegistryParticipantFile] {
        let folder = participantsFolder(in: path)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let files = try names.filter { $0.hasSuffix(".yaml") && !$0.hasPrefix(".") }.sorted().map {
            try RegistryParticipantFile(path: "\(folder)/\($0)")
        }
        if let stray = names.first(where: { $0.hasSuffix(".yml") }) {
            throw SettingsError(file: "\(folder)/\(stray)", key: "", reason: "a participant's file ends in .yaml; rename it")
        }
        var owners: [String: String] = [:]
        for file in files {
            for (index, key) in file.participant.keys.enumerated() {
                if let owner = owners.updateValue(file.path, forKey: key.jwk.thumbprint) {
                    throw SettingsError(
                        file: file.path, key: "keys[\(index)]",
                        reason: "the same key stands in \(owner): a key has one owner; have a new one made")
                }
            }
        }
        return files
    }

    /// One participant's file.
    static func participant(_ text: String, in folder: String) throws -> RegistryParticipantFile {
        guard let id = ParticipantID(text) else { throw Failure.usage("\(text): not a participant's identifier") }
        let path = participantFile(id, in: folder)
        guard FileManager.default.fileExists(atPath: path) else {
            throw Failure.badInput(
                "\(path) is not there: add the participant with `wasl registry add --id \(id)`, or name the folder with --folder")
        }
        return try RegistryParticipantFile(path: path)
    }
}

extension Settings {
    /// A list of texts; empty where the key is not there.
    func texts(of key: String) throws -> [String] {
        guard let value = value(key), !value.isNull else { return [] }
        guard let list = value.array, case let texts = list.compactMap(\.string), texts.count == list.count else {
            throw error(key, "expected a list of texts, such as [first, second]")
        }
        return texts
    }

    /// A day or a time in UTC.
    func time(_ key: String) throws -> Timestamp? {
        guard let text = try string(key) else { return nil }
        guard let time = Timestamp(Registry.isDate(text) ? "\(text)T00:00:00Z" : text) else {
            throw error(key, "expected a day (2026-01-31) or a time in UTC (2026-01-31T08:00:00Z)")
        }
        return time
    }
}
