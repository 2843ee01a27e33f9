public import WaslJournal
public import WaslModel
public import WaslSeal

extension House {
    /// Rebuilds a stopped house's lost journal from the ledger's evidence.
    ///
    /// - Returns: how many requests it knows again.
    public static func rebuild(
        _ id: ParticipantID, _ path: String, _ headPath: String, _ keys: KeyFile, _ registry: RegistryHolder,
        from evidence: EvidenceOfParticipant, reason: String
    ) throws -> Int {
        let rebuild = HouseRebuild(steps: HouseSteps(house: id, key: keys.signing), openingKeys: keys.opening)
        try JournalRebuild.run(
            path: path, headPath: headPath,
            identity: JournalIdentity(source: Source(role: .house, participant: id), key: keys.signing),
            registry: registry.registry.version, evidence: evidence.messages, reason: reason, migrations: HouseSchema.register
        ) { try rebuild.run(evidence, in: $0) }
        return evidence.messages.count { $0.envelope.type == .requestSubmitted && $0.envelope.source.participant == id }
    }
}
