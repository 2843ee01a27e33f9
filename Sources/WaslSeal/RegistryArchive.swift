public import WaslModel

/// Public keys that went out of use long ago: a signed document of its own, so that the registry stays small enough for a message.
///
/// The registry names it by version and digest, and that is why it is believed: an older one might not know a late revocation.
public struct RegistryArchive: Sendable {
    /// Which archive belongs to a registry.
    public struct Name: Sendable, Hashable {
        public let version: Int64
        /// Base64url of SHA-256 of the archive's exact bytes, without the signature's line.
        public let digest: String

        public init(version: Int64, digest: String) {
            self.version = version
            self.digest = digest
        }

        init(_ json: JSON, at place: String) throws(SealError) {
            guard let version = json["version"]?.integer, version >= 1, let digest = json["digest"]?.string, digest.utf8.count == 43
            else { throw SealError(.malformed, "\(place): expected a version from 1 and a digest of 43 characters") }
            self.init(version: version, digest: digest)
        }

        var json: JSON { ["version": .integer(version), "digest": .string(digest)] }
    }

    public let version: Int64
    public let issued: Timestamp
    /// By participant; one that has left the registry is still here.
    public let keys: [ParticipantID: [Registry.Key]]

    public init(version: Int64, issued: Timestamp, keys: [ParticipantID: [Registry.Key]]) {
        self.version = version
        self.issued = issued
        self.keys = keys.filter { !$0.value.isEmpty }
    }

    /// Reads an archive whose signature or digest was verified.
    public init(_ json: JSON) throws(SealError) {
        guard let version = json["version"]?.integer, version >= 1 else {
            throw SealError(.malformed, "archive.version: expected a whole number from 1")
        }
        guard let list = json["participants"]?.array else { throw SealError(.malformed, "archive.participants: expected an array") }
        var keys: [ParticipantID: [Registry.Key]] = [:]
        for (index, element) in list.enumerated() {
            let place = "archive.participants[\(index)]"
            guard let id = element["id"]?.string.flatMap({ ParticipantID($0) }) else {
                throw SealError(.malformed, "\(place).id: expected a participant's identifier")
            }
            keys[id, default: []] += try Registry.Key.list(element["keys"], at: place)
        }
        self.init(version: version, issued: try Registry.time(json, "issued", at: "archive"), keys: keys)
    }

    public var json: JSON {
        [
            "version": .integer(version), "issued": .string(issued.description),
            "participants": .array(
                keys.sorted { $0.key < $1.key }.map { ["id": .string($0.key.text), "keys": .array($0.value.map(\.json))] }),
        ]
    }

    /// The exact bytes that are signed and named by digest.
    public var body: [UInt8] { json.bytes + [0x0A] }

    public var name: Name { Name(version: version, digest: digestText(body)) }

    /// Where it is kept: beside the registry's own file.
    public static func path(beside registry: String) -> String { registry + ".archive" }

    /// Divides keys into those that a registry keeps and those that ended before a time.
    public static func divide(
        _ participants: [Registry.Participant], endedBefore time: Timestamp
    ) -> (kept: [Registry.Participant], retired: [ParticipantID: [Registry.Key]]) {
        func isRetired(_ key: Registry.Key) -> Bool { key.end.map { $0 < time } == true }
        return (
            participants.map { $0.with(keys: $0.keys.filter { !isRetired($0) }) },
            Dictionary(participants.map { ($0.id, $0.keys.filter(isRetired)) }, uniquingKeysWith: +)
        )
    }

    /// Signs the archive and writes its file.
    public func write(to path: String, rootKey: SigningKey) throws {
        try RegistryFile(body: body, as: .registryArchive, signedBy: [rootKey]).write(to: path)
    }

    /// Reads the archive that a registry names.
    ///
    /// - Throws: ``SealError`` saying what is in its place, and what to do.
    static func read(_ name: Name, at path: String) throws(SealError) -> RegistryArchive {
        let body: [UInt8]
        do { body = try RegistryFile(path: path).body } catch {
            throw SealError(
                .stale, "archive version \(name.version) of retired keys is not at \(path); the directorate hands it out with the registry")
        }
        guard digestText(body) == name.digest else {
            throw SealError(
                .stale,
                "\(path) is not archive version \(name.version) that the registry names (digest \(name.digest)); put that one in its place")
        }
        let json: JSON
        do { json = try JSON.parse(body) } catch { throw SealError(.malformed, "\(path): \(error)") }
        return try RegistryArchive(json)
    }
}
