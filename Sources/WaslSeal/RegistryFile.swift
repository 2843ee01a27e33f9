import Foundation
import WaslModel

/// A document of the directorate's with its signatures in one file: a first line with a detached signature, or two with a space between
/// them, then the exact bytes.
///
/// One file, so that a crash never leaves a body with another's signature.
public struct RegistryFile: Sendable {
    /// The first line.
    public let signatures: String
    public let body: [UInt8]

    public init(signatures: String, body: [UInt8]) {
        self.signatures = signatures
        self.body = body
    }

    public init(body: [UInt8], as kind: DetachedSignature.Kind, signedBy keys: [SigningKey]) throws {
        signatures = try keys.map { try DetachedSignature.sign(body, as: kind, with: $0) }.joined(separator: " ")
        self.body = body
    }

    public init(path: String) throws(SealError) {
        guard let file = FileManager.default.contents(atPath: path).map({ [UInt8]($0) }) else {
            throw SealError(.malformed, "\(path): cannot be read; the directorate hands out the signed registry")
        }
        guard let end = file.firstIndex(of: 0x0A) else {
            throw SealError(.malformed, "\(path): expected a signature's line, then the registry")
        }
        self.init(signatures: String(decoding: file[..<end], as: UTF8.self), body: Array(file[(end + 1)...]))
    }

    private var bytes: [UInt8] { Array(signatures.utf8) + [0x0A] + body }

    public func write(to path: String) throws {
        try writePrivateFile(bytes, to: path)
        // Its new name too: a journal may note what is in it, and must not outlive it at a power cut.
        let folder = (path as NSString).deletingLastPathComponent
        let descriptor = open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SealError(.unsafeFile, "\(folder): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SealError(.unsafeFile, "\(folder): \(String(cString: strerror(errno)))") }
    }

    /// Whether these very bytes are there already: daemons of one machine may have one file, and whoever is first writes it.
    func isWritten(to path: String) -> Bool { FileManager.default.contents(atPath: path).map { [UInt8]($0) } == bytes }

    /// Signature by `kid`: a line holds one or two.
    func signatures(as kind: DetachedSignature.Kind) throws(SealError) -> [String: String] {
        let texts = signatures.pieces(0x20).map(String.init)
        guard (1...2).contains(texts.count) else {
            throw SealError(.malformed, "expected one signature or two with a space between them, found \(texts.count)")
        }
        var byKey: [String: String] = [:]
        for text in texts {
            guard byKey.updateValue(text, forKey: try DetachedSignature.keyID(text, as: kind)) == nil else {
                throw SealError(.malformed, "both signatures are by the same key")
            }
        }
        return byKey
    }
}
