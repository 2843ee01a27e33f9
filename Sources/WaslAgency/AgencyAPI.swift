import Foundation
import GRDB
public import Hummingbird
import WaslJournal
import WaslModel
import WaslSeal
import WaslWeb

/// The worker's HTTP API on loopback: health, jobs, what was set aside, and the resolution of parked jobs.
extension AgencyWorker {
    /// - Parameters:
    ///   - token: what callers send as `Authorization: Bearer …`.
    ///   - metricsToken: what opens `/metrics` besides.
    ///   - description: the OpenAPI document.
    public func router(
        token: String, metricsToken: String? = nil, hosts: [String], description: String
    ) -> Router<BasicRequestContext> {
        let routes = Routes(
            token: token, metricsToken: metricsToken, hosts: hosts, explain: { ($0 as? JournalError).map { .notNow("\($0)") } })
        addDesk(to: routes)
        routes.get("/livez", .open) { _, _ in .json(["status": "alive"]) }
        routes.get("/readyz", .open) { [self] _, _ in
            let isUp = publishing.isUp
            return .json(["status": isUp ? "ready" : "no broker"], status: isUp ? .ok : .serviceUnavailable)
        }
        routes.get("/metrics", .metrics) { [self] _, _ in try await metrics() }
        routes.get("/openapi.json") { _, _ in .text(description, type: "application/json") }
        routes.get("/v1/jobs", query: ["state"]) { [self] request, _ in
            try await list(state: request.query.word("state", of: AgencyWorker.states))
        }
        // The router knows one name for one place: in the shorter address `house` is the number. It stands first, for they are tried in
        // this order, and a part of the longer one would be taken for an answer.
        routes.get("/v1/jobs/:house") { [self] _, context in try await show(number: context.parameters.get("house") ?? "") }
        routes.get("/v1/jobs/:house/:request") { [self] _, context in try await show(context.parameters.request) }
        routes.post("/v1/resolutions") { [self] request, _ in try await resolve(request) }
        routes.get("/v1/quarantine") { [self] _, _ in .json(try await journal.quarantine()) }
        return routes.router
    }

    private static let states = [Job.State.gathering, .ready, .calling, .looking, .parked, .desk, .done].map(\.rawValue)

    private static func jobJSON(_ row: Row) -> JSON {
        [
            "request": .string(row["subject"]), "service": .string(row["service"]), "house": .string(row["house"]),
            "state": .string(row["state"]), "attempts": .integer(row["attempts"]),
            "taken": .string(Timestamp(milliseconds: row["taken"]).description),
            "due": .string(Timestamp(milliseconds: row["due"]).description),
            "doubted": .bool(row["doubted"]), "reason": JSON(row["reason"] as String?),
        ]
    }

    private func list(state: String?) async throws -> Response {
        try await journal.read { db in
            let rows = try Row.fetchAll(
                db, sql: "SELECT * FROM job WHERE ? IS NULL OR state = ? ORDER BY number LIMIT 500", arguments: [state, state])
            return .json(["jobs": .array(rows.map(AgencyWorker.jobJSON))])
        }
    }

    /// Answers that no rule covered, opened for the engineer who writes the rule.
    private static func answers(_ db: Database, _ number: Int64, _ own: ParticipantID, _ keys: [OpeningKey]) throws -> [JSON] {
        try Row.fetchAll(db, sql: "SELECT * FROM answer WHERE job = ? ORDER BY n", arguments: [number]).map { row in
            let text = (try? SealedText.open(row["sealed"], with: keys, sender: own, recipient: own)).map {
                String(decoding: $0, as: UTF8.self)
            }
            return [
                "n": .integer(row["n"]), "status": .integer(row["status"]), "bytes": .integer(row["bytes"]),
                "digest": .string(row["digest"]), "text": JSON(text),
            ]
        }
    }

    /// A number alone is an address as long as one house has it.
    private func show(number: String) async throws -> Response {
        let houses = try await journal.read { db in
            try String.fetchAll(db, sql: "SELECT house FROM job WHERE subject = ? ORDER BY house", arguments: [number])
        }
        guard houses.count < 2 else { throw Problem.severalHouses(houses, number: number, under: "/v1/jobs") }
        return try await show(houses.first.flatMap { RequestKey(house: $0, subject: number) })
    }

    private func show(_ request: RequestKey?) async throws -> Response {
        guard let request else { throw Problem.noSuchJob }
        let (own, keys) = (parts.agency.id, parts.keys.opening)
        let found = try await journal.read { db -> JSON? in
            guard
                let row = try Row.fetchOne(
                    db, sql: "SELECT * FROM job WHERE subject = ? AND house = ?",
                    arguments: [request.subject.text, request.house.text]),
                case .object(var json) = AgencyWorker.jobJSON(row)
            else { return nil }
            let attempts = try Row.fetchAll(
                db, sql: "SELECT * FROM attempt WHERE job = ? ORDER BY n", arguments: [row["number"] as Int64])
            if let resolution = try KeptResolution.fetch(db, of: row["number"]) {
                json["resolution"] = resolution.json(with: OwnSeal(own: own, keys: keys))
            }
            json["answers"] = .array(try AgencyWorker.answers(db, row["number"], own, keys))
            json["desk"] = .array(
                try Row.fetchAll(
                    db, sql: "SELECT at, holder, act FROM desk_act WHERE job = ? ORDER BY number", arguments: [row["number"] as Int64]
                )
                .map {
                    [
                        "at": .string(Timestamp(milliseconds: $0["at"]).description), "holder": .string($0["holder"]),
                        "act": .string($0["act"]),
                    ]
                })
            json["attemptList"] = .array(
                attempts.map {
                    [
                        "n": .integer($0["n"]), "phase": .string($0["phase"]),
                        "intended": .string(Timestamp(milliseconds: $0["intended"]).description),
                        "ended": JSON(($0["ended"] as Int64?).map { Timestamp(milliseconds: $0).description }),
                        "verdict": JSON($0["verdict"] as String?),
                    ]
                })
            return .object(json)
        }
        guard let found else { throw Problem.noSuchJob }
        return .json(found)
    }

