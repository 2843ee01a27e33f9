import GRDB
import Hummingbird
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal
import WaslWeb

/// The desk: where an agency's staff sees the requests of services that are only partly digital, signed in, and enters the answers.
extension AgencyWorker {
    static let deskPath = "/desk"

    func addDesk(to router: Router<BasicRequestContext>) {
        router.get("/desk/sign-in") { request, _ in Response.page(DeskPage(request).signIn(failure: nil)) }
        router.post("/desk/sign-in") { [self] request, _ in try await signIn(request) }
        router.post("/desk/sign-out") { [self] request, _ in
            let page = DeskPage(request)
            var response = Response.seeOther(page.link("/desk/sign-in"))
            // Without its token the form is somebody else's: then nobody is signed out.
            if let session = sessions.session(request), try await request.form()["token"] == session.formToken {
                response.setHeader("Set-Cookie", sessions.close(request))
            }
            return response
        }
        router.get("/desk") { [self] request, _ in
            try await signedIn(request) { page, session in
                let catalogue = parts.catalogue.catalogue
                return Response.page(page.list(try await deskJobs(), catalogue, parts.registry.registry, session, now: journal.now))
            }
        }
        router.get("/desk/requests/:id") { [self] request, context in
            try await signedIn(request) { page, session in
                try await showAtDesk(page, session, context.parameters.get("id") ?? "", failures: [:])
            }
        }
        router.get("/desk/requests/:id/papers/:place") { [self] request, context in
            try await signedIn(request) { page, session in
                try await paperAtDesk(session, context.parameters.get("id") ?? "", context.parameters.get("place") ?? "")
            }
        }
        router.post("/desk/requests/:id") { [self] request, context in
            try await signedIn(request) { page, session in
                try await answerAtDesk(page, session, context.parameters.get("id") ?? "", try await request.form())
            }
        }
    }

    private func signedIn(
        _ request: Request, _ answer: (DeskPage, Sessions.Session) async throws -> Response
    ) async throws -> Response {
        let page = DeskPage(request)
        // Whose account is gone, or has another password, is out from now on.
        guard let session = sessions.session(request, isUse: request.uri.queryParameters["again"] == nil),
            (try? accounts())?.mark(of: session.name) == session.mark
        else { return .seeOther(page.link("/desk/sign-in")) }
        return try await answer(page, session)
    }

    private func signIn(_ request: Request) async throws -> Response {
        let page = DeskPage(request)
        let form = try await request.form()
        let name = form["name"] ?? ""
        guard sessions.mayTry(name) else { return .page(page.signIn(failure: .tooManyTries), status: .tooManyRequests) }
        let accounts: Accounts
        do { accounts = try self.accounts() } catch {
            logger.error("nobody can sign in to the desk", metadata: ["error": "\(error)"])
            return .page(page.signIn(failure: .noAccounts), status: .serviceUnavailable)
        }
        let password = form["password"] ?? ""
        guard let isRight = await sessions.check({ accounts.isRight(name, password: password) }) else {
            return .page(page.signIn(failure: .tooManyTries), status: .tooManyRequests)
        }
        guard isRight, let mark = accounts.mark(of: name) else {
            sessions.failed(name)
            return .page(page.signIn(failure: .wrong), status: .unauthorized)
        }
        var response = Response.seeOther(page.link("/desk"))
        response.setHeader("Set-Cookie", sessions.open(name, mark: mark))
        return response
    }

    private func accounts() throws -> Accounts {
        guard let file = parts.staffFile else { throw NoStaffFile() }
        return try Accounts(path: file)
    }

    private struct NoStaffFile: Error, CustomStringConvertible {
        let description = "`staff-file` is missing in the worker's configuration"
    }

    private func showAtDesk(
        _ page: DeskPage, _ session: Sessions.Session, _ id: String, failures: [String: LocalizedText],
        typed: [String: String] = [:], status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        guard let job = try await deskJob(id) else { return .page(page.gone(session), status: .notFound) }
        guard let service = parts.catalogue.catalogue.service(job.service, version: job.contract) else { throw Problem.noSuchJob }
        let fields = try desk.open(job, at: journal.now)
        try await journal.commit { [steps] in try steps.note("seen", of: job, by: session.name, in: $0) }
        return .page(
            page.request(
                job, service, fields, session, failures: failures, typed: typed,
                house: parts.registry.registry.participants[job.house]?.names),
            status: status)
    }

    private func paperAtDesk(_ session: Sessions.Session, _ id: String, _ place: String) async throws -> Response {
        guard let job = try await deskJob(id), let place = Int(place), place >= 0,
            let service = parts.catalogue.catalogue.service(job.service, version: job.contract),
            let papers = try desk.open(job, at: journal.now)[service.attachments?.field ?? ""]?.array, place < papers.count,
            let claim = DocumentClaim(papers[place])
        else { throw Problem.noSuchJob }
        let paper = JobRun.Paper(job: job, place: place, claim: claim)
        let (own, keys) = (parts.agency.id, parts.keys.opening)
        let bytes = try await journal.read { try paper.content(in: $0, to: own, with: keys) }
        try await journal.commit { [steps] in try steps.note("paper \(place + 1) read", of: job, by: session.name, in: $0) }
        var response = Response(
            status: .ok, headers: [.contentType: claim.type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        response.setHeader("X-Content-Type-Options", "nosniff")
        response.setHeader("Content-Disposition", "attachment; filename=\"\(job.subject)-\(place + 1)\"")
        return response
    }

    private func answerAtDesk(
        _ page: DeskPage, _ session: Sessions.Session, _ id: String, _ form: [String: String]
    ) async throws -> Response {
        guard form["token"] == session.formToken else { return .page(page.gone(session), status: .forbidden) }
        guard let job = try await deskJob(id), let service = parts.catalogue.catalogue.service(job.service, version: job.contract) else {
            return .page(page.gone(session), status: .notFound)
        }
        let act: DeskAct
        do { act = try DeskAnswer.read(form, service) } catch {
            return try await showAtDesk(page, session, id, failures: error.fields, typed: form, status: .unprocessableContent)
        }
        do { try await perform(act, on: job, by: session.name) } catch is StaleJob {
            return .page(page.gone(session), status: .conflict)
        }
        guard case .taken = act else { return .seeOther(page.link("/desk")) }
        return .seeOther(page.link("/desk/requests/\(id)"))
    }
}
