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
}
