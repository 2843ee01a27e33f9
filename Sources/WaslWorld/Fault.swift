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

/// What somebody with a participant's key and broker user says that is not theirs to say, and what whoever runs the broker does.
public enum Lie: String, Sendable, CaseIterable {
    /// A house says that another house's outcome was delivered.
    case foreignDelivery = "foreign-delivery"
    /// A house orders under another house's number.
    case stolenNumber = "stolen-number"
    /// A house orders a second thing under its own number.
    case secondRequest = "second-request"
    /// A request from a year ahead.
    case timeAhead = "time-ahead"
    /// A request from before what its house had said or shown, in the same lane or under an earlier epoch.
    case timeBehind = "time-behind"
    /// A number in another's lane.
    case squattedLane = "squatted-lane"
    /// A beat that names another's epoch.
    case lyingPresence = "lying-presence"
    /// A message in a neighbour's name, under the liar's own key.
    case neighboursName = "neighbours-name"
    /// The same without any signature.
    case unsigned
    /// A journal that begins anew without a reason.
    case unexplainedEpoch = "unexplained-epoch"
    /// A journal that begins anew and does not even say so.
    case silentEpoch = "silent-epoch"
    /// Six hundred messages in neighbours' names.
    case flood
    /// An agency concludes another agency's request.
    case foreignOutcome = "foreign-outcome"
    /// An agency says that it has taken, or will call for, another agency's request.
    case foreignTaking = "foreign-taking"
    /// An agency says a document of another agency's request.
    case foreignPiece = "foreign-piece"
    /// The broker: messages vanish behind their confirmation.
    case dropped
    /// The broker: a queue is emptied.
    case purged
    /// The broker: messages come out of another participant's queue.
    case rebound
    /// The broker: a participant is cut off, and its beats are played again meanwhile.
    case replayedBeats = "replayed-beats"
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
    case referenceIsNumber = "reference-is-number"
    case requestAheadIsBegun = "request-ahead-is-begun"
    case houseBelievesAnyAgency = "house-believes-any-agency"
    case anyAgencyBelieved = "any-agency-believed"
    case namedAndBelieved = "named-and-believed"
    case anyHouseDelivers = "any-house-delivers"
    case secondRequestOverwrites = "second-request-overwrites"
    case foreignLaneTaken = "foreign-lane-taken"
    case claimedSourceBlamed = "claimed-source-blamed"
    case oldBeatsCount = "old-beats-count"
    case timesUnchecked = "times-unchecked"
    case floodListed = "flood-listed"
    case collisionUnnamed = "collision-unnamed"
    case epochsUnexplained = "epochs-unexplained"

    /// Takes a defence against liars away: only a world with liars shows it.
    public var needsLiars: Bool {
        switch self {
        case .referenceIsNumber, .requestAheadIsBegun, .houseBelievesAnyAgency, .anyAgencyBelieved, .namedAndBelieved, .anyHouseDelivers,
            .secondRequestOverwrites, .foreignLaneTaken, .claimedSourceBlamed, .oldBeatsCount, .timesUnchecked, .floodListed,
            .collisionUnnamed, .epochsUnexplained:
            true
        default: false
        }
    }
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
    /// One house, one agency and the broker's operator lie.
    public var insiders = false
    /// The requests whose story is written down; `nil` for none.
    public var traced: Set<String>?

    public init(seed: UInt64) { self.seed = seed }
}
