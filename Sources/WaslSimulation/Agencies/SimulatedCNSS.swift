public import Hummingbird
import WaslModel

/// The social security fund: SOAP 1.2. A demand's number makes it harmless to ask again.
public struct SimulatedCNSS: SimulatedAgency {
    public static let id = "cnss"
    private let soap: SimulatedSOAP

    public init(_ office: SimulatedOffice) {
        var operations: [String: SimulatedOperation] = [
            "IdentifiantUnique": SimulatedCNSS.identifier, "DeposerDoleance": SimulatedCNSS.complaint,
            "DeposerSuggestion": SimulatedCNSS.suggestion,
        ]
        for (name, refusal) in [("ReleveCarriere", nil), ("AttestationAffiliation", nil), ("AttestationPension", "PAS_DE_PENSION")] {
            operations[name] = SimulatedCNSS.document(name, refusal: refusal)
        }
        soap = SimulatedSOAP(office: office, version: .soap12, namespace: "urn:cnss:assures", operations: operations)
    }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/services/assures") { [soap] request, _ in try await soap.take(request) }
    }

    private static func document(_ name: String, refusal: String?) -> SimulatedOperation {
        SimulatedOperation(
            name: name, fields: ["IdDemande": Take.reference, "Cin": Take.digits(8), "NumeroSecuriteSociale": Take.digits(10)],
            reference: "IdDemande", refusal: refusal, known: ("NumeroSecuriteSociale", "ASSURE_INCONNU"), isKeyed: true
        ) { _, number, _ in
            let document = SimulatedDocument(title: name, number: number)
            return [
                "NumeroDocument": .string(number), "TypeMime": "application/pdf", "Taille": .string(String(document.size)),
                "EmpreinteSha256": .string(document.digest), "Contenu": .string(document.base64),
            ]
        }
    }

    private static let identifier = SimulatedOperation(
        name: "IdentifiantUnique", fields: ["IdDemande": Take.reference, "Cin": Take.digits(8), "DateNaissance": Take.date],
        reference: "IdDemande", known: ("Cin", "CIN_INCONNU"), acts: false
    ) { office, _, reference in ["IdentifiantUnique": .string(String(10_000_000_000 + office.number(reference) % 80_000_000_000))] }

    private static let complaint = SimulatedOperation(
        name: "DeposerDoleance", fields: ["IdDemande": Take.reference, "Objet": Take.text(3...200), "Texte": Take.text(10...4000)],
        optional: ["Telephone": Take.phone], reference: "IdDemande", refusal: "TEXTE_REFUSE", isKeyed: true
    ) { _, number, _ in ["NumeroDossier": .string(number)] }

    private static let suggestion = SimulatedOperation(
        name: "DeposerSuggestion", fields: ["IdDemande": Take.reference, "Objet": Take.text(3...200), "Texte": Take.text(10...4000)],
        reference: "IdDemande", refusal: "TEXTE_REFUSE", isKeyed: true
    ) { _, number, _ in ["NumeroDossier": .string(number)] }
}
