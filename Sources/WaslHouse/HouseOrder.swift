import JSONSchema
package import WaslCatalogue
package import WaslJournal
package import WaslModel
package import WaslSeal
import WaslWeb

/// An order as a clerk's screen sends it, checked against the catalogue and the registry.
package struct HouseOrder {
    let house: ParticipantID
    let service: Service
    let fields: JSONObject
    let millimes: Int64?
    /// The papers that go with it, in the order of the form.
    let papers: [DocumentClaim]

    /// - Throws: ``Problem``
    package init(_ json: JSON, house: ParticipantID, catalogue: Catalogue, registry: Registry) throws {
        guard case .object(let object) = json else {
            throw Problem.invalid([HouseOrder.error("", "Expected an object, found \(json.shape)")])
        }
        let known = ["service", "contract", "fields"]
        if let unknown = object.keys.first(where: { !known.contains($0) }) {
            throw Problem.invalid([HouseOrder.error("/" + unknown, "Unknown member; known: \(known.joined(separator: ", "))")])
        }
        guard let name = object["service"]?.string else {
            throw Problem.invalid([
                HouseOrder.error("/service", "Expected a service's identifier, found \(object["service"]?.shape ?? "nothing")")
            ])
        }
        if let contract = object["contract"], contract.integer == nil {
            throw Problem.invalid([HouseOrder.error("/contract", "Expected a whole number, found \(contract.shape)")])
        }
        guard let id = ServiceID(name), let service = catalogue.service(id, version: object["contract"]?.integer) else {
            throw Problem.unknownService
        }
        guard let own = registry.participants[house], own.services[id] != nil else { throw Problem.notDelegated }
        // The broker would not take the order, and a receipt for what cannot leave the house would mislead the citizen.
        guard own.state == .active else { throw Problem.suspended }
        guard case .object(let fields)? = object["fields"] else {
            throw Problem.invalid([
                HouseOrder.error("/fields", "Expected an object, found \(object["fields"]?.shape ?? "nothing")")
            ])
        }
        let violations = service.violations(in: fields)
        guard violations.isEmpty else { throw Problem.invalid(violations.map(HouseOrder.error)) }
        self.house = house
        self.service = service
        self.fields = fields
        millimes = service.amountField.flatMap { fields[$0]?.integer }
        papers = try service.attachments.map { try HouseOrder.papers($0, fields) } ?? []
    }

    /// What the form says of its papers, by the service's rule.
    private static func papers(_ rule: Service.AttachmentRule, _ fields: JSONObject) throws -> [DocumentClaim] {
        let entries = fields[rule.field]?.array ?? []
        guard entries.count <= rule.countMax else {
            throw Problem.invalid([error("/fields/\(rule.field)", "At most \(rule.countMax) papers, found \(entries.count)")])
        }
        var seen: Set<[UInt8]> = []
        return try entries.enumerated().map { index, entry in
            if let claim = DocumentClaim(entry), !seen.insert(claim.digest).inserted {
                throw Problem.invalid([error("/fields/\(rule.field)/\(index)", "The same paper stands in the order twice")])
            }
            guard let claim = DocumentClaim(entry) else {
                throw Problem.invalid([
                    error("/fields/\(rule.field)/\(index)", "Expected `type`, `size` and `digest` (SHA-256 in hexadecimal)")
                ])
            }
            guard rule.types.contains(claim.type), claim.size <= rule.bytesMax else {
                throw Problem.invalid([
                    error(
                        "/fields/\(rule.field)/\(index)",
                        "Expected \(rule.types.joined(separator: ", ")) of at most \(rule.bytesMax >> 20) MB")
                ])
            }
            return claim
        }
    }

    /// Gives the order its identifiers and seals it.
    package func prepared(
        idempotencyKey: String, body: [UInt8], registry: Registry, _ environment: JournalEnvironment
    ) throws -> PreparedOrder {
        let now = environment.now()
        let id = RequestID(environment.makeUUID(now))
        let messageID = environment.makeUUID(now).text
        let expiry = now.advanced(by: service.expiry)
        let content = SealedContent(
            id: messageID, subject: id, source: Source(role: .house, participant: house), recipient: service.agency,
            service: service.id, expiry: expiry, fields: fields)
        let sealed = try content.sealed(
            to: try registry.sealingKey(of: service.agency, at: now), entropy: environment.entropy)
        return PreparedOrder(
            id: id, messageID: messageID, time: now, service: service.id, contract: service.version, agency: service.agency,
            expiry: expiry, millimes: millimes, sealed: sealed, idempotencyKey: idempotencyKey, body: body, papers: papers)
    }

    private static func error(_ pointer: String, _ message: String) -> JSON {
        ["pointer": .string(pointer), "detail": .string(message)]
    }

    private static func error(_ violation: Violation) -> JSON {
        [
            "pointer": .string("/fields" + violation.instanceLocation), "detail": .string(violation.message.en),
            "keyword": .string(violation.keywordLocation), "details": violation.message.json,
        ]
    }
}

extension Problem {
    static func invalid(_ errors: [JSON]) -> Problem {
        Problem(
            .unprocessableContent, "invalid-order",
            LocalizedText(
                ar: "المطلب يحتوي على أخطاء", fr: "La demande contient des erreurs", en: "The order has errors"),
            detail: "Correct the fields named in `errors` and send again.", errors: errors)
    }

    static let unknownService = Problem(
        .unprocessableContent, "unknown-service",
        LocalizedText(ar: "خدمة غير معروفة", fr: "Service inconnu", en: "Unknown service"),
        detail: "`service` and `contract` must name a service of the catalogue.")

    static let notDelegated = Problem(
        .forbidden, "not-delegated",
        LocalizedText(
            ar: "هذه الخدمة غير مفوضة لهذه الدار", fr: "Ce service n'est pas délégué à cette maison",
            en: "This service is not delegated to this house"),
        detail: "The registry holds no delegation of this service to this house; ask the directorate.")

    static let suspended = Problem(
        .forbidden, "suspended",
        LocalizedText(
            ar: "هذه الدار موقوفة مؤقتًا", fr: "Cette maison est suspendue", en: "This house is suspended"),
        detail: "The registry says that this house is suspended: it accepts no order until the directorate lets it speak again.")

    /// The clerk's screen sends the paper and then the same order again.
    static func paperMissing(_ service: Service, _ index: Int) -> Problem {
        Problem(
            .unprocessableContent, "paper-missing",
            LocalizedText(
                ar: "وثيقة مرفقة لم تُرسل بعد", fr: "Une pièce jointe n'a pas encore été déposée",
                en: "An attached paper has not been laid down yet"),
            detail: "Send each paper with `PUT /v1/attachments/{digest}` first, then the order with the same type, size and digest.",
            errors: [
                error(
                    "/fields/\(service.attachments?.field ?? "attachments")/\(index)",
                    "No paper of this digest, type and size is laid down here")
            ])
    }

    private static func error(_ pointer: String, _ message: String) -> JSON {
        ["pointer": .string(pointer), "detail": .string(message)]
    }

    static func keyReused(_ request: RequestID) -> Problem {
        Problem(
            .unprocessableContent, "idempotency-key-reused",
            LocalizedText(
                ar: "هذا المفتاح استعمل لمطلب آخر", fr: "Cette clé a servi à une autre demande",
                en: "This key was used for another order"),
            detail: "Request \(request) was accepted under this Idempotency-Key with other content. Use a new key for a new order.")
    }

    /// Nothing was recorded; the same order with the same key may be sent again.
    static func notNow(_ error: JournalError) -> Problem { notNow("\(error)") }
}
