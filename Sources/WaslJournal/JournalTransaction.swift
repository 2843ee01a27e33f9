public import GRDB
public import WaslModel
import WaslSeal

import struct Foundation.Data

/// A message to be, before it has its place in the lane.
public struct Draft: Sendable {
    public var type: MessageType
    public var subject: RequestID?
    public var recipient: ParticipantID?
    public var service: ServiceID?
    public var contract: Int64?
    public var causationID: String?
    public var expiry: Timestamp?
    public var data: JSONObject
    /// Name and time where they were fixed before the commit (a sealed text repeats them); else made at the commit.
    public var id: String?
    public var time: Timestamp?

    public init(
        type: MessageType, subject: RequestID? = nil, recipient: ParticipantID? = nil, service: ServiceID? = nil, contract: Int64? = nil,
        causationID: String? = nil,
        expiry: Timestamp? = nil, id: String? = nil, time: Timestamp? = nil, data: JSONObject
    ) {
        self.type = type
        self.subject = subject
        self.recipient = recipient
        self.service = service
        self.contract = contract
        self.causationID = causationID
        self.expiry = expiry
        self.id = id
        self.time = time
        self.data = data
    }
}

/// What a message's place in the inbox says of it.
public enum Arrival: Sendable, Hashable {
    case new
    /// The very same bytes were recorded before.
    case duplicate
    /// The same identifier came before with other bytes.
    case conflicting
}

/// Why a message was set aside, where that may pass: the first word of the reason.
public enum PassingCause: String, Sendable, CaseIterable {
    /// Under a key that a newer registry may name.
    case signature = "wasl-signature"
    /// Its time lies ahead.
    case time
}

/// One transaction of a journal: what a step sees. Nothing in it does I/O besides SQLite.
///
/// Used only on the thread that commits, and only until the commit.
public final class JournalTransaction {
    public let db: Database
    public let now: Timestamp
    let identity: JournalIdentity
    let environment: JournalEnvironment
    /// ``JournalEnvironment/uptime``
    package var uptime: Duration { environment.uptime() }
    var head: LaneHead
    var number: Int64
    var appended: [OutboundMessage] = []
    /// The journal's own secret, for salted digests.
    public let salt: [UInt8]

    init(
        db: Database, now: Timestamp, identity: JournalIdentity, environment: JournalEnvironment, head: LaneHead,
        number: Int64, salt: [UInt8]
    ) {
        self.db = db
        self.now = now
        self.identity = identity
        self.environment = environment
        self.head = head
        self.number = number
        self.salt = salt
    }

    func countRedelivered(_ count: Int) throws {
        guard count > 0 else { return }
        try db.cachedStatement(sql: "UPDATE journal SET redelivered = redelivered + ?").execute(arguments: [count])
    }

    /// The hash of the last message, appended in this transaction or before.
    public var headHash: String? { head.hash }

    /// A fresh identifier.
    public func makeUUID() -> UUIDv7 { environment.makeUUID(now) }

