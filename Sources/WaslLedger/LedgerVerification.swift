import Foundation
import GRDB
public import WaslModel
import WaslSeal

/// A check of a ledger's file that believes nothing but the bytes: digests, chains, numbers. Reads only.
public struct LedgerVerification: Sendable {
    public let entries: Int64
    public let lanes: Int64
    /// What is wrong with the file, naming entry or lane.
    public let problems: [String]
    /// Messages that are not chained to the one before, as they came: their sender's doing, and a finding each.
    public let forks: Int64

    private static let problemsMax = 100

    public init(path: String) throws {
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        (entries, lanes, problems, forks) = try queue.read { db in
            var problems: [String] = []
            let result = try String.fetchOne(db, sql: "PRAGMA integrity_check(1)") ?? "no answer"
            if result != "ok" { problems.append("the file is damaged: \(result)") }
            let (entries, forks) = try LedgerVerification.checkEntries(db, &problems)
            let lanes = try LedgerVerification.checkLanes(db, &problems)
            return (entries, lanes, problems, forks)
        }
    }

    private static func checkEntries(_ db: Database, _ problems: inout [String]) throws -> (entries: Int64, forks: Int64) {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT e.number, e.digest, e.id, e.epoch, e.sequence, e.chain, e.source, v.body, p.digest AS before
                FROM entry e LEFT JOIN evidence v ON v.number = e.number
                LEFT JOIN entry p ON p.source = e.source AND p.epoch = e.epoch AND p.sequence = e.sequence - 1 ORDER BY e.number
                """)
        var (count, forks): (Int64, Int64) = (0, 0)
        // Named when either of the two neighbours came.
        let named = try db.makeStatement(
            sql: "SELECT EXISTS (SELECT 1 FROM finding WHERE class = 'fork' AND key IN (?, ?, ?))")
        while let row = try rows.next() {
            count += 1
            let number: Int64 = row["number"]
            func problem(_ text: String) {
                if problems.count < problemsMax { problems.append("entry \(number): \(text)") }
            }
            if number != count { problem("expected number \(count)") }
            count = number
            if let before = row["before"] as String?, before != row["chain"] as String? {
                let (source, epoch, sequence): (String, String, Int64) = (row["source"], row["epoch"], row["sequence"])
                let lane = "\(source) \(epoch)"
                let participant = Source(source)?.participant.text ?? ""
                let isNamed = try Bool.fetchOne(
                    named, arguments: ["\(lane) \(sequence)", "\(lane) \(sequence - 1)", participant + Findings.more])
                if isNamed == true { forks += 1 } else { problem("is not chained to the entry before in its lane") }
            }
            // Evidence may have been erased at its term; the entry stands by its digest.
            guard let body = row["body"] as Data? else { continue }
            let bytes = [UInt8](body)
            if digestText(bytes) != row["digest"] as String { problem("its evidence does not match its digest") }
            guard let envelope = try? Envelope(parsing: bytes), let lane = envelope.lane else {
                problem("its evidence is not a message")
                continue
            }
            if envelope.id != row["id"] as String || lane.epoch.text != row["epoch"] as String
                || lane.sequence != row["sequence"] as Int64 || envelope.source.description != row["source"] as String
            {
                problem("does not say what its evidence says")
            }
        }
        return (count, forks)
    }

    private static func checkLanes(_ db: Database, _ problems: inout [String]) throws -> Int64 {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT l.epoch, l.source, l.through, l.seen,
                    (SELECT COUNT(*) FROM entry e WHERE e.source = l.source AND e.epoch = l.epoch AND e.sequence <= l.through) AS present,
                    (SELECT coalesce(MAX(sequence), 0) FROM entry e WHERE e.source = l.source AND e.epoch = l.epoch) AS newest
                FROM lane l
                """)
        // Whatever was found before: damage to a lane is told too.
        for row in rows.prefix(while: { _ in problems.count < 2 * problemsMax }) {
            let (through, present): (Int64, Int64) = (row["through"], row["present"])
            if present != through { problems.append("lane \(row["epoch"] as String): says whole through \(through), holds \(present)") }
            if row["newest"] as Int64 != row["seen"] as Int64 {
                problems.append("lane \(row["epoch"] as String): its newest number is wrong")
            }
        }
        return Int64(rows.count)
    }

    public var summary: String {
        (["\(entries) entries in \(lanes) lanes: " + (problems.isEmpty ? "every digest, chain and number holds." : "problems:")]
            + (forks > 0 ? ["  \(forks) messages are not chained to the one before them: see the findings `fork`"] : [])
            + problems.map { "  " + $0 }).joined(separator: "\n")
    }

    public var json: JSON {
        [
            "entries": .integer(entries), "lanes": .integer(lanes), "clean": .bool(problems.isEmpty),
            "forks": .integer(forks), "problems": .array(problems.map(JSON.string)),
        ]
    }
}
