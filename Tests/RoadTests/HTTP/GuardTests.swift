import Hummingbird
import Testing
import WaslModel

@testable import WaslWeb

/// What stands before every route, whoever asks.
@Suite(.timeLimit(.minutes(2))) struct GuardTests {
    private struct Unforeseen: Error, CustomStringConvertible { let description = "the disk spoke in tongues" }

    private static let metricsToken = "another token, for figures"

    private func ask(
        _ method: String, _ path: String, headers: [String] = [ServerUnderTest.bearer], body: String = ""
    ) async throws -> RawAnswer {
        let answers = try await ask([(method, path, headers, body)])
        return answers[0].answer
    }

    private func ask(
        _ requests: [(method: String, path: String, headers: [String], body: String)]
    ) async throws -> [(answer: RawAnswer, log: [String])] {
        var answers: [(RawAnswer, [String])] = []
        try await ServerUnderTest.run(
            metricsToken: Self.metricsToken,
            routes: { routes in
                routes.get("/v1/things", query: ["limit", "state", "before"]) { request, _ in
                    let limit = try request.query.number("limit", in: 1...500)
                    let state = try request.query.word("state", of: ["open", "closed"])
                    return .json(["limit": limit.map(JSON.integer) ?? .null, "state": JSON(state)])
                }
                routes.post("/v1/things") { _, _ in .json([:]) }
                routes.get("/v1/things/:id") { _, context in .json(["id": JSON(context.parameters.get("id"))]) }
                routes.get("/metrics", .metrics) { _, _ in .text("figures") }
                routes.get("/v1/broken") { _, _ in throw Unforeseen() }
                routes.get("/page/broken", .page, query: ["lang"]) { _, _ in throw Unforeseen() }
                routes.get("/page", .page, query: ["lang"]) { request, _ in .page("<p>\(try request.query.language())</p>") }
                routes.post("/page", .page) { _, _ in .seeOther("/page") }
            }
        ) { server in
            for request in requests {
                answers.append(
                    (
                        try await server.ask(request.method, request.path, headers: request.headers, body: request.body),
                        server.log.elements
                    ))
            }
        }
        return answers.map { (answer: $0.0, log: $0.1) }
    }

    @Test(arguments: [
        ("/livez", 200, 200, 200), ("/v1/things", 401, 200, 401), ("/v1/things/7", 401, 200, 401), ("/metrics", 401, 200, 200),
        ("/page", 200, 200, 200), ("/unknown", 401, 404, 401), ("/livez/", 200, 200, 200), ("//v1//things", 401, 200, 401),
        ("/v1/%74hings", 401, 404, 401),
    ])
    func nothingButHealthAndPagesIsOpen(_ path: String, _ without: Int, _ withToken: Int, _ withMetrics: Int) async throws {
        let answers = try await ask([
            ("GET", path, [], ""), ("GET", path, [ServerUnderTest.bearer], ""),
            ("GET", path, ["Authorization: Bearer \(Self.metricsToken)"], ""),
            ("GET", path + "?token=a%20token%20of%20sixteen%20characters", [], ""),
        ]).map(\.answer)
        #expect(answers.map(\.status).prefix(3) == [without, withToken, withMetrics])
        #expect(answers[3].status >= 400, "never by an address")
        #expect(answers[0].status != 401 || answers[0].header("WWW-Authenticate") == "Bearer")
        for answer in answers { #expect(answer.header("X-Content-Type-Options") == "nosniff") }
    }

    @Test(arguments: [["Host: localhost", "Host: localhost"], ["Host: localhost", "Host: evil.example"], ["X: y"]])
    func anythingButOneHostIsRefused(_ hosts: [String]) async throws {
        try await ServerUnderTest.run(routes: { _ in }) { server in
            let connection = try await server.connect()
            let answer = RawAnswer(
                try await blocking {
                    try connection.send("GET /livez HTTP/1.1\r\nConnection: close\r\n\(hosts.joined(separator: "\r\n"))\r\n\r\n")
                    return try connection.receive()
                })
            #expect(answer.status == 400 && answer.body.contains("`Host`"), "\(answer.text)")
        }
    }

    @Test func aForeignHostIsMisdirected() async throws {
        #expect(try await ask("GET", "/livez", headers: ["Host: evil.example"]).status == 421)
        #expect(try await ask("GET", "/livez", headers: ["Host: wasl.example"]).status == 200)
    }

    @Test func aWrongMethodIsA405ThatNamesTheRightOnes() async throws {
        for method in ["DELETE", "HEAD", "PATCH", "PROPFIND", "OPTIONS"] {
            let answer = try await ask(method, "/v1/things")
            #expect(answer.status == 405 && answer.header("Allow") == "GET, POST", "\(method): \(answer.text)")
        }
        let one = try await ask("PUT", "/v1/things/7")
        #expect(one.status == 405 && one.header("Allow") == "GET" && one.body.contains("urn:wasl:problem:wrong-method"))
        let page = try await ask("DELETE", "/page", headers: [])
        #expect(page.status == 405 && page.header("Allow") == "GET, POST")
    }

    @Test(arguments: [
        ("/v1/things?limt=3", "limt"), ("/v1/things?limit=0", "limit"), ("/v1/things?limit=501", "limit"), ("/v1/things?limit=", "limit"),
        ("/v1/things?limit=1e2", "limit"), ("/v1/things?limit=-3", "limit"), ("/v1/things?limit=+3", "limit"),
        ("/v1/things?limit=99999999999999999999", "limit"), ("/v1/things?state=ajar", "state"), ("/v1/things?limit=1&limit=2", "limit"),
        ("/v1/things?%6Cimit=3", "%6Cimit"), ("/v1/things?&&x", "x"), ("/v1/things/7?state=open", "state"), ("/livez?x=1", "x"),
        ("/page?lang=de", "lang"), ("/page?theme=dark", "theme"), ("/v1/broken?x", "x"),
    ])
    func aQueryWordThatIsNotKnownOrNotOfItsShapeIsNamed(_ path: String, _ word: String) async throws {
        let answer = try await ask("GET", path)
        #expect(answer.status == 400 && answer.body.contains("`\(word)`"), "\(answer.text)")
    }

    @Test func whatIsOfItsShapeIsRead() async throws {
        let answer = try await ask("GET", "/v1/things?limit=500&state=closed")
        #expect(answer.status == 200 && answer.body == #"{"limit":500,"state":"closed"}"#)
    }

    @Test(arguments: ["/v1/broken", "/page/broken?lang=fr"])
    func whatNobodyHasForeseenHasANumberThatTheLogHasToo(_ path: String) async throws {
        let (answer, log) = try await ask([("GET", path, [ServerUnderTest.bearer], "")])[0]
        #expect(answer.status == 500 && !answer.body.contains("tongues"), "\(answer.text)")
        let incident = try #require(answer.body.firstMatch(of: /Incident ([0-9a-z]+):/)?.output.1)
        #expect(log.contains { $0.contains(incident) && $0.contains("the disk spoke in tongues") }, "\(log)")
        #expect(answer.body.contains(path.hasPrefix("/page") ? "Erreur interne" : "urn:wasl:problem:internal"))
    }

    @Test(arguments: [
        ("/page", 200), ("/page?lang=de", 400), ("/page/broken", 500),
    ])
    func everyPageIsGuarded(_ path: String, _ status: Int) async throws {
        let answer = try await ask("GET", path, headers: [])
        #expect(answer.status == status)
        Self.expectGuarded(answer)
        #expect(answer.header("Content-Type") == "text/html; charset=utf-8")
    }

    private static func expectGuarded(_ answer: RawAnswer) {
        #expect(answer.header("Content-Security-Policy")?.contains("frame-ancestors 'none'") == true)
        #expect(answer.header("X-Content-Type-Options") == "nosniff" && answer.header("Referrer-Policy") == "no-referrer")
        #expect(answer.header("Cache-Control") == "no-store")
    }

    @Test(arguments: [
        ([], 303), (["Origin: http://localhost"], 303), (["Origin: http://localhost", "Sec-Fetch-Site: same-origin"], 303),
        (["Sec-Fetch-Site: none"], 303), (["Origin: https://wasl.example"], 303),
        (["Host: wasl.example", "Origin: https://wasl.example"], 303), (["Host: 127.0.0.1:8100", "Origin: http://127.0.0.1:8100"], 303),
        (["Origin: https://evil.example"], 403), (["Origin: null"], 403), (["Origin: "], 403), (["Origin: http://localhost:9999"], 403),
        (["Origin: http://localhost.evil.example"], 403), (["Origin: https://wasl.example:9999"], 403),
        (["Origin: ftp://localhost"], 403), (["Sec-Fetch-Site: cross-site"], 403), (["Sec-Fetch-Site: same-site"], 403),
        (["Origin: http://localhost", "Sec-Fetch-Site: cross-site"], 403),
    ])
    func aFormIsTakenFromOurOwnPagesOnly(_ headers: [String], _ status: Int) async throws {
        let answer = try await ask("POST", "/page", headers: headers)
        #expect(answer.status == status, "\(headers): \(answer.text)")
        Self.expectGuarded(answer)
    }
}
