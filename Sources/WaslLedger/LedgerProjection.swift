import GRDB
import WaslCatalogue
import WaslJournal
import WaslModel

import struct Foundation.Data

/// What messages say about requests, kept as one row a request.
///
/// A word counts only from whom it is about (wire contract, section 8): a request's house submits it and says that an outcome was
/// delivered; the agency that it is addressed to takes it, intends, concludes, and says documents of its outcome.
extension LedgerSteps {
    func project(_ envelope: Envelope, entry: Int64, _ findings: Findings, _ transaction: JournalTransaction) throws {
        switch envelope.type {
        case .requestSubmitted: try submitted(envelope, entry: entry, findings, transaction)
        case .requestTaken, .attemptIntended, .outcome, .attachmentChunk:
            guard let request = try entitled(envelope, entry: entry, findings, transaction) else { return }
            switch envelope.type {
            case .attachmentChunk: try piece(envelope, of: request, findings, transaction)
            case .outcome:
                try outcome(envelope, of: request, findings, transaction)
                try named(envelope, of: request, findings, transaction)
            default: try taken(envelope, of: request, findings, transaction)
            }
        case .outcomeDelivered:
            guard envelope.deliveredOutcomes.count <= LedgerSteps.deliveredMax else {
                return try findings.open(
                    .refusedMessage, key: "ledger \(envelope.id)", participant: envelope.source.participant,
                    evidence: [
                        "reason": .string("data.outcomes: at most \(LedgerSteps.deliveredMax), found \(envelope.deliveredOutcomes.count)"),
                        "by": "ledger",
                    ])
            }
            for delivery in envelope.deliveredOutcomes {
                if planted == .anyHouseDelivers {
                    try transaction.db.execute(
                        sql: "UPDATE request SET delivered = coalesce(delivered, 1) WHERE subject = ?",
                        arguments: [delivery.request.subject.text])
                } else if try isKnown(delivery.request, transaction.db) {
                    try delivered(delivery, findings, transaction)
                } else {
                    try wait(
                        delivery.request.subject, house: delivery.request.house, envelope, entry: entry, findings, transaction)
                }
            }
        case .messageRefused:
            if try waits(envelope, transaction) { return }
            // That its agency will not take it is known, and no fault of the agency's.
            try transaction.db.cachedStatement(
                sql: "UPDATE request SET refused = ? WHERE message = ? AND agency = ? AND taken IS NULL AND is_terminal = 0"
            ).execute(arguments: [transaction.now.milliseconds, envelope.data["messageid"]?.string, envelope.source.participant.text])
            // Its word that something came; not whose it was.
            try findings.open(
                .refusedMessage,
                key: "\(envelope.source.participant) \((envelope.data["digest"]?.string ?? envelope.id).prefix(128))",
                evidence: [
                    "reason": JSON((envelope.data["reason"]?.string?.prefix(500)).map(String.init)),
                    "by": .string(envelope.source.description),
                ])
        case .journalOpened: try opened(envelope, findings, transaction)
        default: break
        }
    }

