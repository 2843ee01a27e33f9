import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal

/// Does what a ``JobRun`` decides. Each step that matters is committed before the next begins.
extension AgencyWorker {
    /// - Returns: whether the agency answered; `nil` when it was not asked.
    func execute(_ entry: JobQueue.Entry) async -> Bool? {
        do {
            guard let job = try await journal.read({ try entry.job(in: $0) }) else { return nil }
            var run = JobRun(job, fields: entry.fields, desk: desk, jitter: Double.random(in: 0..<1))
            var action = run.start(at: journal.now)
            while true {
                switch action {
                // Nothing has begun yet, and the next start takes it up.
                case .translateCall where isStopping, .intend where isStopping, .upload where isStopping: return nil
                case .translateCall(let program, let input):
                    action = run.translated(await translate(program, input), at: journal.now)
                case .intend(let job, let phase, let announces):
                    let intended = try await journal.commit { [steps] in
                        try steps.intend(job, phase: phase, announces: announces, in: $0)
                    }
                    action = run.intended(intended.job, announcement: intended.announcement)
                case .awaitConfirmation(let number):
                    let isConfirmed = await publishing.awaitConfirmation(of: number)
                    action = isConfirmed ? run.confirmed(at: journal.now) : run.unconfirmed(at: journal.now)
                case .perform(let call, let isRepeatable):
                    CrashPoint.agencyBeforeCall.passed()
                    let transport = await client.perform(call, isRepeatable: isRepeatable)
                    CrashPoint.agencyAfterCall.passed()
                    action = run.performed(transport, at: journal.now)
                case .upload(let call, let paper):
                    do {
                        let bytes = try await content(of: paper)
                        action = run.performed(
                            await client.perform(call, isRepeatable: true, content: (paper.claim.type, bytes)), at: journal.now)
                    } catch {
                        logger.error("a paper cannot be read", metadata: ["job": "\(entry.number)", "error": "\(error)"])
                        action = run.unreadable(error, at: journal.now)
                    }
                case .translateAnswer(let program, let input):
                    action = run.answered(await translateAnswer(program, input), at: journal.now)
                case .conclude(let conclusion):
                    await conclude(conclusion)
                    return conclusion.answered
                case .again(let reason):
                    await again(entry.number, reason)
                    return nil
                case .nothing: return nil
                }
            }
        } catch is StaleJob {
            // Another run has it, or had.
            return nil
        } catch {
            await again(entry.number, "\(error)")
            return nil
        }
    }

    private func content(of paper: JobRun.Paper) async throws -> [UInt8] {
        let (own, keys) = (parts.agency.id, parts.keys.opening)
        return try await journal.read { try paper.content(in: $0, to: own, with: keys) }
    }

    private func again(_ number: Int64, _ reason: String) async {
        logger.error("a job could not be run; trying again", metadata: ["job": "\(number)", "error": "\(reason)"])
        await scheduler.add(number: number, due: journal.now.advanced(by: .seconds(5)), attemptUptime: journal.environment.uptime())
    }

    private func translate(_ program: String, _ input: JSON) async -> Result<JSON, any Error> {
        do {
            let value = try await parts.translator.run(program, input)
            tellTranslator(isDown: false)
            return .success(value)
        } catch {
            if error.code == .unavailable {
                tellTranslator(isDown: true, error.reason)
            } else {
                logger.error("a translation failed", metadata: ["program": "\(program)", "error": "\(error)"])
            }
            return .failure(error)
        }
    }

    /// An answer is in hand: for a helper that does not start right now it is not given up at once.
    private func translateAnswer(_ program: String, _ input: JSON) async -> Result<JSON, any Error> {
        for _ in 0..<5 {
            let result = await translate(program, input)
            guard case .failure(let error as TranslationError) = result, error.code == .unavailable else { return result }
            do { try await Task.sleep(for: .seconds(1)) } catch { return result }
        }
        return await translate(program, input)
    }

    /// Once when it begins and once when it ends: every request meets the same trouble.
    private func tellTranslator(isDown: Bool, _ reason: String = "") {
        let hasChanged = isTranslatorDown.withLock { wasDown in
            defer { wasDown = isDown }
            return wasDown != isDown
        }
        guard hasChanged else { return }
        if isDown {
            logger.error(
                "the translation helper does not start: requests wait, and none fails for it",
                metadata: ["error": "\(reason)", "remedy": "check the program's file, and this machine's limits on processes and memory"])
        } else {
            logger.notice("the translation helper works again")
        }
    }

    /// Seals what is to be said, commits, and schedules what comes next. Tries until it is recorded: the agency has answered.
    func conclude(_ conclusion: Conclusion) async {
        var conclusion = conclusion
        while true {
            do {
                var concluded = conclusion
                concluded.kept = try desk.kept(conclusion.answer, journal.environment)
                let outcome = try desk.outcome(of: conclusion, journal.environment)
                let next = try await journal.commit { [steps, concluded] in try steps.conclude(concluded, outcome: outcome, in: $0) }
                if outcome?.documents.isEmpty == false { documents.wake() }
                if next.state != .done, next.state != .parked { await scheduler.add(next, fields: conclusion.fields) }
                return
            } catch let error as JournalError where error.code == .closed {
                return
            } catch is StaleJob {
                return
            } catch  where !conclusion.isParking && (error is SealError || error is EnvelopeError) {
                logger.error(
                    "a result cannot be said and is parked", metadata: ["job": "\(conclusion.job.number)", "error": "\(error)"])
                conclusion = conclusion.parked(because: error)
            } catch {
                logger.error("a result could not be recorded; trying again", metadata: ["error": "\(error)"])
                do { try await Task.sleep(for: .seconds(1)) } catch { return }
            }
        }
    }
}
