import Foundation

/// A file that holds a secret: a key, a token, a password, credentials, the digests of passwords.
///
/// One that others may read is no secret any more, so it is refused rather than mended: a person has to know, and to replace what it
/// holds.
public enum SecretFile {
    /// Reads one that only its owner may read; the owner is this process's user, or root, who can read everything anyway.
    ///
    /// - Throws: ``SecretFileError`` naming the file and what to run.
    public static func read(_ path: String) throws(SecretFileError) -> [UInt8] {
        let descriptor = try opened(path)
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Foundation.read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path) }
            if count == 0 { return bytes }
            bytes += part[..<count]
            guard bytes.count <= bytesMax else {
                throw SecretFileError(path: path, reason: "more than \(bytesMax) bytes: is this the right file?", isOpenToOthers: false)
            }
        }
    }

    /// For a file that a library reads by itself, such as a certificate's key.
    ///
    /// - Throws: as ``read(_:)`` does.
    public static func check(_ path: String) throws(SecretFileError) { close(try opened(path)) }

    private static let bytesMax = 1 << 20

    /// What is looked at is what is opened: a path may come to mean another file in between.
    private static func opened(_ path: String) throws(SecretFileError) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable(path) }
        do throws(SecretFileError) { try examine(descriptor, path) } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func examine(_ descriptor: Int32, _ path: String) throws(SecretFileError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SecretFileError(path: path, reason: "not a file", isOpenToOthers: false)
        }
        guard status.st_mode & 0o077 == 0 else {
            throw SecretFileError(path: path, reason: "others may read it; run `chmod 600 \(path)`", isOpenToOthers: true)
        }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw SecretFileError(
                path: path, reason: "it belongs to another user (\(status.st_uid)), who may read it; run `chown \(geteuid()) \(path)`",
                isOpenToOthers: true)
        }
    }

    private static func unreadable(_ path: String) -> SecretFileError {
        SecretFileError(path: path, reason: "cannot be read (\(String(cString: strerror(errno))))", isOpenToOthers: false)
    }
}

/// Why a secret's file is not used.
public struct SecretFileError: Error, Sendable, Hashable, CustomStringConvertible {
    public let path: String
    public let reason: String
    /// Somebody else may have read it.
    public let isOpenToOthers: Bool

    public var description: String { "\(path): \(reason)" }
}
