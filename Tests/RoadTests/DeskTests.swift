import Foundation
import GRDB
import Hummingbird
import HummingbirdTesting
import TestSupport
import Testing
import WaslJournal
import WaslModel

@testable import WaslAgency
@testable import WaslHouse
@testable import WaslWeb

/// A desk as an agent uses it: signs in, reads, takes in hand, answers or refuses; and what somebody else cannot do.
@Suite struct DeskTests {
    private static let password = "une phrase assez longue"

    private func withDesk(_ body: @escaping @Sendable (Road, inout Browser) async throws -> Void) async throws {
        let road = try await Road(agency: "eid")
        var accounts = Accounts()
        try accounts.set("amel", password: Self.password, cost: 1 << 10)
        try accounts.text.write(toFile: road.staffFile, atomically: true, encoding: .utf8)
        chmod(road.staffFile, 0o600)
        let application = Application(router: road.worker.router(token: "a token of sixteen characters", hosts: [], description: "{}"))
        try await application.test(.live) { client in
            var browser = Browser(client: client)
            try await body(road, &browser)
        }
        try await road.end()
    }

    private static let complaint: JSONObject = ["subject": "<b>تعذر التفعيل</b>", "text": "لم تصل إرسالية التفعيل إلى هاتفي"]

    /// The request's state at the worker, once it is at the desk.
    private func arrived(_ request: String, _ road: Road) async throws {
        try await waiting(for: "\(request) to be at the desk") {
            while true {
                let version = road.house.changes.version
                if try await road.worker.deskJob(road.key(request)) != nil { return }
                await road.house.changes.wait(past: version)
            }
        }
    }

    @Test func anAgentSignsInTakesInHandAndAnswers() async throws {
        try await withDesk { road, browser in
            let request = try await road.order("eid.complaint.submit", Self.complaint)
            // Taken is said once it waits for people.
            _ = try await road.state(of: request) { $0 == "taken" }
            try await arrived(request, road)
            #expect(try await browser.get("/desk").status == 303, "nobody sees anything before signing in")
            #expect(try await browser.post("/desk/sign-in", ["name": "amel", "password": Self.password]).status == 303)
            let list = try await browser.get("/desk?lang=ar")
            #expect(list.html.contains("dir=\"rtl\"") && list.html.contains("تقديم شكاية") && list.html.contains(request))
            let path = "/desk/requests/hydra/\(request)"
            let page = try await browser.get(path + "?lang=fr")
            #expect(page.html.contains("&lt;b&gt;تعذر التفعيل&lt;/b&gt;") && !page.html.contains("<b>"), "a citizen's text is text")
            #expect(!page.html.contains("http-equiv=\"refresh\""), "a form is not taken away while it is filled in")
            let token = browser.token(page.html)
            #expect(try await browser.post(path, ["token": token, "act": "take"]).status == 303)
            #expect(try await road.state(of: request) { $0 == "progress" } == "progress")
            let wrong = try await browser.post(path + "?lang=fr", ["token": token, "act": "complete", "field.case_number": " "])
            #expect(wrong.status == 422 && wrong.html.contains("Ce champ est obligatoire"))
            #expect(try await browser.post(path, ["token": token, "act": "complete", "field.case_number": "EID-7"]).status == 303)
            #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
            #expect(try await browser.post(path, ["token": token, "act": "complete", "field.case_number": "EID-8"]).status == 404)
            let acts = try await road.worker.journal.read {
                try String.fetchAll($0, sql: "SELECT holder || ' ' || act FROM desk_act ORDER BY number")
            }
            #expect(acts == ["amel seen", "amel taken", "amel seen", "amel completed"])
            #expect(try road.lines().isEmpty, "no machine was called")
        }
    }

    @Test func aRefusalCarriesTheAgentsWords() async throws {
        try await withDesk { road, browser in
            let request = try await road.order("eid.suggestion.submit", Self.complaint)
            _ = try await road.state(of: request) { $0 == "taken" }
            try await arrived(request, road)
            _ = try await browser.post("/desk/sign-in", ["name": "amel", "password": Self.password])
            let path = "/desk/requests/hydra/\(request)"
            let token = browser.token(try await browser.get(path).html)
            #expect(try await browser.post(path, ["token": token, "act": "refuse", "reason": "x"]).status == 422)
            #expect(try await browser.post(path, ["token": "other", "act": "refuse", "reason": "Hors sujet"]).status == 403)
            #expect(try await browser.post(path, ["token": token, "act": "refuse", "reason": "Hors sujet"]).status == 303)
            #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "refused")
        }
    }

