import GRDB
import WaslCatalogue
import WaslJournal
import WaslModel

/// What messages say about requests, kept as one row a request.
extension LedgerSteps {
    func project(_ message: Verified, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let envelope = message.envelope
        switch envelope.type {
        case .requestSubmitted:
            try submitted(envelope, findings, transaction)
            try named(envelope, findings, transaction)
        case .attachmentChunk: try piece(envelope, findings, transaction)
        case .requestTaken, .attemptIntended: try taken(envelope, findings, transaction)
        case .outcome:
            try outcome(envelope, findings, transaction)
            try named(envelope, findings, transaction)
        case .outcomeDelivered: try delivered(envelope, findings, transaction)
        case .messageRefused:
            try findings.open(
                .refusedMessage, key: "\(envelope.source.participant) \(envelope.data["digest"]?.string ?? envelope.id)",
                participant: envelope.source.participant,
                evidence: ["reason": JSON(envelope.data["reason"]?.string), "by": .string(envelope.source.description)])
        case .journalOpened: try opened(envelope, transaction)
        default: break
        }
    }

    /// A new epoch names the end of the one before: what is missing of that end is a gap, and stays one where a disk took it along.
    private func opened(_ envelope: Envelope, _ transaction: JournalTransaction) throws {
        guard let previous = envelope.data["previous"]?.string.flatMap({ EpochID($0) }),
            let end = envelope.data["previoussequence"]?.string.flatMap({ Int64($0) }), (1...LanePosition.sequenceMax).contains(end),
            envelope.source.role != .ledger
        else { return }
        try announce(previous, of: envelope.source, through: end, transaction)
    }

    private func submitted(_ envelope: Envelope, _ findings: Findings, _ transaction: JournalTransaction) throws {
        guard let subject = envelope.subject, let service = envelope.service else { return }
        let level = catalogue.service(service, version: envelope.contract)?.level
        let due = level.map { catalogue.calendar.due($0, from: envelope.time).milliseconds }
        try transaction.db.cachedStatement(
            sql: """
                INSERT INTO request (subject, house, agency, service, first_seen, submitted, expiry, due, millimes)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET house = excluded.house, agency = excluded.agency, service = excluded.service,
                    submitted = excluded.submitted, expiry = excluded.expiry, due = excluded.due, millimes = excluded.millimes
                """
        ).execute(arguments: [
            subject.text, envelope.source.participant.text, envelope.recipient?.text, service.text,
            transaction.now.milliseconds, envelope.time.milliseconds, envelope.expiry?.milliseconds, due,
            envelope.data["millimes"]?.integer,
        ])
        // Its outcome may have overtaken it, and an outcome may even have been taken for an orphan.
        if transaction.db.changesCount > 0 {
            try findings.clear([.orphanOutcome], about: subject, cause: "the request has come")
        }
    }

    private func ensure(_ subject: RequestID, _ transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(
            sql: "INSERT INTO request (subject, first_seen) VALUES (?, ?) ON CONFLICT DO NOTHING"
        ).execute(arguments: [subject.text, transaction.now.milliseconds])
    }

    private func taken(_ envelope: Envelope, _ findings: Findings, _ transaction: JournalTransaction) throws {
        guard let subject = envelope.subject else { return }
        try ensure(subject, transaction)
        try transaction.db.cachedStatement(sql: "UPDATE request SET taken = coalesce(taken, ?) WHERE subject = ?")
            .execute(arguments: [envelope.time.milliseconds, subject.text])
        try findings.clear([.notTaken, .unroutable, .deadLettered], about: subject, cause: "the agency took it")
    }

