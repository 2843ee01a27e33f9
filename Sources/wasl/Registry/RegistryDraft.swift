import Foundation
import WaslModel
import WaslSeal

/// What the folder says, ready to be signed: the registry that follows the one held, and its archive.
struct RegistryDraft {
    let registry: Registry
    /// `nil` while no key has been retired.
    let archive: RegistryArchive?
    /// What a person should look at before signing.
    let warnings: [String]
}

extension RegistryFolder {
    /// The registry that comes after the one held. Nothing that the held one knows of keys is lost: those of participants that are no
    /// longer in the folder go to the archive, for history has to be verified.
    ///
    /// - Parameter file: the held registry's file, beside which its archive lies.
    func draft(after held: RegistryHolder?, beside file: String, now: Timestamp) throws -> RegistryDraft {
        if let missing = held?.archiveMissing {
            throw Failure.badInput("\(missing). Signing without it would forget the keys that are in it")
        }
        let heldArchive = try held?.registry.archive.map { _ in
            try RegistryArchive(JSON.parse(RegistryFile(path: RegistryArchive.path(beside: file)).body))
        }
        let (kept, ended) = RegistryArchive.divide(files.map(\.participant), endedBefore: now.advanced(by: .zero - keepsEndedKeysFor))
        var retired = ended
        var known = Set(files.flatMap { $0.participant.keys.map(\.jwk.thumbprint) })
        for participant in held?.registry.participants.values.sorted(by: { $0.id < $1.id }) ?? [] {
            for key in participant.keys where known.insert(key.jwk.thumbprint).inserted {
                retired[participant.id, default: []].append(key.ending(at: now))
            }
        }
        for (id, keys) in heldArchive?.keys ?? [:] {
            for key in keys where known.insert(key.jwk.thumbprint).inserted { retired[id, default: []].append(key) }
        }
        let archive = RegistryFolder.archive(retired, after: heldArchive, now)
        let registry = try Registry(
            version: (held?.registry.version ?? 0) + 1, issued: now, expires: now.advanced(by: validFor), participants: kept,
            delegations: delegations, approvals: approvals, archive: archive?.name, root: rotations.isEmpty ? nil : root,
            rotations: rotations)
        return RegistryDraft(registry: registry, archive: archive, warnings: RegistryFolder.warnings(registry, now))
    }

    /// The archive held where it says the same, so that a new version means new content.
    private static func archive(
        _ retired: [ParticipantID: [Registry.Key]], after held: RegistryArchive?, _ now: Timestamp
    ) -> RegistryArchive? {
        let sorted = retired.mapValues { $0.sorted { ($0.from, $0.jwk.thumbprint) < ($1.from, $1.jwk.thumbprint) } }
        let next = RegistryArchive(version: (held?.version ?? 0) + 1, issued: now, keys: sorted)
        if next.keys.isEmpty { return nil }
        return held.map { $0.json["participants"] == next.json["participants"] } == true ? held : next
    }

    private static func warnings(_ registry: Registry, _ now: Timestamp) -> [String] {
        registry.participants.values.sorted { $0.id < $1.id }.filter { $0.state == .active }.flatMap { participant -> [String] in
            let valid = participant.keys.filter { $0.isValid(at: now) }
            var lines: [String] = []
            for (use, words) in [(Registry.KeyUse.signing, "sign with"), (.sealing, "be sealed to")] {
                let keys = valid.filter { $0.use == use }
                if keys.isEmpty { lines.append("\(participant.id) is active and has no key to \(words) today") }
                let soon = now.advanced(by: .seconds(30 * 86_400))
                if let last = keys.compactMap(\.until).max(), keys.allSatisfy({ $0.until != nil }), last < soon,
                    !participant.keys.contains(where: { $0.use == use && $0.from <= last && $0.isValid(at: soon) })
                {
                    lines.append(
                        "\(participant.id): its last key to \(words) ends \(last); have a new one made and `wasl registry rotate` it in")
                }
            }
            return lines
        }
    }
}