    @Test func whoseAccountIsGoneIsOutAtOnce() async throws {
        try await withDesk { (road: Road, browser: inout Browser) async throws in
            #expect(try await browser.post("/desk/sign-in", ["name": "amel", "password": Self.password]).status == 303)
            #expect(try await browser.get("/desk").status == 200)
            try #"{"accounts":{}}"#.write(toFile: road.staffFile, atomically: true, encoding: .utf8)
            chmod(road.staffFile, 0o600)
            #expect(try await browser.get("/desk").status == 303)
        }
    }

    @Test func whoGuessesWaitsAndWhoHasNoAccountSeesNothing() async throws {
        try await withDesk { (_: Road, browser: inout Browser) async throws in
            for _ in 0..<5 {
                #expect(try await browser.post("/desk/sign-in", ["name": "amel", "password": "wrong wrong wrong"]).status == 401)
            }
            #expect(try await browser.post("/desk/sign-in", ["name": "amel", "password": Self.password]).status == 429)
            #expect(try await browser.post("/desk/sign-in", ["name": "nobody", "password": Self.password]).status == 401)
            browser.cookie = "wasl-desk=AAAA"
            #expect(try await browser.get("/desk").status == 303)
            #expect(try await browser.get("/v1/jobs").status == 401, "a cookie is no token")
        }
    }

    @Test func whatCanBeNobodysNameIsNotKept() async throws {
        try await withDesk { (_: Road, browser: inout Browser) async throws in
            let name = String(repeating: "x", count: 10_000)
            // A name that is kept waits after the fifth.
            for _ in 0..<6 {
                #expect(try await browser.post("/desk/sign-in", ["name": name, "password": "wrong wrong wrong"]).status == 401)
            }
        }
    }

    @Test func whatNobodyTookInHandExpires() throws {
        let world = try TestWorld()
        let store = try JournalStore(path: nil, headPath: nil, identity: world.identity("eid"), migrations: AgencySchema.register)
        let steps = AgencySteps(agency: ParticipantID("eid")!)
        let request = try world.request("eid.complaint.submit", fields: Self.complaint)
        let desk = JobDesk(
            agency: world.catalogue.agencies[ParticipantID("eid")!]!, catalogue: .init(world.catalogue),
            openingKeys: world.keys["eid"]!.opening, registry: world.registry)
        var job = try store.transaction { try steps.take([.accepted(request, try world.delivery(request))], in: $0) }.result[0]
        var run = JobRun(job, fields: nil, desk: desk, jitter: 0)
        guard case .conclude(let conclusion) = run.start(at: TestClock.shared.now), conclusion.decision == .desk else {
            Issue.record("not at the desk")
            return
        }
        job = try store.transaction { try steps.conclude(conclusion, outcome: nil, in: $0) }.result
        #expect(job.state == .desk && job.due == job.expiry)
        func ends(_ job: Job) -> Bool {
            var run = JobRun(job, fields: nil, desk: desk, jitter: 0)
            if case .conclude(let end) = run.start(at: job.expiry) { return end.decision == .conclude(.expired, [:]) }
            return false
        }
        #expect(ends(job))
        job.heard = 1
        #expect(!ends(job), "somebody is at work on it")
    }
}

@Suite struct AccountsTests {
    @Test func aPasswordIsTakenByItsNameOnlyAndInWhateverFormItWasTyped() throws {
        var accounts = Accounts()
        try accounts.set("amel", password: "cafe\u{301} au comptoir", cost: 1 << 10)
        #expect(accounts.isRight("amel", password: "caf\u{E9} au comptoir"))
        #expect(!accounts.isRight("amel", password: "caf\u{E9} au comptoir "))
        #expect(!accounts.isRight("other", password: "caf\u{E9} au comptoir"))
        #expect(throws: AccountsError.self) { try accounts.set("amel", password: "short") }
        #expect(throws: AccountsError.self) { try accounts.set("Amel B", password: "long enough, surely") }
        #expect(!accounts.text.contains("comptoir"))
    }

    @Test(arguments: [
        "", "{", #"{"accounts":[]}"#, #"{"accounts":{"amel":{"salt":"AA"}}}"#,
        #"{"accounts":{"amel":{"salt":"AA","cost":3,"scrypt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}}"#,
    ])
    func aFileThatIsNoneIsNamed(_ text: String) throws {
        let path = try TestWorld.makeFolder() + "/staff.json"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o600)
        #expect(throws: AccountsError.self) { try Accounts(path: path) }
        chmod(path, 0o644)
        #expect { _ = try Accounts(path: path) } throws: { "\($0)".contains("chmod 600") }
    }
}
