import Foundation

/// A journal's files are for their owner alone, whatever the umask says: names, times and counts of citizens' cases stand in the open there.
///
/// One that is open to others, from an earlier version or put back from a backup with a wider mode, is narrowed and not refused: what a
/// citizen wrote is sealed inside, no person has anything to replace, and a counter must not stay closed for it.
enum OwnersFile {
    /// Makes an empty file where there is none, so that SQLite does not make it by the umask; its log and index take their mode from it.
    static func prepare(_ path: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
        } else if errno != EEXIST {
            throw JournalError(
                .locked, "\(path): cannot be made (\(String(cString: strerror(errno))))",
                remedy: "Check that the folder exists and belongs to this user")
        }
        for file in [path, path + "-wal", path + "-shm", path + "-journal"] { try narrow(file) }
    }

    /// By its name: to open and close the database's file would let go of locks that SQLite holds on it.
    private static func narrow(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & 0o077 != 0 else { return }
        guard chmod(path, 0o600) == 0 else {
            throw JournalError(
                .foreign, "\(path): others may read it, and it is not ours to change (\(String(cString: strerror(errno))))",
                remedy: "Run `chown` for the daemon's user, then `chmod 600`")
        }
    }
}
