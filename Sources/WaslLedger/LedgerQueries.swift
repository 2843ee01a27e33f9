import Foundation
package import GRDB
package import WaslJournal
package import WaslModel

/// Figures as of one moment, all from one read.
package struct Overview: Sendable {
    struct ParticipantRow: Sendable {
        let id: String
        let seen: Timestamp?
        let backlog: Int64
        let submitted: Int64
        let terminal: Int64
    }

    let at: Timestamp
    let entries: Int64
    let submitted: Int64
    let byStatus: [String: Int64]
    let terminal: Int64
    let delivered: Int64
    let openFindings: [String: Int64]
    let brokenLanes: Int64
    let attachments: Int64
    let wholeAttachments: Int64
    let openAttachments: Int64
    let participants: [ParticipantRow]

    package static func fetch(_ db: Database, at now: Timestamp) throws -> Overview {
        let totals = try Row.fetchOne(
            db,
            sql: """
                SELECT COUNT(submitted), coalesce(SUM(is_terminal), 0),
                    coalesce(SUM(is_terminal = 1 AND delivered IS NOT NULL), 0) FROM request
                """)
        let attachments = try Row.fetchOne(
            db, sql: "SELECT COUNT(*), COUNT(whole), coalesce(SUM(whole IS NULL AND ended IS NULL), 0) FROM attachment")
        let statuses = try Row.fetchAll(
            db, sql: "SELECT coalesce(status, CASE WHEN taken IS NULL THEN 'sent' ELSE 'taken' END), COUNT(*) FROM request GROUP BY 1")
        let findings = try Row.fetchAll(
            db, sql: "SELECT class, COUNT(*) FROM finding WHERE cleared IS NULL GROUP BY class")
        let participants = try Row.fetchAll(
            db,
            sql: """
                SELECT p.id, p.seen, p.backlog, coalesce(r.submitted, 0), coalesce(r.terminal, 0) FROM participant p
                LEFT JOIN (
                    SELECT house AS id, COUNT(*) AS submitted, SUM(is_terminal) AS terminal FROM request GROUP BY house
                    UNION ALL
                    SELECT agency, COUNT(*), SUM(is_terminal) FROM request GROUP BY agency
                ) r ON r.id = p.id ORDER BY p.id
                """)
        return Overview(
            at: now, entries: try Int64.fetchOne(db, sql: "SELECT coalesce(MAX(number), 0) FROM entry") ?? 0,
            submitted: totals?[0] ?? 0,
            byStatus: Dictionary(uniqueKeysWithValues: statuses.map { ($0[0] as String, $0[1] as Int64) }),
            terminal: totals?[1] ?? 0, delivered: totals?[2] ?? 0,
            openFindings: Dictionary(uniqueKeysWithValues: findings.map { ($0[0] as String, $0[1] as Int64) }),
            brokenLanes: try Int64.fetchOne(db, sql: "SELECT COUNT(*) FROM lane WHERE gap_since IS NOT NULL") ?? 0,
            attachments: attachments?[0] ?? 0, wholeAttachments: attachments?[1] ?? 0, openAttachments: attachments?[2] ?? 0,
            participants: participants.map {
                ParticipantRow(
                    id: $0[0], seen: ($0[1] as Int64?).map { Timestamp(milliseconds: $0) }, backlog: $0[2],
                    submitted: $0[3], terminal: $0[4])
            })
    }

    var json: JSON {
        [
            "at": .string(at.description), "entries": .integer(entries), "submitted": .integer(submitted),
            "terminal": .integer(terminal), "delivered": .integer(delivered), "brokenLanes": .integer(brokenLanes),
            "attachments": ["named": .integer(attachments), "whole": .integer(wholeAttachments), "open": .integer(openAttachments)],
            "byStatus": .object(JSONObject(byStatus.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })),
            "openFindings": .object(JSONObject(openFindings.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })),
            "participants": .array(
                participants.map {
                    [
                        "id": .string($0.id), "seen": JSON($0.seen?.description), "backlog": .integer($0.backlog),
                        "submitted": .integer($0.submitted), "terminal": .integer($0.terminal),
                    ]
                }),
        ]
    }
}

