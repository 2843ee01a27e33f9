import GRDB
package import WaslJournal
import WaslModel
package import WaslSeal

/// The registry on its way to everybody.
extension LedgerSteps {
    /// So many go out in one sweep at most: each may be a message of the greatest size.
    static let registriesAtOnce = 4
    private static let day: Duration = .seconds(86_400)
    private static let hour: Duration = .seconds(3_600)

    /// Says the registry to every active participant: when a newer one is held, once a day, and at most once an hour to whoever still says
    /// that it holds an older one. What was said to whom is kept, so that a restart says nothing twice.
    ///
    /// - Parameter signed: the registry's own text with its signatures; `nil` where it has none, and cannot be published.
    package func publish(_ registry: Registry, _ signed: RegistryFile?, in transaction: JournalTransaction) throws {
        guard let signed else { return }
        let due = try recipients(of: registry, transaction).prefix(LedgerSteps.registriesAtOnce)
        let findings = Findings(transaction: transaction)
        for participant in due {
            do {
                try transaction.append(
                    Draft(
                        type: .registry, recipient: participant,
                        data: [
                            "registry": .string(String(decoding: signed.body, as: UTF8.self)), "signature": .string(signed.signatures),
                        ]))
            } catch let error as EnvelopeError {
                // Nobody else's would fit either. Participants are handed the file meanwhile.
                return try findings.open(
                    .staleRegistry, key: LedgerSteps.tooLarge,
                    evidence: [
                        "version": .integer(registry.version), "reason": .string("the registry fits into no message: \(error)"),
                        "remedy": "let ended keys go to the archive sooner, sign again; hand out the file meanwhile",
                    ])
            }
            try transaction.db.cachedStatement(
                sql: """
                    INSERT INTO registry_sent (participant, version, at) VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET version = excluded.version, at = excluded.at
                    """
            ).execute(arguments: [participant.text, registry.version, transaction.now.milliseconds])
        }
        if !due.isEmpty { try findings.clear(.staleRegistry, key: LedgerSteps.tooLarge, cause: "the registry fits into its message") }
    }

    private static let tooLarge = "too large"

    private struct Sent {
        let version: Int64
        let at: Timestamp
    }

    private func recipients(of registry: Registry, _ transaction: JournalTransaction) throws -> [ParticipantID] {
        let db = transaction.db
        let sent = Dictionary(
            uniqueKeysWithValues: try Row.fetchAll(db.cachedStatement(sql: "SELECT participant, version, at FROM registry_sent"))
                .map { ($0[0] as String, Sent(version: $0[1], at: Timestamp(milliseconds: $0[2]))) })
        let behind = Dictionary(
            uniqueKeysWithValues: try Row.fetchAll(
                db.cachedStatement(sql: "SELECT id, seen FROM participant WHERE registry < ?"), arguments: [registry.version]
            ).map { ($0[0] as String, Timestamp(milliseconds: $0[1])) })
        return registry.participants.values.filter { $0.role != .ledger && $0.state == .active }.map(\.id).sorted().filter { id in
            guard let last = sent[id.text], last.version >= registry.version else { return true }
            // Whoever has not been heard since has it waiting in its queue.
            let stillSaysOlder = behind[id.text].map { last.at < $0 } ?? false
            return transaction.now.since(last.at) >= (stillSaysOlder ? LedgerSteps.hour : LedgerSteps.day)
        }
    }
}