    private func outcome(_ envelope: Envelope, _ findings: Findings, _ transaction: JournalTransaction) throws {
        guard let subject = envelope.subject,
            let status = envelope.data["status"]?.string.flatMap(OutcomeStatus.init(rawValue:)),
            let revision = envelope.data["revision"]?.integer
        else {
            try findings.open(
                .refusedMessage, key: "ledger \(envelope.id)", participant: envelope.source.participant,
                subject: envelope.subject, evidence: ["reason": "data: expected a status and a revision", "by": "ledger"])
            return
        }
        try ensure(subject, transaction)
        guard
            let row = try Row.fetchOne(
                transaction.db.cachedStatement(
                    sql: "SELECT status, revision, is_terminal, agency FROM request WHERE subject = ?"),
                arguments: [subject.text])
        else { return }
        let (known, isTerminal): (String?, Bool) = (row[0], row[2])
        if isTerminal, status.isTerminal, known != status.rawValue {
            try findings.open(
                .contradictingOutcomes, key: subject.text, participant: envelope.source.participant, subject: subject,
                evidence: ["first": JSON(known), "then": .string(status.rawValue), "id": .string(envelope.id)])
            return
        }
        if isTerminal, known == status.rawValue, revision > row[1] as Int64 {
            // The same end said anew: with a document that the first saying has lost.
            try transaction.db.cachedStatement(sql: "UPDATE request SET outcome = ?, revision = ?, asks = 0 WHERE subject = ?")
                .execute(arguments: [envelope.id, revision, subject.text])
            return try follow(status, of: subject, envelope, findings)
        }
        // After its disk was lost an agency may have to ask people about what it had said already.
        if isTerminal, status == .parked { return try follow(status, of: subject, envelope, findings) }
        guard !isTerminal, status.isTerminal || revision > row[1] as Int64 else { return }
        try transaction.db.cachedStatement(
            sql: """
                UPDATE request SET status = ?, revision = ?, status_at = ?, outcome = ?, is_terminal = ?,
                    taken = coalesce(taken, ?), asks = 0, delivered = CASE WHEN outcome IS NULL THEN delivered END
                WHERE subject = ?
                """
        ).execute(arguments: [
            status.rawValue, revision, transaction.now.milliseconds, envelope.id, status.isTerminal,
            envelope.time.milliseconds, subject.text,
        ])
        try follow(status, of: subject, envelope, findings)
    }

    private func follow(
        _ status: OutcomeStatus, of subject: RequestID, _ envelope: Envelope, _ findings: Findings
    ) throws {
        let agency = envelope.source.participant
        if status.isTerminal {
            try endWithRequest(subject, findings, findings.transaction)
            try findings.clear(
                [.inDoubt, .parked, .notTaken, .overdue, .unroutable, .deadLettered], about: subject,
                cause: "the agency says `\(status.rawValue)`")
            return
        }
        try findings.clear([.notTaken, .unroutable, .deadLettered], about: subject, cause: "the agency took it")
        // An answer that no rule covers is named by its digest, by which the agency finds it in its worker's journal.
        let evidence: JSONObject = envelope.data["answer"].map { ["answer": $0] } ?? [:]
        if status == .inDoubt {
            try findings.open(.inDoubt, key: subject.text, participant: agency, subject: subject, evidence: evidence)
        }
        if status == .progress { try findings.clear([.inDoubt], about: subject, cause: "the agency is at work on it") }
        if status == .parked {
            try findings.clear([.inDoubt], about: subject, cause: "parked for two people")
            try findings.open(.parked, key: subject.text, participant: agency, subject: subject, evidence: evidence)
        }
    }

    private func delivered(_ envelope: Envelope, _ findings: Findings, _ transaction: JournalTransaction) throws {
        for entry in envelope.data["outcomes"]?.array ?? [] {
            guard let id = entry["id"]?.string, let subject = entry["subject"]?.string.flatMap({ RequestID($0) }) else { continue }
            try ensure(subject, transaction)
            // Only the outcome that stands counts; word of it may come before the outcome itself.
            try transaction.db.cachedStatement(
                sql: """
                    UPDATE request SET delivered = coalesce(delivered, ?)
                    WHERE subject = ? AND (outcome = ? OR is_terminal = 0 AND outcome IS NULL)
                    """
            ).execute(arguments: [transaction.now.milliseconds, subject.text, id])
            try findings.clear([.undeliveredOutcome, .unroutable, .deadLettered], about: subject, cause: "the house has it")
        }
    }
}
