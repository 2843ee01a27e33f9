import Foundation
import GRDB
public import Hummingbird
import WaslJournal
import WaslModel
import WaslSeal
import WaslWeb

/// The house's HTTP API on loopback. Its description is `Schemas/openapi/house.json`, served at `/openapi.json`.
extension House {
    static let bodyBytesMax = 128 * 1024

    /// - Parameters:
    ///   - token: what callers send as `Authorization: Bearer …`.
    ///   - metricsToken: what opens `/metrics` besides.
    ///   - description: the OpenAPI document.
    public func router(
        token: String, metricsToken: String? = nil, hosts: [String], description: String
    ) -> Router<BasicRequestContext> {
        let routes = Routes(
            token: token, metricsToken: metricsToken, hosts: hosts, explain: { ($0 as? JournalError).map(Problem.notNow) })
        let streams = Slots(House.streamsMax)
        routes.get("/livez", .open) { _, _ in .json(["status": "alive"]) }
        routes.get("/readyz", .open) { [self] _, _ in readiness() }
        routes.get("/metrics", .metrics) { [self] _, _ in try await metrics() }
        routes.get("/openapi.json") { _, _ in .text(description, type: "application/json") }
        routes.post("/v1/requests") { [self] request, _ in try await accept(request) }
        routes.get("/v1/requests", query: ["state", "before", "limit"]) { [self] request, _ in try await list(request.query) }
        routes.get("/v1/requests/:id") { [self] _, context in try await show(context.parameters.get("id") ?? "") }
        routes.put("/v1/attachments/:digest") { [self] request, context in
            try await layDown(request, context.parameters.get("digest") ?? "")
        }
        routes.get("/v1/requests/:id/documents/:attachment") { [self] _, context in
            try await document(context.parameters.get("id") ?? "", context.parameters.get("attachment") ?? "")
        }
        routes.get("/v1/quarantine") { [self] _, _ in .json(try await journal.quarantine()) }
        routes.get("/v1/events", query: ["after"]) { [self] request, _ in try await events(request, streams) }
        return routes.router
    }

    /// Event streams at once: each holds a connection for as long as its reader likes.
    private static let streamsMax = 64

    private func accept(_ request: Request) async throws -> Response {
        guard let header = request.header("Idempotency-Key") else {
            throw Problem(
                .badRequest, "idempotency-key-missing",
                LocalizedText(
                    ar: "مفتاح عدم التكرار مفقود", fr: "Clé d'idempotence absente", en: "The Idempotency-Key is missing"),
                detail: "Send an Idempotency-Key, new for each order and the same for each repetition of it.")
        }
        // A structured header's string stands in quotes (RFC 9651); many clients leave them out.
        let isQuoted = header.count >= 2 && header.hasPrefix("\"") && header.hasSuffix("\"")
        let key = isQuoted ? String(header.dropFirst().dropLast()) : header
        let visible: ClosedRange<UInt8> = 0x21...0x7E
        guard (1...128).contains(key.utf8.count), key.utf8.allSatisfy({ visible.contains($0) && $0 != 0x22 }) else {
            throw Problem(
                .badRequest, "idempotency-key-malformed",
                LocalizedText(
                    ar: "مفتاح عدم التكرار غير صالح", fr: "Clé d'idempotence invalide", en: "The Idempotency-Key is malformed"),
                detail: "Expected 1 to 128 visible ASCII characters, such as a UUID.")
        }
        let (json, bytes) = try await request.json(bytesMax: House.bodyBytesMax)
        let receipt: Receipt
        do { receipt = try await accept(json, body: bytes, idempotencyKey: key) } catch let error as SealError {
            throw Problem.agencyWithoutKey(error)
        }
        var response = Response.json(
            [
                "id": .string(receipt.request.text), "receipt": .string(receipt.text),
                "signature": .string(receipt.signature),
            ], status: receipt.isRepeated ? .ok : .created)
        response.setHeader("Location", "/v1/requests/\(receipt.request)")
        return response
    }

    private static let states = ["accepted", "taken"] + OutcomeStatus.allCases.map(\.rawValue)

