package import GRDB
package import WaslModel

/// One request in an agency's hands.
package struct Job: Sendable, Hashable {
    package enum State: String, Sendable {
        /// To be called when due.
        case ready
        /// A call was intended and its result is not recorded: after a restart, doubt.
        case calling
        /// In doubt: to be looked up when due.
        case looking
        /// In doubt for good: two people decide.
        case parked
        case done
    }

    package let number: Int64
    package let subject: RequestID
    let source: Source
    let message: String
    package let service: ServiceID
    let contract: Int64
    package let house: ParticipantID
    /// The legal sending date.
    let accepted: Timestamp
    package let expiry: Timestamp
    let millimes: Int64?
    let sealed: String
    package var state: State
    package var attempts: Int
    var firstAttempt: Timestamp?
    var lastAttempt: Timestamp?
    /// Some attempt may have acted, and no lookup has said that it did not.
    var isDoubted: Bool
    /// Lookups after the settle time that found nothing.
    var absences: Int
    package var due: Timestamp
    var revision: Int64
}

extension Job {
    static let columns =
        "number, subject, source, message, service, contract, house, accepted, expiry, millimes, sealed, state, attempts, first_attempt, last_attempt, doubted, absences, due, revision"

    init(_ row: Row) {
        func time(_ column: String) -> Timestamp? { (row[column] as Int64?).map { Timestamp(milliseconds: $0) } }
        guard let subject = RequestID(row["subject"]), let source = Source(row["source"]), let service = ServiceID(row["service"]),
            let house = ParticipantID(row["house"]), let state = State(rawValue: row["state"]), let accepted = time("accepted"),
            let expiry = time("expiry"), let due = time("due")
        else { preconditionFailure("a job row holds what a checked message held") }
        self.init(
            number: row["number"], subject: subject, source: source, message: row["message"], service: service,
            contract: row["contract"], house: house, accepted: accepted, expiry: expiry, millimes: row["millimes"],
            sealed: row["sealed"], state: state, attempts: row["attempts"], firstAttempt: time("first_attempt"),
            lastAttempt: time("last_attempt"), isDoubted: row["doubted"], absences: row["absences"], due: due,
            revision: row["revision"])
    }

    package static func fetch(_ db: Database, number: Int64) throws -> Job? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT \(columns) FROM job WHERE number = ?"), arguments: [number]
        ).map(Job.init)
    }
}
