package import GRDB
package import WaslCatalogue
import WaslJournal
package import WaslModel
package import WaslSeal

/// What ended a run of a job: to be committed, and said.
package struct Conclusion: Sendable {
    let job: Job
    let phase: Phase?
    let verdict: Verdict?
    let decision: Decision
    /// Whether the agency answered; `nil` when it was not asked.
    package let answered: Bool?
    /// The opened order, so that the next attempt need not open it again.
    package let fields: JSONObject?
    /// The document that a completed answer came with.
    var document: FoundDocument?
    /// The answer that left doubt.
    var answer: AgencyAnswer?
    /// The last answer, whatever it said.
    var received: AgencyAnswer?
    /// The same, sealed.
    var kept: KeptAnswer?

    var isParking: Bool { if case .park = decision { true } else { false } }

    /// The same, where what it says can be said to nobody, now or later: people find out from the agency what came of it.
    func parked(because error: any Error) -> Conclusion {
        var parked = Conclusion(
            job, phase: phase, verdict: verdict, decision: .park(reason: "the agency's answer cannot be sealed to its house: \(error)"),
            answered: answered)
        parked.answer = received
        return parked
    }

    init(
        _ job: Job, phase: Phase? = nil, verdict: Verdict? = nil, decision: Decision, answered: Bool? = nil, fields: JSONObject? = nil
    ) {
        self.fields = fields
        self.job = job
        self.phase = phase
        self.verdict = verdict
        self.decision = decision
        self.answered = answered
    }
}

