import GRDB
import WaslAgency
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal

/// An agency's worker in the world.
final class WorldWorker: WorldProcess {
    private let agency: Agency
    private let institution: Institution
    private var queue: JobQueue
    private var isWaking = false
    private var isSayingTaken = false

    override var queues: [String] { ["agency.\(id)", "control.\(id)"] }
    override var prefetch: Int { 1024 }
    override func migrations(_ migrator: inout DatabaseMigrator) { AgencySchema.register(in: &migrator) }

    init(_ world: World, agency: Agency, institution: Institution, keys: KeyFile, registry: Registry) throws {
        self.agency = agency
        self.institution = institution
        queue = JobQueue(agency)
        try super.init(world, id: agency.id, role: .agency, keys: keys, registry: registry)
    }

    private var steps: AgencySteps { AgencySteps(agency: id, takesAhead: world.options.bug == .requestAheadIsBegun) }
    private var intake: AgencyIntake { AgencyIntake(steps: steps, registry: registry, openingKeys: keys.opening) }
    private var desk: JobDesk {
        let planted: JobDesk.PlantedRule? =
            switch world.options.bug {
            case .retryNeitherAfterDoubt: .neitherIsRepeated
            case .settleTimeIgnored: .settleTimeIgnored
            case .referenceIsNumber: .referenceIsNumber
            default: nil
            }
        return JobDesk(
            agency: agency, catalogue: world.holder, openingKeys: keys.opening, registry: registry, uptime: environment.uptime,
            planted: planted)
    }

    override func started() throws {
        queue = JobQueue(agency)
        (isWaking, isSayingTaken) = (false, false)
        if world.options.bug == .inboxForgotten {
            try commit { try $0.db.execute(sql: "DELETE FROM inbox; DELETE FROM job WHERE state = 'done'") }
        }
        let interrupted = try commit { try steps.interrupted(in: $0) }
        for entry in try read({ try steps.open($0) }) ?? [] {
            queue.add(number: entry.number, due: entry.due, state: entry.state, attemptUptime: .zero)
        }
        for job in interrupted {
            let run = JobRun(job, fields: nil, desk: desk, jitter: jitter())
            conclude(run.interrupted(at: clock.now))
        }
        sayTakenSoon()
        wake()
    }

    override func record(_ batch: [Delivery]) throws -> () -> Void {
        let intake = intake
        let prepared = believing(intake.prepare(batch))
        let jobs = try commit { try intake.record(prepared, in: $0) }
        for case .refused(let delivery, let reason) in prepared.checked { traceRefusal(delivery, reason) }
        return { [self] in
            for job in jobs {
                world.trace(job.subject.text, id.text, "takes it")
                queue.add(job, fields: prepared.fields[job.request])
            }
            if !jobs.isEmpty { sayTakenSoon() }
            wake()
            for case .accepted(let envelope, _) in prepared.checked {
                if let command = try? ControlCommand(envelope) { perform(command) }
            }
        }
    }

    private func believing(_ prepared: AgencyIntake.Prepared) -> AgencyIntake.Prepared {
        guard world.options.bug == .signatureIgnored else { return prepared }
        let checked = prepared.checked.map { checked -> CheckedDelivery in
            guard case .refused(let delivery, let reason) = checked, reason.hasPrefix("wasl-signature"),
                let envelope = try? Envelope(parsing: delivery.body)
            else { return checked }
            return .accepted(envelope, delivery)
        }
        return AgencyIntake.Prepared(checked: checked, fields: prepared.fields)
    }

    private func jitter() -> Double { Double(world.random.number(0...999_999)) / 1_000_000 }

    private func sayTakenSoon() {
        guard !isSayingTaken else { return }
        isSayingTaken = true
        later(2_500) { [self] in
            isSayingTaken = false
            if (try? commit { try steps.sayTaken(olderThan: .seconds(2), in: $0) }) == nil { sayTakenSoon() }
        }
    }

    // MARK: Running jobs

    private func wake() {
        guard isUp else { return }
        while true {
            switch queue.next(at: clock.now) {
            case .run(let entry): later(0) { [self] in execute(entry) }
            case .wait(let until):
                guard let until, !isWaking else { return }
                isWaking = true
                // At most an hour: a clock that is put right must not leave a job asleep.
                later(min(max(1, until.since(clock.now).milliseconds), 3_600_000)) { [self] in
                    isWaking = false
                    wake()
                }
                return
            }
        }
    }

