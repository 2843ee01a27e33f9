import TestSupport
import Testing
import WaslCatalogue
import WaslModel
import WaslSeal

@testable import WaslAgency

@Suite struct JobRulesTests {
    private let now = TestClock.shared.now

    private func rules(_ effect: EffectClass) -> JobRules {
        JobRules(effect: effect, retention: .seconds(1000), settle: .seconds(10), uptime: .seconds(5000), jitter: 0.5)
    }

    private func job(
        attempts: Int = 1, first: Int? = -1, last: Int? = -1, doubted: Bool = false, absences: Int = 0, expiry: Int = 3600
    ) -> Job {
        func at(_ seconds: Int?) -> Timestamp? { seconds.map { now.advanced(by: .seconds($0)) } }
        let subject = TestWorld.uuid()
        return Job(
            number: 1, subject: subject, source: Source("/houses/hydra")!, message: "m", service: ServiceID("tt.bill.pay")!,
            contract: 1, house: ParticipantID("hydra")!, accepted: now, expiry: at(expiry)!, millimes: nil, sealed: "", state: .calling,
            attempts: attempts, firstAttempt: at(first), lastAttempt: at(last), isDoubted: doubted, absences: absences, due: now,
            revision: 0, reference: AgencyReference(of: RequestKey(house: ParticipantID("hydra")!, subject: subject)))
    }

    private func kind(_ decision: Decision) -> String {
        switch decision {
        case .conclude(let status, _): status.rawValue
        case .call: "call"
        case .lookUp: "look up"
        case .park: "park"
        case .wait(_, _, let byLookup): byLookup ? "wait, look up" : "wait, call"
        case .desk: "desk"
        }
    }

    @Test(arguments: zip(EffectClass.allCases, ["call", "call", "look up", "park"]))
    func afterDoubtEachClassHasItsRule(_ effect: EffectClass, _ expected: String) {
        #expect(kind(rules(effect).decide(.doubt("x"), in: .call, of: job(), at: now)) == expected)
    }

    @Test(arguments: EffectClass.allCases) func afterADefiniteNoEveryClassCallsAgain(_ effect: EffectClass) {
        let decision = rules(effect).decide(.definiteNo("refused connection", retryAfter: nil), in: .call, of: job(), at: now)
        #expect(kind(decision) == "call")
    }

    @Test func theAgencysOwnPauseIsKept() {
        let decision = rules(.neither).decide(.definiteNo("busy", retryAfter: .seconds(7)), in: .call, of: job(), at: now)
        #expect(decision == .call(at: now.advanced(by: .seconds(7))))
    }

    @Test func pastTheRetentionAnIdempotentDoubtIsParked() {
        let old = job(first: -1001, last: -1001)
        #expect(kind(rules(.idempotent).decide(.doubt("x"), in: .call, of: old, at: now)) == "park")
        #expect(rules(.idempotent).decideBeforeCall(of: job(first: -1001, doubted: true), at: now).map(kind) == "park")
    }

    private let note: JSONObject = ["code": "being-studied", "ar": "قيد الدرس", "fr": "à l'étude", "en": "being studied"]

    @Test(arguments: [(EffectClass.queryable, "wait, look up"), (.idempotent, "wait, call")])
    func whoIsAtWorkIsAskedAgainInTheWayThatChangesNothing(_ effect: EffectClass, _ expected: String) {
        let decision = rules(effect).decide(.progress(note: note, askAfter: .seconds(60)), in: .call, of: job(), at: now)
        #expect(kind(decision) == expected)
    }

    @Test func whatTheAgencyIsAtWorkOnNeitherExpiresNorIsDoneAgain() {
        var known = job(first: -5000, last: -5000, expiry: -1)
        known.heard = 1
        #expect(rules(.queryable).decideBeforeCall(of: known, at: now) == nil)
        #expect(rules(.idempotent).decideBeforeCall(of: known, at: now).map(kind) == "park", "its key may be forgotten")
        let first = rules(.queryable).decide(.absent, in: .lookup, of: known, at: now)
        #expect(kind(first) == "look up")
        known.absences = 1
        #expect(kind(rules(.queryable).decide(.absent, in: .lookup, of: known, at: now)) == "park")
    }

    @Test func aPaperIsBroughtAgainAfterAnythingButARefusal() {
        for verdict in [Verdict.doubt("x"), .definiteNo("x", retryAfter: nil), .absent] {
            #expect(kind(rules(.neither).decide(verdict, in: .upload, of: job(), at: now)) == "call")
        }
        #expect(kind(rules(.neither).decide(.refused(reason: ["code": "x"]), in: .upload, of: job(), at: now)) == "refused")
    }

