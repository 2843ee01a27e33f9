import WaslJournal
import WaslModel
public import WaslSeal

extension Ledger {
    /// Opens a new epoch in a stopped ledger's journal.
    public static func reopen(_ path: String, _ headPath: String?, _ keys: KeyFile, reason: String) throws {
        _ = try JournalStore(
            path: path, headPath: headPath,
            identity: JournalIdentity(source: Source(role: .ledger, participant: .ledger), key: keys.signing),
            opening: .reopened(reason: reason), migrations: LedgerSchema.register)
    }
}
