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
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw JournalError(
                .locked, "\(path): another process holds this journal", remedy: "Stop it first: one journal, one process")
        }
    }

    deinit { close(descriptor) }
}
