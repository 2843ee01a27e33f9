import HTTPTypes
public import Hummingbird
import Synchronization
import WaslModel

/// The post office's payment service: authorise, capture, void, refund. A key in a header makes every call harmless to repeat.
public struct SimulatedPoste: SimulatedAgency {
    public static let id = "poste"
    let office: SimulatedOffice
    private let rest: SimulatedREST
    private let book: Book

    public init(_ office: SimulatedOffice) {
        self.office = office
        rest = SimulatedREST(office: office, errorMember: "code", refusalStatus: SimulatedPoste.declined)
        book = Book(office.history)
    }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/payments/v1/authorisations") { request, _ in
            try await take(.authorise, request, about: nil, ["method": Take.oneOf("card", "d17"), "account": Take.digits(8...20)])
        }
        router.post("/payments/v1/authorisations/:id/captures") { request, context in
            try await take(.capture, request, about: context.parameters.get("id") ?? "", [:])
        }
        router.post("/payments/v1/authorisations/:id/voids") { request, context in
            try await take(.void, request, about: context.parameters.get("id") ?? "", [:])
        }
        router.post("/payments/v1/captures/:id/refunds") { request, context in
            try await take(.refund, request, about: context.parameters.get("id") ?? "", [:])
        }
        router.get("/payments/v1/orders/:order") { request, context in
            let order = context.parameters.get("order") ?? ""
            return try await rest.take(
                SimulatedOperation(
                    name: "lookup", fields: ["order": Take.uuid, "caller": Take.reference], reference: "caller", acts: false
                ) { _, _, _ in book.state(of: order) }, request, path: ["order": .string(order)], headers: ["caller": "x-reference"],
                status: .ok)
        }
    }

    private static let declined = HTTPResponse.Status(code: 402, reasonPhrase: "Payment Required")

    private enum Kind: String {
        case authorise, capture, void, refund
        /// The member of the answer that holds the number.
        var member: String { self == .authorise ? "authorisation" : rawValue }
    }

    private func take(
        _ kind: Kind, _ request: Request, about: String?, _ extra: [String: SimulatedOperation.Rule]
    ) async throws -> Response {
        guard let key = request.headers[HTTPField.Name("Idempotency-Key")!], Take.reference(.string(key)) else {
            return rest.fail(.badRequest, "IDEMPOTENCY_KEY")
        }
        let body = try await request.body.collect(upTo: 64 << 10)
        guard case .object(var values)? = try? JSON.parse(Array(body.readableBytesView)) else { return rest.fail(.badRequest, "JSON") }
        values["key"] = .string(key)
        let amount = values["amount"]?.integer ?? 0
        let order = values["order"]?.string ?? ""
        if office.payments(key).isEmpty, let (status, code) = book.objection(kind, about: about, amount: amount) {
            return rest.fail(status, code)
        }
        var fields = extra.merging(["order": Take.uuid, "key": Take.reference]) { $1 }
        if kind != .void { fields["amount"] = Take.amount }
        let operation = SimulatedOperation(
            name: kind.rawValue, fields: fields, reference: "key", refusal: kind == .authorise ? "DECLINED" : nil, isKeyed: true,
            detail: ["about": JSON(about), "amount": .integer(amount), "order": .string(order)]
        ) { _, number, _ in
            kind == .authorise ? ["authorisation": .string(number), "expiresAt": "2026-12-31T23:00:00Z"] : [kind.member: .string(number)]
        }
        return try await office.take(
            operation, values, malformed: Response(status: .created, body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"auth"))),
            unknownStatus: SimulatedPoste.declined, acted: { book.enter(kind.rawValue, number: $0, operation.detail) },
            render: { .simulated(.created, .object($0)) }, fail: rest.fail)
    }

    /// What was authorised, captured and given back; rebuilt from the effects log at a start.
    private final class Book: Sendable {
        private struct Authorisation {
            let order: String
            let amount: Int64
            var isVoid = false
            var captured: Int64 = 0
            var refunded: Int64 = 0
        }

        private struct State {
            var authorisations: [String: Authorisation] = [:]
            var captures: [String: String] = [:]
        }

        private let state = Mutex(State())

        init(_ history: [EffectsLog.Line]) {
            for line in history { if let number = line.receipt { enter(line.operation, number: number, line.detail ?? [:]) } }
        }

        func enter(_ operation: String, number: String, _ detail: JSONObject) {
            let amount = detail["amount"]?.integer ?? 0
            let about = detail["about"]?.string ?? ""
            state.withLock { state in
                switch operation {
                case "authorise":
                    state.authorisations[number] = Authorisation(order: detail["order"]?.string ?? "", amount: amount)
                case "capture":
                    state.captures[number] = about
                    state.authorisations[about]?.captured += amount
                case "void": state.authorisations[about]?.isVoid = true
                case "refund": if let id = state.captures[about] { state.authorisations[id]?.refunded += amount }
                default: break
                }
            }
        }

        func objection(_ kind: Kind, about: String?, amount: Int64) -> (HTTPResponse.Status, String)? {
            state.withLock { state in
                guard kind != .authorise else { return nil }
                let id = kind == .refund ? state.captures[about ?? ""] : about
                guard let id, let authorisation = state.authorisations[id] else { return (.notFound, "UNKNOWN_PAYMENT") }
                switch kind {
                case .capture where authorisation.isVoid: return (.conflict, "VOIDED")
                case .capture where authorisation.captured > 0: return (.conflict, "ALREADY_CAPTURED")
                case .capture where amount > authorisation.amount: return (.conflict, "AMOUNT_EXCEEDED")
                case .void where authorisation.captured > 0: return (.conflict, "ALREADY_CAPTURED")
                case .refund where authorisation.refunded + amount > authorisation.captured: return (.conflict, "AMOUNT_EXCEEDED")
                default: return nil
                }
            }
        }

        func state(of order: String) -> JSONObject {
            state.withLock { state in
                let all = state.authorisations.values.filter { $0.order == order }
                let captured = all.reduce(0) { $0 + $1.captured }
                let refunded = all.reduce(0) { $0 + $1.refunded }
                let word =
                    all.isEmpty
                    ? "none"
                    : refunded > 0 ? "refunded" : captured > 0 ? "captured" : all.allSatisfy(\.isVoid) ? "voided" : "authorised"
                return [
                    "order": .string(order), "state": .string(word), "authorised": .integer(all.reduce(0) { $0 + $1.amount }),
                    "captured": .integer(captured), "refunded": .integer(refunded),
                ]
            }
        }
    }
}
