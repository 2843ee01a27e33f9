import GRDB
package import WaslCatalogue
import WaslJournal
import WaslModel

import struct Foundation.Data

/// The ledger's steps: each runs inside ONE transaction and does no I/O besides.
package struct LedgerSteps: Sendable {
    private let holder: CatalogueHolder
    let times: LedgerTimes

    var catalogue: Catalogue { holder.catalogue }

    package init(catalogue: CatalogueHolder, times: LedgerTimes) {
        holder = catalogue
        self.times = times
    }

    /// Entry, evidence, lane and projection of a batch, together or not at all.
    func record(_ prepared: LedgerDeliveries.Prepared, in transaction: JournalTransaction) throws {
        let findings = Findings(transaction: transaction)
        for (delivery, envelope, reason) in prepared.refused {
            try transaction.quarantine(delivery, reason: reason)
            try findings.open(
                .refusedMessage, key: "ledger \(delivery.messageID.prefix(128))",
                participant: envelope?.source.participant, subject: envelope?.subject,
                evidence: ["reason": .string(reason), "by": "ledger"])
        }
        for message in prepared.verified {
            try noteSeen(message.envelope.source.participant, transaction)
            if message.envelope.type == .presence {
                try recordPresence(message.envelope, transaction)
            } else if try append(message, findings, transaction) {
                try project(message, findings, transaction)
            }
            if message.way != .copy { try openDetour(message, findings) }
        }
    }

    /// - Returns: whether the message is new.
    private func append(_ message: Verified, _ findings: Findings, _ transaction: JournalTransaction) throws -> Bool {
        let db = transaction.db
        let envelope = message.envelope
        guard let lane = envelope.lane else { return false }
        let known = try String.fetchOne(
            db.cachedStatement(sql: "SELECT digest FROM entry WHERE epoch = ? AND sequence = ?"),
            arguments: [lane.epoch.text, lane.sequence])
        if let known {
            if known != message.digest { try openFork(message, "two messages have the same number", findings, transaction) }
            return false
        }
        try db.cachedStatement(
            sql: """
                INSERT INTO entry (received, source, epoch, sequence, chain, id, type, subject, time, digest)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            transaction.now.milliseconds, envelope.source.description, lane.epoch.text, lane.sequence, lane.chain,
            envelope.id, envelope.type.rawValue, envelope.subject?.text, envelope.time.milliseconds, message.digest,
        ])
        try db.cachedStatement(sql: "INSERT INTO evidence (number, signature, body) VALUES (?, ?, ?)").execute(
            arguments: [db.lastInsertedRowID, message.delivery.signature, Data(message.delivery.body)])
        try transaction.release(message.delivery.body)
        try findings.clear(.refusedMessage, key: "ledger \(envelope.id)", cause: "the same message was accepted later")
        try checkChain(message, lane, findings, transaction)
        try advance(lane, envelope.source, findings, transaction)
        return true
    }

    /// Both neighbours, since any order of arrival is legal.
    private func checkChain(
        _ message: Verified, _ lane: LanePosition, _ findings: Findings, _ transaction: JournalTransaction
    ) throws {
        if lane.sequence > 1,
            let before = try String.fetchOne(
                transaction.db.cachedStatement(sql: "SELECT digest FROM entry WHERE epoch = ? AND sequence = ?"),
                arguments: [lane.epoch.text, lane.sequence - 1]), before != lane.chain
        {
            try openFork(message, "it is not chained to the message before it", findings, transaction)
        }
        if let after = try String.fetchOne(
            transaction.db.cachedStatement(sql: "SELECT chain FROM entry WHERE epoch = ? AND sequence = ?"),
            arguments: [lane.epoch.text, lane.sequence + 1]), after != message.digest
        {
            try openFork(message, "the message after it is chained to another", findings, transaction)
        }
    }

    private func openFork(
        _ message: Verified, _ reason: String, _ findings: Findings, _ transaction: JournalTransaction
    ) throws {
        guard let lane = message.envelope.lane else { return }
        try transaction.quarantine(message.delivery, reason: "sequence: \(reason)")
        try findings.open(
            .fork, key: "\(lane.epoch) \(lane.sequence)", participant: message.envelope.source.participant,
            subject: message.envelope.subject,
            evidence: [
                "epoch": .string(lane.epoch.text), "sequence": .integer(lane.sequence), "reason": .string(reason),
                "digest": .string(message.digest),
            ])
    }

    /// Moves a lane's unbroken end forward, over messages that came early too.
    private func advance(
        _ lane: LanePosition, _ source: Source, _ findings: Findings, _ transaction: JournalTransaction
    ) throws {
        let db = transaction.db
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT through, seen, gap_since, announced, source FROM lane WHERE epoch = ?"),
            arguments: [lane.epoch.text])
        var through: Int64 = row?[0] ?? 0
        let seen: Int64 = max(row?[1] ?? 0, lane.sequence)
        let announced: Int64 = row?[3] ?? 0
        let hadGap = (row?[2] as Int64?) != nil
        if let owner: String = row?[4], owner != source.description {
            try findings.open(
                .fork, key: "\(lane.epoch) owner", participant: source.participant,
                evidence: ["reason": .string("the epoch is \(owner)'s")])
            return
        }
        if lane.sequence == through + 1 {
            through = lane.sequence
            if seen > through {
                let statement = try db.cachedStatement(sql: "SELECT 1 FROM entry WHERE epoch = ? AND sequence = ?")
                while try Bool.fetchOne(statement, arguments: [lane.epoch.text, through + 1]) == true { through += 1 }
            }
        }
        let isWhole = through >= max(seen, announced)
        let gapSince: Int64? = isWhole || source.role == .ledger ? nil : (row?[2] as Int64?) ?? transaction.now.milliseconds
        if isWhole, hadGap { try findings.clear(.gap, key: lane.epoch.text, cause: "every number has come") }
        try db.cachedStatement(
            sql: """
                INSERT INTO lane (epoch, source, through, seen, announced, gap_since) VALUES (?, ?, ?, ?, 0, ?)
                ON CONFLICT DO UPDATE SET through = excluded.through, seen = excluded.seen, gap_since = excluded.gap_since,
                    asks = CASE WHEN excluded.gap_since IS NULL THEN 0 ELSE asks END
                """
        ).execute(arguments: [lane.epoch.text, source.description, through, seen, gapSince])
    }

    private func noteSeen(_ participant: ParticipantID, _ transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(
            sql: "INSERT INTO participant (id, seen) VALUES (?, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen"
        ).execute(arguments: [participant.text, transaction.now.milliseconds])
    }

    /// A beat names the lane's head: what is missing at its end is known without waiting for its next message.
    private func recordPresence(_ envelope: Envelope, _ transaction: JournalTransaction) throws {
        let data = envelope.data
        guard let epoch = data["epoch"]?.string.flatMap({ EpochID($0) }), let head = data["sequence"]?.string.flatMap({ Int64($0) }),
            (0...LanePosition.sequenceMax).contains(head), case let backlog = data["backlog"]?.integer ?? 0, backlog >= 0
        else { return }
        try transaction.db.cachedStatement(
            sql: "UPDATE participant SET epoch = ?, backlog = ?, oldest = ?, circuit = ?, version = ? WHERE id = ?"
        ).execute(arguments: [
            epoch.text, backlog, data["oldestms"]?.integer ?? 0, data["circuit"]?.string,
            data["version"]?.string, envelope.source.participant.text,
        ])
        // What still waits in the participant's own outbox is not missing: it says so itself.
        let expected = max(0, head - backlog)
        // The ledger's own commands go to others' queues: its lane is not whole here, and nobody could send it again.
        guard envelope.source.role != .ledger else { return }
        try announce(epoch, of: envelope.source, through: expected, transaction)
    }

    /// Notes that a lane has come at least so far.
    func announce(_ epoch: EpochID, of source: Source, through end: Int64, _ transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(
            sql: """
                INSERT INTO lane (epoch, source, through, seen, announced, gap_since)
                VALUES (?1, ?2, 0, 0, ?3, CASE WHEN ?3 > 0 THEN ?4 END)
                ON CONFLICT DO UPDATE SET announced = max(announced, excluded.announced),
                    gap_since = CASE WHEN excluded.announced > through THEN coalesce(gap_since, excluded.gap_since) ELSE gap_since END
                    WHERE source = excluded.source
                """
        ).execute(arguments: [epoch.text, source.description, end, transaction.now.milliseconds])
    }

    private func openDetour(_ message: Verified, _ findings: Findings) throws {
        let envelope = message.envelope
        try findings.open(
            message.way == .unroutable ? .unroutable : .deadLettered, key: envelope.id,
            participant: envelope.recipient ?? envelope.source.participant, subject: envelope.subject,
            evidence: ["type": .string(envelope.type.rawValue), "routingKey": .string(message.delivery.routingKey)])
    }
}
