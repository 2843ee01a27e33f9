import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel

@testable import WaslAgency
@testable import WaslCatalogue

/// A helper that does not start, or is killed, is not the citizen's failure.
@Suite struct TranslatorTroubleTests {
    private let world: TestWorld
    private let store: JournalStore
    private let steps = AgencySteps(agency: ParticipantID("steg")!)
    private let desk: JobDesk

    init() throws {
        world = try TestWorld()
        store = try JournalStore(path: nil, headPath: nil, identity: world.identity("steg"), migrations: AgencySchema.register)
        desk = JobDesk(
            agency: world.catalogue.agencies[ParticipantID("steg")!]!, catalogue: CatalogueHolder(world.catalogue),
            openingKeys: world.keys["steg"]!.opening, registry: world.registry)
    }

    private func job() throws -> Job {
        let request = try world.request("steg.bill.pay", fields: ["reference": "123456789", "amount": 45_500, "payment": "cash"])
        let delivery = try world.delivery(request)
        return try #require(try store.transaction { try steps.take([.accepted(request, delivery)], in: $0) }.result.first)
    }

    private func conclusion(of job: Job, _ code: TranslationError.Code, at now: Timestamp) throws -> Conclusion {
        var run = JobRun(job, fields: nil, desk: desk, jitter: 0.5)
        guard case .translateCall = run.start(at: now),
            case .conclude(let conclusion) = run.translated(.failure(TranslationError(code: code, reason: "x")), at: now)
        else {
            struct NotConcluded: Error {}
            throw NotConcluded()
        }
        return conclusion
    }

    @Test(arguments: [TranslationError.Code.killed, .unavailable, .closed])
    func itIsTriedAgainWithAPauseHoweverOftenAndCountsAsNoAttempt(_ code: TranslationError.Code) throws {
        var job = try job()
        for _ in 0..<300 {
            let now = max(TestClock.shared.now, job.due)
            let conclusion = try conclusion(of: job, code, at: now)
            guard case .call(let next) = conclusion.decision else {
                Issue.record("\(conclusion.decision)")
                return
            }
            #expect(next.since(now) >= .seconds(2))
            #expect(try desk.outcome(of: conclusion, store.environment) == nil, "nobody is told")
            job = try store.transaction { try steps.conclude(conclusion, outcome: nil, in: $0) }.result
        }
        #expect(job.attempts == 0 && job.state == .ready && !job.isDoubted)
        #expect(try store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM attempt") } == 0)
    }

    @Test func itEndsWithTheExpiryAndNotBefore() throws {
        let job = try job()
        var run = JobRun(job, fields: nil, desk: desk, jitter: 0)
        guard case .conclude(let end) = run.start(at: job.expiry), case .conclude(.expired, _) = end.decision else {
            Issue.record("not expired")
            return
        }
    }

    @Test func whatAProgramItselfRefusesFailsAtOnce() throws {
        let conclusion = try conclusion(of: try job(), .program, at: TestClock.shared.now)
        guard case .conclude(.failed, let fields) = conclusion.decision else {
            Issue.record("\(conclusion.decision)")
            return
        }
        #expect(fields["reason"]?["code"]?.string == "translation")
    }

    @Test func aLookupWaitsAsALookupAndKeepsItsDoubt() throws {
        var job = try job()
        job = try store.transaction { try steps.intend(job, phase: .call, announces: false, in: $0).job }.result
        let doubt = Conclusion(
            job, phase: .call, verdict: .doubt("lost"), decision: .lookUp(at: TestClock.shared.now, absences: 0), answered: false)
        job = try store.transaction { try steps.conclude(doubt, outcome: nil, in: $0) }.result
        let conclusion = try conclusion(of: job, .unavailable, at: TestClock.shared.now)
        guard case .lookUp(_, 0) = conclusion.decision else {
            Issue.record("\(conclusion.decision)")
            return
        }
        job = try store.transaction { try steps.conclude(conclusion, outcome: nil, in: $0) }.result
        #expect(job.isDoubted && job.state == .looking && job.attempts == 1)
    }
}