    private func list(_ query: Query) async throws -> Response {
        let state = try query.word("state", of: House.states)
        let before =
            try query.value("before", expected: "the `next` of an earlier page: a request's UUID in lower case") {
                RequestID($0)?.text
            } ?? "g"
        let limit = try query.number("limit", in: 1...500) ?? 50
        let confirmed = publishing.confirmedThrough
        return try await journal.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM request WHERE id < ? AND (? IS NULL OR state = ?) ORDER BY id DESC LIMIT ?
                    """, arguments: [before, state, state, limit])
            let requests = rows.map { House.requestJSON($0, confirmedThrough: confirmed) }
            let next = Int64(rows.count) == limit ? rows.last.map { $0["id"] as String } : nil
            return Response.json(["requests": .array(requests), "next": JSON(next)])
        }
    }

    private static func requestJSON(_ row: Row, confirmedThrough: Int64) -> JSON {
        [
            "id": .string(row["id"]), "service": .string(row["service"]), "contract": .integer(row["contract"]),
            "agency": .string(row["agency"]),
            "accepted": .string(Timestamp(milliseconds: row["accepted"]).description),
            "state": .string(row["state"]),
            "since": .string(Timestamp(milliseconds: row["state_at"]).description),
            "expires": .string(Timestamp(milliseconds: row["expiry"]).description),
            "sent": .bool((row["outbox"] as Int64) <= confirmedThrough),
        ]
    }

    private func show(_ text: String) async throws -> Response {
        let confirmed = publishing.confirmedThrough
        let keys = parts.keys.opening
        let found = try await journal.read { db -> JSON? in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM request WHERE id = ?", arguments: [text]),
                case .object(var json) = House.requestJSON(row, confirmedThrough: confirmed)
            else { return nil }
            json["receipt"] = .string(row["receipt"])
            json["signature"] = .string(row["receipt_signature"])
            let outcomes = try Row.fetchAll(
                db, sql: "SELECT received, body FROM outcome WHERE request = ? ORDER BY revision", arguments: [text])
            json["outcomes"] = .array(try outcomes.map { try House.outcomeJSON($0, keys, db) })
            return .object(json)
        }
        guard let found else {
            throw Problem(
                .notFound, "no-such-request",
                LocalizedText(ar: "لا يوجد هذا المطلب", fr: "Demande introuvable", en: "No such request"),
                detail: "This house's journal holds no request of that number.")
        }
        return .json(found)
    }

    /// Opened for the clerk who asks, and kept sealed in the journal.
    private static func outcomeJSON(_ row: Row, _ keys: [OpeningKey], _ db: Database) throws -> JSON {
        let body: Data = row["body"]
        let envelope = try Envelope(parsing: [UInt8](body))
        var json = envelope.data
        json["received"] = .string(Timestamp(milliseconds: row["received"]).description)
        json["time"] = .string(envelope.time.description)
        if let sealed = envelope.data["sealed"]?.string {
            json["sealed"] = nil
            json["fields"] = .object(try SealedContent.open(sealed, in: envelope, with: keys))
        }
        if json["attachments"] != nil, let subject = envelope.subject {
            json["attachments"] = .array(
                try JournalStore.incoming(db, cause: envelope.id, subject: subject, source: envelope.source).map {
                    ["attachment": .string($0.id.text), "pieces": JSON($0.pieces), "received": JSON($0.seen)]
                })
        }
        return .object(json)
    }

    /// Ready means that orders can be accepted: the broker may be away for days.
    private func readiness() -> Response {
        let isReady = journal.waitingCount < Journal.waitingMax
        return .json(
            [
                "status": isReady ? "ready" : "overloaded", "broker": publishing.isUp ? "up" : "away",
                "backlog": .integer(publishing.backlog),
            ], status: isReady ? .ok : .serviceUnavailable)
    }

    private func metrics() async throws -> Response {
        let states = try await journal.read { db in
            try Row.fetchAll(db, sql: "SELECT state, COUNT(*) FROM request GROUP BY state")
                .map { (state: $0[0] as String, count: $0[1] as Int64) }
        }
        let quarantined = try await journal.quarantineCount()
        let counts = publishing.counts
        var metrics = Metrics()
        metrics.add("wasl_house_requests", .gauge, "Requests by state.", states.map { ([("state", $0.state)], Double($0.count)) })
        metrics.add("wasl_outbox_backlog", .gauge, "Messages that the broker has not confirmed.", publishing.backlog)
        metrics.add("wasl_outbox_confirmed_total", .counter, "Messages that the broker confirmed since the start.", counts.confirmed)
        metrics.add("wasl_outbox_failed_total", .counter, "Messages nacked or returned since the start.", counts.nacked)
        metrics.add("wasl_quarantine", .gauge, "Messages set aside.", quarantined)
        metrics.add("wasl_broker_up", .gauge, "Whether the publishing link is up.", publishing.isUp ? 1 : 0)
        metrics.add("wasl_journal_waiting", .gauge, "Steps that wait for their commit.", journal.waitingCount)
        return .text(metrics.text, type: Metrics.contentType)
    }
}

extension Problem {
    /// The registry holds no key to seal to: nobody but the agency could ever read the order.
    fileprivate static func agencyWithoutKey(_ error: SealError) -> Problem {
        Problem(
            .serviceUnavailable, "agency-without-key",
            LocalizedText(
                ar: "لا يمكن للهيكل قبول المطالب الآن", fr: "La structure ne peut pas recevoir de demandes pour l'instant",
                en: "The agency can receive no requests right now"),
            detail:
                "\(error.reason). Nothing was recorded; ask the directorate for a registry with the agency's key, then send the same again.",
            retryAfterSeconds: 60)
    }
}
