package import GRDB
package import WaslCatalogue
package import WaslJournal
package import WaslModel
import WaslSeal

import struct Foundation.Data

/// A result of a job that has gone on without it: nothing is recorded.
package struct StaleJob: Error {}

/// The agency worker's steps: each runs inside ONE transaction and does no I/O besides.
package struct AgencySteps: Sendable {
    let agency: ParticipantID
    /// A known bug, for a simulation: a request is begun whatever time it claims.
    let takesAhead: Bool
    /// By how much a request's time may lie ahead of the worker's clock.
    static let aheadMax: Duration = .seconds(600)
    /// How long a request waits for its papers: mobile houses are away for days, and a disk that was lost may have taken them along.
    static let paperPatience: Duration = .seconds(10 * 86_400)

    package init(agency: ParticipantID, takesAhead: Bool = false) {
        self.agency = agency
        self.takesAhead = takesAhead
    }

    /// Takes a batch of deliveries into the journal. Unique by (source, id) and by (source, subject), for ever.
    ///
    /// - Returns: the new jobs.
    func take(_ deliveries: [CheckedDelivery], in transaction: JournalTransaction) throws -> [Job] {
        var jobs: [Job] = []
        for checked in deliveries {
            switch checked {
            case .refused(let delivery, let reason): try transaction.quarantine(delivery, reason: reason)
            case .accepted(let envelope, _) where isAhead(envelope, in: transaction):
                try transaction.quarantine(
                    checked.delivery,
                    reason: "time: more than ten minutes ahead of this worker's clock; it is looked at again when its time has come")
            case .accepted(let envelope, let delivery):
                switch try transaction.recordArrival(of: envelope, body: delivery.body) {
                case .duplicate: continue
                case .conflicting:
                    try transaction.quarantine(delivery, reason: "id: the same identifier came before with other bytes")
                case .new:
                    if let job = try take(envelope, delivery, in: transaction) { jobs.append(job) }
                }
            }
        }
        return jobs
    }

    /// What lies behind is for the ledger to judge, who knows when the house was away.
    func isAhead(_ envelope: Envelope, in transaction: JournalTransaction) -> Bool {
        !takesAhead && envelope.type == .requestSubmitted && envelope.time > transaction.now.advanced(by: AgencySteps.aheadMax)
    }

    private func take(_ envelope: Envelope, _ delivery: Delivery, in transaction: JournalTransaction) throws -> Job? {
        let documents =
            try envelope.type == .attachmentChunk
            ? [AttachmentPiece(envelope).id] : envelope.type == .requestSubmitted ? AttachmentNotice.all(in: envelope.data).map(\.id) : []
        guard try !transaction.claimsAnothers(documents, envelope) else {
            try transaction.quarantine(delivery, reason: "data.attachment: it goes with another request")
            return nil
        }
        if envelope.type == .attachmentChunk { return try receive(envelope, in: transaction) }
        guard envelope.type == .requestSubmitted, let subject = envelope.subject else { return nil }
        if try isKnown(subject, of: envelope.source, transaction.db) {
            try transaction.quarantine(delivery, reason: "subject: this request is known under another message")
            return nil
        }
        return try job(from: envelope, in: transaction)
    }

    func isKnown(_ subject: RequestID, of source: Source, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM job WHERE source = ? AND subject = ?)"),
            arguments: [source.description, subject.text]) ?? false
    }

    /// Keeps a piece of a paper.
    ///
    /// - Returns: the job that waited for it, now ready.
    func receive(_ envelope: Envelope, in transaction: JournalTransaction) throws -> Job? {
        guard let subject = envelope.subject, let message = try transaction.receive(try AttachmentPiece(envelope), of: envelope),
            let number = try Int64.fetchOne(
                transaction.db.cachedStatement(
                    sql: "SELECT number FROM job WHERE subject = ? AND source = ? AND message = ? AND state = 'gathering'"),
                arguments: [subject.text, envelope.source.description, message]),
            var job = try Job.fetch(transaction.db, number: number)
        else { return nil }
        job.state = .ready
        job.due = transaction.now
        try save(&job, in: transaction)
        return job
    }

    /// A new row for a request; `nil` where it lacks what every request has.
    func job(from envelope: Envelope, in transaction: JournalTransaction) throws -> Job? {
        guard let subject = envelope.subject, let service = envelope.service, let contract = envelope.contract,
            let expiry = envelope.expiry, let sealed = envelope.data["sealed"]?.string
        else { return nil }
        let db = transaction.db
        let now = transaction.now
        let notices = try AttachmentNotice.all(in: envelope.data)
        try transaction.expect(notices, of: envelope)
        let isWhole = try notices.isEmpty || JournalStore.isWhole(db, cause: envelope.id, subject: subject, source: envelope.source)
        let (state, due): (Job.State, Timestamp) =
            isWhole ? (.ready, now) : (.gathering, min(expiry, now.advanced(by: AgencySteps.paperPatience)))
        let millimes = envelope.data["millimes"]?.integer
        let reference = AgencyReference(of: RequestKey(house: envelope.source.participant, subject: subject))
        try db.cachedStatement(
            sql: """
                INSERT INTO job (subject, source, message, service, contract, house, accepted, expiry, taken, millimes, sealed,
                    state, due, reference)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            subject.text, envelope.source.description, envelope.id, service.text, contract,
            envelope.source.participant.text, envelope.time.milliseconds, expiry.milliseconds, now.milliseconds, millimes,
            sealed, state.rawValue, due.milliseconds, reference.text,
        ])
        var job = Job(
            number: db.lastInsertedRowID, subject: subject, source: envelope.source, message: envelope.id,
            service: service, contract: contract, house: envelope.source.participant, accepted: envelope.time, expiry: expiry,
            millimes: millimes,
            sealed: sealed, state: state, attempts: 0, isDoubted: false, absences: 0, due: due, revision: 0, reference: reference)
        job.isReferenceShared = try isReferenceTaken(job, db)
        return job
    }

    private func isReferenceTaken(_ job: Job, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM job WHERE reference = ? AND number <> ?)"),
            arguments: [job.reference.text, job.number]) ?? false
    }

    /// Notes that a call is about to begin. From here on until its result is recorded, a restart means doubt.
    ///
    /// - Parameter announces: says `attempt.intended`, for calls that cannot be repeated.
    /// - Returns: the job as it is now, and the outbox number of the announcement.
    /// - Throws: ``StaleJob`` where another run has gone on with the job: then nothing may be called.
    package func intend(
        _ job: Job, phase: Phase, announces: Bool, in transaction: JournalTransaction
    ) throws -> (job: Job, announcement: Int64?) {
        var job = job
        _ = try current(job, in: transaction)
        job.attempts += 1
        if phase == .call {
            job.state = .calling
            job.firstAttempt = job.firstAttempt ?? transaction.now
            job.lastAttempt = transaction.now
            job.attemptUptime = transaction.uptime
            job.absences = 0
        }
        try save(&job, in: transaction)
        try transaction.db.cachedStatement(
            sql: "INSERT INTO attempt (job, n, phase, intended) VALUES (?, ?, ?, ?)"
        ).execute(arguments: [job.number, job.attempts, phase.rawValue, transaction.now.milliseconds])
        guard announces else { return (job, nil) }
        let (_, number) = try transaction.append(
            Draft(
                type: .attemptIntended, subject: job.subject, recipient: job.house, service: job.service, contract: job.contract,
                causationID: job.message, data: ["attempt": JSON(job.attempts), "reference": .string(job.reference.text)]))
        return (job, number)
    }

    /// Records what an attempt brought, and what is said about it.
    package func conclude(
        _ conclusion: Conclusion, outcome: PreparedOutcome?, in transaction: JournalTransaction
    ) throws -> Job {
        var outcome = outcome
        // Another run of the same job may have gone on since: its word stands.
        var job = conclusion.job
        let known = try current(job, in: transaction)
        if let phase = conclusion.phase, let verdict = conclusion.verdict {
            try transaction.db.cachedStatement(
                sql: """
                    INSERT INTO attempt (job, n, phase, intended, ended, verdict) VALUES (?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET ended = excluded.ended, verdict = excluded.verdict
                    """
            ).execute(arguments: [
                job.number, job.attempts, phase.rawValue, transaction.now.milliseconds, transaction.now.milliseconds,
                String(verdict.summary.prefix(300)),
            ])
            if phase == .call, case .doubt = verdict {
                job.isDoubted = true
                // The agency may have acted until now, so what it did may take the settle time from now on to be seen.
                job.lastAttempt = transaction.now
                job.attemptUptime = transaction.uptime
            }
        }
        if let answer = conclusion.kept { try keep(answer, of: job, in: transaction) }
        switch conclusion.decision {
        case .conclude:
            job.state = .done
            // The agency has them, or will never want them; the ledger keeps what was sent as evidence.
            try transaction.forgetDocuments(cause: job.message, subject: job.subject, source: job.source)
        case .wait(let note, let until, let byLookup):
            job.state = byLookup ? .looking : .ready
            job.due = until
            job.absences = 0
            job.heard = max(1, job.attempts)
            // The same word again tells the citizen nothing.
            let digest = saltedDigestText(JSON.object(note).bytes, salt: transaction.salt)
            if digest == known { outcome = nil }
            try transaction.db.cachedStatement(sql: "UPDATE job SET note = ? WHERE number = ?").execute(arguments: [digest, job.number])
        case .desk:
            job.state = .desk
            job.due = job.expiry
            // Somebody has it in hand.
            if outcome != nil { job.heard = max(1, job.attempts) }
        case .call(let at):
            job.state = .ready
            job.due = at
            // A lookup has said twice that nothing was done: the doubt is gone.
            if conclusion.phase == .lookup { job.isDoubted = false }
        case .lookUp(let at, let absences):
            job.state = .looking
            job.due = at
            job.absences = absences
        case .park: job.state = .parked
        }
        if let outcome {
            job.revision = outcome.revision
            try say(outcome, of: job, in: transaction)
        }
        try save(&job, in: transaction)
        if case .park(let reason) = conclusion.decision {
            try transaction.db.cachedStatement(sql: "UPDATE job SET reason = ? WHERE number = ?")
                .execute(arguments: [String(reason.prefix(300)), job.number])
        }
        return job
    }

    private func say(_ outcome: PreparedOutcome, of job: Job, in transaction: JournalTransaction) throws {
        var data: JSONObject = [
            "status": .string(outcome.status.rawValue), "revision": .integer(outcome.revision), "reference": .string(job.reference.text),
        ]
        for (key, value) in outcome.visible.members { data[key] = value }
        if let answer = outcome.answer {
            data["answer"] = [
                "status": JSON(answer.status), "bytes": JSON(answer.bytes.count),
                "digest": .string(saltedDigestText(sha256(answer.bytes), salt: transaction.salt)),
            ]
        }
        let notices = try outcome.documents.compactMap { document -> AttachmentNotice? in
            try transaction.layDown(document)
            return try transaction.notice(of: document.claim)
        }
        if !notices.isEmpty { data["attachments"] = .array(notices.map(\.json)) }
        try transaction.bind(
            notices,
            to: DocumentErrand(
                subject: job.subject, recipient: job.house, service: job.service, contract: job.contract, cause: outcome.id))
        if let sealed = outcome.sealed { data["sealed"] = .string(sealed) }
        try transaction.append(
            Draft(
                type: .outcome, subject: job.subject, recipient: job.house, service: job.service, contract: job.contract,
                causationID: job.message, id: outcome.id, time: outcome.time, data: data))
        try transaction.db.cachedStatement(sql: "UPDATE job SET taken_said = 1 WHERE number = ? AND taken_said = 0")
            .execute(arguments: [job.number])
    }

    private func keep(_ answer: KeptAnswer, of job: Job, in transaction: JournalTransaction) throws {
        try transaction.db.cachedStatement(
            sql: """
                INSERT INTO answer (job, n, status, bytes, digest, sealed) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET status = excluded.status, bytes = excluded.bytes, digest = excluded.digest,
                    sealed = excluded.sealed
                """
        ).execute(arguments: [
            job.number, job.attempts, answer.status, answer.bytes, saltedDigestText(answer.digest, salt: transaction.salt),
            answer.sealed,
        ])
    }

    /// The note that was told last, where the job still is what a run began with.
    private func current(_ job: Job, in transaction: JournalTransaction) throws -> String? {
        let row = try Row.fetchOne(
            transaction.db.cachedStatement(sql: "SELECT state, attempts, note FROM job WHERE number = ?"), arguments: [job.number])
        guard let row, Job.State(rawValue: row[0]) == job.state, row[1] == job.storedAttempts else { throw StaleJob() }
        return row[2]
    }

    private func save(_ job: inout Job, in transaction: JournalTransaction) throws {
        job.storedAttempts = job.attempts
        try transaction.db.cachedStatement(
            sql: """
                UPDATE job SET state = ?, attempts = ?, first_attempt = ?, last_attempt = ?, doubted = ?, absences = ?, due = ?,
                    revision = ?, heard = ?, reference = ?, other_reference = ?
                WHERE number = ?
                """
        ).execute(arguments: [
            job.state.rawValue, job.attempts, job.firstAttempt?.milliseconds, job.lastAttempt?.milliseconds, job.isDoubted,
            job.absences, job.due.milliseconds, job.revision, job.heard, job.reference.text, job.otherReference?.text, job.number,
        ])
    }

    /// A rebuilt job as it stands.
    func keep(_ job: inout Job, isTakenSaid: Bool, reason: String? = nil, in transaction: JournalTransaction) throws {
        try save(&job, in: transaction)
        try transaction.db.cachedStatement(sql: "UPDATE job SET taken_said = ?, reason = ? WHERE number = ?")
            .execute(arguments: [isTakenSaid, reason, job.number])
    }

    /// Says `taken` of jobs that have waited for an outcome for a while; one that has come is word enough.
    package func sayTaken(olderThan age: Duration, in transaction: JournalTransaction) throws {
        let rows = try Row.fetchAll(
            transaction.db.cachedStatement(
                sql: """
                    SELECT number, subject, house, service, contract, message FROM job
                    WHERE taken_said = 0 AND taken < ? AND state <> 'gathering' ORDER BY taken LIMIT 500
                    """), arguments: [transaction.now.advanced(by: .zero - age).milliseconds])
        for row in rows {
            try transaction.append(
                Draft(
                    type: .requestTaken, subject: RequestID(row[1]), recipient: ParticipantID(row[2]),
                    service: ServiceID(row[3]), contract: row[4], causationID: row[5], data: [:]))
            try transaction.db.cachedStatement(sql: "UPDATE job SET taken_said = 1 WHERE number = ?")
                .execute(arguments: [row[0] as Int64])
        }
    }

    /// After a restart: what is to be called or looked up.
    package func open(_ db: Database) throws -> [(number: Int64, due: Timestamp, state: Job.State)] {
        try Row.fetchAll(
            db, sql: "SELECT number, due, state FROM job WHERE state IN ('gathering', 'ready', 'looking', 'desk') ORDER BY number"
        )
        .compactMap { row in Job.State(rawValue: row[2]).map { (row[0], Timestamp(milliseconds: row[1]), $0) } }
    }

    /// After a restart: attempts without a result are doubt, and what they lead to is decided by the same rules.
    package func interrupted(in transaction: JournalTransaction) throws -> [Job] {
        try Row.fetchAll(transaction.db, sql: "SELECT \(Job.columns) FROM job WHERE state = 'calling' ORDER BY number").map(Job.init)
    }
}
