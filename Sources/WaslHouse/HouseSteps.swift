import GRDB
package import WaslJournal
package import WaslModel
package import WaslSeal

import struct Foundation.Data

/// An order that passed every check and is sealed: ready for its commit.
package struct PreparedOrder: Sendable {
    package let id: RequestID
    let messageID: String
    let time: Timestamp
    let service: ServiceID
    let contract: Int64
    let agency: ParticipantID
    let expiry: Timestamp
    let millimes: Int64?
    let sealed: String
    let idempotencyKey: String
    /// The request's exact bytes, to tell a repetition from another order under the same key.
    let body: [UInt8]
    /// Papers that must have been laid down before.
    var papers: [DocumentClaim] = []
}

/// What a citizen is handed: the receipt's exact text and the house's signature over it.
package struct Receipt: Sendable {
    package let request: RequestID
    package let text: String
    package let signature: String
    /// The same order came before, under the same key.
    let isRepeated: Bool
}

enum AcceptanceError: Error {
    /// The key was used for another order.
    case keyReused(RequestID)
    /// That paper of the order is not laid down here.
    case paperMissing(index: Int)
}

/// The house's steps: each runs inside ONE transaction and does no I/O besides.
package struct HouseSteps: Sendable {
    let house: ParticipantID
    let key: SigningKey
    /// A known bug, for a simulation: any agency's word about a request of this house counts.
    let believesAnyAgency: Bool

    package init(house: ParticipantID, key: SigningKey, believesAnyAgency: Bool = false) {
        self.house = house
        self.key = key
        self.believesAnyAgency = believesAnyAgency
    }

    /// Request row, outbox row and receipt, together or not at all.
    package func accept(_ order: PreparedOrder, in transaction: JournalTransaction) throws -> Receipt {
        let db = transaction.db
        let digest = saltedDigestText(order.body, salt: transaction.salt)
        if let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT digest, request FROM idempotency WHERE key = ?"),
            arguments: [order.idempotencyKey])
        {
            guard let known = RequestID(row[1] as String) else { preconditionFailure("a request's id is a UUID") }
            guard row[0] as String == digest else { throw AcceptanceError.keyReused(known) }
            return try receipt(of: known, db)
        }
        var data: JSONObject = ["sealed": .string(order.sealed)]
        if let millimes = order.millimes { data["millimes"] = .integer(millimes) }
        let notices = try notices(of: order.papers, in: transaction)
        if !notices.isEmpty { data["attachments"] = .array(notices.map(\.json)) }
        let (envelope, number) = try transaction.append(
            Draft(
                type: .requestSubmitted, subject: order.id, recipient: order.agency, service: order.service,
                contract: order.contract, expiry: order.expiry, id: order.messageID, time: order.time, data: data))
        guard let hash = transaction.headHash else { preconditionFailure("appended without a hash") }
        let receipt = try insert(envelope, digest: hash, number: number, in: transaction)
        try transaction.bind(
            notices,
            to: DocumentErrand(
                subject: order.id, recipient: order.agency, service: order.service, contract: order.contract, cause: envelope.id))
        try db.cachedStatement(sql: "INSERT INTO idempotency (key, digest, request) VALUES (?, ?, ?)")
            .execute(arguments: [order.idempotencyKey, digest, order.id.text])
        return receipt
    }

    private func notices(of papers: [DocumentClaim], in transaction: JournalTransaction) throws -> [AttachmentNotice] {
        var notices: [AttachmentNotice] = []
        for (index, claim) in papers.enumerated() {
            guard let notice = try transaction.notice(of: claim), !notices.contains(where: { $0.id == notice.id }) else {
                throw AcceptanceError.paperMissing(index: index)
            }
            notices.append(notice)
        }
        return notices
    }

    /// A request that an earlier, lost journal of this house had accepted.
    func restore(_ evidence: Evidence, in transaction: JournalTransaction) throws {
        guard let subject = evidence.envelope.subject,
            try Bool.fetchOne(transaction.db, sql: "SELECT 1 FROM request WHERE id = ?", arguments: [subject.text]) == nil
        else { return }
        _ = try insert(evidence.envelope, digest: digestText(evidence.body), number: 0, in: transaction)
    }

    /// The request's row, with the receipt that its message leads to: the same message, the same receipt.
    private func insert(
        _ envelope: Envelope, digest: String, number: Int64, in transaction: JournalTransaction
    ) throws -> Receipt {
        guard let lane = envelope.lane, let subject = envelope.subject, let service = envelope.service,
            let contract = envelope.contract, let agency = envelope.recipient, let expiry = envelope.expiry
        else { throw EnvelopeError(attribute: "data", reason: "a request without what every request has") }
        let text = JSON.object([
            "request": .string(subject.text), "house": .string(house.text), "service": .string(service.text),
            "time": .string(envelope.time.description), "journal": .string(lane.epoch.text),
            "sequence": .string(LanePosition.sequenceText(lane.sequence)), "digest": .string(digest),
        ]).text
        let signature = try DetachedSignature.sign(Array(text.utf8), as: .receipt, with: key)
        try transaction.db.cachedStatement(
            sql: """
                INSERT INTO request (id, accepted, service, contract, agency, expiry, outbox, receipt, receipt_signature,
                    state, state_at, revision)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'accepted', ?, 0)
                """
        ).execute(arguments: [
            subject.text, envelope.time.milliseconds, service.text, contract, agency.text, expiry.milliseconds, number, text,
            signature, transaction.now.milliseconds,
        ])
        try note(subject, accepted: envelope.time.milliseconds, service.text, "accepted", transaction)
        return Receipt(request: subject, text: text, signature: signature, isRepeated: false)
    }

    private func receipt(of request: RequestID, _ db: Database) throws -> Receipt {
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT receipt, receipt_signature FROM request WHERE id = ?", arguments: [request.text])
        else { preconditionFailure("an idempotency key without its request") }
        return Receipt(request: request, text: row[0], signature: row[1], isRepeated: true)
    }

    /// Records a batch of deliveries; one `outcome.delivered` names all outcomes that became durable here.
    package func record(_ deliveries: [CheckedDelivery], in transaction: JournalTransaction) throws {
        var delivered: [JSON] = []
        for checked in deliveries {
            switch checked {
            case .refused(let delivery, let reason): try transaction.quarantine(delivery, reason: reason)
            case .accepted(let envelope, let delivery):
                switch try transaction.recordArrival(of: envelope, body: delivery.body) {
                case .duplicate:
                    // Said again, because the ledger may have asked: it did not hear of the first time.
                    if envelope.type == .outcome, let entry = try deliveredEntry(envelope, transaction.db) { delivered.append(entry) }
                case .conflicting:
                    try transaction.quarantine(delivery, reason: "id: the same identifier came before with other bytes")
                case .new:
                    if let entry = try record(envelope, delivery, in: transaction) { delivered.append(entry) }
                }
            }
        }
        for start in stride(from: 0, to: delivered.count, by: 200) {
            let part = Array(delivered[start..<min(start + 200, delivered.count)])
            try transaction.append(Draft(type: .outcomeDelivered, data: ["outcomes": .array(part)]))
        }
    }

    private func deliveredEntry(_ envelope: Envelope, _ db: Database) throws -> JSON? {
        guard let subject = envelope.subject else { return nil }
        let isKnown =
            try Bool.fetchOne(
                db.cachedStatement(sql: "SELECT 1 FROM outcome WHERE request = ? AND id = ?"),
                arguments: [subject.text, envelope.id]) ?? false
        return try isKnown && JournalStore.isWhole(db, cause: envelope.id, subject: subject, source: envelope.source)
            ? ["id": .string(envelope.id), "subject": .string(subject.text)] : nil
    }

    /// - Returns: the entry for `outcome.delivered`, where the message was an outcome.
    private func record(
        _ envelope: Envelope, _ delivery: Delivery, in transaction: JournalTransaction
    ) throws -> JSON? {
        guard [.requestTaken, .outcome, .attachmentChunk].contains(envelope.type) else { return nil }
        guard let subject = envelope.subject,
            let row = try Row.fetchOne(
                transaction.db.cachedStatement(
                    sql: "SELECT agency, service, state, revision, accepted FROM request WHERE id = ?"),
                arguments: [subject.text])
        else {
            try transaction.quarantine(delivery, reason: "subject: no such request in this house's journal")
            return nil
        }
        guard
            believesAnyAgency || row[0] as String == envelope.source.participant.text && row[1] as String == envelope.service?.text
        else {
            try transaction.quarantine(delivery, reason: "source, service: not those of the request")
            return nil
        }
        if envelope.type == .requestTaken {
            if row[2] as String == "accepted" { try move(subject, to: "taken", revision: 0, row, transaction) }
            return nil
        }
        if envelope.type == .attachmentChunk {
            let piece = try AttachmentPiece(envelope)
            guard try !transaction.claimsAnothers([piece.id], envelope) else {
                try transaction.quarantine(delivery, reason: "data.attachment: it goes with another request")
                return nil
            }
            guard let cause = try transaction.receive(piece, of: envelope) else { return nil }
            return try arrive(cause, of: subject, envelope.source, row, transaction)
        }
        guard let status = envelope.data["status"]?.string.flatMap(OutcomeStatus.init(rawValue:)),
            let newRevision = envelope.data["revision"]?.integer, newRevision >= 1
        else {
            try transaction.quarantine(delivery, reason: "data: expected a status and a revision from 1")
            return nil
        }
        let notices = try AttachmentNotice.all(in: envelope.data)
        guard try !transaction.claimsAnothers(notices.map(\.id), envelope) else {
            try transaction.quarantine(delivery, reason: "data.attachments: one goes with another message")
            return nil
        }
        try transaction.db.cachedStatement(
            sql: "INSERT INTO outcome (request, revision, id, received, status, body) VALUES (?, ?, ?, ?, ?, ?)"
        ).execute(arguments: [
            subject.text, newRevision, envelope.id, transaction.now.milliseconds, status.rawValue, Data(delivery.body),
        ])
        try transaction.expect(notices, of: envelope)
        return try arrive(envelope.id, of: subject, envelope.source, row, transaction)
    }

    /// An outcome counts once its documents are here too: only then can the clerk hand them over.
    ///
    /// - Returns: the entry for `outcome.delivered`.
    private func arrive(
        _ outcome: String, of subject: RequestID, _ source: Source, _ row: Row, _ transaction: JournalTransaction
    ) throws -> JSON? {
        let db = transaction.db
        guard try JournalStore.isWhole(db, cause: outcome, subject: subject, source: source),
            let recorded = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT status, revision FROM outcome WHERE request = ? AND id = ?"),
                arguments: [subject.text, outcome]), let status = OutcomeStatus(rawValue: recorded[0])
        else { return nil }
        // A terminal state never changes; that a second, different one came is for the ledger to say.
        let isTerminal = OutcomeStatus(rawValue: row[2])?.isTerminal ?? false
        if !isTerminal, status.isTerminal || recorded[1] as Int64 > row[3] as Int64 {
            try move(subject, to: status.rawValue, revision: recorded[1], row, transaction)
        }
        return ["id": .string(outcome), "subject": .string(subject.text)]
    }

    private func move(
        _ request: RequestID, to state: String, revision: Int64, _ row: Row, _ transaction: JournalTransaction
    ) throws {
        try transaction.db.cachedStatement(sql: "UPDATE request SET state = ?, state_at = ?, revision = ? WHERE id = ?")
            .execute(arguments: [state, transaction.now.milliseconds, revision, request.text])
        try note(request, accepted: row[4], row[1], state, transaction)
    }

    private func note(
        _ request: RequestID, accepted: Int64, _ service: String, _ state: String, _ transaction: JournalTransaction
    ) throws {
        try transaction.db.cachedStatement(
            sql: "INSERT INTO event (at, request, accepted, service, state) VALUES (?, ?, ?, ?, ?)"
        ).execute(arguments: [transaction.now.milliseconds, request.text, accepted, service, state])
    }
}
