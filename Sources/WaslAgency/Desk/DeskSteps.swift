import GRDB
import WaslCatalogue
import WaslJournal
import WaslModel

/// What a person at the desk did.
enum DeskAct: Sendable {
    /// It is being worked on: from here on it does not expire.
    case taken
    case completed(JSONObject)
    case refused(String)

    var word: String {
        switch self {
        case .taken: "taken"
        case .completed: "completed"
        case .refused: "refused"
        }
    }
}

extension AgencySteps {
    /// Records what somebody did at the desk, and says it.
    func record(
        _ act: DeskAct, of job: Job, by holder: String, outcome: PreparedOutcome, in transaction: JournalTransaction
    ) throws {
        guard let current = try Job.fetch(transaction.db, number: job.number), current.state == .desk else { throw StaleJob() }
        try note(act.word, of: job, by: holder, in: transaction)
        let decision: Decision =
            switch act {
            case .taken: .desk
            case .completed(let fields): .conclude(.completed, fields)
            case .refused: .conclude(.refused, [:])
            }
        _ = try conclude(Conclusion(current, decision: decision), outcome: outcome, in: transaction)
    }

    func note(_ act: String, of job: Job, by holder: String, in transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(sql: "INSERT INTO desk_act (job, subject, at, holder, act) VALUES (?, ?, ?, ?, ?)")
            .execute(arguments: [job.number, job.subject.text, transaction.now.milliseconds, holder, act])
    }
}

extension JobDesk {
    /// What is said of an act at the desk.
    func outcome(of act: DeskAct, _ job: Job, _ environment: JournalEnvironment) throws -> PreparedOutcome {
        switch act {
        case .taken:
            return try seal(
                job, .progress,
                [
                    "progress": [
                        "code": "in-hand", "ar": "المطلب بين أيدي أعوان الهيكل", "fr": "La demande est entre les mains d'un agent",
                        "en": "An agent of the agency is at work on it",
                    ]
                ], [:], environment)
        case .completed(let fields):
            var visible: JSONObject = [:]
            if let millimes = job.millimes { visible["millimes"] = .integer(millimes) }
            return try seal(job, .completed, fields, visible, environment)
        case .refused(let text):
            // An agent writes in one language; better that one in all three places than none.
            return try seal(
                job, .refused,
                ["reason": ["code": "desk", "ar": .string(text), "fr": .string(text), "en": .string(text)]], [:], environment)
        }
    }
}

extension AgencyWorker {
    /// What waits at the desk, the oldest citizen first.
    func deskJobs() async throws -> [(job: Job, holder: String?)] {
        try await journal.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT \(Job.columns), (SELECT holder FROM desk_act d WHERE d.job = job.number AND d.act = 'taken'
                        ORDER BY d.number DESC LIMIT 1) AS holder
                    FROM job WHERE state = 'desk' ORDER BY accepted LIMIT 500
                    """)
            return rows.map { (Job($0), $0["holder"]) }
        }
    }

    /// The request, where it waits at the desk.
    func deskJob(_ request: RequestKey) async throws -> Job? {
        guard let job = try await journal.read({ try Job.fetch($0, of: request) }), job.state == .desk else { return nil }
        return job
    }

    /// - Throws: ``StaleJob`` where a colleague was quicker.
    func perform(_ act: DeskAct, on job: Job, by holder: String) async throws {
        let outcome = try desk.outcome(of: act, job, journal.environment)
        try await journal.commit { [steps] in try steps.record(act, of: job, by: holder, outcome: outcome, in: $0) }
        logger.notice("answered at the desk", metadata: ["request": "\(job.request)", "act": "\(act.word)", "holder": "\(holder)"])
    }
}
