import GRDB
public import Hummingbird
import WaslJournal
import WaslModel
import WaslWeb

/// The ledger's HTTP API: what was sent, what became of it, and what does not agree.
extension Ledger {
    /// - Parameters:
    ///   - token: what callers send as `Authorization: Bearer …`.
    ///   - metricsToken: what opens `/metrics` besides.
    ///   - staffFile: the accounts of those who may sign in to the overview's page.
    ///   - description: the OpenAPI document.
    public func router(
        token: String, metricsToken: String? = nil, hosts: [String], staffFile: String? = nil, description: String
    ) -> Router<BasicRequestContext> {
        let routes = Routes(
            token: token, metricsToken: metricsToken, hosts: hosts, explain: { ($0 as? JournalError).map { .notNow("\($0)") } })
        addPage(to: routes, staffFile: staffFile)
        routes.get("/livez", .open) { _, _ in .json(["status": "alive"]) }
        routes.get("/readyz", .open) { [self] _, _ in
            let isUp = isConsuming
            return .json(["status": isUp ? "ready" : "no broker"], status: isUp ? .ok : .serviceUnavailable)
        }
        routes.get("/metrics", .metrics) { [self] _, _ in try await metrics() }
        routes.get("/openapi.json") { _, _ in .text(description, type: "application/json") }
        routes.get("/v1/overview") { [self] _, _ in .json(try await overview().json) }
        // The router knows one name for one place: in the shorter address `house` is the number. It stands first, for they are tried in
        // this order, and a part of the longer one would be taken for an answer.
        routes.get("/v1/requests/:house") { [self] _, context in try await story(number: context.parameters.get("house") ?? "") }
        routes.get("/v1/requests/:house/:request") { [self] _, context in try await story(of: context.parameters.request) }
        routes.get("/v1/findings", query: ["state", "class", "after", "limit"]) { [self] request, _ in try await findings(request.query) }
        routes.post("/v1/findings/:number/close") { [self] request, context in
            try await close(request, finding: context.parameters.get("number") ?? "")
        }
        routes.get("/v1/review") { [self] _, _ in .json(try await journal.read { try LedgerReview.list($0) }) }
        routes.post("/v1/topology-report") { [self] request, _ in try await topologyReport(request) }
        routes.get("/v1/quarantine") { [self] _, _ in .json(try await journal.quarantine()) }
        return routes.router
    }

    func overview() async throws -> Overview {
        let now = journal.now
        return try await journal.read { try Overview.fetch($0, at: now) }
    }

    /// A number alone is an address as long as one house has it.
    private func story(number: String) async throws -> Response {
        let story = try await journal.read { db in
            let houses = try LedgerQueries.houses(db, of: number)
            guard houses.count < 2 else { throw Problem.severalHouses(houses, number: number, under: "/v1/requests") }
            return try LedgerQueries.story(db, number, of: houses.first)
        }
        guard let story else { throw Problem.noSuchRequest }
        return .json(story)
    }

    private func story(of request: RequestKey?) async throws -> Response {
        guard let request,
            let story = try await journal.read({ try LedgerQueries.story($0, request.subject.text, of: request.house.text) })
        else { throw Problem.noSuchRequest }
        return .json(story)
    }

    private func findings(_ query: Query) async throws -> Response {
        let state = try query.word("state", of: ["open", "cleared", "all"]) ?? "open"
        let kind = try query.word("class", of: FindingClass.allCases.map(\.rawValue))
        let after = try query.number("after", in: 0...Int64.max) ?? 0
        let limit = Int(try query.number("limit", in: 1...1_000) ?? 100)
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

extension Problem {
    fileprivate static let noSuchRequest = Problem(
        .notFound, "no-such-request", LocalizedText(ar: "لا يوجد هذا المطلب", fr: "Demande introuvable", en: "No such request"),
        detail: "The ledger has heard nothing of a request of that number, or nothing of one of that house.")
}
