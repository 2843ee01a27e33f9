import Foundation

/// Held for as long as a journal is open: no two processes write one journal. The kernel lets go of it however the process ends.
final class JournalLock {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw JournalError(
                .locked, "\(path).lock: cannot be opened (\(String(cString: strerror(errno))))",
                remedy: "Check that the folder exists and belongs to this user")
        }
        fchmod(descriptor, 0o600)
        // The descriptor is closed by `deinit`, which runs although this throws: every property has its value.
        guard JournalLock.take(descriptor) else {
            throw JournalError(
                .locked, "\(path): another process holds this journal", remedy: "Stop it first: one journal, one process")
        }
    }

    deinit { close(descriptor) }

    /// A holder that is just ending, or a child between its fork and its exec, lets go within moments: worth half a second.
    private static func take(_ descriptor: Int32) -> Bool {
        for _ in 0..<50 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            Thread.sleep(forTimeInterval: 0.01)
        }
        return false
    }
}
