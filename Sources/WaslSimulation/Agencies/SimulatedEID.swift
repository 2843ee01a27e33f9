public import Hummingbird
import WaslModel

/// The digital identity: REST and JSON, for those who hold its token.
public struct SimulatedEID: SimulatedAgency {
    public static let id = "eid"
    let office: SimulatedOffice
    private let rest: SimulatedREST

    public init(_ office: SimulatedOffice) {
        self.office = office
        rest = SimulatedREST(
            office: office, errorMember: "code", refusalStatus: .conflict, authorization: office.secret.map { "Bearer \($0)" })
    }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/identity/v1/confirmations") { [rest] request, _ in
            try await rest.take(SimulatedEID.confirmation, request, status: .created)
        }
        router.get("/identity/v1/confirmations") { [rest] request, _ in
            rest.list(SimulatedEID.confirmation, request, query: "correlation", member: "confirmations")
        }
        router.get("/identity/v1/identities/:cin/validity") { [rest] request, context in
            let cin = context.parameters.get("cin") ?? ""
            return try await rest.take(
                SimulatedEID.validity(cin), request, path: ["cin": .string(cin)], headers: ["correlation": "x-correlation"], status: .ok,
                refusal: .notFound)
        }
        for (path, operation) in [
            ("/identity/v1/complaints/:reference", SimulatedEID.complaint),
            ("/identity/v1/suggestions/:reference", SimulatedEID.suggestion),
        ] {
            router.put(.init(path)) { [rest] request, context in
                try await rest.take(
                    operation, request, path: ["correlation": JSON(context.parameters.get("reference"))], status: .created,
                    refusal: .unprocessableContent)
            }
        }
    }

    private static let confirmation = SimulatedOperation(
        name: "confirmation", fields: ["cin": Take.digits(8), "phone": Take.phone, "correlation": Take.reference],
        reference: "correlation", refusal: "PHONE_MISMATCH"
    ) { office, _, reference in
        [
            "assuranceLevel": .string(["low", "substantial", "high"][Int(office.number(reference) % 3)]),
            "confirmedAt": .string("2026-11-\(10 + office.number(reference) % 18)T09:00:00Z"),
        ]
    }

    private static func validity(_ cin: String) -> SimulatedOperation {
        SimulatedOperation(
            name: "validity", fields: ["cin": Take.digits(8), "correlation": Take.reference], reference: "correlation",
            known: ("cin", "CIN_UNKNOWN"), acts: false
        ) { office, _, _ in ["validUntil": .string("20\(27 + office.number(cin) % 9)-06-30")] }
    }

    private static let complaint = SimulatedOperation(
        name: "complaint", fields: ["subject": Take.text(3...200), "text": Take.text(10...4000), "correlation": Take.reference],
        optional: ["phone": Take.phone], reference: "correlation", refusal: "TEXT_REFUSED", isKeyed: true
    ) { _, number, _ in ["caseNumber": .string(number)] }

    private static let suggestion = SimulatedOperation(
        name: "suggestion", fields: ["subject": Take.text(3...200), "text": Take.text(10...4000), "correlation": Take.reference],
        reference: "correlation", refusal: "TEXT_REFUSED", isKeyed: true
    ) { _, number, _ in ["caseNumber": .string(number)] }
}
