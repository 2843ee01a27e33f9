import GRDB
import Logging
import Synchronization
import TestSupport
import Testing
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation

@testable import WaslAgency

@Suite struct AgencyStepsTests {
    private let world: TestWorld
    private let store: JournalStore
    private let clock = TestTime()
    private let steps = AgencySteps(agency: ParticipantID("steg")!)

    init() throws {
        world = try TestWorld()
        let clock = clock
        store = try JournalStore(
            path: nil, headPath: nil, identity: world.identity("steg"),
            environment: JournalEnvironment(now: { clock.now }, makeUUID: { UUIDv7(at: $0) }), migrations: AgencySchema.register)
    }

    @Test func aJournalOfAnEarlierVersionKeepsTheReferencesThatItHasGiven() throws {
        let queue = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        AgencySchema.register(in: &migrator)
        try migrator.migrate(queue, upTo: "agency-2")
        let subject = "019339a2-0000-7000-8000-000000000001"
        try queue.write { db in
            for (number, state, attempts) in [(1, "looking", 1), (2, "ready", 0)] {
                try db.execute(
                    sql: """
                        INSERT INTO job (number, subject, source, message, service, contract, house, accepted, expiry, taken, sealed, state,
                            attempts, due) VALUES (?, ?, ?, 'm', 'steg.bill.pay', 1, 'hydra', 0, 9, 0, '', ?, ?, 0)
                        """, arguments: [number, subject, "/houses/hydra\(number)", state, attempts])
            }
            try db.execute(sql: "INSERT INTO resolution VALUES (?, 1, 't', 's', 'h', x'00')", arguments: [subject])
        }
        try migrator.migrate(queue)
        let jobs = try queue.read { db in
            try Row.fetchAll(db, sql: "SELECT reference, other_reference FROM job ORDER BY number")
        }
        #expect(jobs[0]["reference"] == subject && jobs[0]["other_reference"] == "RSWPD7PNYJZPZ2V2IKF2PGWVQZ")
        #expect(jobs[1]["reference"] == "RSWPD7PNYJZPZ2V2IKF2PGWVQZ" && jobs[1]["other_reference"] as String? == nil)
        #expect(try queue.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM unsealed_resolution") } ?? 0 > 0)
    }

    private func take(_ envelopes: Envelope...) throws -> [Job] {
        let deliveries = try envelopes.map { CheckedDelivery.accepted($0, try world.delivery($0)) }
        return try store.transaction { try steps.take(deliveries, in: $0) }.result
    }

    private var quarantined: [String] {
        get throws { try store.read { try String.fetchAll($0, sql: "SELECT reason FROM quarantine") } }
    }

    @Test func aRequestIsTakenOnceHoweverOftenItComes() throws {
        let request = try world.request("steg.bill.pay", fields: [:])
        #expect(try take(request, request).count == 1)
        #expect(try take(request).isEmpty)
        #expect(try quarantined.isEmpty)
    }

    private func notice(_ pieces: Int) -> AttachmentNotice {
        AttachmentNotice(id: AttachmentID(TestWorld.uuid().text)!, pieces: pieces, digest: String(repeating: "d", count: 43))
    }

    private func state(of subject: RequestID?) throws -> String? {
        try store.read { try String.fetchOne($0, sql: "SELECT state FROM job WHERE subject = ?", arguments: [subject?.text]) }
    }

    @Test func aRequestWaitsForItsPapersInWhateverOrderTheyCome() throws {
        let papers = [notice(2), notice(1)]
        let request = try world.request("steg.bill.pay", fields: [:], papers: papers)
        let pieces = [
            try world.piece(2, of: papers[0], [2], for: request), try world.piece(1, of: papers[1], [3], for: request),
            try world.piece(1, of: papers[0], [1], for: request),
        ]
        #expect(try take(pieces[0]).isEmpty)
        let taken = try take(request)
        #expect(taken.map(\.state) == [.gathering] && taken[0].due == request.expiry)
        _ = try store.transaction { try steps.sayTaken(olderThan: .seconds(-10), in: $0) }
        #expect(try store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM outbox WHERE type LIKE '%taken%'") } == 0)
        #expect(try take(pieces[1], pieces[1]).isEmpty)
        #expect(try take(pieces[0]).isEmpty, "a piece twice is a piece once")
        #expect(try state(of: request.subject) == "gathering")
        #expect(try take(pieces[2]).map(\.state) == [.ready])
        #expect(try state(of: request.subject) == "ready")
        #expect(try take(pieces[2], request).isEmpty)
        let said = try store.transaction { try steps.sayTaken(olderThan: .seconds(-10), in: $0) }.appended
        #expect(said.count == 1, "taken is said when everything is here")
    }

