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
}

public struct ShownReceipt: Sendable {
    public let at: Timestamp
    public let request: String
    public let house: String
    public let service: String
    public let agency: String
    public let isRead: Bool
    /// What the citizen asked to pay.
    public let millimes: Int64?
    public let text: String

    public init(
        at: Timestamp, request: String, house: String, service: String, agency: String, isRead: Bool, millimes: Int64?,
        text: String
    ) {
        self.at = at
        self.request = request
        self.house = house
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
    /// Put there by somebody who is not a participant.
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
    public struct OpenFinding: Sendable {
        public let kind: String
        public let participant: String?
        public let subject: String?
        public let evidence: JSON

        public init(kind: String, participant: String?, subject: String?, evidence: JSON) {
            self.kind = kind
            self.participant = participant
            self.subject = subject
            self.evidence = evidence
        }
    }

    /// Request to state, by the houses.
    public var houses: [String: String] = [:]
    /// Request to status, by the ledger.
    public var ledger: [String: String] = [:]
    /// Requests whose outcome the ledger knows to be delivered.
    public var delivered: Set<String> = []
    public var findings: [OpenFinding] = []
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
