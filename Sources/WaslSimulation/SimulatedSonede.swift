import Foundation
public import Hummingbird
import WaslModel

/// The water company: SOAP 1.1. Remembers an operation's key: the same key gives the same receipt.
public struct SimulatedSonede: SimulatedAgency {
    public static let id = "sonede"
    let office: SimulatedOffice

    public init(_ office: SimulatedOffice) { self.office = office }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/ws/paiement") { request, _ in try await pay(request) }
    }

    private static func fault(_ status: HTTPResponse.Status, _ text: String) -> Response {
        .simulatedXML(status, "<S:Fault><faultcode>S:Server</faultcode><faultstring>\(text)</faultstring></S:Fault>")
    }

    private static func receipt(_ number: String) -> Response {
        .simulatedXML(
            .ok,
            "<r:PayerFactureReponse xmlns:r=\"urn:sonede:paiement\"><r:NumeroQuittance>\(number)</r:NumeroQuittance></r:PayerFactureReponse>"
        )
    }

    private func pay(_ request: Request) async throws -> Response {
        let body = String(buffer: try await request.body.collect(upTo: 64 << 10))
        guard body.contains("http://schemas.xmlsoap.org/soap/envelope/"), body.contains("urn:sonede:paiement"),
            let key = text(of: "CleOperation", in: body), let police = text(of: "NumeroPolice", in: body),
            let amountText = text(of: "MontantMillimes", in: body), let amount = Int64(amountText), amount > 0,
            let mode = text(of: "Mode", in: body), ["cash", "card", "d17"].contains(mode)
        else { return SimulatedSonede.fault(.internalServerError, "REQUETE_INVALIDE") }
        guard (6...12).contains(police.utf8.count) else { return SimulatedSonede.fault(.internalServerError, "POLICE_INCONNUE") }
        if let known = office.payments(key).first { return SimulatedSonede.receipt(known.receipt) }
        if office.refuses(key) { return SimulatedSonede.fault(.internalServerError, "MONTANT_REFUSE") }
        return try await office.serve(
            "PayerFacture", reference: key, acts: true,
            malformed: .simulatedXML(.ok, "<r:PayerFactureReponse"),
            serverError: SimulatedSonede.fault(.internalServerError, "ERREUR_INTERNE"),
            maintenance: SimulatedSonede.fault(.serviceUnavailable, "MAINTENANCE"), answer: SimulatedSonede.receipt)
    }

    /// The text of an element without children, wherever it stands: all that this company's old parser does.
    private func text(of element: String, in body: String) -> String? {
        guard let open = body.range(of: "<\(element)>"),
            let close = body.range(of: "</\(element)>", range: open.upperBound..<body.endIndex)
        else { return nil }
        let text = String(body[open.upperBound..<close.lowerBound])
        return text.isEmpty || text.contains("<") ? nil : text
    }
}