    @Test func papersThatNeverComeEndTheirRequestAndNothingWasDone() throws {
        var far = try world.request("steg.bill.pay", fields: [:], papers: [notice(1)])
        far.expiry = TestClock.shared.now.advanced(by: .seconds(20 * 86_400))
        let job = try take(far)[0]
        #expect(job.due < job.expiry)
        let steg = ParticipantID("steg")!
        let desk = JobDesk(
            agency: world.catalogue.agencies[steg]!, catalogue: .init(world.catalogue), openingKeys: world.keys["steg"]!.opening,
            registry: world.registry)
        func end(at time: Timestamp) -> OutcomeStatus? {
            var run = JobRun(job, fields: nil, desk: desk, jitter: 0)
            if case .conclude(let end) = run.start(at: time), case .conclude(let status, _) = end.decision { return status }
            return nil
        }
        #expect(end(at: job.due.advanced(by: .seconds(-1))) == nil)
        #expect(end(at: job.due) == .failed)
        #expect(end(at: job.expiry) == .expired)
    }

    @Test func oneNumberOfTwoHousesIsTwoRequestsUnderTwoReferences() throws {
        let subject = RequestID("019339a2-0000-7000-8000-000000000001")!
        let own = try take(try world.request("steg.bill.pay", fields: [:], house: "hydra", subject: subject))[0]
        let other = try take(try world.request("steg.bill.pay", fields: [:], house: "kerker", subject: subject))[0]
        // Worked out by another program.
        #expect(own.reference.text == "RSWPD7PNYJZPZ2V2IKF2PGWVQZ")
        #expect(other.reference != own.reference)
        #expect(!own.isReferenceShared && !other.isReferenceShared)
    }

    @Test func twoRequestsThatMeetInOneReferenceAreForPeople() throws {
        let own = try take(try world.request("steg.bill.pay", fields: [:]))[0]
        let other = try take(try world.request("steg.bill.pay", fields: [:]))[0]
        let job = try store.transaction { transaction in
            try transaction.db.execute(
                sql: "UPDATE job SET reference = ? WHERE number = ?", arguments: [other.reference.text, own.number])
            return try #require(try Job.fetch(transaction.db, number: own.number))
        }.result
        var run = JobRun(job, fields: nil, desk: desk, jitter: 0)
        guard case .conclude(let conclusion) = run.start(at: clock.now), case .park(let reason) = conclusion.decision else {
            Issue.record("it is called under another's reference")
            return
        }
        #expect(reason.contains("same reference"))
    }

