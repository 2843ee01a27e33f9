import GRDB
public import Hummingbird
import WaslJournal
import WaslModel
import WaslWeb

/// The ledger's HTTP API: what was sent, what became of it, and what does not agree.
extension Ledger {
    public func router(token: String, hosts: [String], description: String) -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        // The page shows counts and participants' names only; what concerns one request needs the token.
        router.add(
            middleware: LocalGuard(
                token: token, hosts: hosts, open: ["/", "/livez", "/readyz", "/metrics", "/openapi.json", "/v1/overview"]))
        router.get("/") { [self] request, _ in try await page(language: request.uri.queryParameters["lang"].map(String.init)) }
        router.get("/livez") { _, _ in Response.json(["status": "alive"]) }
        router.get("/readyz") { [self] _, _ in
            let isUp = isConsuming
            return Response.json(["status": isUp ? "ready" : "no broker"], status: isUp ? .ok : .serviceUnavailable)
        }
        router.get("/metrics") { [self] _, _ in try await metrics() }
        router.get("/openapi.json") { _, _ in Response.text(description, type: "application/json") }
        router.get("/v1/overview") { [self] _, _ in Response.json(try await overview().json) }
        router.get("/v1/requests/:id") { [self] _, context in try await story(context.parameters.get("id") ?? "") }
        router.get("/v1/findings") { [self] request, _ in try await findings(request) }
        router.get("/v1/quarantine") { [self] _, _ in Response.json(try await journal.quarantine()) }
        return router
    }

    func overview() async throws -> Overview {
        let now = journal.now
        return try await journal.read { try Overview.fetch($0, at: now) }
    }

    private func story(_ subject: String) async throws -> Response {
        guard let story = try await journal.read({ try LedgerQueries.story($0, subject) }) else {
            throw Problem(
                .notFound, "no-such-request",
                LocalizedText(ar: "لا يوجد هذا المطلب", fr: "Demande introuvable", en: "No such request"),
                detail: "The ledger has heard nothing of a request of that number.")
        }
        return .json(story)
    }

    private func findings(_ request: Request) async throws -> Response {
        let query = request.uri.queryParameters
        let state = query["state"].map(String.init) ?? "open"
        let kind = query["class"].map(String.init)
        guard ["open", "cleared", "all"].contains(state), kind.map({ FindingClass(rawValue: $0) != nil }) ?? true else {
            throw Problem(
                .badRequest, "query", LocalizedText(ar: "طلب غير صالح", fr: "Requête invalide", en: "Invalid query"),
                detail:
                    "`state` is open, cleared or all; `class` is one of \(FindingClass.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        let after = query["after"].flatMap { Int64($0) } ?? 0
        let limit = min(max(query["limit"].flatMap { Int($0) } ?? 100, 1), 1000)
        return .json(
            try await journal.read { try LedgerQueries.findings($0, state: state, kind: kind, after: after, limit: limit) })
    }

    private func metrics() async throws -> Response {
        let overview = try await overview()
        let quarantined = try await journal.quarantineCount()
        var metrics = Metrics()
        metrics.add("wasl_ledger_entries", .counter, "Messages logged.", overview.entries)
        metrics.add(
            "wasl_ledger_requests", .gauge, "Requests by state.",
            overview.byStatus.sorted { $0.key < $1.key }.map { ([("state", $0.key)], Double($0.value)) })
        metrics.add(
            "wasl_ledger_findings_open", .gauge, "Open findings by class.",
            FindingClass.allCases.map { ([("class", $0.rawValue)], Double(overview.openFindings[$0.rawValue] ?? 0)) })
        metrics.add("wasl_ledger_lanes_broken", .gauge, "Lanes in which numbers are missing.", overview.brokenLanes)
        metrics.add("wasl_outbox_backlog", .gauge, "Messages that the broker has not confirmed.", publishing.backlog)
        metrics.add("wasl_quarantine", .gauge, "Messages set aside.", quarantined)
        return .text(metrics.text, type: Metrics.contentType)
    }
}
