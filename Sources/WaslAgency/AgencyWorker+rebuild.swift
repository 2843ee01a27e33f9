public import WaslCatalogue
public import WaslJournal
import WaslModel
public import WaslSeal

extension AgencyWorker {
    /// Rebuilds a stopped worker's lost journal from the ledger's evidence.
    ///
    /// - Returns: how many requests it knows again.
    public static func rebuild(
        _ agency: Agency, _ path: String, _ headPath: String, _ keys: KeyFile, _ catalogue: Catalogue, _ registry: RegistryHolder,
        from evidence: EvidenceOfParticipant, reason: String
    ) throws -> Int {
        let desk = JobDesk(agency: agency, catalogue: CatalogueHolder(catalogue), openingKeys: keys.opening, registry: registry)
        let rebuild = AgencyRebuild(desk: desk, environment: .system)
        try JournalRebuild.run(
            path: path, headPath: headPath,
            identity: JournalIdentity(source: Source(role: .agency, participant: agency.id), key: keys.signing),
            registry: registry.registry.version, evidence: evidence.messages, reason: reason, migrations: AgencySchema.register
        ) { try rebuild.run(evidence, in: $0) }
        return evidence.messages.count { $0.envelope.type == .requestSubmitted && $0.envelope.recipient == agency.id }
    }
}
