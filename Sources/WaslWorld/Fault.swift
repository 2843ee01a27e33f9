import WaslModel

/// What goes wrong in a simulated world.
public enum Fault: String, Sendable, CaseIterable {
    case crash
    case brokerRestart = "broker-restart"
    case lostConfirm = "lost-confirm"
    case nack
    case duplicate
    case late
    case reordered
    case partition
    case diskFull = "disk-full"
    case restoredBackup = "restored-backup"
    case lostDisk = "lost-disk"
    case clockJump = "clock-jump"
    case agencyDark = "agency-dark"
    case actedThenTimedOut = "acted-then-timed-out"
    case actedLate = "acted-late"
    case lostConnection = "lost-connection"
    case errorBeforeActing = "error-before-acting"
    case errorAfterActing = "error-after-acting"
    case refusedConnection = "refused-connection"
    case malformedAnswer = "malformed-answer"
    case maintenance
    case replayed
    case tampered
    case conflicting
    case keyRotation = "key-rotation"
}

/// A known bug, planted on purpose: a checker that cannot see it proves nothing.
public enum PlantedBug: String, Sendable, CaseIterable {
    case houseAcknowledgesBeforeCommit = "house-acknowledges-before-commit"
    case ledgerAcknowledgesBeforeCommit = "ledger-acknowledges-before-commit"
    case receiptBeforeCommit = "receipt-before-commit"
    case confirmOnPublish = "confirm-on-publish"
    case retryNeitherAfterDoubt = "retry-neither-after-doubt"
    case doubtTakenForNo = "doubt-taken-for-no"
    case callBeforeIntend = "call-before-intend"
    case settleTimeIgnored = "settle-time-ignored"
    case inboxForgotten = "inbox-forgotten"
    case sequenceReusedAfterRestore = "sequence-reused-after-restore"
    case backupReopened = "backup-reopened"
    case signatureIgnored = "signature-ignored"
    case fieldsInSight = "fields-in-sight"
    case pieceForgotten = "piece-forgotten"
    case oneThreadForAllAgencies = "one-thread-for-all-agencies"
}

public struct WorldOptions: Sendable {
    public var seed: UInt64
    public var houses = 5
    /// Orders over the whole run.
    public var requests = 200
    /// Over how much virtual time they come; `nil` lets the seed choose between two hours and ten days.
    public var span: Duration?
    /// Real curves, instead of a keyed hash.
    public var realCryptography = false
    /// 1 is the usual measure of every fault; 0 is none.
    public var faultRate = 1.0
    /// Faults that must not happen.
    public var without: Set<Fault> = []
    public var bug: PlantedBug?
    /// The requests whose story is written down; `nil` for none.
    public var traced: Set<String>?

    public init(seed: UInt64) { self.seed = seed }
}
