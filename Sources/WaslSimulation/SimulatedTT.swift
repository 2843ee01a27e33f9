public import Hummingbird
import WaslModel

/// The telephone company: REST and JSON, neither idempotent nor open to questions. Every call that it takes is a payment.
public struct SimulatedTT: SimulatedAgency {
    public static let id = "tt"
    let office: SimulatedOffice

    public init(_ office: SimulatedOffice) { self.office = office }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/v1/payments") { request, _ in try await pay(request) }
    }

    private func pay(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 64 << 10)
        guard let json = try? JSON.parse(Array(body.readableBytesView)), let line = json["line"]?.string,
            let amount = json["amount"]?.integer, amount > 0, let memo = json["memo"]?.string, !memo.isEmpty,
            let channel = json["channel"]?.string, ["cash", "card", "d17"].contains(channel)
        else { return .simulated(.badRequest, ["error": "invalid_request"]) }
        guard line.utf8.count == 8 else { return .simulated(.badRequest, ["error": "unknown_line"]) }
        if office.refuses(memo) { return .simulated(.badRequest, ["error": "amount_refused"]) }
        return try await office.serve(
            "payment", reference: memo, acts: true,
            malformed: Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "<html>"))),
            serverError: .simulated(.internalServerError, ["error": "internal"]),
            maintenance: .simulated(.serviceUnavailable, ["error": "maintenance"])
        ) { receipt in .simulated(.ok, ["receipt": .string(receipt)]) }
    }
}
