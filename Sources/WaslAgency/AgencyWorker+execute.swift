import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal

/// One job's run: decide, intend, call, translate, conclude. Each step that matters is committed before the next begins.
extension AgencyWorker {
    /// - Returns: whether the agency answered; `nil` when it was not asked.
    func execute(number: Int64, job held: Job?, fields heldFields: JSONObject?) async -> Bool? {
        do {
            let loaded = try await journal.read { db in try held ?? Job.fetch(db, number: number) }
            guard let job = loaded, job.state == .ready || job.state == .looking else { return nil }
            guard let service = parts.catalogue.service(job.service, version: job.contract) else {
                await giveUp(job, .failed, "unknown-service")
                return nil
            }
            if job.state == .ready, let early = rules(service).decideBeforeCall(of: job, at: journal.now) {
                await conclude(job, nil, nil, early)
                return nil
            }
            let fields = try heldFields ?? open(job)
            if job.state == .ready, !service.request.validate(.object(fields)).isEmpty {
                await giveUp(job, .refused, "invalid-order")
                return nil
            }
            return await attempt(job, service, fields, job.state == .looking ? .lookup : .call)
        } catch {
            logger.error("a job could not be run; trying again", metadata: ["job": "\(number)", "error": "\(error)"])
            await scheduler.add(number: number, due: journal.now.advanced(by: .seconds(5)))
            return nil
        }
    }

    /// What cannot be called is told at once; what may already have been done is for people.
    private func giveUp(_ job: Job, _ status: OutcomeStatus, _ code: String) async {
        let mayHaveActed = job.isDoubted || job.state == .looking
        await conclude(
            job, nil, nil, mayHaveActed ? .park(reason: code) : .conclude(status, AgencyWorker.reason(code)))
    }

    private func attempt(_ job: Job, _ service: Service, _ fields: JSONObject, _ phase: Phase) async -> Bool? {
        let call: AgencyCall
        do {
            let program = service.programName(phase == .call ? .call : .lookup)
            call = try AgencyCall(try await parts.translator.run(program, input(job, fields)))
        } catch {
            // Nothing was sent. What fails on its input will fail again, so only a killed helper is worth another try.
            if (error as? TranslationError)?.code == .killed, job.attempts < 3 {
                await settle(job, phase, .definiteNo("\(error)", retryAfter: nil))
            } else if phase == .lookup || job.isDoubted {
                await conclude(job, phase, .doubt("\(error)"), .park(reason: "the lookup cannot be translated: \(error)"))
            } else {
                logger.error("a call cannot be translated", metadata: ["service": "\(service.id)", "error": "\(error)"])
                await conclude(job, phase, nil, .conclude(.failed, AgencyWorker.reason("translation")))
            }
            return nil
        }
        do {
            let isAnnounced = phase == .call && service.effect == .neither
            var current = job
            // A read may be repeated blindly, so a record of the intention would say nothing.
            if service.effect != .read {
                let (intended, announcement) = try await journal.commit { [steps] in
                    try steps.intend(job, phase: phase, announces: isAnnounced, in: $0)
                }
                current = intended
                if let announcement {
                    await publishing.awaitConfirmation(of: announcement)
                    // The broker may have been away for long, and nothing was sent yet.
                    if journal.now >= current.expiry {
                        await conclude(current, nil, nil, .conclude(.expired, [:]))
                        return nil
                    }
                }
            } else {
                current.attempts += 1
            }
            let transport = await client.perform(call, isRepeatable: service.effect != .neither)
            let verdict = await verdict(transport, job: current, service: service, phase: phase)
            await settle(current, phase, verdict)
            switch verdict {
            case .completed, .refused, .absent: return true
            case .definiteNo, .doubt: return false
            }
        } catch {
            logger.error("an intention could not be recorded; trying again", metadata: ["error": "\(error)"])
            await scheduler.add(number: job.number, due: journal.now.advanced(by: .seconds(5)))
            return nil
        }
    }

    /// What the translations see: the order's fields, and our reference, which is the same for every attempt.
    private func input(_ job: Job, _ fields: JSONObject) -> JSON {
        [
            "reference": .string(job.subject.text), "service": .string(job.service.text),
            "house": .string(job.house.text), "time": .string(journal.now.description), "fields": .object(fields),
        ]
    }

    private func verdict(_ transport: Transport, job: Job, service: Service, phase: Phase) async -> Verdict {
        switch transport {
        case .notSent(let reason): return .definiteNo(reason, retryAfter: nil)
        case .unknown(let reason): return .doubt(reason)
        case .answered(let status, let headers, let body):
            let answer: JSON
            do {
                answer = try await parts.translator.run(
                    service.programName(.answer),
                    [
                        "phase": .string(phase.rawValue), "status": JSON(status), "headers": .object(headers), "body": body,
                    ])
            } catch {
                return .doubt("status \(status), and its translation failed: \(error)")
            }
            return read(answer, status: status, service: service, phase: phase)
        }
    }