    /// Concludes a parked job by the word of two people.
    private func resolve(_ request: Request) async throws -> Response {
        let (json, _) = try await request.json(bytesMax: 2 * Resolution.evidenceBytesMax)
        do {
            guard let text = json["resolution"]?.string, let signatures = json["signatures"]?.array?.compactMap(\.string),
                let evidence = json["evidence"]?.string.flatMap({ Base64URL.decode($0) })
            else { throw ResolutionError("expected `resolution`, `signatures` and `evidence` (base64url)") }
            let resolution = try Resolution(text: text)
            guard resolution.agency == parts.agency.id else { throw ResolutionError("agency: this is the worker of \(parts.agency.id)") }
            guard digestText(evidence) == resolution.evidenceDigest else {
                throw ResolutionError("evidence: not the file whose digest was signed")
            }
            let holders = try Resolution.verifySignatures(
                signatures, over: text, of: parts.agency.id, registry: parts.registry.registry, at: journal.now)
            try await record(resolution, text, signatures, holders, evidence)
        } catch let error as ResolutionError {
            throw Problem(
                .unprocessableContent, "resolution-refused",
                LocalizedText(ar: "القرار مرفوض", fr: "Résolution refusée", en: "The resolution is refused"),
                detail: "\(error)")
        }
        return .json(["status": "resolved"])
    }

    func record(
        _ resolution: Resolution, _ text: String, _ signatures: [String], _ holders: [String], _ evidence: [UInt8]
    ) async throws {
        guard let job = try await journal.read({ try Job.fetch($0, of: resolution.request) }) else { throw Problem.noSuchJob }
        if resolution.status == .completed, let service = parts.catalogue.catalogue.service(job.service, version: job.contract),
            !service.outcome.validate(.object(resolution.fields)).isEmpty
        {
            throw ResolutionError("fields: not those that the service's contract promises")
        }
        let visible: JSONObject = [
            "resolution": [
                "digest": .string(digestText(Array(text.utf8))),
                "keys": .array(try signatures.map { .string(try DetachedSignature.keyID($0, as: .resolution)) }),
            ]
        ]
        var fields = resolution.fields
        if resolution.status != .completed {
            fields["reason"] = [
                "code": "resolved", "ar": .string(resolution.note), "fr": .string(resolution.note), "en": .string(resolution.note),
            ]
        }
        let outcome = try desk.seal(job, resolution.status, fields, visible, journal.environment)
        let decision = Decision.conclude(resolution.status, fields)
        let seal = OwnSeal(own: parts.agency.id, keys: parts.keys.opening, entropy: journal.environment.entropy)
        let (sealedText, sealedEvidence) = (try seal.seal(Array(text.utf8)), try seal.seal(evidence))
        try await journal.commit { [steps] transaction in
            // Looked at again inside the transaction: two resolutions may come at once.
            guard let current = try Job.fetch(transaction.db, number: job.number), current.state == .parked else {
                throw Problem.notParked
            }
            try KeptResolution(
                job: job.number, at: transaction.now, signatures: signatures, holders: holders, text: sealedText,
                evidence: sealedEvidence
            ).insert(transaction.db)
            _ = try steps.conclude(Conclusion(current, decision: decision), outcome: outcome, in: transaction)
        }
        logger.notice("resolved by two people", metadata: ["request": "\(resolution.request)", "status": "\(resolution.status.rawValue)"])
    }

    private func metrics() async throws -> Response {
        let states = try await journal.read { db in
            try Row.fetchAll(db, sql: "SELECT state, COUNT(*) FROM job GROUP BY state").map { ($0[0] as String, $0[1] as Int64) }
        }
        let quarantined = try await journal.quarantineCount()
        let counts = await scheduler.counts
        let circuit = await scheduler.circuitState
        var metrics = Metrics()
        metrics.add("wasl_agency_jobs", .gauge, "Jobs by state.", states.map { ([("state", $0.0)], Double($0.1)) })
        metrics.add("wasl_agency_running", .gauge, "Calls under way.", counts.running)
        metrics.add("wasl_agency_waiting", .gauge, "Jobs that wait to run.", counts.waiting)
        metrics.add("wasl_agency_circuit_open", .gauge, "Whether the agency is left alone.", circuit == .closed ? 0 : 1)
        metrics.add("wasl_outbox_backlog", .gauge, "Messages that the broker has not confirmed.", publishing.backlog)
        metrics.add("wasl_quarantine", .gauge, "Messages set aside.", quarantined)
        metrics.add("wasl_broker_up", .gauge, "Whether the publishing link is up.", publishing.isUp ? 1 : 0)
        return .text(metrics.text, type: Metrics.contentType)
    }
}

extension Problem {
    static let noSuchJob = Problem(
        .notFound, "no-such-job", LocalizedText(ar: "لا يوجد هذا المطلب", fr: "Demande introuvable", en: "No such request"),
        detail: "This worker's journal holds no job for a request of that house and number; `GET /v1/jobs` lists those that it holds.")
    static let notParked = Problem(
        .conflict, "not-parked",
        LocalizedText(ar: "المطلب غير معلق", fr: "La demande n'est pas en attente", en: "The request is not parked"),
        detail: "Only a parked request can be resolved; look at its state with `GET /v1/jobs/{house}/{request}`.")
}
