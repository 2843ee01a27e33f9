import GRDB
import Hummingbird
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal
import WaslWeb

/// The desk: where an agency's staff sees the requests of services that are only partly digital, signed in, and enters the answers.
extension AgencyWorker {
    func addDesk(to routes: Routes) {
        let signIn = SignIn(
            home: "/desk", cookie: "wasl-desk", title: DeskPage.title, accountsFile: parts.staffFile, now: { [journal] in journal.now })
        signIn.addRoutes(to: routes)
        /// A page for whoever is signed in.
        @Sendable func signedIn(
            _ request: Request, _ answer: (DeskPage) async throws -> Response
        ) async throws -> Response {
            let language = try request.query.language()
            return try await signIn.required(request) { session in
                try await answer(DeskPage(language: language, session: session, who: signIn.who(session, language)))
            }
        }
        routes.get("/desk", .page, query: ["lang", "again"]) { [self] request, _ in
            try await signedIn(request) { page in
                let catalogue = parts.catalogue.catalogue
                return .page(page.list(try await deskJobs(), catalogue, parts.registry.registry, now: journal.now))
            }
        }
        routes.get("/desk/requests/:house/:request", .page, query: ["lang"]) { [self] request, context in
            try await signedIn(request) { page in
                try await showAtDesk(page, context.parameters.request, failures: [:])
            }
        }
        routes.get("/desk/requests/:house/:request/papers/:place", .page, query: ["lang"]) { [self] request, context in
            try await signedIn(request) { page in
                try await paperAtDesk(page.session, context.parameters.request, context.parameters.get("place") ?? "")
            }
        }
        routes.post("/desk/requests/:house/:request", .page, query: ["lang"]) { [self] request, context in
            try await signedIn(request) { page in
                try await answerAtDesk(page, context.parameters.request, try await request.form())
            }
        }
    }

    private func showAtDesk(
        _ page: DeskPage, _ request: RequestKey?, failures: [String: LocalizedText],
        typed: [String: String] = [:], status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        guard let request, let job = try await deskJob(request) else { return .page(page.gone(), status: .notFound) }
        guard let service = parts.catalogue.catalogue.service(job.service, version: job.contract) else { throw Problem.noSuchJob }
        let fields = try desk.open(job, at: journal.now)
        try await journal.commit { [steps] in try steps.note("seen", of: job, by: page.session.name, in: $0) }
        return .page(
            page.request(
                job, service, fields, failures: failures, typed: typed,
                house: parts.registry.registry.participants[job.house]?.names),
            status: status)
    }

    private func paperAtDesk(_ session: Sessions.Session, _ request: RequestKey?, _ place: String) async throws -> Response {
        guard let request, let job = try await deskJob(request), let place = Int(place), place >= 0,
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
        response.setHeader("Content-Disposition", "attachment; filename=\"\(job.house)-\(job.subject)-\(place + 1)\"")
        return response
    }

    private func answerAtDesk(
        _ page: DeskPage, _ request: RequestKey?, _ form: [String: String]
    ) async throws -> Response {
        guard form["token"] == page.session.formToken else { return .page(page.gone(), status: .forbidden) }
        guard let request, let job = try await deskJob(request),
            let service = parts.catalogue.catalogue.service(job.service, version: job.contract)
        else { return .page(page.gone(), status: .notFound) }
        let act: DeskAct
        do { act = try DeskAnswer.read(form, service) } catch {
            return try await showAtDesk(page, request, failures: error.fields, typed: form, status: .unprocessableContent)
        }
        do { try await perform(act, on: job, by: page.session.name) } catch is StaleJob {
            return .page(page.gone(), status: .conflict)
        }
        guard case .taken = act else { return .seeOther(page.language.link("/desk")) }
        return .seeOther(page.language.link("/desk/requests/\(request.path)"))
    }
}
