public import Hummingbird
import WaslModel

/// The telephone company: REST and JSON. Its payments are neither idempotent nor open to questions: every call that it takes is one.
public struct SimulatedTT: SimulatedAgency {
    public static let id = "tt"
    let office: SimulatedOffice
    private let rest: SimulatedREST

    public init(_ office: SimulatedOffice) {
        self.office = office
        rest = SimulatedREST(office: office, errorMember: "error", isLowercase: true, refusalStatus: .badRequest)
    }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/v1/payments") { [rest] request, _ in try await rest.take(SimulatedTT.payment, request, status: .ok) }
        router.get("/v1/lines/:line/bill") { [rest] request, context in
            let line = context.parameters.get("line") ?? ""
            return try await rest.take(
                SimulatedTT.bill(line), request, path: ["line": .string(line)], headers: ["memo": "x-memo"], status: .ok)
        }
        router.post("/v1/tickets") { [rest] request, _ in try await rest.take(SimulatedTT.ticket, request, status: .created) }
        router.get("/v1/tickets") { [rest] request, _ in
            rest.list(SimulatedTT.ticket, request, query: "external_ref", member: "tickets")
        }
        for (path, operation) in [
            ("/v1/complaints/:reference", SimulatedTT.complaint), ("/v1/suggestions/:reference", SimulatedTT.suggestion),
        ] {
            router.put(.init(path)) { [rest] request, context in
                try await rest.take(
                    operation, request, path: ["external_ref": JSON(context.parameters.get("reference"))], status: .created)
            }
        }
    }

    private static let payment = SimulatedOperation(
        name: "payment", fields: ["line": Take.phone, "amount": Take.amount, "channel": Take.mode, "memo": Take.reference],
        reference: "memo", refusal: "AMOUNT_REFUSED", known: ("line", "UNKNOWN_LINE")
    ) { _, number, _ in ["receipt": .string(number)] }

    private static func bill(_ line: String) -> SimulatedOperation {
        SimulatedOperation(
            name: "bill", fields: ["line": Take.phone, "memo": Take.reference], reference: "memo", known: ("line", "UNKNOWN_LINE"),
            acts: false
        ) { office, _, _ in ["amount": JSON(15_000 + office.number(line) % 60_000)] }
    }

    private static let ticket = SimulatedOperation(
        name: "ticket",
        fields: [
            "line": Take.phone, "symptom": Take.oneOf("no_tone", "no_internet", "slow", "noise"), "external_ref": Take.reference,
        ], reference: "external_ref", known: ("line", "UNKNOWN_LINE")
    ) { _, number, _ in ["ticket": .string(number)] }

    private static let complaint = SimulatedOperation(
        name: "complaint", fields: ["subject": Take.text(3...200), "text": Take.text(10...4000), "external_ref": Take.reference],
        optional: ["phone": Take.phone], reference: "external_ref", refusal: "TEXT_REFUSED", isKeyed: true
    ) { _, number, _ in ["case": .string(number)] }

    private static let suggestion = SimulatedOperation(
        name: "suggestion", fields: ["subject": Take.text(3...200), "text": Take.text(10...4000), "external_ref": Take.reference],
        reference: "external_ref", refusal: "TEXT_REFUSED", isKeyed: true
    ) { _, number, _ in ["case": .string(number)] }
}