    /// A new epoch names the end of the one before: what is missing of that end is a gap, and stays one where a disk took it along.
    private func opened(_ envelope: Envelope, _ findings: Findings, _ transaction: JournalTransaction) throws {
        guard envelope.source.role != .ledger, let lane = envelope.lane else { return }
        let previous = envelope.data["previous"]?.string.flatMap { EpochID($0) }
        let end = envelope.data["previoussequence"]?.string.flatMap { Int64($0) }.flatMap {
            (1...LanePosition.sequenceMax).contains($0) ? $0 : nil
        }
        let isExplained = previous != nil && end != nil && envelope.data["reason"]?.string?.isEmpty == false
        if !isExplained, try hasAnother(than: lane.epoch, envelope.source, transaction.db) {
            try nameUnexplained(
                lane.epoch, envelope.source, "its journal began anew and does not say why, or what came before", findings)
        }
        guard let previous, let end else { return }
        let isKept =
            try Bool.fetchOne(
                transaction.db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM lane WHERE source = ? AND epoch = ?)"),
                arguments: [envelope.source.description, previous.text]) == true
            || mayBegin(previous, of: envelope.source, findings, transaction.db)
        if isKept { try announce(previous, of: envelope.source, through: end, transaction) }
    }

    private func submitted(_ envelope: Envelope, entry: Int64, _ findings: Findings, _ transaction: JournalTransaction) throws {
        guard let request = envelope.request, let service = envelope.service, let agency = envelope.recipient else { return }
        let db = transaction.db
        let level = catalogue.service(service, version: envelope.contract)?.level
        let due = level.map { catalogue.calendar.due($0, from: envelope.time).milliseconds }
        try db.cachedStatement(
            sql: """
                INSERT INTO request (house, subject, message, agency, service, first_seen, submitted, expiry, due, millimes)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """
        ).execute(arguments: [
            request.house.text, request.subject.text, envelope.id, agency.text, service.text, transaction.now.milliseconds,
            envelope.time.milliseconds, envelope.expiry?.milliseconds, due, envelope.data["millimes"]?.integer,
        ])
        if db.changesCount == 0, planted == .secondRequestOverwrites {
            return try db.execute(
                sql: "UPDATE request SET agency = ?, service = ?, submitted = ? WHERE house = ? AND subject = ?",
                arguments: [agency.text, service.text, envelope.time.milliseconds, request.house.text, request.subject.text])
        }
        guard db.changesCount > 0 else {
            // The first stands; what came with the second goes nowhere, and who answers it is not to blame.
            try findings.open(
                .contradictingRequests, about: request, participant: request.house,
                evidence: ["entry": .integer(entry), "then": .string(envelope.id)])
            try findings.clear(.foreignWord, key: "\(agency) \(request)", cause: "its house sent it a second request under this number")
            return try release(request, to: agency, message: envelope.id, isFirst: false, findings, transaction)
        }
        let others = try String.fetchAll(
            db.cachedStatement(sql: "SELECT house FROM request WHERE subject = ? AND house <> ?"),
            arguments: [request.subject.text, request.house.text])
        if !others.isEmpty, planted != .collisionUnnamed {
            try findings.open(
                .subjectCollision, key: request.subject.text, request: request,
                evidence: ["houses": .array((others + [request.house.text]).sorted().map(JSON.string))])
        }
        try named(envelope, of: request, findings, transaction)
        try release(request, to: agency, message: envelope.id, isFirst: true, findings, transaction)
        try lookAgain(at: request.subject, transaction)
    }

    func isKnown(_ request: RequestKey, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM request WHERE house = ? AND subject = ?)"),
            arguments: [request.house.text, request.subject.text]) ?? false
    }

    /// The request that a word is about, where its signer is entitled to it. Otherwise the word waits, or is named for what it is.
    private func entitled(
        _ envelope: Envelope, entry: Int64, _ findings: Findings, _ transaction: JournalTransaction
    ) throws -> RequestKey? {
        guard let subject = envelope.subject else { return nil }
        let db = transaction.db
        let source = envelope.source.participant
        // An intention of version 1.0 names no house: it is known by the message that it answers.
        let request = try envelope.request ?? named(by: envelope.causationID, subject, db)
        let agency = try request.flatMap {
            try String.fetchOne(
                db.cachedStatement(sql: "SELECT agency FROM request WHERE house = ? AND subject = ?"),
                arguments: [$0.house.text, $0.subject.text])
        }
        guard let request, let agency else {
            try wait(subject, house: request?.house, envelope, entry: entry, findings, transaction)
            return nil
        }
        let isEntitled =
            envelope.source.role == .house
            ? source == request.house && envelope.recipient?.text == agency : source.text == agency
        guard isEntitled || planted == .anyAgencyBelieved else {
            try judge(envelope, entry: entry, of: request, to: agency, findings, transaction)
            return planted == .namedAndBelieved ? request : nil
        }
        return request
    }

    /// A word from another agency than the one that the request is addressed to. Its house may have sent a second one under the same
    /// number: then that agency answers what it was asked, and the fault is the house's. Whether it did, the message tells that the word
    /// answers; while that has not come, the word waits.
    private func judge(
        _ envelope: Envelope, entry: Int64, of request: RequestKey, to agency: String, _ findings: Findings,
        _ transaction: JournalTransaction
    ) throws {
        let source = envelope.source.participant
        if envelope.source.role == .agency, let cause = envelope.causationID {
            guard let asked = try asked(cause, by: envelope, of: request, transaction.db) else {
                return try wait(request.subject, house: request.house, envelope, entry: entry, findings, transaction)
            }
            if asked.recipient == source, asked.subject == request.subject { return }
        }
        try findings.open(
            .foreignWord, key: "\(source) \(request)", participant: source, request: request,
            evidence: [
                "entry": .integer(entry), "type": .string(envelope.type.rawValue),
                "reason": .string("the request is one of \(request.house) to \(agency)"),
            ])
    }

    /// The request message that a word answers; a piece of a document answers its outcome, and that the request.
    private func asked(_ cause: String, by envelope: Envelope, of request: RequestKey, _ db: Database) throws -> Envelope? {
        let isPiece = envelope.type == .attachmentChunk
        let source = isPiece ? envelope.source : Source(role: .house, participant: request.house)
        let body = try Data.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT v.body FROM entry e JOIN evidence v ON v.number = e.number WHERE e.subject = ? AND e.source = ? AND e.id = ?
                    """), arguments: [request.subject.text, source.description, cause])
        guard let answered = try body.flatMap({ try? Envelope(parsing: [UInt8]($0)) }) ?? setAside(cause, of: source, db) else {
            return nil
        }
        guard isPiece else { return answered.type == .requestSubmitted ? answered : nil }
        guard answered.type == .outcome, let cause = answered.causationID else { return nil }
        return try asked(cause, by: answered, of: request, db)
    }

    /// A message that is verified and took no place in the log: a fork, or one under another's epoch. Whoever was sent it may answer it.
    func setAside(_ id: String, of source: Source, _ db: Database) throws -> Envelope? {
        try Data.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT body FROM quarantine WHERE message_id = ? AND substr(reason, 1, instr(reason, ':')) IN ('sequence:', 'journal:')
                    LIMIT 10
                    """), arguments: [id]
        ).lazy.compactMap { try? Envelope(parsing: [UInt8]($0)) }.first { $0.id == id && $0.source == source }
    }

    private func named(by message: String?, _ subject: RequestID, _ db: Database) throws -> RequestKey? {
        try String.fetchOne(
            db.cachedStatement(sql: "SELECT house FROM request WHERE subject = ? AND message = ?"), arguments: [subject.text, message]
        ).flatMap { ParticipantID($0) }.map { RequestKey(house: $0, subject: subject) }
    }

    private func taken(_ envelope: Envelope, of request: RequestKey, _ findings: Findings, _ transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(sql: "UPDATE request SET taken = coalesce(taken, ?) WHERE house = ? AND subject = ?")
            .execute(arguments: [envelope.time.milliseconds, request.house.text, request.subject.text])
        try findings.clear([.notTaken, .unroutable, .deadLettered], about: request, cause: "the agency took it")
    }

    private func outcome(_ envelope: Envelope, of request: RequestKey, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let db = transaction.db
        guard let status = envelope.data["status"]?.string.flatMap(OutcomeStatus.init(rawValue:)),
            let revision = envelope.data["revision"]?.integer
        else {
            return try findings.open(
                .refusedMessage, key: "ledger \(envelope.id)", participant: envelope.source.participant,
                request: request, evidence: ["reason": "data: expected a status and a revision", "by": "ledger"])
        }
        guard
            let row = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT status, revision, is_terminal FROM request WHERE house = ? AND subject = ?"),
                arguments: [request.house.text, request.subject.text])
        else { return }
        let known = (row["status"] as String?).flatMap(OutcomeStatus.init(rawValue:))
        let (knownRevision, isTerminal): (Int64, Bool) = (row["revision"], row["is_terminal"])
        if isTerminal, status.isTerminal, known != status {
            return try findings.open(
                .contradictingOutcomes, about: request, participant: envelope.source.participant,
                evidence: ["first": JSON(known?.rawValue), "then": .string(status.rawValue), "id": .string(envelope.id)])
        }
        if isTerminal, known == status, revision > knownRevision {
            // The same end said anew: with a document that the first saying has lost.
            try db.cachedStatement(sql: "UPDATE request SET outcome = ?, revision = ?, asks = 0 WHERE house = ? AND subject = ?")
                .execute(arguments: [envelope.id, revision, request.house.text, request.subject.text])
            return try follow(status, of: request, envelope, findings)
        }
        // After its disk was lost an agency may have to ask people about what it had said already.
        if isTerminal, status == .parked { return try follow(status, of: request, envelope, findings) }
        guard !isTerminal, status.isTerminal || revision > knownRevision else { return }
        try db.cachedStatement(
            sql: """
                UPDATE request SET status = ?, revision = ?, status_at = ?, outcome = ?, is_terminal = ?,
                    taken = coalesce(taken, ?), asks = 0, delivered = CASE WHEN outcome IS NULL THEN delivered END
                WHERE house = ? AND subject = ?
                """
        ).execute(arguments: [
            status.rawValue, revision, transaction.now.milliseconds, envelope.id, status.isTerminal,
            envelope.time.milliseconds, request.house.text, request.subject.text,
        ])
        try follow(status, of: request, envelope, findings)
    }

    private func follow(_ status: OutcomeStatus, of request: RequestKey, _ envelope: Envelope, _ findings: Findings) throws {
        let agency = envelope.source.participant
        if status.isTerminal {
            try endWithRequest(request, findings, findings.transaction)
            return try findings.clear(
                [.inDoubt, .parked, .notTaken, .overdue, .unroutable, .deadLettered], about: request,
                cause: "the agency says `\(status.rawValue)`")
        }
        try findings.clear([.notTaken, .unroutable, .deadLettered], about: request, cause: "the agency took it")
        // An answer that no rule covers is named by its digest, by which the agency finds it in its worker's journal.
        let evidence: JSONObject = envelope.data["answer"].map { ["answer": $0] } ?? [:]
        switch status {
        case .inDoubt: try findings.open(.inDoubt, about: request, participant: agency, evidence: evidence)
        case .progress: try findings.clear([.inDoubt], about: request, cause: "the agency is at work on it")
        case .parked:
            try findings.clear([.inDoubt], about: request, cause: "parked for two people")
            try findings.open(.parked, about: request, participant: agency, evidence: evidence)
        default: break
        }
    }

    func delivered(_ delivery: DeliveredOutcome, _ findings: Findings, _ transaction: JournalTransaction) throws {
        let (db, request) = (transaction.db, delivery.request)
        // Only the outcome that stands counts; word of it may come before the outcome itself.
        try db.cachedStatement(
            sql: """
                UPDATE request SET delivered = coalesce(delivered, ?)
                WHERE house = ? AND subject = ? AND (outcome = ? OR is_terminal = 0 AND outcome IS NULL)
                """
        ).execute(arguments: [transaction.now.milliseconds, request.house.text, request.subject.text, delivery.id])
        guard db.changesCount > 0 else { return }
        try findings.clear([.undeliveredOutcome, .unroutable, .deadLettered], about: request, cause: "the house has it")
    }
}
