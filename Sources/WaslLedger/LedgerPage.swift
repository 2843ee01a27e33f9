import Hummingbird
import WaslModel
import WaslWeb

/// The first plain page: the overview, in Arabic first, for whoever signs in. The dashboards are built on the same figures.
extension Ledger {
    func addPage(to routes: Routes, staffFile: String?) {
        let signIn = SignIn(
            home: "/", cookie: "wasl-ledger", title: OverviewPage.title, accountsFile: staffFile, now: { [journal] in journal.now })
        signIn.addRoutes(to: routes)
        routes.get("/", .page, query: ["lang", "again"]) { [self] request, _ in
            let language = try request.query.language()
            return try await signIn.required(request) { session in
                let page = OverviewPage(
                    overview: try await overview(), registry: parts.registry.registry, language: language,
                    who: signIn.who(session, language))
                return .page(page.html)
            }
        }
    }
}
