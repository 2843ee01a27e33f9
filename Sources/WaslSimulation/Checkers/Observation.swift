public import WaslModel

/// Something that anybody outside the roles can see: at the counter, at an agency, on the broker's wire. Checkers read nothing else.
public enum Observation: Sendable {
    /// A citizen was handed a receipt.
    case shown(ShownReceipt)
    /// An agency did something, by its own log.
    case effect(at: Timestamp, agency: String, reference: String, millimes: Int64?)
    /// The broker took a message into its queues.
    case routed(RoutedMessage)
    /// A consumer told the broker that it has a message. `clock` is the consumer's own.
    case acknowledged(queue: String, messageID: String, clock: Timestamp)
    /// From here to `until` something was wrong with a participant, or with all of them (`nil`).
    case disturbed(at: Timestamp, until: Timestamp, participant: String?)
    /// A participant's disk was lost, or put back as it was earlier.
    case diskLost(at: Timestamp, participant: String)
    /// A participant's clock was put wrong.
    case clockWrong(participant: String)
    /// Somebody with a participant's key said what that participant must not say.
    case lied(ToldLie)
    /// A message vanished at the broker, by its body's digest.
    case vanished(digest: String)
    /// For so long that the ledger must have said so, nothing of a participant came but what it had said before.
    case mutedByBroker(participant: String, from: Timestamp, until: Timestamp)
}

/// A lie that was told: by whose key, about what, and how the ledger must name it.
public struct ToldLie: Sendable {
    /// What tells the finding that names it from others of its class and participant, where no request does.
    public enum Mark: Sendable {
        case epoch(EpochID)
        case number(EpochID, Int64)
        /// A message, by its identifier.
        case message(String)
    }

    public let at: Timestamp
    public let kind: String
    public let signer: String
    /// Of the message's body.
    public let digest: String
    /// The class of the finding that names it.
    public let finding: String
    /// Whether that finding names the signer; otherwise nobody is named, for nobody is proven.
    public let namesSigner: Bool
    /// The request that it is about, where the finding names one.
    public let request: RequestKey?
    /// A request that the liar may make: it may be acted upon, but not before this time.
    public let order: (request: RequestKey, millimes: Int64?, notBefore: Timestamp?)?
    public let mark: Mark?
    /// The messages without which the ledger cannot see the lie, by their bodies' digests.
    public let restsOn: [String]
    /// When the first of them was said. What the ledger's disk has lost of them is not said again.
    public let since: Timestamp

    public init(
        at: Timestamp, kind: String, signer: String, digest: String, finding: String, namesSigner: Bool = true, request: RequestKey? = nil,
        order: (request: RequestKey, millimes: Int64?, notBefore: Timestamp?)? = nil, mark: Mark? = nil, restsOn: [String] = [],
        since: Timestamp? = nil
    ) {
        self.mark = mark
        self.restsOn = restsOn
        self.since = since ?? at
        self.at = at
        self.kind = kind
        self.signer = signer
        self.digest = digest
        self.finding = finding
        self.namesSigner = namesSigner
        self.request = request
        self.order = order
    }
}

public struct ShownReceipt: Sendable {
    public let at: Timestamp
    public let request: RequestKey
    public let service: String
    public let agency: String
    public let isRead: Bool
    /// What the citizen asked to pay.
    public let millimes: Int64?
    public let text: String

    public init(
        at: Timestamp, request: RequestKey, service: String, agency: String, isRead: Bool, millimes: Int64?,
        text: String
    ) {
        self.at = at
        self.request = request
        self.service = service
        self.agency = agency
        self.isRead = isRead
        self.millimes = millimes
        self.text = text
    }
}

public struct RoutedMessage: Sendable {
    public let at: Timestamp
    public let envelope: Envelope
    public let digest: String
    /// Put there by somebody who is not a participant, or a participant's lie: no part of what is true.
    public let isForged: Bool
    /// Its bytes hold a citizen's data in the clear.
    public let isReadable: Bool

    public init(at: Timestamp, envelope: Envelope, digest: String, isForged: Bool, isReadable: Bool) {
        self.at = at
        self.envelope = envelope
        self.digest = digest
        self.isForged = isForged
        self.isReadable = isReadable
    }
}

/// What house and ledger say in the end, as their interfaces say it.
public struct FinalWord: Sendable {
    public struct Finding: Sendable {
        public let kind: String
        /// By which the ledger knows it again.
        public let key: String
        public let opened: Timestamp
        public let cleared: Timestamp?
        public let participant: String?
        public let request: RequestKey?
        public let evidence: JSON

        public var isOpen: Bool { cleared == nil }

        public init(
            kind: String, key: String, opened: Timestamp, cleared: Timestamp?, participant: String?, request: RequestKey?, evidence: JSON
        ) {
            self.kind = kind
            self.key = key
            self.opened = opened
            self.cleared = cleared
            self.participant = participant
            self.request = request
            self.evidence = evidence
        }
    }

    /// What the ledger says of a request.
    public struct LedgersWord: Sendable {
        public let status: String
        public let agency: String
        public let service: String
        public let submitted: Timestamp
        public let millimes: Int64?
        public let isDelivered: Bool

        public init(status: String, agency: String, service: String, submitted: Timestamp, millimes: Int64?, isDelivered: Bool) {
            self.status = status
            self.agency = agency
            self.service = service
            self.submitted = submitted
            self.millimes = millimes
            self.isDelivered = isDelivered
        }
    }

    /// Request to state, by the houses.
    public var houses: [RequestKey: String] = [:]
    public var ledger: [RequestKey: LedgersWord] = [:]
    /// Open and cleared.
    public var findings: [Finding] = []
    /// Digests of all messages in the ledger's log.
    public var logged: Set<String> = []
    /// The ledger's file holds a citizen's data in the clear.
    public var isLedgerReadable = false

    public init() {}
}

/// A promise that was not kept.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
    public let invariant: String
    public let subject: String?
    public let reason: String

    public init(invariant: String, subject: String?, reason: String) {
        self.invariant = invariant
        self.subject = subject
        self.reason = reason
    }

    public var description: String { "\(invariant): \(reason)" + (subject.map { " (\($0))" } ?? "") }
}
