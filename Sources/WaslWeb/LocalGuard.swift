import Foundation
import HTTPTypes
import Hummingbird
import WaslModel

/// Stands before every route of an API, also of one that listens on loopback: any page in the clerk's browser can reach loopback too, so a
/// Host check stops DNS rebinding, a token stops everything that cannot read the token's file, and a form is taken from our own pages only.
/// It has the last word on every answer: each error is a ``Problem``, each answer carries its protecting headers.
struct LocalGuard: RouterMiddleware {
    private let tokens: [[UInt8]]
    private let metricsTokens: [[UInt8]]
    private let hosts: Set<String>
    private let ownHosts: Set<String>
    private let table: RouteTable
    private let explain: @Sendable (any Error) -> Problem?

    init(
        token: String, metricsToken: String?, hosts: [String], table: RouteTable, explain: @escaping @Sendable (any Error) -> Problem?
    ) {
        tokens = [Array("Bearer \(token)".utf8)]
        metricsTokens = tokens + (metricsToken.map { [Array("Bearer \($0)".utf8)] } ?? [])
        ownHosts = Set(hosts)
        self.hosts = Set(["127.0.0.1", "localhost", "[::1]"] + hosts)
        self.table = table
        self.explain = explain
    }

    func handle(
        _ request: Request, context: BasicRequestContext, next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        let known = table.routes(at: request.uri.path)
        let route = known.first { $0.method == request.method }
        // A path that nobody has declared is told to those who have the token only.
        let access = (route ?? known.first)?.access ?? .token
        var response: Response
        do {
            try checkHost(request)
            try checkCaller(request, access)
            guard let route else {
                throw known.isEmpty ? Problem.noSuchPath : Problem.wrongMethod(request.method, allowed: known.map(\.method))
            }
            try request.query.check(known: route.query)
            response = try await next(request, context)
        } catch {
            let problem = self.problem(error, request, route, context)
            response = try problem.response(from: request, context: context)
            if access == .page {
                let page = ProblemPage(problem: problem, language: (try? request.query.language()) ?? .ar)
                response.body = ResponseBody(byteBuffer: ByteBuffer(string: page.html))
                response.headers[.contentType] = "text/html; charset=utf-8"
            }
        }
        response.guardContent()
        if access == .page { response.guardPage() }
        if request.method == .head { response = response.createHeadResponse() }
        return response
    }

    private func problem(_ error: any Error, _ request: Request, _ route: RouteTable.Route?, _ context: BasicRequestContext) -> Problem {
        if let problem = explain(error) ?? Problem(foreseen: error) { return problem }
        let incident = String(UInt64.random(in: .min ... .max), radix: 36)
        context.logger.error(
            "a request ended in an error that nobody had foreseen",
            metadata: [
                "incident": "\(incident)", "method": "\(request.method.rawValue)", "path": "\(route?.path ?? "unknown")",
                "error": "\(error)",
            ])
        return .unforeseen(incident: incident)
    }

    // MARK: Host

    private func checkHost(_ request: Request) throws {
        // The first one became the authority: what is still among the headers is a second (RFC 9112, section 3.2).
        guard let authority = request.head.authority, request.header("Host") == nil else {
            throw Problem.header("Host", "expected exactly one")
        }
        guard isKnown(authority: authority) else {
            throw Problem(
                .misdirectedRequest, "host",
                LocalizedText(ar: "عنوان غير معروف", fr: "Nom d'hôte inconnu", en: "Unknown host name"),
                detail: "This service answers to its own name only; see `http.hosts` in the configuration.")
        }
    }

    /// Whether a Host header names us, with or without a port.
    func isKnown(authority: String) -> Bool {
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return hosts.contains(String(host))
    }

    // MARK: Who asks

    private func checkCaller(_ request: Request, _ access: Access) throws {
        switch access {
        case .open: break
        case .token: try checkToken(request, tokens)
        case .metrics: try checkToken(request, metricsTokens)
        case .page: try checkOrigin(request)
        }
    }

    private func checkToken(_ request: Request, _ tokens: [[UInt8]]) throws {
        let given = Array((request.headers[.authorization] ?? "").utf8)
        guard tokens.reduce(false, { $0 || isSame(given, $1) }) else {
            throw Problem(
                .unauthorized, "token",
                LocalizedText(ar: "رمز الدخول مفقود أو خاطئ", fr: "Jeton absent ou faux", en: "Missing or wrong token"),
                detail: "Send `Authorization: Bearer …` with the content of the token file.")
        }
    }

    /// A form comes from our own page: whoever sends one from elsewhere acts with another's session, or signs somebody in as themselves.
    private func checkOrigin(_ request: Request) throws {
        guard request.method != .get else { return }
        let origin = request.header("Origin")
        let site = request.header("Sec-Fetch-Site") ?? "same-origin"
        guard origin.map({ isOwn(origin: $0, request.head.authority ?? "") }) ?? true, ["same-origin", "none"].contains(site) else {
            throw Problem(
                .forbidden, "foreign-origin",
                LocalizedText(
                    ar: "استمارة أرسلت من موقع آخر", fr: "Formulaire envoyé depuis un autre site", en: "The form was sent from another site"
                ),
                detail: "Open this service's own page and send the form from there. Behind a proxy, `http.hosts` names its host.")
        }
    }

    /// The name and port that were asked, or a name of ours at its usual port: a proxy may ask us under another one than the browser sees.
    private func isOwn(origin: String, _ authority: String) -> Bool {
        guard let scheme = ["https://", "http://"].first(where: origin.hasPrefix) else { return false }
        let named = String(origin.dropFirst(scheme.count))
        return named == authority || ownHosts.contains(named)
    }

    /// Takes the same time wherever the difference is.
    private func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Reads a secret from a file that nobody else may read, without the end of line that editors add.
public func readSecret(_ path: String) throws -> String {
    let text = String(decoding: try SecretFile.read(path), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    guard text.utf8.count >= 16 else { throw SecretError(path: path) }
    return text
}

/// A secret that is too short to be one.
public struct SecretError: Error, CustomStringConvertible {
    let path: String
    public var description: String { "\(path): a secret of at least 16 characters is expected" }
}