package enum LedgerQueries {
    static func findingJSON(_ row: Row) -> JSON {
        let evidence: String = row["evidence"]
        return [
            "number": .integer(row["number"]), "class": .string(row["class"]), "severity": .string(row["severity"]),
            "participant": JSON(row["participant"] as String?), "house": JSON(row["house"] as String?),
            "subject": JSON(row["subject"] as String?),
            "opened": .string(Timestamp(milliseconds: row["opened"]).description),
            "cleared": JSON((row["cleared"] as Int64?).map { Timestamp(milliseconds: $0).description }),
            "cause": JSON(row["cause"] as String?), "closedBy": JSON(row["closed_by"] as String?),
            "evidence": (try? JSON.parse(evidence)) ?? .null,
        ]
    }

    /// - Parameters:
    ///   - state: `open`, `cleared` or `all`.
    ///   - after: findings with a greater number only.
    package static func findings(_ db: Database, state: String, kind: String?, after: Int64, limit: Int) throws -> JSON {
        let condition = ["open": "cleared IS NULL", "cleared": "cleared IS NOT NULL"][state] ?? "1"
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT * FROM finding WHERE \(condition) AND (? IS NULL OR class = ?) AND number > ? ORDER BY number LIMIT ?
                """, arguments: [kind, kind, after, limit])
        return [
            "findings": .array(rows.map(findingJSON)),
            "next": rows.count == limit ? JSON(rows.last.map { $0["number"] as Int64 } ?? 0) : .null,
        ]
    }

    /// All that a participant said, and all that was said to it, in the order of its logging: what its journal is rebuilt from.
    package static func evidence(_ db: Database, of participant: ParticipantID) throws -> EvidenceOfParticipant {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT v.body, v.signature, v.is_checked FROM entry e JOIN evidence v ON v.number = e.number
                WHERE e.source IN (?1, ?2) OR json_extract(CAST(v.body AS TEXT), '$.recipient') = ?3 ORDER BY e.number
                """, arguments: ["/houses/\(participant)", "/agencies/\(participant)", participant.text])
        var evidence: [Evidence] = []
        while let row = try rows.next() {
            let body: Data = row[0]
            evidence.append(try Evidence(body: [UInt8](body), signature: row[1], isVouched: !(row[2] as Bool)))
        }
        let hasGap = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM lane WHERE source IN (?, ?) AND through < max(seen, announced))",
            arguments: ["/houses/\(participant)", "/agencies/\(participant)"])
        return try withSetAside(
            EvidenceOfParticipant(messages: evidence, isWhole: hasGap == false), participant, db)
    }

    /// What was set aside, as far as it can be this participant's word or one to it: what came by another's user is neither.
    ///
    /// A signature may be judged again by who rebuilds. Anything else of its own leaves a doubt, until its number is heard.
    private static func withSetAside(
        _ evidence: EvidenceOfParticipant, _ participant: ParticipantID, _ db: Database
    ) throws -> EvidenceOfParticipant {
        var (messages, isWhole) = (evidence.messages, evidence.isWhole)
        let rows = try Row.fetchCursor(
            db, sql: "SELECT body, signature, reason, exchange, routing_key, user_id FROM quarantine ORDER BY number")
        while let row = try rows.next() {
            let body: Data = row[0]
            let carrier = Delivery.carrier(exchange: row[3], routingKey: row[4], userID: row[5])
            guard let envelope = try? Envelope(parsing: [UInt8](body)), carrier == nil || carrier == envelope.source.participant,
                envelope.source.participant == participant || envelope.recipient == participant
            else { continue }
            if let signature: String = row[1], (row[2] as String).hasPrefix(PassingCause.signature.rawValue + ":") {
                messages.append(try Evidence(body: [UInt8](body), signature: signature, isSetAside: true))
            } else if carrier == participant, try !isHeard(envelope, db) {
                isWhole = false
            }
        }
        return EvidenceOfParticipant(messages: messages, isWhole: isWhole)
    }

    /// Whether a message with its source, epoch and number is in the log.
    private static func isHeard(_ envelope: Envelope, _ db: Database) throws -> Bool {
        guard let lane = envelope.lane else { return true }
        return try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM entry WHERE source = ? AND epoch = ? AND sequence = ?)",
            arguments: [envelope.source.description, lane.epoch.text, lane.sequence]) ?? false
    }

    /// What the ledger still waits for: requests without an end, outcomes not delivered, gaps that may still close. At most a few.
    ///
    /// - Parameter marks: what stands in lines that do not count.
    package static func unrest(_ db: Database, except marks: [String] = []) throws -> [String] {
        let lines = try String.fetchAll(
            db,
            sql: """
                SELECT 'request ' || subject || ' of ' || house || ' is ' || coalesce(status, 'sent') || CASE WHEN is_terminal THEN ', not delivered' ELSE '' END
                    FROM request WHERE is_terminal = 0 AND coalesce(status, '') <> 'parked' OR delivered IS NULL
                UNION ALL SELECT 'document ' || id || ' of ' || source || ' has ' || seen || ' of ' || pieces || ' pieces'
                    FROM attachment WHERE whole IS NULL AND ended IS NULL
                UNION ALL SELECT 'request ' || subject || ' of ' || house || ' has not come, and ' || source || ' speaks of it' FROM waiting WHERE is_named = 0
                UNION ALL SELECT 'lane ' || source || ' has a gap after ' || through FROM lane WHERE gap_since IS NOT NULL AND asks < 8
                """ + (marks.isEmpty ? " LIMIT 5" : ""))
        return Array(lines.filter { line in !marks.contains { line.contains($0) } }.prefix(5))
    }

    /// The houses that have a request under a number.
    package static func houses(_ db: Database, of subject: String) throws -> [String] {
        try String.fetchAll(
            db,
            sql: """
                SELECT house FROM request WHERE subject = ?1 UNION SELECT house FROM waiting WHERE subject = ?1 AND house <> ''
                ORDER BY 1
                """, arguments: [subject])
    }

    /// One request's whole story: what was said of it, by whom, when it was said and when it was logged.
    ///
    /// - Parameter named: whose request it is; `nil` where nobody who spoke of that number has named a house.
    package static func story(_ db: Database, _ subject: String, of named: String?) throws -> JSON? {
        let house = named ?? ""
        let request = try Row.fetchOne(
            db, sql: "SELECT * FROM request WHERE house = ? AND subject = ?", arguments: [house, subject])
        let entries = try Row.fetchAll(
            db,
            sql: """
                SELECT e.*, v.body FROM entry e LEFT JOIN evidence v ON v.number = e.number
                WHERE subject = ? AND (house = ? OR house IS NULL) AND type <> ? ORDER BY e.time, e.number
                """, arguments: [subject, house, MessageType.attachmentChunk.rawValue])
        let findings = try Row.fetchAll(
            db, sql: "SELECT * FROM finding WHERE subject = ? AND (house = ? OR house IS NULL) ORDER BY number",
            arguments: [subject, house])
        // What names no house may be about any: alone it tells no story of a house that is named.
        let heard = (entries + findings).filter { named == nil || $0["house"] as String? == house }
        guard request != nil || !heard.isEmpty else { return nil }
        var story: JSONObject = ["subject": .string(subject), "house": .string(house)]
        if let request {
            for column in ["agency", "service", "status"] { story[column] = JSON(request[column] as String?) }
            for column in ["submitted", "taken", "status_at", "delivered", "due"] {
                story[column == "status_at" ? "statusAt" : column] = JSON(
                    (request[column] as Int64?).map { Timestamp(milliseconds: $0).description })
            }
            story["millimes"] = (request["millimes"] as Int64?).map(JSON.integer) ?? .null
        }
        let attachments = try Row.fetchAll(
            db, sql: "SELECT source, id, pieces, seen, whole FROM attachment WHERE house = ? AND subject = ? ORDER BY source, id",
            arguments: [house, subject])
        story["attachments"] = .array(
            attachments.map {
                [
                    "source": .string($0["source"]), "attachment": .string($0["id"]), "pieces": .integer($0["pieces"]),
                    "seen": .integer($0["seen"]), "whole": JSON(($0["whole"] as Int64?).map { Timestamp(milliseconds: $0).description }),
                ]
            })
        story["entries"] = .array(entries.map(entryJSON))
        story["findings"] = .array(findings.map(findingJSON))
        return .object(story)
    }

    private static func entryJSON(_ row: Row) -> JSON {
        var json: JSONObject = [
            "entry": .integer(row["number"]), "type": .string(row["type"]), "source": .string(row["source"]),
            "time": .string(Timestamp(milliseconds: row["time"]).description),
            "logged": .string(Timestamp(milliseconds: row["received"]).description),
            "sequence": .integer(row["sequence"]), "epoch": .string(row["epoch"]), "digest": .string(row["digest"]),
        ]
        if let body = row["body"] as Data?, let envelope = try? Envelope(parsing: [UInt8](body)) {
            json["status"] = envelope.data["status"]
            json["revision"] = envelope.data["revision"]
            json["attempt"] = envelope.data["attempt"]
        }
        return .object(json)
    }
}
