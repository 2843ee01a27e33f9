import GRDB
import WaslCatalogue
import WaslJournal
import WaslLedger
import WaslModel
import WaslSeal
import WaslSimulation

/// The ledger in the world.
final class WorldLedger: WorldProcess {
    private var startedAt = Timestamp(milliseconds: 0)

    override var queues: [String] { ["ledger", "unroutable", "dead", "control.ledger"] }
    override var prefetch: Int { 2048 }
    override var batchMax: Int { 512 }
    override func migrations(_ migrator: inout DatabaseMigrator) { LedgerSchema.register(in: &migrator) }

    private var steps: LedgerSteps { LedgerSteps(catalogue: world.holder, times: world.ledgerTimes, planted: planted) }

    private var planted: PlantedLedgerBug? {
        switch world.options.bug {
        case .anyAgencyBelieved: .anyAgencyBelieved
        case .namedAndBelieved: .namedAndBelieved
        case .anyHouseDelivers: .anyHouseDelivers
        case .secondRequestOverwrites: .secondRequestOverwrites
        case .foreignLaneTaken: .foreignLaneTaken
        case .claimedSourceBlamed: .claimedSourceBlamed
        case .oldBeatsCount: .oldBeatsCount
        case .timesUnchecked: .timesUnchecked
        case .floodListed: .floodListed
        case .collisionUnnamed: .collisionUnnamed
        case .epochsUnexplained: .epochsUnexplained
        default: nil
        }
    }

    override func started() throws {
        startedAt = clock.now
        sweep()
    }

    override func record(_ batch: [Delivery]) throws -> () -> Void {
        let handler = LedgerDeliveries(steps: steps, registry: registry, changes: ChangeSignal())
        let prepared = handler.prepare(batch)
        try commit { try handler.record(prepared, in: $0) }
        return {}
    }

    private func sweep() {
        later(world.sweepInterval) { [self] in
            // What did not come while nothing could come is not missing.
            if isConnected {
                _ = try? commit { try steps.sweep(registry.registry, startedAt: startedAt, in: $0) }
            }
            sweep()
        }
    }

    func evidence(of participant: ParticipantID) throws -> EvidenceOfParticipant? {
        try read { try LedgerQueries.evidence($0, of: participant) }
    }

    /// What the ledger says, as its interface says it.
    func word() throws -> FinalWord {
        var word = FinalWord()
        let rows =
            try read {
                try Row.fetchAll($0, sql: "SELECT house, subject, agency, service, submitted, millimes, status, delivered FROM request")
            } ?? []
        for row in rows {
            guard let request = RequestKey("\(row["house"] as String) \(row["subject"] as String)") else { continue }
            word.ledger[request] = FinalWord.LedgersWord(
                status: row["status"] ?? "sent", agency: row["agency"], service: row["service"],
                submitted: Timestamp(milliseconds: row["submitted"]), millimes: row["millimes"],
                isDelivered: (row["delivered"] as Int64?) != nil)
        }
        let keys = try read { try Row.fetchAll($0, sql: "SELECT number, key FROM finding") } ?? []
        let keyOf = Dictionary(uniqueKeysWithValues: keys.map { ($0["number"] as Int64, $0["key"] as String) })
        let findings = try read { try LedgerQueries.findings($0, state: "all", kind: nil, after: 0, limit: 1_000_000) }
        for finding in findings?["findings"]?.array ?? [] {
            let house = finding["house"]?.string.flatMap { ParticipantID($0) }
            let subject = finding["subject"]?.string.flatMap { RequestID($0) }
            guard let opened = finding["opened"]?.string.flatMap({ Timestamp($0) }) else { continue }
            word.findings.append(
                .init(
                    kind: finding["class"]?.string ?? "", key: finding["number"]?.integer.flatMap { keyOf[$0] } ?? "", opened: opened,
                    cleared: finding["cleared"]?.string.flatMap { Timestamp($0) }, participant: finding["participant"]?.string,
                    request: house.flatMap { house in subject.map { RequestKey(house: house, subject: $0) } },
                    evidence: finding["evidence"] ?? .null))
        }
        word.logged = Set(try read { try String.fetchAll($0, sql: "SELECT digest FROM entry") } ?? [])
        word.isLedgerReadable =
            try read { db in
                try Bool.fetchOne(
                    db, sql: "SELECT EXISTS (SELECT 1 FROM evidence WHERE instr(body, CAST(? AS BLOB)) > 0)",
                    arguments: [World.mark]) ?? false
            } ?? false
        return word
    }
}

/// What a bystander asks the ledger's file.
enum LedgerWord {
    /// Whether the ledger has heard a source's journal.
    static func hasLane(_ db: Database, of source: Source) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM lane WHERE source = ? AND seen > 0)", arguments: [source.description]) ?? false
    }
}