    @Test func progressIsBelievedOnlyWhereAskingAgainChangesNothingAndWithWordsForTheCitizen() throws {
        let catalogue = try TestWorld.published.get()
        func verdict(_ service: String, _ note: JSONObject) -> Verdict {
            Verdict(
                ["result": "progress", "progress": .object(note), "after": 60], of: catalogue.service(ServiceID(service)!), in: .call,
                status: 200)
        }
        #expect(verdict("sonede.bill.dispute", note) == .progress(note: note, askAfter: .seconds(60)))
        for (service, words) in [("tt.bill.pay", note), ("steg.bill.view", note), ("sonede.bill.dispute", ["code": "x"])] {
            guard case .doubt = verdict(service, words) else {
                Issue.record("\(service)")
                continue
            }
        }
    }

    @Test func absenceBeforeTheSettleTimeSaysNothing() {
        let decision = rules(.queryable).decide(.absent, in: .lookup, of: job(last: -5), at: now)
        #expect(decision == .lookUp(at: now.advanced(by: .seconds(5)), absences: 0))
    }

    @Test func aClockPutForwardDoesNotEndTheSettleTime() {
        var asked = job(last: -86_400)
        asked.attemptUptime = .seconds(4996)
        let decision = rules(.queryable).decide(.absent, in: .lookup, of: asked, at: now)
        #expect(decision == .lookUp(at: now.advanced(by: .seconds(6)), absences: 0))
    }

    @Test func aClockThatIsADayWrongStillFindsTheKeyRemembered() throws {
        // What the agency remembers for seven days is used for six.
        let world = try TestWorld()
        let agency = try #require(world.catalogue.agencies[ParticipantID("sonede")!])
        let desk = JobDesk(agency: agency, catalogue: CatalogueHolder(world.catalogue), openingKeys: [], registry: world.registry)
        let service = try #require(world.catalogue.service(ServiceID("sonede.bill.pay")!))
        let day = 86_400
        #expect(kind(desk.rules(service, 0).decide(.doubt("x"), in: .call, of: job(first: -5 * day), at: now)) == "call")
        #expect(kind(desk.rules(service, 0).decide(.doubt("x"), in: .call, of: job(first: -6 * day - 1), at: now)) == "park")
    }

    @Test func absentTwiceAfterTheSettleTimeIsCalledAgain() {
        let first = rules(.queryable).decide(.absent, in: .lookup, of: job(last: -11), at: now)
        guard case .lookUp(_, let absences) = first else {
            Issue.record("\(first)")
            return
        }
        #expect(absences == 1)
        #expect(kind(rules(.queryable).decide(.absent, in: .lookup, of: job(last: -11, absences: 1), at: now)) == "call")
    }

    @Test func aLookupThatNeverAnswersIsParkedInTheEnd() {
        #expect(kind(rules(.queryable).decide(.doubt("500"), in: .lookup, of: job(attempts: 5), at: now)) == "look up")
        #expect(kind(rules(.queryable).decide(.doubt("500"), in: .lookup, of: job(attempts: 500), at: now)) == "park")
    }

    @Test func afterItsExpiryWorkIsNotStartedButDoubtIsNotCalledUndone() {
        #expect(rules(.neither).decideBeforeCall(of: job(expiry: -1), at: now).map(kind) == "expired")
        #expect(rules(.idempotent).decideBeforeCall(of: job(doubted: true, expiry: -1), at: now) == nil)
    }

    @Test func aReadThatLeftDoubtStillExpires() {
        #expect(rules(.read).decideBeforeCall(of: job(doubted: true, expiry: -1), at: now).map(kind) == "expired")
    }

    @Test func pausesGrowAndStayBounded() {
        func pause(_ attempts: Int) -> Int64 {
            guard case .call(let at) = rules(.read).decide(.doubt("x"), in: .call, of: job(attempts: attempts), at: now) else { return 0 }
            return at.since(now).milliseconds
        }
        #expect(pause(1) < pause(4) && pause(4) < pause(8))
        #expect(pause(100) <= 60_020)
    }
}

@Suite struct CircuitTests {
    private let now = TestClock.shared.now

    @Test func itOpensAfterFailuresInARowAndProbesWithOneCall() {
        var circuit = Circuit(failuresMax: 3, pause: .seconds(10))
        for _ in 0..<2 { circuit.failed(at: now) }
        circuit.succeeded()
        for _ in 0..<3 { circuit.failed(at: now) }
        #expect(circuit.state(at: now) == .open)
        #expect(!circuit.permit(at: now.advanced(by: .seconds(9))).isPermitted)
        let later = now.advanced(by: .seconds(10))
        #expect(circuit.permit(at: later).isPermitted)
        #expect(!circuit.permit(at: later).isPermitted, "one probe at a time")
        circuit.failed(at: later)
        #expect(circuit.state(at: later) == .open)
        #expect(circuit.permit(at: later.advanced(by: .seconds(10))).isPermitted)
        circuit.succeeded()
        #expect(circuit.state(at: later) == .closed)
    }

    @Test func theRateIsKeptOverTime() {
        var limit = RateLimit(perSecond: 100)
        var begun = 0
        for millisecond in 0..<2000 {
            while limit.take(at: now.advanced(by: .milliseconds(millisecond))) == nil { begun += 1 }
        }
        #expect((200...215).contains(begun), "\(begun)")
    }
}
