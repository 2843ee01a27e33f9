import Foundation
public import GRDB
import WaslModel

/// Makes a new journal in the place of a lost one, from what the ledger kept of it.
public enum JournalRebuild {
    /// All or nothing: the file gets its name when it is whole, and its head file after it.
    ///
    /// - Parameters:
    ///   - registry: the version that is held: the new journal begins with it.
    ///   - steps: the role's own part, in the same transaction as `journal.opened`.
    /// - Throws: ``JournalError`` when there is still a journal at that path, or a daemon holds it.
    public static func run(
        path: String, headPath: String, identity: JournalIdentity, registry: Int64, evidence: [Evidence], reason: String,
        migrations: (inout DatabaseMigrator) -> Void, steps: @escaping (JournalTransaction) throws -> Void
    ) throws {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw JournalError(
                .foreign, "\(path): there is still a journal here",
                remedy: "Stop the daemon and move the old file aside: it is kept, not used")
        }
        let lock = try JournalLock(path)
        // Each beside what it takes the place of: a head file outside backups may well be on another disk.
        let (fresh, freshHead) = (path + ".rebuilding", headPath + ".rebuilding")
        for leftover in [fresh, fresh + "-wal", fresh + "-shm", freshHead] { try? FileManager.default.removeItem(atPath: leftover) }
        // The old head file outlived the journal: it knows the end that even the ledger may not have seen.
        let known = (try? HeadFile(path: headPath, isNew: false))?.read()?.lane
        let previous = known ?? EvidenceFile.lastHead(of: identity.source.participant, in: evidence)
        try withExtendedLifetime(lock) {
            let opening = Opening.rebuilt(reason: reason, previous: previous) {
                try $0.hold(registry: registry)
                try steps($0)
            }
            try make(fresh, freshHead, identity, opening, migrations)
            guard rename(fresh, path) == 0, rename(freshHead, headPath) == 0 else {
                throw JournalError(.full, "\(path): \(String(cString: strerror(errno)))", remedy: "Check the folder, and run it again")
            }
        }
        for leftover in [fresh + ".lock", fresh + "-shm"] { try? FileManager.default.removeItem(atPath: leftover) }
    }

    private static func make(
        _ path: String, _ headPath: String, _ identity: JournalIdentity, _ opening: Opening,
        _ migrations: (inout DatabaseMigrator) -> Void
    ) throws {
        let store = try JournalStore(
            path: path, headPath: headPath, identity: identity, opening: opening, migrations: migrations)
        // One file with everything in it, so that one rename moves all of it.
        try store.writer.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
        try store.writer.close()
    }
}
