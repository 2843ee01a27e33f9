import WaslJournal
public import WaslModel
public import WaslSeal

extension House {
    /// Opens a new epoch in a stopped house's journal.
    public static func reopen(
        _ id: ParticipantID, _ path: String, _ headPath: String?, _ keys: KeyFile, reason: String
    ) throws {
        _ = try JournalStore(
            path: path, headPath: headPath,
            identity: JournalIdentity(source: Source(role: .house, participant: id), key: keys.signing),
            opening: .reopened(reason: reason), migrations: HouseSchema.register)
    }
}