    /// Gives a message its number, chains it to the one before, signs it, and puts it into the outbox.
    ///
    /// - Returns: the envelope, and the outbox number by which its confirmation can be awaited.
    @discardableResult
    public func append(_ draft: Draft) throws -> (envelope: Envelope, number: Int64) {
        let envelope = Envelope(
            id: draft.id ?? makeUUID().text, type: draft.type, source: identity.source, time: draft.time ?? now,
            subject: draft.subject,
            lane: LanePosition(epoch: head.epoch, sequence: head.sequence + 1, chain: head.hash),
            recipient: draft.recipient, service: draft.service, contract: draft.contract,
            causationID: draft.causationID, expiry: draft.expiry, data: draft.data)
        guard let route = Route(envelope) else { preconditionFailure("\(draft.type) needs a recipient and a service") }
        let body = envelope.encoded()
        guard body.count <= Envelope.bytesMax else {
            throw EnvelopeError(attribute: "body", reason: "\(body.count) bytes; at most \(Envelope.bytesMax)")
        }
        let signature = try DetachedSignature.sign(body, as: .message, with: identity.key)
        let hash = digestText(body)
        number += 1
        head.sequence += 1
        head.hash = hash
        try db.cachedStatement(
            sql: """
                INSERT INTO outbox
                    (number, epoch, sequence, id, type, exchange, routing_key, subject, time, hash, signature, body)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            number, head.epoch.text, head.sequence, envelope.id, envelope.type.rawValue, route.exchange.rawValue,
            route.key, envelope.subject?.text, envelope.time.milliseconds, hash, signature, Data(body),
        ])
        appended.append(
            OutboundMessage(
                token: number, exchange: route.exchange, routingKey: route.key, messageID: envelope.id,
                time: envelope.time, body: body, signature: signature))
        return (envelope, number)
    }

    /// Records a message's arrival, for ever.
    public func recordArrival(of envelope: Envelope, body: [UInt8]) throws -> Arrival {
        let digest = digestText(body)
        let source = envelope.source.description
        let known = try String.fetchOne(
            db.cachedStatement(sql: "SELECT digest FROM inbox WHERE source = ? AND id = ?"),
            arguments: [source, envelope.id])
        if let known { return known == digest ? .duplicate : .conflicting }
        try db.cachedStatement(sql: "INSERT INTO inbox (source, id, digest, received) VALUES (?, ?, ?, ?)")
            .execute(arguments: [source, envelope.id, digest, now.milliseconds])
        try release(body)
        return .new
    }

    private func isTakenIn(_ body: [UInt8]) throws -> Bool {
        guard let envelope = try? Envelope(parsing: body) else { return false }
        return try String.fetchOne(
            db.cachedStatement(sql: "SELECT digest FROM inbox WHERE source = ? AND id = ?"),
            arguments: [envelope.source.description, envelope.id]) == digestText(body)
    }

    /// Takes a message that is accepted now out of the quarantine, if it was set aside before: under a key that was not known yet, say.
    public func release(_ body: [UInt8]) throws {
        let isEmpty = try Bool.fetchOne(db.cachedStatement(sql: "SELECT NOT EXISTS (SELECT 1 FROM quarantine)")) ?? true
        if isEmpty { return }
        try db.cachedStatement(sql: "DELETE FROM quarantine WHERE digest = ?")
            .execute(arguments: [saltedDigestText(body, salt: salt)])
    }

    static let setAsideQuery = """
        SELECT number, exchange, routing_key, message_id, queue, user_id, signature, body FROM quarantine
        WHERE substr(reason, 1, instr(reason, ':')) = ? AND signature IS NOT NULL AND number > ? ORDER BY number LIMIT ?
        """

    /// What was set aside for a reason that may pass, as it came: to be looked at again. The oldest first; the tag's number is where the
    /// next page goes on.
    public func setAside(for cause: PassingCause, after number: UInt64 = 0, limit: Int = 5_000) throws -> [Delivery] {
        try Row.fetchAll(
            db.cachedStatement(sql: JournalTransaction.setAsideQuery),
            arguments: [cause.rawValue + ":", Int64(clamping: number), limit]
        ).map { row in
            let body: Data = row["body"]
            return Delivery(
                tag: DeliveryTag(generation: 0, number: UInt64(clamping: row["number"] as Int64)), queue: row["queue"],
                exchange: row["exchange"], routingKey: row["routing_key"], isRedelivered: true, messageID: row["message_id"],
                contentType: Envelope.contentType, userID: row["user_id"], signature: row["signature"], body: [UInt8](body))
        }
    }

    /// Sets a delivery aside, where an operator sees it, and reports it: reason and digest, never its content.
    ///
    /// The same bytes refused again only count up. What was taken in once is not refused when it comes again, whatever became of its key.
    public func quarantine(_ delivery: Delivery, reason: String) throws {
        if reason.hasPrefix(PassingCause.signature.rawValue + ":"), try isTakenIn(delivery.body) { return }
        let digest = saltedDigestText(delivery.body, salt: salt)
        try db.cachedStatement(
            sql: """
                INSERT INTO quarantine (received, exchange, routing_key, message_id, reason, digest, seen, body, signature, queue, user_id)
                VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)
                ON CONFLICT (digest) DO UPDATE SET seen = seen + 1
                """
        ).execute(arguments: [
            now.milliseconds, delivery.exchange, delivery.routingKey, String(delivery.messageID.prefix(128)), reason,
            digest, Data(delivery.body), delivery.signature.map { String($0.prefix(1024)) }, delivery.queue,
            delivery.userID.map { String($0.prefix(128)) },
        ])
        let seen = try Int.fetchOne(
            db.cachedStatement(sql: "SELECT seen FROM quarantine WHERE digest = ?"), arguments: [digest])
        // Whoever copied it first: it is known by the way of its own source once it came by that.
        if seen != 1, let carrier = delivery.carrier, (try? Envelope(parsing: delivery.body))?.source.participant == carrier {
            try db.cachedStatement(sql: "UPDATE quarantine SET exchange = ?, routing_key = ?, user_id = ? WHERE digest = ?")
                .execute(arguments: [delivery.exchange, delivery.routingKey, delivery.userID, digest])
        }
        // A report about one's own report would be refused in its turn, for ever.
        let isOwn =
            delivery.exchange == Exchange.receipts.rawValue
            && delivery.routingKey.hasPrefix("\(identity.source.participant).")
        guard seen == 1, !isOwn else { return }
        try append(
            Draft(
                type: .messageRefused,
                data: [
                    "reason": .string(reason), "digest": .string(digest), "bytes": JSON(delivery.body.count),
                    "exchange": .string(delivery.exchange),
                    "messageid": .string(String(delivery.messageID.prefix(128))),
                ]))
    }
}
