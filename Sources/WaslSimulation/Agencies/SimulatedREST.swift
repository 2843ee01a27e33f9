import HTTPTypes
import Hummingbird
import WaslModel

/// What agencies that speak JSON over REST share: each has its own paths, words and codes.
struct SimulatedREST: Sendable {
    let office: SimulatedOffice
    /// How it names an error in a body: `{"erreur": …}`.
    let errorMember: String
    /// How it writes a code: as it is, or in lower case.
    var isLowercase = false
    /// The status of a refusal.
    let refusalStatus: HTTPResponse.Status
    /// What callers must send as `Authorization`; `nil` where anybody may call.
    var authorization: String?

    func fail(_ status: HTTPResponse.Status, _ code: String) -> Response {
        .simulated(status, [errorMember: .string(isLowercase ? code.lowercased() : code)])
    }

    /// - Parameters:
    ///   - path: values that stand in the path, by the operation's field.
    ///   - headers: fields that stand in headers.
    func take(
        _ operation: SimulatedOperation, _ request: Request, path: JSONObject = [:], headers: [String: String] = [:],
        status: HTTPResponse.Status, refusal: HTTPResponse.Status? = nil
    ) async throws -> Response {
        if let authorization, request.headers[.authorization] != authorization { return fail(.unauthorized, "UNAUTHORISED") }
        var values: JSONObject = [:]
        if request.method == .post || request.method == .put {
            let body = try await request.body.collect(upTo: 1 << 20)
            guard case .object(let object)? = try? JSON.parse(Array(body.readableBytesView)) else {
                return fail(.badRequest, "REQUETE_INVALIDE")
            }
            values = object
        }
        for (name, value) in path.members { values[name] = value }
        for (field, name) in headers { values[field] = JSON(HTTPField.Name(name).flatMap { request.headers[$0] }) }
        return try await office.take(
            operation, values,
            malformed: Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"numero\": "))),
            unknownStatus: refusal ?? refusalStatus, render: { .simulated(status, .object($0)) }, fail: fail)
    }

    /// The list of what was done under a reference.
    func list(_ operation: SimulatedOperation, _ request: Request, query: String, member: String) -> Response {
        if let authorization, request.headers[.authorization] != authorization { return fail(.unauthorized, "UNAUTHORISED") }
        guard let reference = request.uri.queryParameters[Substring(query)].map(String.init) else {
            return fail(.badRequest, "REQUETE_INVALIDE \(query)")
        }
        let done = office.payments(reference).map { payment in
            JSON.object(JSONObject(operation.answer(office, payment.receipt, reference).members + payment.detail.members))
        }
        return .simulated(.ok, [member: .array(done)])
    }
}
