public import Hummingbird
import Logging
public import WaslModel

/// Signing in to a role's pages, and out again: the same for all pages that people look at.
public struct SignIn: Sendable {
    /// The page that one is led to, and below which all the others are: `/` or such as `/desk`.
    private let home: String
    private let texts: SignInPage.Texts
    private let accountsFile: String?
    private let sessions: Sessions

    /// - Parameters:
    ///   - cookie: the name of the cookie that keeps a session.
    ///   - title: of the sign-in page.
    ///   - accountsFile: who may sign in; without one, nobody.
    public init(
        home: String, cookie: String, title: LocalizedText, accountsFile: String?, now: @escaping @Sendable () -> Timestamp
    ) {
        self.home = home
        self.accountsFile = accountsFile
        texts = SignInPage.Texts(title: title, signIn: SignIn.path("sign-in", home), signOut: SignIn.path("sign-out", home))
        sessions = Sessions(cookie: cookie, path: home, now: now)
    }

    private static func path(_ word: String, _ home: String) -> String { home == "/" ? "/\(word)" : "\(home)/\(word)" }

    public func addRoutes(to routes: Routes) {
        routes.get(texts.signIn, .page, query: ["lang"]) { request, _ in
            .page(SignInPage(texts: texts, language: try request.query.language()).html(failure: nil))
        }
        routes.post(texts.signIn, .page, query: ["lang"]) { request, context in try await enter(request, context.logger) }
        routes.post(texts.signOut, .page, query: ["lang"]) { request, _ in
            var response = Response.seeOther(try request.query.language().link(texts.signIn))
            // Without its token the form is somebody else's: then nobody is signed out.
            if let session = sessions.session(request), try await request.form()["token"] == session.formToken {
                response.setHeader("Set-Cookie", sessions.close(request))
            }
            return response
        }
    }

    /// Answers whoever is signed in; everybody else is led to the sign-in page.
    public func required(
        _ request: Request, _ answer: (Sessions.Session) async throws -> Response
    ) async throws -> Response {
        // Whose account is gone, or has another password, is out from now on.
        guard let session = sessions.session(request, isUse: !request.query.has("again")),
            (try? accounts())?.mark(of: session.name) == session.mark
        else { return .seeOther(try request.query.language().link(texts.signIn)) }
        return try await answer(session)
    }

    /// Who is signed in, and the way out: HTML for the head of a page.
    public func who(_ session: Sessions.Session, _ language: Language) -> String {
        SignInPage(texts: texts, language: language).who(session)
    }

    private func enter(_ request: Request, _ logger: Logger) async throws -> Response {
        let language = try request.query.language()
        let page = SignInPage(texts: texts, language: language)
        let form = try await request.form()
        let name = form["name"] ?? ""
        guard sessions.mayTry(name) else { return .page(page.html(failure: .tooManyTries), status: .tooManyRequests) }
        let accounts: Accounts
        do { accounts = try self.accounts() } catch {
            logger.error("nobody can sign in", metadata: ["page": "\(home)", "error": "\(error)"])
            return .page(page.html(failure: .noAccounts), status: .serviceUnavailable)
        }
        let password = form["password"] ?? ""
        guard let isRight = await sessions.check({ accounts.isRight(name, password: password) }) else {
            return .page(page.html(failure: .tooManyTries), status: .tooManyRequests)
        }
        guard isRight, let mark = accounts.mark(of: name) else {
            // What can be nobody's name is not kept: it may be as long as the form.
            if Accounts.isName(name) { sessions.failed(name) }
            return .page(page.html(failure: .wrong), status: .unauthorized)
        }
        var response = Response.seeOther(language.link(home))
        response.setHeader("Set-Cookie", sessions.open(name, mark: mark))
        return response
    }

    private func accounts() throws -> Accounts {
        guard let accountsFile else { throw AccountsError("`staff-file` is missing in the configuration") }
        return try Accounts(path: accountsFile)
    }
}
