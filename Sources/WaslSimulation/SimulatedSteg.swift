public import Hummingbird
import WaslModel

/// The electricity company: REST and JSON. Pays as often as it is asked to; a payment can be looked up by the caller's reference.
public struct SimulatedSteg: SimulatedAgency {
    public static let id = "steg"
    let office: SimulatedOffice

    public init(_ office: SimulatedOffice) { self.office = office }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.get("/api/factures/:reference") { request, context in
            try await view(context.parameters.get("reference") ?? "", caller: request.headers[.init("x-reference-externe")!] ?? "")
        }
        router.post("/api/paiements") { request, _ in try await pay(request) }
        router.get("/api/paiements") { request, _ in
            let reference = request.uri.queryParameters["reference_externe"].map(String.init) ?? ""
            let found = office.payments(reference).map { JSON.object(["numero_quittance": .string($0.receipt)]) }
            return Response.simulated(.ok, ["paiements": .array(found)])
        }
    }

    private static let unknown = Response.simulated(.notFound, ["erreur": "REFERENCE_INCONNUE"])
    private static let malformed = Response(
        status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"montant_millimes\": 12")))

    private func serve(
        _ operation: String, _ reference: String, acts: Bool, _ answer: (String) -> Response
    ) async throws -> Response {
        try await office.serve(
            operation, reference: reference, acts: acts, malformed: SimulatedSteg.malformed,
            serverError: .simulated(.internalServerError, ["erreur": "ERREUR_INTERNE"]),
            maintenance: .simulated(.serviceUnavailable, ["erreur": "MAINTENANCE"]), answer: answer)
    }

    private func view(_ reference: String, caller: String) async throws -> Response {
        guard reference.utf8.count == 9 else { return SimulatedSteg.unknown }
        return try await serve("facture", caller, acts: false) { _ in
            let number = office.number(reference)
            return .simulated(
                .ok,
                [
                    "reference": .string(reference), "montant_millimes": JSON(20_000 + number % 180_000),
                    "echeance": .string("2026-12-\(10 + number % 18)"), "etat": number % 5 == 0 ? "PAYEE" : "A_PAYER",
                ])
        }
    }

    private func pay(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 64 << 10)
        guard let json = try? JSON.parse(Array(body.readableBytesView)),
            let bill = json["reference_facture"]?.string, bill.utf8.count == 9,
            let caller = json["reference_externe"]?.string, !caller.isEmpty,
            let amount = json["montant_millimes"]?.integer, amount > 0,
            let mode = json["mode"]?.string, ["cash", "card", "d17"].contains(mode)
        else { return .simulated(.badRequest, ["erreur": "REQUETE_INVALIDE"]) }
        if office.refuses(caller) { return .simulated(.unprocessableContent, ["erreur": "MONTANT_REFUSE"]) }
        return try await serve("paiement", caller, acts: true) { receipt in
            .simulated(.created, ["numero_quittance": .string(receipt), "reference_externe": .string(caller)])
        }
    }
}
