import GRDB
import WaslJournal
public import WaslModel
public import WaslSeal

extension Ledger {
    /// Opens a new epoch in a stopped ledger's journal.
    public static func reopen(_ path: String, _ headPath: String, _ keys: KeyFile, reason: String) throws {
        _ = try JournalStore(
            path: path, headPath: headPath,
            identity: JournalIdentity(source: Source(role: .ledger, participant: .ledger), key: keys.signing),
            opening: .reopened(reason: reason), migrations: LedgerSchema.register)
    }

    /// All that a participant said and all that was said to it, as a file for `wasl journal rebuild`. Reads only.
    public static func evidence(path: String, of participant: ParticipantID) throws -> String {
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        return EvidenceFile.text(try queue.read { try LedgerQueries.evidence($0, of: participant) })
    }
}
