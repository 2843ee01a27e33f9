package import GRDB
package import WaslModel

/// One request in an agency's hands.
package struct Job: Sendable, Hashable {
    package enum State: String, Sendable {
        /// Its papers have not all come.
        case gathering
        /// To be called when due.
        case ready
        /// A call was intended and its result is not recorded: after a restart, doubt.
        case calling
        /// In doubt, or being worked on: to be looked up when due.
        case looking
        /// In doubt for good: two people decide.
        case parked
        /// The agency's staff has it before them.
        case desk

        /// Waits for papers or for people; its time in the queue is only when it has waited too long.
        var isOthersTurn: Bool { self == .gathering || self == .desk }

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
    /// By the process's own clock, when the last attempt began or left doubt: what the wall clock says of it may have been put
    /// forward since. Zero, the process's start, for an attempt of a life before.
    var attemptUptime: Duration = .zero
    /// The attempt at which the agency last said that it is at work on it; 0 where it never did.
    var heard = 0
    /// What the agency is given as our reference or idempotency key: the same at every attempt.
    var reference: AgencyReference
    /// Where the request may have been sent under another reference, that one: a lookup asks under both.
    var otherReference: AgencyReference?
    /// Another request has the same reference: an answer under it would say nothing of this one.
    var isReferenceShared = false
    /// ``attempts`` as the journal has it: a run that began from something else is over.
    var storedAttempts = 0

    package var request: RequestKey { RequestKey(house: house, subject: subject) }
}

extension Job {
    static let columns =
        "number, subject, source, message, service, contract, house, accepted, expiry, millimes, sealed, state, attempts, first_attempt, last_attempt, doubted, absences, due, revision, heard, reference, other_reference, (SELECT COUNT(*) FROM job o WHERE o.reference = job.reference) > 1"

    /// - Parameter row: exactly ``columns``; read by place, for a worker reads a job at every step.
    init(_ row: Row) {
        func time(_ column: Int) -> Timestamp? { (row[column] as Int64?).map { Timestamp(milliseconds: $0) } }
        guard let subject = RequestID(row[1]), let source = Source(row[2]), let service = ServiceID(row[4]),
            let house = ParticipantID(row[6]), let accepted = time(7), let expiry = time(8), let state = State(rawValue: row[11]),
            let due = time(17), let reference = AgencyReference(row[20] as String)
        else { preconditionFailure("a job row holds what a checked message held") }
        self.init(
            number: row[0], subject: subject, source: source, message: row[3], service: service, contract: row[5], house: house,
            accepted: accepted, expiry: expiry, millimes: row[9], sealed: row[10], state: state, attempts: row[12],
            firstAttempt: time(13), lastAttempt: time(14), isDoubted: row[15], absences: row[16], due: due, revision: row[18],
            heard: row[19], reference: reference, otherReference: (row[21] as String?).flatMap { AgencyReference($0) },
            isReferenceShared: row[22], storedAttempts: row[12])
    }

    package static func fetch(_ db: Database, number: Int64) throws -> Job? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT \(columns) FROM job WHERE number = ?"), arguments: [number]
        ).map(Job.init)
    }

    static func fetch(_ db: Database, of request: RequestKey) throws -> Job? {
        try Row.fetchOne(
            db, sql: "SELECT \(columns) FROM job WHERE subject = ? AND house = ?", arguments: [request.subject.text, request.house.text]
        ).map(Job.init)
    }
}