    private func execute(_ entry: JobQueue.Entry) {
        guard let job = (try? read { try entry.job(in: $0) }) ?? nil else { return ended(nil) }
        let run = JobRun(job, fields: entry.fields, desk: desk, jitter: jitter())
        var first = run
        proceed(first.start(at: clock.now), first, entry.number)
    }

    /// Does what a run decides, each step an event of its own.
    private func proceed(_ action: JobRun.Action, _ run: JobRun, _ number: Int64) {
        var run = run
        switch action {
        case .translateCall(_, let input):
            // The translation itself is tested with the catalogue: here the order is the call.
            var call: JSONObject = ["method": "POST", "path": "/"]
            var body = input.object ?? [:]
            body["phase"] = run.isLookup ? "lookup" : input["attachment"] == nil ? "call" : "upload"
            call["body"] = .object(body)
            proceed(run.translated(.success(.object(call)), at: clock.now), run, number)
        case .intend(let job, let phase, let announces):
            if world.options.bug == .callBeforeIntend, phase == .call, let call = run.heldCall {
                return institution.call(call.body ?? [:]) { [self] transport in
                    later(0) { [self] in
                        commitSurely({ [steps] in try steps.intend(job, phase: phase, announces: announces, in: $0) }) { [self] intended in
                            var run = run
                            _ = run.intended(intended.job, announcement: nil)
                            proceed(run.performed(transport, at: clock.now), run, number)
                        }
                    }
                }
            }
            do {
                let intended = try commit { try steps.intend(job, phase: phase, announces: announces, in: $0) }
                later(0) { [self] in proceed(run.intended(intended.job, announcement: intended.announcement), run, number) }
            } catch is StaleJob {
                ended(nil)
            } catch {
                again(number)
            }
        case .awaitConfirmation(let announcement):
            awaitConfirmation(of: announcement) { [self] in proceed(run.confirmed(at: clock.now), run, number) }
        case .perform(let call, _):
            let life = life
            institution.call(call.body ?? [:]) { [self] transport in
                guard life == self.life else { return }
                later(0) { [self] in proceed(run.performed(believed(transport), at: clock.now), run, number) }
            }
        case .upload(let call, let paper):
            do {
                guard let content = try read({ try paper.content(in: $0, to: id, with: keys.opening) }) else { return }
                let life = life
                institution.upload(call.body ?? [:], content) { [self] transport in
                    guard life == self.life else { return }
                    later(0) { [self] in proceed(run.performed(transport, at: clock.now), run, number) }
                }
            } catch {
                proceed(run.unreadable(error, at: clock.now), run, number)
            }
        case .translateAnswer(_, let input):
            proceed(run.answered(.success(input["body"] ?? .null), at: clock.now), run, number)
        case .conclude(let conclusion):
            conclude(conclusion) { [self] in ended(conclusion.answered) }
        case .again: again(number)
        case .nothing: ended(nil)
        }
    }

    private func believed(_ transport: Transport) -> Transport {
        if world.options.bug == .doubtTakenForNo, case .unknown(let reason) = transport { return .notSent(reason) }
        return transport
    }

    private func again(_ number: Int64) {
        queue.add(number: number, due: clock.now.advanced(by: .seconds(5)), attemptUptime: clock.uptime)
        ended(nil)
    }

    private func ended(_ answered: Bool?) {
        queue.ended(answered: answered, at: clock.now)
        wake()
    }

    /// Tries until it is recorded: the agency may have answered.
    private func conclude(_ conclusion: Conclusion, _ then: @escaping () -> Void = {}) {
        do {
            var outcome = try desk.outcome(of: conclusion, environment)
            if world.options.bug == .fieldsInSight { outcome?.visible["note"] = .string(World.mark) }
            let next = try commit { try steps.conclude(conclusion, outcome: outcome, in: $0) }
            world.trace(next.subject.text, id.text, "now \(next.state.rawValue)")
            if next.state != .done, next.state != .parked { queue.add(next, fields: conclusion.fields) }
            if outcome?.documents.isEmpty == false { mintSoon() }
            later(0) { [self] in
                wake()
                then()
            }
        } catch is StaleJob {
            then()
        } catch {
            later(1_000) { [self] in conclude(conclusion, then) }
        }
    }

    func rebuild(from evidence: EvidenceOfParticipant, previous: LaneHead?, reason: String) throws {
        let rebuild = AgencyRebuild(desk: desk, environment: environment)
        try self.rebuild(reason: reason, previous: previous) { try rebuild.run(evidence, in: $0) }
    }
}
