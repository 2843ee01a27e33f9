package import WaslJournal
package import WaslModel

/// An outcome sealed and ready for its commit.
package struct PreparedOutcome: Sendable {
    package let id: String
    let status: OutcomeStatus
    let revision: Int64
    let time: Timestamp
    let sealed: String?
    /// Besides status and revision, what the ledger may see.
    package var visible: JSONObject
    /// Documents that go with it.
    package var documents: [LaidDownDocument] = []
    /// The agency's answer, where it left doubt: its digest is said, so that it can be found again.
    var answer: AgencyAnswer?
}

/// An answer as its bytes came.
package struct AgencyAnswer: Sendable {
    let status: Int
    let bytes: [UInt8]
}

/// An answer that no rule covers, as the journal keeps it.
struct KeptAnswer: Sendable {
    let status: Int
    let bytes: Int
    let digest: [UInt8]
    let sealed: String

    /// So much of it is kept; its digest is of the whole.
    static let bytesMax = 64 << 10
}
