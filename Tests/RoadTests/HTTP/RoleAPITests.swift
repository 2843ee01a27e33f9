import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import TestSupport
import Testing
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSimulation
import WaslWeb

@testable import WaslAgency
@testable import WaslHouse
@testable import WaslLedger

/// What holds for every route of every role, whichever they are.
@Suite(.timeLimit(.minutes(3))) struct RoleAPITests {
    private static let token = "a token of sixteen characters"
    private static let metricsToken = "another token, for figures"

    private struct Answer {
        let route: String
        let status: Int
        let body: String
        let headers: HTTPFields

        func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }
    }

    /// Asks each route of a router; what stands for any one word in its path is `x`.
    private func askAll(_ router: Router<BasicRequestContext>, query: String = "", headers: HTTPFields = [:]) async throws -> [Answer] {
        let routes = router.routes.map { route in
            let words = route.path.description.split(separator: "/").map { $0.hasPrefix("{") || $0.hasPrefix(":") ? "x" : $0 }
            return (method: route.method, path: "/" + words.joined(separator: "/"))
        }
        return try await Application(router: router).test(.live) { client in
            var answers: [Answer] = []
            for route in routes {
                answers.append(
                    try await client.execute(uri: route.path + query, method: route.method, headers: headers) { response in
                        Answer(
                            route: "\(route.method) \(route.path)", status: Int(response.status.code), body: String(buffer: response.body),
                            headers: response.headers)
                    })
            }
            return answers
        }
    }

    private func withRouters(_ test: (String, Router<BasicRequestContext>) async throws -> Void) async throws {
        let road = try await Road(agency: "eid")
        let world = road.world
        var accounts = Accounts()
        try accounts.set("amel", password: "une phrase assez longue", cost: 1 << 10)
        try accounts.text.write(toFile: road.staffFile, atomically: true, encoding: .utf8)
        chmod(road.staffFile, 0o600)
        let ledger = try Ledger(
            Ledger.Parts(
                journalPath: world.folder + "/ledger.sqlite", headPath: world.folder + "/ledger.head", keys: world.keys["ledger"]!,
                registry: world.registry,
                catalogue: CatalogueHolder(world.catalogue), times: LedgerTimes(), version: "test"), broker: SimulatedBroker(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let routers = [
            ("house", road.house.router(token: Self.token, metricsToken: Self.metricsToken, hosts: [], description: "{}")),
            ("agency", road.worker.router(token: Self.token, metricsToken: Self.metricsToken, hosts: [], description: "{}")),
            (
                "ledger",
                ledger.router(
                    token: Self.token, metricsToken: Self.metricsToken, hosts: [], staffFile: road.staffFile, description: "{}")
            ),
        ]
        do {
            for (role, router) in routers { try await test(role, router) }
        } catch {
            try await road.end()
            throw error
        }
        try await road.end()
    }

    private static func isPage(_ route: String, _ role: String) -> Bool {
        route.contains(" /desk") || role == "ledger" && ["GET /", "GET /sign-in", "POST /sign-in", "POST /sign-out"].contains(route)
    }

    @Test func onlyHealthAnswersWithoutAToken() async throws {
        try await withRouters { role, router in
            for answer in try await askAll(router) {
                if answer.route == "GET /livez" {
                    #expect(answer.status == 200)
                } else if answer.route == "GET /readyz" {
                    #expect([200, 503].contains(answer.status))
                } else if !Self.isPage(answer.route, role) {
                    #expect(answer.status == 401, "\(role): \(answer.route)")
                }
            }
            let withMetrics = try await askAll(router, headers: [.authorization: "Bearer \(Self.metricsToken)"])
            for answer in withMetrics where answer.route.hasPrefix("GET /v1") || answer.route == "GET /openapi.json" {
                #expect(answer.status == 401, "\(role): \(answer.route)")
            }
            #expect(withMetrics.first { $0.route == "GET /metrics" }?.status == 200, "\(role)")
        }
    }

    @Test func anUnknownQueryWordIsNamedEverywhere() async throws {
        try await withRouters { role, router in
            let headers: HTTPFields = [.authorization: "Bearer \(Self.token)"]
            for answer in try await askAll(router, query: "?lang=ar&nonsense=1", headers: headers) {
                let isNamed = answer.body.contains("`nonsense`") || answer.body.contains("`lang`")
                #expect(answer.status == 400 && isNamed, "\(role): \(answer.route) \(answer.status) \(answer.body)")
            }
            for answer in try await askAll(router, query: "?nonsense=1", headers: headers) {
                #expect(answer.status == 400 && answer.body.contains("`nonsense`"), "\(role): \(answer.route)")
            }
        }
    }

    @Test func everyPageIsGuardedAndSaysNothingBeforeSignIn() async throws {
        try await withRouters { role, router in
            let pages = try await askAll(router, query: "?lang=fr").filter { Self.isPage($0.route, role) }
            #expect(pages.count == (role == "house" ? 0 : role == "ledger" ? 4 : 7))
            for answer in pages {
                #expect(answer.header("Content-Security-Policy")?.hasPrefix("default-src 'none'") == true, "\(answer.route)")
                #expect(answer.header("X-Content-Type-Options") == "nosniff" && answer.header("Referrer-Policy") == "no-referrer")
                #expect(answer.header("Cache-Control") == "no-store", "\(answer.route)")
                if answer.route.hasPrefix("GET"), !answer.route.hasSuffix("/sign-in") {
                    #expect(answer.status == 303 && answer.header("Location")?.hasSuffix("/sign-in?lang=fr") == true, "\(answer.route)")
                    #expect(answer.body.isEmpty)
                }
            }
            let headers = HTTPFields(dictionaryLiteral: (.init("Origin")!, "https://evil.example"))
            for answer in try await askAll(router, query: "?lang=fr", headers: headers)
            where answer.route.hasPrefix("POST") && Self.isPage(answer.route, role) {
                #expect(answer.status == 403, "\(role): \(answer.route)")
            }
        }
    }

    @Test(arguments: [
        ("house", "/v1/requests?state=unheard-of", "state"), ("house", "/v1/requests?before=first", "before"),
        ("house", "/v1/requests?limit=many", "limit"), ("house", "/v1/events?after=x", "after"), ("house", "/v1/events?after=1", "after"),
        ("agency", "/v1/jobs?state=unheard-of", "state"), ("ledger", "/v1/findings?state=unheard-of", "state"),
        ("ledger", "/v1/findings?class=unheard-of", "class"), ("ledger", "/v1/findings?after=-1", "after"),
        ("ledger", "/v1/findings?limit=1001", "limit"), ("ledger", "/v1/findings?limit=0", "limit"), ("ledger", "/?lang=de", "lang"),
    ])
    func aWordThatIsNotOfItsShapeIsNamed(_ role: String, _ path: String, _ word: String) async throws {
        try await withRouters { name, router in
            guard name == role else { return }
            try await Application(router: router).test(.live) { client in
                try await client.execute(uri: path, method: .get, headers: [.authorization: "Bearer \(Self.token)"]) { response in
                    let body = String(buffer: response.body)
                    #expect(response.status == .badRequest && body.contains("`\(word)`"), "\(body)")
                }
            }
        }
    }

    @Test func theLedgersPageIsForWhoeverSignsIn() async throws {
        try await withRouters { role, router in
            guard role == "ledger" else { return }
            try await Application(router: router).test(.live) { client in
                let form = "name=amel&password=" + "une phrase assez longue".replacing(" ", with: "%20")
                let type: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
                let cookie = try await client.execute(
                    uri: "/sign-in?lang=en", method: .post, headers: type, body: ByteBuffer(string: form)
                ) { response in
                    #expect(response.status == .seeOther && response.headers[.location] == "/?lang=en")
                    let set = response.headers[.setCookie] ?? ""
                    #expect(set.hasPrefix("wasl-ledger=") && set.contains("; Path=/;") && set.contains("HttpOnly; SameSite=Strict"))
                    return String(set.prefix { $0 != ";" })
                }
                let token = try await client.execute(uri: "/?lang=en", method: .get, headers: [.cookie: cookie]) { response in
                    let html = String(buffer: response.body)
                    #expect(response.status == .ok && html.contains("Wasl: the delivery ledger") && html.contains("<bdi>amel</bdi>"))
                    return html.firstMatch(of: #/name="token" value="([^"]+)"/#).map { String($0.output.1) } ?? ""
                }
                #expect(
                    try await client.execute(uri: "/v1/overview", method: .get, headers: [.cookie: cookie]) { $0.status } == .unauthorized,
                    "a cookie is no token")
                for (given, stays) in [("other", true), (token, false)] {
                    var headers = type
                    headers[.cookie] = cookie
                    _ = try await client.execute(
                        uri: "/sign-out", method: .post, headers: headers, body: ByteBuffer(string: "token=\(given)")
                    ) { $0.status }
                    let status = try await client.execute(uri: "/", method: .get, headers: [.cookie: cookie]) { $0.status }
                    #expect(status == (stays ? .ok : .seeOther))
                }
            }
        }
    }
}
