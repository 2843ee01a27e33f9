import GRDB
import WaslJournal
import WaslModel

import struct Foundation.Data

/// Words about requests that have not come. Nobody knows yet who was entitled to say them, so nothing is made of them until the request
/// tells.
extension LedgerSteps {
    /// So many wait of one source at most; what it says beyond that stays in the log and is made nothing of.
    static let waitingMax = 5_000

    func wait(
        _ subject: RequestID, house: ParticipantID?, _ envelope: Envelope, entry: Int64, _ findings: Findings,
        _ transaction: JournalTransaction
    ) throws {
        let (db, source) = (transaction.db, envelope.source.description)
        let count =
            try Int.fetchOne(db.cachedStatement(sql: "SELECT COUNT(*) FROM waiting WHERE source = ?"), arguments: [source]) ?? 0
        guard count < LedgerSteps.waitingMax else {
            return try findings.open(
                .foreignWord, key: "\(envelope.source.participant) waiting", participant: envelope.source.participant,
                evidence: [
                    "entry": .integer(entry), "reason": "more of its words wait for requests that have not come than are kept",
                ])
        }
        try db.cachedStatement(
            sql: "INSERT INTO waiting (subject, house, entry, source, type, since) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        ).execute(arguments: [
            subject.text, house?.text ?? "", entry, source, envelope.type.rawValue, transaction.now.milliseconds,
        ])
    }

    /// The request has come: what waited for it is applied, or named for what it is, in the order of the log.
    func release(
        _ request: RequestKey, to agency: ParticipantID, message: String, _ findings: Findings,
        _ transaction: JournalTransaction
    ) throws {
        let db = transaction.db
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT w.entry, w.house, v.body FROM waiting w LEFT JOIN evidence v ON v.number = w.entry
                    WHERE w.subject = ? AND w.house IN (?, '') ORDER BY w.entry
                    """), arguments: [request.subject.text, request.house.text])
        for row in rows {
            let (entry, house): (Int64, String) = (row["entry"], row["house"])
            guard let body = row["body"] as Data?, let envelope = try? Envelope(parsing: [UInt8](body)) else { continue }
            // A word that names no house is about the request whose message it answers.
            if house.isEmpty, envelope.causationID != message { continue }
            try db.cachedStatement(sql: "DELETE FROM waiting WHERE subject = ? AND house = ? AND entry = ?")
                .execute(arguments: [request.subject.text, house, entry])
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