    private func read(_ answer: JSON, status: Int, service: Service, phase: Phase) -> Verdict {
        switch answer["result"]?.string {
        case "completed":
            guard let fields = answer["fields"]?.object, service.outcome.validate(.object(fields)).isEmpty else {
                return .doubt("status \(status), but the answer's fields are not those of the contract")
            }
            return .completed(fields)
        case "refused":
            guard let reason = answer["reason"]?.object, reason["code"]?.string != nil else {
                return .doubt("status \(status), refused without a reason")
            }
            return .refused(reason: reason)
        case "definite-no":
            let after = answer["after"]?.integer.map { Duration.seconds(min(max($0, 0), 86_400)) }
            return .definiteNo(answer["why"]?.string ?? "status \(status)", retryAfter: after)
        case "absent" where phase == .lookup: return .absent
        default: return .doubt(answer["why"]?.string ?? "status \(status), which no rule covers")
        }
    }

    private func rules(_ service: Service) -> JobRules {
        JobRules(
            effect: service.effect, retention: parts.agency.retention, settle: parts.agency.settle,
            jitter: Double.random(in: 0..<1))
    }

    /// Decides by the rules and records the decision.
    func settle(_ job: Job, _ phase: Phase, _ verdict: Verdict) async {
        guard let service = parts.catalogue.service(job.service, version: job.contract) else {
            await conclude(job, phase, verdict, .park(reason: "the catalogue no longer holds this service"))
            return
        }
        await conclude(job, phase, verdict, rules(service).decide(verdict, in: phase, of: job, at: journal.now))
    }

    /// Seals what is to be said, commits, and schedules what comes next. Tries until it is recorded: the agency has answered.
    func conclude(_ job: Job, _ phase: Phase?, _ verdict: Verdict?, _ decision: Decision) async {
        while true {
            do {
                let outcome = try prepare(job, verdict, decision)
                let next = try await journal.commit { [steps] in
                    try steps.conclude(job, phase: phase, verdict: verdict, decision: decision, outcome: outcome, in: $0)
                }
                if next.state == .ready || next.state == .looking { await scheduler.add(next, fields: nil) }
                return
            } catch let error as JournalError where error.code == .closed {
                return
            } catch is StaleJob {
                return
            } catch {
                logger.error("a result could not be recorded; trying again", metadata: ["error": "\(error)"])
                do { try await Task.sleep(for: .seconds(1)) } catch { return }
            }
        }
    }

    /// What a decision says to the house: a conclusion, a parking, and the first doubt. A mere retry says nothing.
    private func prepare(_ job: Job, _ verdict: Verdict?, _ decision: Decision) throws -> PreparedOutcome? {
        switch decision {
        case .conclude(let status, let fields):
            var visible: JSONObject = [:]
            if status == .completed, let millimes = job.millimes { visible["millimes"] = .integer(millimes) }
            return try seal(job, status, fields, visible)
        case .park: return try seal(job, .parked, [:], [:])
        case .call, .lookUp:
            guard case .doubt? = verdict, !job.isDoubted, parts.catalogue.service(job.service)?.effect != .read else {
                return nil
            }
            return try seal(job, .inDoubt, [:], [:])
        }
    }

    func seal(
        _ job: Job, _ status: OutcomeStatus, _ fields: JSONObject, _ visible: JSONObject
    ) throws -> PreparedOutcome {
        let id = journal.makeUUID().text
        let now = journal.now
        let source = Source(role: .agency, participant: parts.agency.id)
        let sealed =
            fields.isEmpty
            ? nil
            : try SealedContent(
                id: id, subject: job.subject, source: source, recipient: job.house, service: job.service, expiry: nil,
                fields: fields
            ).sealed(to: try parts.registry.registry.sealingKey(of: job.house, at: now))
        return PreparedOutcome(
            id: id, status: status, revision: job.revision + 1, time: now, sealed: sealed, visible: visible)
    }

    private func open(_ job: Job) throws -> JSONObject {
        let envelope = Envelope(
            id: job.message, type: .requestSubmitted, source: job.source, time: journal.now, subject: job.subject,
            recipient: parts.agency.id, service: job.service, expiry: job.expiry)
        return try SealedContent.open(job.sealed, in: envelope, with: parts.keys.opening)
    }

    static func reason(_ code: String) -> JSONObject {
        let texts: [String: LocalizedText] = [
            "unknown-service": LocalizedText(
                ar: "الهيكل لا يعرف هذه الخدمة", fr: "La structure ne connaît pas ce service",
                en: "The agency does not know this service"),
            "invalid-order": LocalizedText(
                ar: "المطلب غير مطابق لشروط الخدمة", fr: "La demande n'est pas conforme au service",
                en: "The order does not fit the service"),
            "translation": LocalizedText(
                ar: "تعذر إعداد المطلب للهيكل", fr: "La demande n'a pas pu être préparée pour la structure",
                en: "The order could not be prepared for the agency"),
        ]
        var reason: JSONObject = ["code": .string(code)]
        if case .object(let text)? = texts[code]?.json { for (key, value) in text.members { reason[key] = value } }
        return ["reason": .object(reason)]
    }
}
