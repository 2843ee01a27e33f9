import GRDB
import WaslJournal
import WaslModel

import struct Foundation.Data

/// Words about requests that have not come. Nobody knows yet who was entitled to say them, so nothing is made of them until the request
/// tells.
extension LedgerSteps {
    /// So many of one source are named at most; what it says beyond that is in the log, and applied from there when its request comes.
    static let waitingMax = 5_000
    /// So many outcomes one message may say to be delivered: `Schemas/wire` has it.
    static let deliveredMax = 200

    func wait(
        _ subject: RequestID, house: ParticipantID?, _ envelope: Envelope, entry: Int64, _ findings: Findings,
        _ transaction: JournalTransaction
    ) throws {
        let (db, source) = (transaction.db, envelope.source.description)
        let count = try Int.fetchOne(
            db.cachedStatement(sql: "SELECT waiting FROM participant WHERE id = ?"), arguments: [envelope.source.participant.text])
        guard count ?? 0 < LedgerSteps.waitingMax else { return }
        try db.cachedStatement(
            sql: "INSERT INTO waiting (subject, house, entry, source, type, since) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        ).execute(arguments: [
            subject.text, house?.text ?? "", entry, source, envelope.type.rawValue, transaction.now.milliseconds,
        ])
        guard db.changesCount > 0 else { return }
        try db.cachedStatement(sql: "UPDATE participant SET waiting = waiting + 1 WHERE id = ?")
            .execute(arguments: [envelope.source.participant.text])
    }

    /// The request has come: what waited for it is applied, or named for what it is, in the order of the log.
    ///
    /// - Parameter isFirst: no request was known under that house and number, so none of the words about it was applied: all are taken from
    ///   the log, those too that were more than may wait.
    func release(
        _ request: RequestKey, to agency: ParticipantID, message: String, isFirst: Bool, _ findings: Findings,
        _ transaction: JournalTransaction
    ) throws {
        let db = transaction.db
        let waiting = """
            SELECT w.entry, w.house, v.body FROM waiting w LEFT JOIN evidence v ON v.number = w.entry
            WHERE w.subject = ?1 AND w.house IN (?2, '')
            """
        let logged = """
            SELECT e.number, coalesce(e.house, ''), v.body FROM entry e JOIN evidence v ON v.number = e.number
            WHERE e.subject = ?1 AND (e.house = ?2 OR e.house IS NULL) AND e.type <> '\(MessageType.requestSubmitted.rawValue)'
            """
        let rows = try Row.fetchAll(
            db.cachedStatement(sql: (isFirst ? "\(waiting) UNION \(logged)" : waiting) + " ORDER BY 1"),
            arguments: [request.subject.text, request.house.text])
        for row in rows {
            let (entry, house): (Int64, String) = (row["entry"], row["house"])
            let envelope = (row["body"] as Data?).flatMap { try? Envelope(parsing: [UInt8]($0)) }
            // A word that names no house is about the request whose message it answers.
            if house.isEmpty, envelope?.causationID != message { continue }
            try forget(request.subject, house, entry, db)
            // Erased at its term: nothing can be made of it any more.
            guard let envelope else { continue }
            if envelope.type == .outcomeDelivered {
                for entry in envelope.deliveredOutcomes where entry.request == request { try delivered(entry, findings, transaction) }
            } else {
                try project(envelope, entry: entry, findings, transaction)
            }
            if [request.house, agency].contains(envelope.source.participant) {
                try findings.clear(.foreignWord, key: "\(envelope.source.participant) \(request)", cause: "the request has come")
            }
        }
        try findings.clear([.orphanOutcome], about: request, cause: "the request has come")
        try findings.clear(.orphanOutcome, key: request.subject.text, cause: "the request has come")
    }

    private func forget(_ subject: RequestID, _ house: String, _ entry: Int64, _ db: Database) throws {
        let source = try String.fetchOne(
            db.cachedStatement(sql: "DELETE FROM waiting WHERE subject = ? AND house = ? AND entry = ? RETURNING source"),
            arguments: [subject.text, house, entry])
        guard let participant = source.flatMap({ Source($0) })?.participant else { return }
        try db.cachedStatement(sql: "UPDATE participant SET waiting = max(0, waiting - 1) WHERE id = ?").execute(arguments: [
            participant.text
        ])
    }

    /// A house has sent a request that is set aside, for it has no place of its own in the log. Who was sent it may answer it.
    func excuse(_ message: Verified, _ findings: Findings) throws {
        guard message.envelope.type == .requestSubmitted, let request = message.envelope.request, let agency = message.envelope.recipient
        else { return }
        let cause = "its house sent it a request that the ledger has set aside"
        try findings.clear(.foreignWord, key: "\(agency) \(request)", cause: cause)
        try findings.clear(.orphanOutcome, key: request.description, cause: cause)
    }

    private func wasAsked(_ source: Source, about request: RequestKey, in entry: Int64, _ db: Database) throws -> Bool {
        let body = try Data.fetchOne(db.cachedStatement(sql: "SELECT body FROM evidence WHERE number = ?"), arguments: [entry])
        guard let cause = body.flatMap({ try? Envelope(parsing: [UInt8]($0)) })?.causationID else { return false }
        let asked = try setAside(cause, of: Source(role: .house, participant: request.house), db)
        return asked?.recipient == source.participant && asked?.subject == request.subject
    }

    /// Names what has waited for long. An agency may have heard what the ledger has not; a house knows its own requests.
    func sweepWaiting(_ findings: Findings, _ transaction: JournalTransaction) throws {
        let db = transaction.db
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT subject, house, entry, source, type FROM waiting WHERE is_named = 0 AND since < ? ORDER BY since LIMIT 500"),
            arguments: [transaction.now.advanced(by: .zero - times.orphan).milliseconds])
        for row in rows {
            try db.cachedStatement(sql: "UPDATE waiting SET is_named = 1 WHERE subject = ? AND house = ? AND entry = ?")
                .execute(arguments: [row["subject"] as String, row["house"] as String, row["entry"] as Int64])
            guard let source = Source(row["source"]), let subject = RequestID(row["subject"]) else { continue }
            let house = ParticipantID(row["house"])
            let request = house.map { RequestKey(house: $0, subject: subject) }
            if source.role == .agency, let request, try wasAsked(source, about: request, in: row["entry"], db) { continue }
            let evidence: JSONObject = ["entry": .integer(row["entry"]), "type": .string(row["type"]), "by": .string(source.description)]
            let isForeign =
                source.role == .house
                // A house speaks of its own requests, and the ledger may not have them yet; of another's number it speaks falsely.
                ? try row["type"] == MessageType.outcomeDelivered.rawValue && isAnothers(subject, than: source, db)
                // A word about a request that is known waits for the message that it answers: nobody sent it that.
                : try request.map { try isKnown($0, db) } == true
            if isForeign {
                try findings.open(
                    .foreignWord, key: "\(source.participant) \(request?.description ?? subject.text)", participant: source.participant,
                    request: request, evidence: evidence)
            } else if source.role == .agency {
                // By its number alone where no house is named.
                try findings.open(
                    .orphanOutcome, key: request?.description ?? subject.text, participant: source.participant, request: request,
                    evidence: evidence)
            }
        }
    }

    private func isAnothers(_ subject: RequestID, than house: Source, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM request WHERE subject = ? AND house <> ?)"),
            arguments: [subject.text, house.participant.text]) ?? false
    }

    /// A request has come whose number other houses have spoken of as theirs: they are looked at again.
    func lookAgain(at subject: RequestID, _ transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(sql: "UPDATE waiting SET is_named = 0 WHERE subject = ? AND is_named = 1")
            .execute(arguments: [subject.text])
    }
}

/// One entry of `outcome.delivered`.
struct DeliveredOutcome {
    let request: RequestKey
    let id: String
}

extension Envelope {
    /// The outcomes that a house says it has: of its own requests, for it can speak of no others.
    var deliveredOutcomes: [DeliveredOutcome] {
        (data["outcomes"]?.array ?? []).compactMap { entry in
            guard let id = entry["id"]?.string, let subject = entry["subject"]?.string.flatMap({ RequestID($0) }) else { return nil }
            return DeliveredOutcome(request: RequestKey(house: source.participant, subject: subject), id: id)
        }
    }
}
