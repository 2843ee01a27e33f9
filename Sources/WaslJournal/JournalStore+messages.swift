package import GRDB
package import WaslModel
import WaslSeal

import struct Foundation.Data

extension JournalStore {
    /// A range of a lane once more, as the ledger asks; the rest of a long one at its next ask.
    package static func messages(
        _ db: Database, epoch: EpochID, from first: Int64, through last: Int64
    ) throws -> [OutboundMessage] {
        let condition = "epoch = ? AND sequence BETWEEN ? AND ? ORDER BY sequence LIMIT 2000"
        let arguments: StatementArguments = [epoch.text, first, last]
        return try messages(db, where: condition, arguments) + recovered(db, where: condition, arguments)
    }

    /// Everything that was said about a request.
    package static func messages(_ db: Database, about subject: RequestID) throws -> [OutboundMessage] {
        try recovered(db, where: "subject = ? ORDER BY epoch, sequence", [subject.text])
            + messages(db, where: "subject = ? ORDER BY number", [subject.text])
    }

    /// The same, a page at a time: a request may have papers of megabytes.
    package static func messages(_ db: Database, about subject: RequestID, after: Int64, limit: Int) throws -> [OutboundMessage] {
        try messages(db, where: "subject = ? AND number > ? ORDER BY number LIMIT ?", [subject.text, after, limit])
    }

    /// The same of an earlier, lost journal.
    package static func recovered(_ db: Database, about subject: RequestID, skipping: Int, limit: Int) throws -> [OutboundMessage] {
        try recovered(db, where: "subject = ? ORDER BY epoch, sequence LIMIT ? OFFSET ?", [subject.text, limit, skipping])
    }

    /// What comes after a number in the outbox.
    package static func messages(_ db: Database, after number: Int64, limit: Int) throws -> [OutboundMessage] {
        try messages(db, where: "number > ? ORDER BY number LIMIT ?", [number, limit])
    }

    /// Outbox messages after a number, in order. Bytes that do not match their recorded hash never leave the house.
    static func messages(
        _ db: Database, where condition: String, _ arguments: StatementArguments
    ) throws
        -> [OutboundMessage]
    {
        try messages(db, "SELECT number, exchange, routing_key, id, time, body, signature, hash FROM outbox WHERE \(condition)", arguments)
    }

    /// The same of an earlier, lost journal.
    private static func recovered(
        _ db: Database, where condition: String, _ arguments: StatementArguments
    ) throws -> [OutboundMessage] {
        try messages(
            db, "SELECT 0, exchange, routing_key, id, time, body, signature, hash FROM recovered WHERE \(condition)", arguments)
    }

    private static func messages(
        _ db: Database, _ sql: String, _ arguments: StatementArguments
    ) throws -> [OutboundMessage] {
        let rows = try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: arguments)
        var messages: [OutboundMessage] = []
        while let row = try rows.next() {
            let body: Data = row[5]
            let bytes = [UInt8](body)
            let number: Int64 = row[0]
            guard digestText(bytes) == row[7] as String, let exchange = Exchange(rawValue: row[1]) else {
                throw JournalError(
                    .damaged, "outbox message \(number): its bytes do not match its hash",
                    remedy: "Run `wasl journal check`; follow Docs/operate/recovery.md")
            }
            messages.append(
                OutboundMessage(
                    token: number, exchange: exchange, routingKey: row[2], messageID: row[3],
                    time: Timestamp(milliseconds: row[4]), body: bytes, signature: row[6]))
        }
        return messages
    }
}
