import GRDB
import WaslJournal
package import WaslModel
package import WaslSeal

import struct Foundation.Data

/// A resolution as the worker's journal keeps it. What two people wrote of a citizen's case, and the file that proves it, are sealed to
/// the agency itself like every field at rest; who signed, and when, stands in the open.
struct KeptResolution: Sendable {
    let job: Int64
    let at: Timestamp
    let signatures: [String]
    let holders: [String]
    /// Both are JWEs in compact form.
    let text: String
    let evidence: String

    func insert(_ db: Database) throws {
        try db.cachedStatement(
            sql: "INSERT INTO resolution (job, at, text, signatures, holders, evidence) VALUES (?, ?, ?, ?, ?, ?)"
        ).execute(arguments: [
            job, at.milliseconds, text, signatures.joined(separator: "\n"), holders.joined(separator: "\n"), evidence,
        ])
    }

    static func fetch(_ db: Database, of job: Int64) throws -> KeptResolution? {
        try Row.fetchOne(db, sql: "SELECT * FROM resolution WHERE job = ?", arguments: [job]).map { row in
            KeptResolution(
                job: row["job"], at: Timestamp(milliseconds: row["at"]), signatures: lines(row["signatures"]),
                holders: lines(row["holders"]), text: row["text"], evidence: row["evidence"])
        }
    }

    private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    /// For the engineer or the auditor who asks, with the evidence's length: the file itself is large.
    func json(with seal: OwnSeal) -> JSON {
        let opened = try? seal.open(text)
        return [
            "at": .string(at.description), "holders": .array(holders.map(JSON.string)), "signatures": .array(signatures.map(JSON.string)),
            "text": JSON(opened.map { String(decoding: $0, as: UTF8.self) }),
            "evidenceBytes": (try? seal.open(evidence)).map { JSON($0.count) } ?? .null,
        ]
    }
}

/// Seals to the participant's own key, for itself to read.
package struct OwnSeal: Sendable {
    private let own: ParticipantID
    private let keys: [OpeningKey]
    private let entropy: Entropy

    package init(own: ParticipantID, keys: [OpeningKey], entropy: @escaping Entropy = randomBytes) {
        self.own = own
        self.keys = keys
        self.entropy = entropy
    }

    func seal(_ bytes: [UInt8]) throws -> String {
        guard let key = keys.first else { throw SealError(.badKey, "the key file holds no opening key") }
        return try SealedText.seal(bytes, to: key.jwk, sender: own, recipient: own, entropy: entropy)
    }

    func open(_ text: String) throws -> [UInt8] { try SealedText.open(text, with: keys, sender: own, recipient: own) }
}

extension JournalStore {
    /// Seals what an earlier version kept in the clear. A migration has no keys, so it moved these rows aside, and whoever opens the
    /// journal with the keys does this first; a kill between two rows leaves the rest for the next start.
    package func sealOldResolutions(with seal: OwnSeal) throws {
        while try forgettingTransaction({ try JournalStore.sealOldResolution(with: seal, in: $0.db) }) {}
    }

    /// One at a time: evidence has up to a megabyte.
    ///
    /// - Returns: whether there was one.
    private static func sealOldResolution(with seal: OwnSeal, in db: Database) throws -> Bool {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM unsealed_resolution LIMIT 1") else { return false }
        let (job, text, evidence): (Int64, String, Data) = (row["job"], row["text"], row["evidence"])
        try db.execute(
            sql: "INSERT INTO resolution (job, at, text, signatures, holders, evidence) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                job, row["at"] as Int64, try seal.seal(Array(text.utf8)), row["signatures"] as String, row["holders"] as String,
                try seal.seal([UInt8](evidence)),
            ])
        try db.execute(sql: "DELETE FROM unsealed_resolution WHERE job = ?", arguments: [job])
        return true
    }
}
