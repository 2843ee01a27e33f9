import Foundation
import WaslCatalogue
import WaslModel
import WaslSeal

/// One participant in the registry's folder. The file's name is the identifier.
struct RegistryParticipantFile {
    let path: String
    /// Comments at the top, which are kept when the program writes the file.
    let header: [String]
    var participant: Registry.Participant

    /// A new one.
    init(_ participant: Registry.Participant, in folder: String) {
        path = RegistryFolder.participantFile(participant.id, in: folder)
        header = []
        self.participant = participant
    }

    init(path: String) throws {
        self.path = path
        let settings = try Settings(file: path)
        guard let id = ParticipantID(URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent) else {
            throw SettingsError(
                file: path, key: "",
                reason: "the file's name is no participant's identifier (lower-case letters, digits and `-`); rename it")
        }
        guard let role = try settings.word("role", Role.self) else { throw settings.error("role", "missing: house, agency or ledger") }
        guard (role == .ledger) == (id == .ledger) else {
            throw settings.error("role", "the ledger's identifier is `ledger`, and nobody else's is; rename the file or change the role")
        }
        participant = Registry.Participant(
            id: id, role: role, names: try settings.requiredTexts("names"), governorate: try settings.string("governorate"),
            isMobile: try settings.bool("mobile") ?? false, isPlaceholder: try settings.bool("placeholder") ?? false,
            state: try settings.word("state", Registry.State.self) ?? .active,
            keys: try settings.groups("keys").map(RegistryParticipantFile.key))
        try settings.finish()
        header = String(decoding: try Program.read(path), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .prefix { $0.hasPrefix("#") }.map(String.init)
    }

    private static func key(_ settings: Settings) throws -> Registry.Key {
        guard let use = try settings.word("use", Registry.KeyUse.self) else { throw settings.error("use", "missing: sig, enc or person") }
        guard let x = Base64URL.decode(try settings.requiredString("x")), x.count == 32 else {
            throw settings.error("x", "expected 32 bytes in base64url, as `wasl keys show` prints them")
        }
        let jwk = try PublicJWK(curve: use == .sealing ? .x25519 : .ed25519, x: x)
        if let kid = try settings.string("kid"), kid != jwk.thumbprint {
            throw settings.error("kid", "is not the thumbprint of x, which is \(jwk.thumbprint): one of the two was copied wrongly")
        }
        let holder = try settings.string("holder")
        guard (holder != nil) == (use == .person) else {
            throw settings.error("holder", use == .person ? "missing: whose key it is" : "only a key with `use: person` has a holder")
        }
        guard let from = try settings.time("from") else { throw settings.error("from", "missing: from when on the key is valid") }
        return Registry.Key(
            jwk: jwk, use: use, holder: holder, from: from, until: try settings.time("until"), revoked: try settings.time("revoked"))
    }

    /// Writes the file anew.
    ///
    /// - Throws: ``Failure`` when that would lose what a person has written between the lines.
    func write() throws {
        if let data = FileManager.default.contents(atPath: path) {
            let rest = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).dropFirst(
                header.count)
            if let line = rest.first(where: { $0.hasPrefix("#") || $0.contains(" #") }) {
                throw Failure.badInput(
                    "\(path): the comment `\(line.trimmingCharacters(in: .whitespaces))` would be lost; move it to the top of the file, or change the file by hand"
                )
            }
        }
        try Data((header + lines).joined(separator: "\n").utf8 + [0x0A]).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    private var lines: [String] {
        var lines = [
            "role: \(participant.role.rawValue)", "names:", "  ar: \(YAMLText.scalar(participant.names.ar))",
            "  fr: \(YAMLText.scalar(participant.names.fr))", "  en: \(YAMLText.scalar(participant.names.en))",
        ]
        if let governorate = participant.governorate { lines.append("governorate: \(YAMLText.scalar(governorate))") }
        if participant.isMobile { lines.append("mobile: true") }
        if participant.isPlaceholder { lines.append("placeholder: true") }
        lines.append("state: \(participant.state.rawValue)")
        if !participant.keys.isEmpty { lines.append("keys:") }
        for key in participant.keys {
            lines.append("  - use: \(key.use.rawValue)")
            if let holder = key.holder { lines.append("    holder: \(YAMLText.scalar(holder))") }
            lines.append("    kid: \(YAMLText.scalar(key.jwk.thumbprint))")
            lines.append("    x: \(YAMLText.scalar(Base64URL.encode(key.jwk.x)))")
            lines.append("    from: \(key.from)")
            if let until = key.until { lines.append("    until: \(until)") }
            if let revoked = key.revoked { lines.append("    revoked: \(revoked)") }
        }
        return lines
    }
}

/// How a text stands in a YAML file.
enum YAMLText {
    /// Bare where nobody could take it for something else; else in quotes, as JSON writes it.
    static func scalar(_ text: String) -> String {
        let bytes = Array(text.utf8)
        func isLetter(_ byte: UInt8) -> Bool { byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A }
        let isPlain =
            bytes.first.map(isLetter) == true && bytes.last != 0x20
            && bytes.allSatisfy { isLetter($0) || ($0 >= 0x30 && $0 <= 0x39) || [0x20, 0x2D, 0x2E, 0x5F].contains($0) }
            && !["true", "false", "null", "yes", "no", "on", "off"].contains(text.lowercased())
        return isPlain ? text : JSON.string(text).text
    }
}
