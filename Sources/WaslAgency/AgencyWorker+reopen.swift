import WaslJournal
public import WaslModel
public import WaslSeal

extension AgencyWorker {
    /// Opens a new epoch in a stopped worker's journal.
    public static func reopen(
        _ id: ParticipantID, _ path: String, _ headPath: String?, _ keys: KeyFile, reason: String
    ) throws {
        _ = try JournalStore(
            path: path, headPath: headPath,
            identity: JournalIdentity(source: Source(role: .agency, participant: id), key: keys.signing),
            opening: .reopened(reason: reason), migrations: AgencySchema.register)
    }
}
