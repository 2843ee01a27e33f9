import Foundation
import WaslModel

/// A participant's private keys on disk: one JSON object `{"signing": JWK, "opening": [JWK, …]}`, readable by its owner only.
public struct KeyFile: Sendable {
    public let signing: SigningKey
    /// The first is current; the others are retired but still open what was sealed to them.
    public let opening: [OpeningKey]

    public init(signing: SigningKey = SigningKey(), opening: [OpeningKey] = [OpeningKey()]) {
        self.signing = signing
        self.opening = opening
    }

    /// - Throws: ``SealError`` with `unsafeFile` when others may read the file.
    public init(path: String) throws {
        let bytes: [UInt8]
        do { bytes = try SecretFile.read(path) } catch {
            throw error.isOpenToOthers
                ? SealError(.unsafeFile, "\(error)") : SealError(.badKey, "\(error); make one with `wasl keys generate`")
        }
        let json: JSON
        do { json = try JSON.parse(bytes) } catch { throw SealError(.badKey, "\(path): \(error)") }
        guard let signing = json["signing"], let opening = json["opening"]?.array else {
            throw SealError(.badKey, "\(path): expected `signing` and `opening`")
        }
        self.signing = try SigningKey(seed: KeyFile.seed(signing, .ed25519, path))
        self.opening = try opening.map { try OpeningKey(seed: KeyFile.seed($0, .x25519, path)) }
    }

    private static func seed(_ jwk: JSON, _ curve: Curve, _ path: String) throws -> [UInt8] {
        guard jwk["kty"]?.string == "OKP", jwk["crv"]?.string == curve.rawValue,
            let seed = jwk["d"]?.string.flatMap({ Base64URL.decode($0) })
        else { throw SealError(.badKey, "\(path): expected a private JWK with crv \(curve.rawValue)") }
        return seed
    }

    /// Writes the file anew, mode 0600 from its first byte on.
    public func write(to path: String) throws {
        let json: JSON = [
            "signing": KeyFile.privateJWK(signing.jwk, signing.seed),
            "opening": .array(opening.map { KeyFile.privateJWK($0.jwk, $0.seed) }),
        ]
        try writePrivateFile(Array((json.prettyText + "\n").utf8), to: path)
    }

    private static func privateJWK(_ jwk: PublicJWK, _ seed: [UInt8]) -> JSON {
        guard case .object(var object) = jwk.json else { return jwk.json }
        object["d"] = .string(Base64URL.encode(seed))
        return .object(object)
    }
}

/// Writes a file that only its owner may read: to a temporary name, synced, then renamed, so that a torn file is never seen.
public func writePrivateFile(_ bytes: [UInt8], to path: String) throws {
    removeAbandonedCopies(of: path)
    // A name of its own: daemons that share a file may write it at the same moment.
    let temporary = "\(path)\(temporaryMark)\(getpid())-\(hexText(randomBytes(8)))"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SealError(.unsafeFile, "\(temporary): \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0, rename(temporary, path) == 0 else {
        let reason = String(cString: strerror(errno))
        unlink(temporary)
        throw SealError(.unsafeFile, "\(path): \(reason)")
    }
}

private let temporaryMark = ".writing-"

/// Removes what crashes left behind. An hour is longer than anybody writes, so no file is taken from under its writer.
private func removeAbandonedCopies(of path: String) {
    let folder = (path as NSString).deletingLastPathComponent
    let beginning = (path as NSString).lastPathComponent + temporaryMark
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
    for name in names where name.hasPrefix(beginning) {
        let file = folder.isEmpty ? name : folder + "/" + name
        var status = stat()
        if lstat(file, &status) == 0, time(nil) - status.st_mtim.tv_sec > 3_600 { unlink(file) }
    }
}
