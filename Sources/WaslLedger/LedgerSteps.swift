import GRDB
package import WaslCatalogue
import WaslJournal
import WaslModel

import struct Foundation.Data

/// The ledger's steps: each runs inside ONE transaction and does no I/O besides.
package struct LedgerSteps: Sendable {
    private let holder: CatalogueHolder
    let times: LedgerTimes
    let planted: PlantedLedgerBug?

    var catalogue: Catalogue { holder.catalogue }

    /// - Parameter planted: a known bug, for a simulation.
    package init(catalogue: CatalogueHolder, times: LedgerTimes, planted: PlantedLedgerBug? = nil) {
        holder = catalogue
        self.times = times
        self.planted = planted
    }

    /// Entry, evidence, lane and projection of a batch, together or not at all.
    func record(_ prepared: LedgerDeliveries.Prepared, in transaction: JournalTransaction) throws {
        let findings = Findings(transaction: transaction, isBounded: planted != .floodListed)
        for refused in prepared.refused { try record(refused, findings, transaction) }
        try endReview(of: prepared.verified, transaction)
        for message in prepared.verified {
            if message.envelope.type == .presence {
                try recordPresence(message.envelope, findings, transaction)
            } else if let entry = try append(message, findings, transaction) {
                try noteSeen(message.envelope.source.participant, transaction)
                try project(message.envelope, entry: entry, findings, transaction)
            }
            if message.way != .copy { try openDetour(message, findings) }
        }
    }

    /// Blames whom a signature proves; else says whose user the broker took it from, and blames nobody.
    private func record(_ refused: Refused, _ findings: Findings, _ transaction: JournalTransaction) throws {
        if let envelope = refused.envelope, try isLogged(envelope, refused.delivery, transaction) { return }
        if let word = refused.revoked { return try holdBack(refused, word, transaction) }
        try transaction.quarantine(refused.delivery, reason: refused.reason)
        let blamed = planted == .claimedSourceBlamed ? refused.envelope?.source.participant : refused.signer
        var evidence: JSONObject = ["reason": .string(refused.reason), "by": "ledger"]
        evidence["says"] = JSON(refused.envelope?.source.description)
        if refused.signer == nil { evidence["broker"] = JSON(refused.delivery.carrier?.text) }
        try findings.open(
            .refusedMessage, key: "ledger \(refused.envelope?.id ?? String(refused.delivery.messageID.prefix(128)))", participant: blamed,
            request: blamed == nil ? nil : refused.envelope?.request, evidence: evidence)
    }

    /// Whether these very bytes are in the log: what was accepted once is not refused when it comes again, whatever became of its key.
    private func isLogged(_ envelope: Envelope, _ delivery: Delivery, _ transaction: JournalTransaction) throws -> Bool {
        guard let lane = envelope.lane else { return false }
        return try Bool.fetchOne(
            transaction.db.cachedStatement(
                sql: """
                    SELECT EXISTS (SELECT 1 FROM entry e JOIN evidence v ON v.number = e.number
                        WHERE e.source = ? AND e.epoch = ? AND e.sequence = ? AND v.body = ?)
                    """),
            arguments: [envelope.source.description, lane.epoch.text, lane.sequence, Data(delivery.body)]) ?? false
    }

    /// - Returns: the entry's number; `nil` where the message is not new, or is set aside.
    private func append(_ message: Verified, _ findings: Findings, _ transaction: JournalTransaction) throws -> Int64? {
        let db = transaction.db
        let envelope = message.envelope
        guard let lane = envelope.lane else { return nil }
        let known = try String.fetchOne(
            db.cachedStatement(sql: "SELECT digest FROM entry WHERE source = ? AND epoch = ? AND sequence = ?"),
            arguments: [envelope.source.description, lane.epoch.text, lane.sequence])
        if let known {
            if known != message.digest { try openFork(message, "two messages have the same number", findings, transaction) }
            return nil
        }
        guard try isOwnLane(message, lane, findings, transaction) else { return nil }
        try db.cachedStatement(
            sql: """
                INSERT INTO entry (received, source, epoch, sequence, chain, id, type, house, subject, time, digest)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            transaction.now.milliseconds, envelope.source.description, lane.epoch.text, lane.sequence, lane.chain,
            envelope.id, envelope.type.rawValue, envelope.request?.house.text, envelope.subject?.text, envelope.time.milliseconds,
            message.digest,
        ])
        let entry = db.lastInsertedRowID
        try db.cachedStatement(sql: "INSERT INTO evidence (number, signature, body, is_checked) VALUES (?, ?, ?, ?)").execute(
            arguments: [entry, message.delivery.signature, Data(message.delivery.body), message.isChecked])
        try transaction.release(message.delivery.body)
        try findings.clear(.refusedMessage, key: "ledger \(envelope.id)", cause: "the same message was accepted later")
        try checkChain(message, lane, findings, transaction)
        try checkTimes(envelope, lane, findings, transaction)
        try advance(lane, of: envelope.source, findings, transaction)
        return entry
    }

    func noteSeen(_ participant: ParticipantID, _ transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(
            sql: "INSERT INTO participant (id, seen) VALUES (?, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen"
        ).execute(arguments: [participant.text, transaction.now.milliseconds])
    }

    private func openDetour(_ message: Verified, _ findings: Findings) throws {
        let envelope = message.envelope
        try findings.open(
            message.way == .unroutable ? .unroutable : .deadLettered, key: envelope.id,
            participant: envelope.recipient ?? envelope.source.participant, request: envelope.request,
            evidence: ["type": .string(envelope.type.rawValue), "routingKey": .string(message.delivery.routingKey)])
    }
}
