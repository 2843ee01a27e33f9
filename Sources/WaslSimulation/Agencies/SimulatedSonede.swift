public import Hummingbird
import WaslModel

/// The water company: SOAP 1.1. Remembers an operation's key: the same key gives the same answer.
public struct SimulatedSonede: SimulatedAgency {
    public static let id = "sonede"
    private let payment: SimulatedSOAP
    private let customers: SimulatedSOAP

    public init(_ office: SimulatedOffice) {
        payment = SimulatedSOAP(
            office: office, version: .soap11, namespace: "urn:sonede:paiement", operations: ["PayerFacture": SimulatedSonede.pay])
        customers = SimulatedSOAP(
            office: office, version: .soap11, namespace: "urn:sonede:clientele",
            operations: [
                "ConsulterFacture": SimulatedSonede.bill, "SignalerFuite": SimulatedSonede.leak,
                "DeposerReclamation": SimulatedSonede.dispute, "DeposerDoleance": SimulatedSonede.complaint,
                "DeposerSuggestion": SimulatedSonede.suggestion,
            ], lookups: ["ChercherReclamation": (SimulatedSonede.dispute, "ReferenceExterne", "Dossier")])
    }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/ws/paiement") { [payment] request, _ in try await payment.take(request) }
        router.post("/ws/clientele") { [customers] request, _ in try await customers.take(request) }
    }

    private static let police = Take.digits(6...12)

    private static let pay = SimulatedOperation(
        name: "PayerFacture",
        fields: ["CleOperation": Take.reference, "NumeroPolice": police, "MontantMillimes": Take.amountText, "Mode": Take.mode],
        reference: "CleOperation", refusal: "MONTANT_REFUSE", known: ("NumeroPolice", "POLICE_INCONNUE"), isKeyed: true
    ) { _, number, _ in ["NumeroQuittance": .string(number)] }

    private static let bill = SimulatedOperation(
        name: "ConsulterFacture", fields: ["CleOperation": Take.reference, "NumeroPolice": police], reference: "CleOperation",
        known: ("NumeroPolice", "POLICE_INCONNUE"), acts: false
    ) { office, _, reference in
        [
            "MontantMillimes": .string(String(12_000 + office.number(reference) % 70_000)),
            "DateEcheance": .string("2026-12-\(10 + office.number(reference) % 18)"),
        ]
    }

    private static let leak = SimulatedOperation(
        name: "SignalerFuite",
        fields: ["Lieu": Take.text(3...200), "Nature": Take.oneOf("RUE", "COMPTEUR", "IMMEUBLE"), "Observation": Take.reference],
        reference: "Observation", known: ("Lieu", "LIEU_INCONNU")
    ) { _, number, _ in ["NumeroDossier": .string(number)] }

    private static let dispute = SimulatedOperation(
        name: "DeposerReclamation", fields: ["ReferenceExterne": Take.reference, "NumeroPolice": police, "Motif": Take.text(10...2000)],
        reference: "ReferenceExterne", known: ("NumeroPolice", "POLICE_INCONNUE")
    ) { office, number, reference in
        switch office.decision(reference) {
        case nil: ["NumeroDossier": .string(number), "Decision": "EN_COURS", "DelaiSecondes": "1"]
        case true?: ["NumeroDossier": .string(number), "Decision": "ACCEPTEE"]
        case false?: ["NumeroDossier": .string(number), "Decision": "REJETEE"]
        }
    }

    private static let complaint = SimulatedOperation(
        name: "DeposerDoleance",
        fields: ["CleOperation": Take.reference, "Objet": Take.text(3...200), "Texte": Take.text(10...4000)],
        optional: ["Telephone": Take.phone], reference: "CleOperation", refusal: "TEXTE_REFUSE", isKeyed: true
    ) { _, number, _ in ["NumeroDossier": .string(number)] }

    private static let suggestion = SimulatedOperation(
        name: "DeposerSuggestion",
        fields: ["CleOperation": Take.reference, "Objet": Take.text(3...200), "Texte": Take.text(10...4000)],
        reference: "CleOperation", refusal: "TEXTE_REFUSE", isKeyed: true
    ) { _, number, _ in ["NumeroDossier": .string(number)] }
}