/// One run of a job, from its due time to its next rest. It decides what to do and is told what came of it; it does nothing itself, so
/// that worker and simulation go by the same rules.
package struct JobRun: Sendable {
    package enum Action: Sendable {
        /// Make the agency's call of the order: then ``JobRun/translated(_:at:)``.
        case translateCall(program: String, input: JSON)
        /// Commit ``AgencySteps/intend(_:phase:announces:in:)``: then ``JobRun/intended(_:announcement:)``.
        case intend(Job, Phase, announces: Bool)
        /// Wait for the broker to have the announcement, however long: then ``JobRun/confirmed(at:)``, or ``JobRun/unconfirmed(at:)``.
        case awaitConfirmation(of: Int64)
        /// Call: then ``JobRun/performed(_:at:)``.
        case perform(AgencyCall, isRepeatable: Bool)
        /// Bring a paper: then ``JobRun/performed(_:at:)``, or ``JobRun/unreadable(_:at:)``.
        case upload(AgencyCall, Paper)
        /// Read the agency's answer: then ``JobRun/answered(_:at:)``.
        case translateAnswer(program: String, input: JSON)
        /// Commit, until it is committed: the agency may have answered. The run is over.
        case conclude(Conclusion)
        /// The job cannot be run now. The run is over.
        case again(reason: String)
        /// Another run has gone on with the job. The run is over.
        case nothing
    }

    /// One paper of an order, by its place among them.
    package struct Paper: Sendable {
        let job: Job
        let place: Int
        let claim: DocumentClaim

        /// Its bytes, as the house sent them.
        ///
        /// - Throws: ``DocumentError``
        package func content(in db: Database, to own: ParticipantID, with keys: [OpeningKey]) throws -> [UInt8] {
            let all = try JournalStore.incoming(db, cause: job.message, subject: job.subject, source: job.source)
            guard place < all.count else { throw DocumentError(.incomplete, "the order names more papers than its message") }
            return try JournalStore.document(db, all[place].id, from: job.source, to: own, claim: claim, with: keys)
        }
    }

    private let desk: JobDesk
    private var job: Job
    private var fields: JSONObject?
    private let phase: Phase
    private let service: Service?
    private let jitter: Double
    private var call: AgencyCall?
    private var status = 0
    /// What is under way: a call may have papers to bring first.
    private var stage: Phase
    private var place = 0
    /// The job's own reference found nothing, and the other one is asked for: a lookup counts as empty only when both are.
    private var asksUnderOther = false
    private var document: FoundDocument?
    private var answer: AgencyAnswer?

    /// - Parameters:
    ///   - fields: the order's fields where they are still in memory.
    ///   - jitter: a number in 0..<1.
    package init(_ job: Job, fields: JSONObject?, desk: JobDesk, jitter: Double) {
        self.desk = desk
        self.job = job
        self.fields = fields
        self.jitter = jitter
        phase = job.state == .looking ? .lookup : .call
        stage = phase
        service = desk.catalogue.service(job.service, version: job.contract)
    }

    package var isLookup: Bool { phase == .lookup }
    /// The call, once it is translated.
    package var heldCall: AgencyCall? { call }

    package mutating func start(at now: Timestamp) -> Action {
        if job.state.isOthersTurn {
            if job.heard > 0 { return .nothing }
            if now >= job.expiry { return conclude(nil, nil, .conclude(.expired, [:]), answered: nil) }
            // Nothing was done, and the citizen is told to bring them again.
            guard job.state == .gathering, now >= job.due else { return .again(reason: "not due yet") }
            return conclude(nil, nil, .conclude(.failed, JobDesk.reason("papers-missing")), answered: nil)
        }
        guard job.state == .ready || job.state == .looking else { return .nothing }
        if job.isReferenceShared {
            return conclude(
                nil, nil, .park(reason: "another request has the same reference at the agency: its answers would not tell them apart"),
                answered: nil)
        }
        guard let service else { return giveUp(.failed, "unknown-service") }
        if job.state == .ready, let early = desk.rules(service, jitter).decideBeforeCall(of: job, at: now) {
            return conclude(nil, nil, early, answered: nil)
        }
        // What nobody could be told is not done: the answer has to be sealed to its house.
        if (try? desk.registry.registry.sealingKey(of: job.house, at: now)) == nil {
            return rest(until: now.advanced(by: JobRun.keyPause))
        }
        if desk.agency.isOfficeHoursOnly, case let opening = desk.catalogue.calendar.nextOpening(from: now), opening > now {
            return rest(until: opening)
        }
        do {
            let fields = try self.fields ?? desk.open(job, at: now)
            self.fields = fields
            if job.state == .ready, !service.violations(in: fields).isEmpty {
                return giveUp(.refused, "invalid-order")
            }
            if service.isDesk { return conclude(nil, nil, .desk, answered: nil) }
            return next(service, fields, at: now)
        } catch {
            return .again(reason: "\(error)")
        }
    }

    /// How long a house that has no sealing key is waited for.
    private static let keyPause: Duration = .seconds(600)

    private func rest(until time: Timestamp) -> Action {
        conclude(nil, nil, job.state == .ready ? .call(at: time) : .lookUp(at: time, absences: job.absences), answered: nil)
    }

    /// The next paper's upload, or the call itself.
    private mutating func next(_ service: Service, _ fields: JSONObject, at now: Timestamp) -> Action {
        let papers = service.attachments.flatMap { fields[$0.field]?.array } ?? []
        if phase == .call, place < papers.count {
            if place == 0 { job.attempts += 1 }
            stage = .upload
            return .translateCall(
                program: service.programName(.upload), input: desk.input(job, fields, paper: papers[place], at: now))
        }
        stage = phase
        // Large papers take minutes.
        if phase == .call, place > 0, let early = desk.rules(service, jitter).decideBeforeCall(of: job, at: now) {
            return conclude(nil, nil, early, answered: true)
        }
        return .translateCall(
            program: service.programName(phase == .call ? .call : .lookup),
            input: desk.input(job, fields, under: asksUnderOther ? job.otherReference : nil, at: now))
    }

    /// What the order says of the paper that is under way.
    private var claim: DocumentClaim? {
        service?.attachments.flatMap { fields?[$0.field]?.array?[place] }.flatMap { DocumentClaim($0) }
    }

    /// The paper is not here, or is not what was promised.
    package mutating func unreadable(_ error: any Error, at now: Timestamp) -> Action {
        if error is DocumentError { return giveUp(.refused, "paper-damaged") }
        return .again(reason: "\(error)")
    }

    package mutating func translated(_ result: Result<JSON, any Error>, at now: Timestamp) -> Action {
        guard let service else { return .nothing }
        do {
            var call = try AgencyCall(try result.get())
            if stage == .upload {
                guard let claim else { return giveUp(.refused, "invalid-order") }
                return .upload(call, Paper(job: job, place: place, claim: claim))
            }
            if phase == .call, service.effect == .idempotent, let header = desk.agency.idempotencyHeader {
                call.set(header: header, to: job.reference.text)
            }
            self.call = call
            if service.effect != .read {
                return .intend(job, phase, announces: phase == .call && service.effect == .neither)
            }
            // A read may be repeated blindly, so a record of the intention would say nothing.
            job.attempts += 1
            return .perform(call, isRepeatable: true)
        } catch let error as TranslationError where error.code != .program {
            return withoutTranslator(error, at: now)
        } catch {
            // Nothing was sent, and what fails on its input will fail again.
            if mayHaveActed {
                return conclude(
                    stage, .doubt("\(error)"), .park(reason: "the \(stage.rawValue) cannot be translated: \(error)"), answered: nil)
            }
            return conclude(stage, nil, .conclude(.failed, JobDesk.reason("translation")), answered: nil)
        }
    }

    /// The helper was killed or does not start: nothing was sent, and the request is not to blame. It is tried again until its expiry, and
    /// neither counted nor recorded as an attempt.
    private mutating func withoutTranslator(_ error: TranslationError, at now: Timestamp) -> Action {
        job.attempts = job.storedAttempts
        // An input that kills it costs a second of processor time at each try.
        let pause = error.code == .killed ? JobRun.killedPause : JobRun.unavailablePause
        let at = now.advanced(by: .milliseconds(Int64(Double(pause.milliseconds) * (0.5 + jitter))))
        return conclude(nil, nil, phase == .lookup ? .lookUp(at: at, absences: job.absences) : .call(at: at), answered: nil)
    }

    private static let killedPause: Duration = .seconds(60)
    private static let unavailablePause: Duration = .seconds(5)

    package mutating func intended(_ job: Job, announcement: Int64?) -> Action {
        self.job = job
        if let announcement { return .awaitConfirmation(of: announcement) }
        return perform()
    }

    package mutating func confirmed(at now: Timestamp) -> Action {
        // The broker may have been away for long, and nothing was sent yet.
        now >= job.expiry ? conclude(nil, nil, .conclude(.expired, [:]), answered: nil) : perform()
    }

    /// A stop came before the broker had the announcement: nothing was sent, and no doubt is left behind.
    package func unconfirmed(at now: Timestamp) -> Action {
        settle(.definiteNo("stopped before the call was announced", retryAfter: .zero), at: now, answered: nil)
    }

    private func perform() -> Action {
        guard let call, let service else { return .nothing }
        return .perform(call, isRepeatable: service.effect != .neither)
    }

    package mutating func performed(_ transport: Transport, at now: Timestamp) -> Action {
        switch transport {
        case .notSent(let reason):
            answer = nil
            return settle(.definiteNo(reason, retryAfter: nil), at: now, answered: false)
        case .unknown(let reason):
            answer = nil
            return settle(.doubt(reason), at: now, answered: false)
        case .answered(let status, let headers, var body, let raw):
            guard let service else { return .nothing }
            self.status = status
            answer = AgencyAnswer(status: status, bytes: raw)
            document = service.document.flatMap { FoundDocument.take($0, from: &body) }
            return .translateAnswer(
                program: service.programName(.answer),
                input: ["phase": .string(stage.rawValue), "status": JSON(status), "headers": .object(headers), "body": body])
        }
    }

    package mutating func answered(_ result: Result<JSON, any Error>, at now: Timestamp) -> Action {
        let verdict: Verdict
        do {
            verdict = Verdict(try result.get(), of: service, in: stage, status: status, fields: fields ?? [:])
                .held(against: document, service)
        } catch {
            verdict = .doubt("status \(status), and its translation failed: \(error)")
        }
        if verdict == .uploaded, stage == .upload, let service, let fields {
            place += 1
            return next(service, fields, at: now)
        }
        if verdict == .absent, phase == .lookup, job.otherReference != nil, !asksUnderOther, let service, let fields {
            asksUnderOther = true
            return next(service, fields, at: now)
        }
        switch verdict {
        case .completed, .refused, .absent, .progress, .uploaded, .another: return settle(verdict, at: now, answered: true)
        case .definiteNo, .doubt: return settle(verdict, at: now, answered: false)
        }
    }

    /// After a restart: the call was intended, and nobody knows what came of it.
    package func interrupted(at now: Timestamp) -> Conclusion {
        let verdict = Verdict.doubt("the worker stopped before the answer was recorded")
        return Conclusion(job, phase: .call, verdict: verdict, decision: decide(verdict, in: .call, at: now))
    }

    /// The agency has done it, or has it in hand, for all we know.
    private var mayHaveActed: Bool { job.isDoubted || job.heard > 0 || job.state == .looking }

    /// What cannot be called is told at once; what may already have been done is for people.
    private func giveUp(_ status: OutcomeStatus, _ code: String) -> Action {
        conclude(
            nil, nil, mayHaveActed ? .park(reason: code) : .conclude(status, JobDesk.reason(code)), answered: nil)
    }

    private func settle(_ verdict: Verdict, at now: Timestamp, answered: Bool?) -> Action {
        conclude(stage, verdict, decide(verdict, in: stage, at: now), answered: answered)
    }

    private func decide(_ verdict: Verdict, in phase: Phase, at now: Timestamp) -> Decision {
        service.map { desk.rules($0, jitter).decide(verdict, in: phase, of: job, at: now) }
            ?? .park(reason: "the catalogue no longer holds this service")
    }

    private func conclude(_ phase: Phase?, _ verdict: Verdict?, _ decision: Decision, answered: Bool?) -> Action {
        var conclusion = Conclusion(job, phase: phase, verdict: verdict, decision: decision, answered: answered, fields: fields)
        conclusion.received = answer
        switch verdict {
        case .completed: conclusion.document = document
        case .doubt: conclusion.answer = answer
        default: break
        }
        return .conclude(conclusion)
    }
}