    @Test func nothingIsCalledForAHouseToWhichNoAnswerCanBeSealed() throws {
        let job = try take(try world.request("steg.bill.pay", fields: [:]))[0]
        let held = world.registry.registry
        try world.registry.replace(
            with: Registry(
                version: held.version + 1, issued: held.issued, expires: held.expires,
                participants: held.participants.values.map { participant in
                    participant.id == job.house ? participant.with(keys: participant.keys.filter { $0.use != .sealing }) : participant
                }))
        var run = JobRun(job, fields: nil, desk: desk, jitter: 0)
        guard case .conclude(let conclusion) = run.start(at: clock.now), case .call(let time) = conclusion.decision else {
            Issue.record("a call is made whose answer nobody can be told")
            return
        }
        #expect(time > clock.now && conclusion.answered == nil)
        // An answer that is in hand when the key goes is kept for people.
        var answered = Conclusion(job, phase: .call, decision: .conclude(.completed, ["receipt_number": "Q-1"]), answered: true)
        answered.received = AgencyAnswer(status: 201, bytes: [1])
        let error = #expect(throws: SealError.self) { try desk.outcome(of: answered, .system) }
        let parked = answered.parked(because: try #require(error))
        #expect(try desk.outcome(of: parked, .system)?.status == .parked)
        #expect(parked.isParking && parked.answer?.bytes == [1])
    }

    private var desk: JobDesk {
        JobDesk(
            agency: world.catalogue.agencies[ParticipantID("steg")!]!, catalogue: .init(world.catalogue),
            openingKeys: world.keys["steg"]!.opening, registry: world.registry)
    }

    @Test func aRequestWhoseTimeLiesAheadWaitsUntilThen() throws {
        let request = try world.request("steg.bill.pay", fields: [:], time: TestClock.shared.now.advanced(by: .seconds(3_600)))
        #expect(try take(request).isEmpty)
        let reason = try store.read { try String.fetchOne($0, sql: "SELECT reason FROM quarantine") }
        #expect(reason?.hasPrefix("time: ") == true)
        let again = try store.transaction { try $0.setAside(for: .time) }.result
        #expect(again.count == 1)
        clock.advance(.seconds(3_500))
        #expect(try take(request).count == 1)
        #expect(try store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM quarantine") } == 0)
    }

    @Test func aJobOfAnEarlierVersionKeepsItsReferenceAndIsLookedUpUnderBoth() throws {
        let job = try take(try world.request("steg.bill.pay", fields: [:]))[0]
        var old = job
        (old.reference, old.otherReference) = (AgencyReference(former: job.subject), AgencyReference(of: job.request))
        (old.state, old.isDoubted, old.attempts) = (.looking, true, 1)
        (old.firstAttempt, old.lastAttempt) = (job.accepted.advanced(by: .seconds(-3_600)), job.accepted.advanced(by: .seconds(-3_600)))
        var run = JobRun(
            old, fields: ["reference": "123456789", "amount": 5, "payment": "cash"],
            desk: JobDesk(
                agency: world.catalogue.agencies[ParticipantID("steg")!]!, catalogue: .init(world.catalogue),
                openingKeys: world.keys["steg"]!.opening, registry: world.registry, uptime: { .seconds(100_000) }), jitter: 0)
        func asked(_ action: JobRun.Action) -> String? {
            if case .translateCall(_, let input) = action { return input["reference"]?.string }
            return nil
        }
        let call: Result<JSON, any Error> = .success(["method": "GET", "path": "/x"])
        let absent: Result<JSON, any Error> = .success(["result": "absent"])
        func answer(_ run: inout JobRun) -> JobRun.Action {
            _ = run.translated(call, at: clock.now)
            _ = run.intended(old, announcement: nil)
            _ = run.performed(.answered(status: 200, headers: [:], body: [:], raw: []), at: clock.now)
            return run.answered(absent, at: clock.now)
        }
        #expect(asked(run.start(at: clock.now)) == job.subject.text)
        #expect(asked(answer(&run)) == job.reference.text, "absent under one of them says nothing")
        guard case .conclude(let conclusion) = answer(&run), case .lookUp(_, let absences) = conclusion.decision else {
            Issue.record("absent under both is not counted")
            return
        }
        #expect(absences == 1)
    }

    @Test func aLookupThatFindsAnotherOrderIsForPeople() throws {
        var job = try take(try world.request("steg.bill.pay", fields: [:]))[0]
        (job.state, job.isDoubted, job.attempts) = (.looking, true, 1)
        var run = JobRun(
            job, fields: ["reference": "123456789", "amount": 33_750, "payment": "cash"],
            desk: JobDesk(
                agency: world.catalogue.agencies[ParticipantID("steg")!]!, catalogue: .init(world.catalogue),
                openingKeys: world.keys["steg"]!.opening, registry: world.registry), jitter: 0)
        _ = run.start(at: clock.now)
        _ = run.translated(.success(["method": "GET", "path": "/x"]), at: clock.now)
        _ = run.performed(.answered(status: 200, headers: [:], body: [:], raw: []), at: clock.now)
        let found: JSON = ["result": "completed", "fields": ["receipt_number": "Q-1"], "order": ["amount": 32_750]]
        guard case .conclude(let conclusion) = run.answered(.success(found), at: clock.now), case .park(let reason) = conclusion.decision
        else {
            Issue.record("another's receipt is taken for this order's")
            return
        }
        #expect(reason.contains("`amount`"))
    }

    @Test func aRunThatBeganFromSomethingElseCallsNothing() throws {
        let request = try world.request("steg.bill.pay", fields: [:])
        let job = try take(request)[0]
        var other = job
        // The other run has brought papers, and counts its attempts in memory.
        other.attempts += 2
        try store.transaction { transaction in
            let (intended, _) = try steps.intend(job, phase: .call, announces: false, in: transaction)
            _ = try steps.conclude(
                Conclusion(intended, phase: .call, verdict: .definiteNo("x", retryAfter: nil), decision: .call(at: intended.due)),
                outcome: nil,
                in: transaction)
        }
        #expect(throws: StaleJob.self) {
            try store.transaction { try steps.intend(other, phase: .call, announces: false, in: $0) }
        }
        #expect(throws: StaleJob.self) {
            try store.transaction { try steps.conclude(Conclusion(other, decision: .conclude(.expired, [:])), outcome: nil, in: $0) }
        }
    }

    @Test func aDocumentThatGoesWithAnotherRequestIsSetAside() throws {
        let paper = notice(1)
        let first = try world.request("steg.bill.pay", fields: [:], papers: [paper])
        _ = try take(first)
        #expect(try take(try world.request("steg.bill.pay", fields: [:], papers: [paper])).isEmpty)
        #expect(try quarantined == ["data.attachment: it goes with another request"])
        #expect(try take(try world.piece(1, of: paper, [1], for: first)).map(\.state) == [.ready], "the first one's is its own")
    }

    @Test func aPaperIsReadOnlyWhenItIsTheOneThatWasPromised() throws {
        let paper = notice(2)
        let request = try world.request("steg.bill.pay", fields: [:], papers: [paper])
        let content = TestWorld.paper(bytes: Attachments.pieceBytes + 5)
        _ = try take(request, try world.piece(1, of: paper, Array(content.prefix(Attachments.pieceBytes)), for: request))
        func read(_ digest: [UInt8]) throws -> [UInt8] {
            try store.read {
                try JournalStore.document(
                    $0, paper.id, from: request.source, to: ParticipantID("steg")!,
                    claim: DocumentClaim(digest: digest, type: "application/pdf", size: Int64(content.count)),
                    with: world.keys["steg"]!.opening)
            }
        }
        func code(_ digest: [UInt8]) -> DocumentError.Code? {
            do { _ = try read(digest) } catch { return (error as? DocumentError)?.code }
            return nil
        }
        #expect(code(sha256(content)) == .incomplete)
        _ = try take(try world.piece(2, of: paper, Array(content.suffix(5)), for: request))
        #expect(try read(sha256(content)) == content)
        #expect(code(sha256([])) == .damaged)
    }

    @Test func aRequestReplayedAfterMonthsIsNotTakenAgain() throws {
        let old = try world.request("steg.bill.pay", fields: [:], time: TestWorld.start.advanced(by: .seconds(86_400)))
        #expect(try take(old).count == 1)
        #expect(try take(old).isEmpty)
    }

    @Test func theSameIdentifierWithOtherBytesIsNeverExecuted() throws {
        let request = try world.request("steg.bill.pay", fields: ["amount": 1])
        _ = try take(request)
        let other = try world.request("steg.bill.pay", fields: ["amount": 2], subject: request.subject!, id: request.id)
        #expect(try take(other).isEmpty)
        #expect(try quarantined == ["id: the same identifier came before with other bytes"])
    }

    @Test func aKnownRequestUnderAnotherMessageIsNeverExecuted() throws {
        let request = try world.request("steg.bill.pay", fields: [:])
        _ = try take(request)
        #expect(try take(try world.request("steg.bill.pay", fields: [:], subject: request.subject!)).isEmpty)
        #expect(try quarantined == ["subject: this request is known under another message"])
        #expect(try store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM job") } == 1)
    }

    @Test func anAttemptWithoutAResultIsFoundAfterARestart() throws {
        let job = try #require(try take(try world.request("steg.bill.pay", fields: [:])).first)
        let (intended, announcement) = try store.transaction {
            try steps.intend(job, phase: .call, announces: true, in: $0)
        }.result
        #expect(announcement != nil)
        #expect(intended.state == .calling)
        #expect(try store.transaction { try steps.interrupted(in: $0) }.result.map(\.number) == [job.number])
    }

    @Test func takenIsSaidOnceAndNotAfterAnOutcome() throws {
        let jobs = try take(try world.request("steg.bill.pay", fields: [:]), try world.request("steg.bill.view", fields: [:]))
        let outcome = PreparedOutcome(
            id: TestWorld.uuid().text, status: .completed, revision: 1, time: TestClock.shared.now, sealed: nil, visible: [:])
        _ = try store.transaction {
            try steps.conclude(
                Conclusion(jobs[0], phase: .call, verdict: .completed([:]), decision: .conclude(.completed, [:])), outcome: outcome, in: $0)
        }
        let said = try (0..<2).flatMap { _ in
            try store.transaction { try steps.sayTaken(olderThan: .seconds(-10), in: $0) }.appended
        }
        #expect(try said.map { try Envelope(parsing: $0.body).subject } == [jobs[1].subject])
    }

    @Test func theSettleTimeCountsFromTheEndOfTheCallThatLeftTheDoubt() throws {
        let clock = Mutex(TestClock.shared.now)
        let store = try JournalStore(
            path: nil, headPath: nil, identity: world.identity("steg"),
            environment: JournalEnvironment(now: { clock.withLock { $0 } }, makeUUID: { UUIDv7(at: $0) }),
            migrations: AgencySchema.register)
        let request = try world.request("steg.bill.pay", fields: [:])
        let delivery = CheckedDelivery.accepted(request, try world.delivery(request))
        let job = try store.transaction { try steps.take([delivery], in: $0) }.result[0]
        let intended = try store.transaction { try steps.intend(job, phase: .call, announces: false, in: $0) }.result.job
        clock.withLock { $0 = $0.advanced(by: .seconds(4)) }
        let doubted = try store.transaction {
            try steps.conclude(
                Conclusion(intended, phase: .call, verdict: .doubt("x"), decision: .lookUp(at: $0.now, absences: 0)), outcome: nil, in: $0)
        }.result
        #expect(doubted.lastAttempt == clock.withLock { $0 })
        #expect(doubted.isDoubted)
    }

    @Test func aResultOfAJobThatHasGoneOnIsNotRecorded() throws {
        let job = try #require(try take(try world.request("steg.bill.pay", fields: [:])).first)
        let end = Decision.conclude(.completed, [:])
        _ = try store.transaction {
            try steps.conclude(
                Conclusion(job, phase: nil, verdict: nil, decision: end), outcome: nil, in: $0)
        }
        #expect(throws: StaleJob.self) {
            try store.transaction {
                try steps.conclude(
                    Conclusion(job, phase: .call, verdict: .doubt("x"), decision: .park(reason: "x")), outcome: nil, in: $0)
            }
        }
    }

    @Test func aRequestWithoutASubjectIsSetAsideAndNotACrash() throws {
        var request = try world.request("steg.bill.pay", fields: [:])
        request.subject = nil
        let intake = AgencyIntake(steps: steps, registry: world.registry, openingKeys: world.keys["steg"]!.opening)
        let prepared = intake.prepare([try world.delivery(request)])
        guard case .refused(_, let reason)? = prepared.checked.first else {
            Issue.record("expected a refusal")
            return
        }
        #expect(reason.hasPrefix("subject:"))
    }

    /// A house may be somebody else's program, or nobody's.
    @Test func aControlCharacterThatAHouseLetThroughNeverReachesTheAgency() throws {
        let steg = ParticipantID("steg")!
        let desk = JobDesk(
            agency: world.catalogue.agencies[steg]!, catalogue: .init(world.catalogue), openingKeys: world.keys["steg"]!.opening,
            registry: world.registry)
        func start(note: String) throws -> JobRun.Action {
            let fields: JSONObject = ["reference": "123456789", "amount": 5, "payment": "cash", "note": .string(note)]
            var run = JobRun(try take(try world.request("steg.bill.pay", fields: fields))[0], fields: nil, desk: desk, jitter: 0)
            return run.start(at: TestClock.shared.now)
        }
        guard case .translateCall = try start(note: "سطر\nآخر") else {
            Issue.record("a good order is not called")
            return
        }
        for note in ["\u{1B}[2J", "\u{202E}", "a\u{0}b"] {
            guard case .conclude(let end) = try start(note: note), case .conclude(.refused, let fields) = end.decision else {
                Issue.record("\(note.debugDescription) is not refused")
                continue
            }
            #expect(fields["reason"]?["code"] == "invalid-order")
        }
    }
}
