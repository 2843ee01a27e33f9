import WaslCatalogue
package import WaslModel

/// What happens to a job next.
package enum Decision: Sendable, Hashable {
    case conclude(OutcomeStatus, JSONObject)
    /// Call (again) at that time. The agency did not act, or repeating cannot act twice.
    case call(at: Timestamp)
    /// Look up at that time; so many lookups after the settle time have found nothing.
    case lookUp(at: Timestamp, absences: Int)
    case park(reason: String)
    /// Ask again at that time: the agency is at work on it. The note is for the citizen.
    case wait(note: JSONObject, until: Timestamp, byLookup: Bool)
    /// Its agency's staff sees it at the desk.
    case desk
}

/// The rules of the wire contract, section 4, as a function of values.
struct JobRules: Sendable {
    let effect: EffectClass
    let retention: Duration
    let settle: Duration
    /// How long this process has run.
    let uptime: Duration
    /// A number in 0..<1 for full jitter.
    let jitter: Double

    private static let pauseBase: Duration = .milliseconds(200)
    private static let pauseMax: Duration = .seconds(60)
    /// Lookups that may fail before people are asked.
    private static let lookupsMax = 200

    func decide(_ verdict: Verdict, in phase: Phase, of job: Job, at now: Timestamp) -> Decision {
        switch (verdict, phase) {
        case (.refused(let reason), .upload):
            // Whatever it thinks of the paper now, it may have acted upon the request before.
            job.isDoubted || job.heard > 0
                ? .park(reason: "a paper is refused after a doubt") : .conclude(.refused, ["reason": .object(reason)])
        // A paper is named by its digest: bringing it again changes nothing, and nothing was done with it yet.
        case (.definiteNo(_, let after), .upload): afterDefiniteNo(job, after, now)
        case (_, .upload): .call(at: pause(job, now))
        case (.progress(let note, let after), _): .wait(note: note, until: now.advanced(by: after), byLookup: effect == .queryable)
        case (.uploaded, _): afterDoubt(job, "an answer to a call says `uploaded`", now)
        case (.completed(let fields), _): .conclude(.completed, fields)
        case (.refused(let reason), _): .conclude(.refused, ["reason": .object(reason)])
        case (.definiteNo(_, let after), .call): afterDefiniteNo(job, after, now)
        case (.doubt(let reason), .call): afterDoubt(job, reason, now)
        case (.another(let reason), _): .park(reason: reason)
        case (.absent, .call): afterDoubt(job, "an answer to a call says `absent`", now)
        case (.absent, .lookup): afterAbsence(job, now)
        case (.definiteNo(let reason, _), .lookup), (.doubt(let reason), .lookup):
            job.attempts - job.heard >= JobRules.lookupsMax
                ? .park(reason: "the lookup never gave an answer: \(reason)") : .lookUp(at: pause(job, now), absences: job.absences)
        }
    }

    /// Before a call begins: after its expiry work is not started, but what may already be done is not called undone.
    func decideBeforeCall(of job: Job, at now: Timestamp) -> Decision? {
        // A read that may have been served has changed nothing. What the agency has said it is at work on is not called undone either.
        if job.isDoubted || job.heard > 0, effect != .read {
            guard effect == .idempotent, let first = job.firstAttempt else { return nil }
            return now.since(first) < retention
                ? nil : .park(reason: "the agency may have forgotten the idempotency key")
        }
        return now >= job.expiry ? .conclude(.expired, [:]) : nil
    }

    private func afterDefiniteNo(_ job: Job, _ after: Duration?, _ now: Timestamp) -> Decision {
        .call(at: after.map { now.advanced(by: $0) } ?? pause(job, now))
    }

    private func afterDoubt(_ job: Job, _ reason: String, _ now: Timestamp) -> Decision {
        switch effect {
        case .read: .call(at: pause(job, now))
        case .idempotent:
            (job.firstAttempt.map { now.since($0) } ?? .zero) < retention
                ? .call(at: pause(job, now)) : .park(reason: "the agency may have forgotten the idempotency key")
        case .queryable: .lookUp(at: pause(job, now), absences: 0)
        case .neither: .park(reason: reason)
        }
    }

    private func afterAbsence(_ job: Job, _ now: Timestamp) -> Decision {
        guard let last = job.lastAttempt else { return .call(at: now) }
        // It knew the request before: whatever this means, it is no leave to do it again.
        if job.heard > 0 {
            return job.absences + 1 >= 2
                ? .park(reason: "the agency was at work on it and no longer knows it")
                : .lookUp(at: pause(job, now), absences: job.absences + 1)
        }
        // By the clock that says less: one that was put forward would end the settle time before the agency has acted.
        let left = settle - min(now.since(last), uptime - job.attemptUptime)
        // An absence before the settle time says nothing; the second one after it says that nothing was done.
        if left > .zero { return .lookUp(at: now.advanced(by: left), absences: 0) }
        return job.absences + 1 >= 2 ? .call(at: now) : .lookUp(at: pause(job, now), absences: job.absences + 1)
    }

    /// Exponential with full jitter.
    private func pause(_ job: Job, _ now: Timestamp) -> Timestamp {
        let exponent = min(job.attempts - job.heard, 12)
        let ceiling = min(JobRules.pauseMax, JobRules.pauseBase * Int(1 << exponent))
        return now.advanced(by: .milliseconds(20 + Int64(Double(ceiling.milliseconds) * jitter)))
    }
}
