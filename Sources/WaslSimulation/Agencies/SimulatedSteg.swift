public import Hummingbird
import WaslModel

/// The electricity company: REST and JSON. Pays as often as it is asked to; a payment can be looked up by the caller's reference.
public struct SimulatedSteg: SimulatedAgency {
    public static let id = "steg"
    let office: SimulatedOffice
    private let rest: SimulatedREST

    public init(_ office: SimulatedOffice) {
        self.office = office
        rest = SimulatedREST(office: office, errorMember: "erreur", refusalStatus: .unprocessableContent)
    }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.get("/api/factures/:reference") { [rest] request, context in
            try await rest.take(
                SimulatedSteg.bill(context.parameters.get("reference") ?? ""), request,
                path: ["reference": JSON(context.parameters.get("reference"))],
                headers: ["appelant": "x-reference-externe"], status: .ok, refusal: .notFound)
        }
        for (path, operation, member) in [
            ("/api/paiements", SimulatedSteg.payment, "paiements"), ("/api/releves", SimulatedSteg.reading, "releves"),
        ] {
            router.post(.init(path)) { [rest] request, _ in try await rest.take(operation, request, status: .created) }
            router.get(.init(path)) { [rest] request, _ in
                rest.list(operation, request, query: "reference_externe", member: member)
            }
        }
        router.post("/api/incidents") { [rest] request, _ in
            try await rest.take(SimulatedSteg.incident, request, status: .created)
        }
        for (path, operation) in [
            ("/api/reclamations/:reference", SimulatedSteg.dispute), ("/api/doleances/:reference", SimulatedSteg.complaint),
            ("/api/suggestions/:reference", SimulatedSteg.suggestion),
        ] {
            router.put(.init(path)) { [rest] request, context in
                try await rest.take(
                    operation, request, path: ["reference_externe": JSON(context.parameters.get("reference"))], status: .created)
            }
        }
    }

    private static func bill(_ reference: String) -> SimulatedOperation {
        SimulatedOperation(
            name: "facture", fields: ["reference": Take.digits(9), "appelant": Take.reference], reference: "appelant",
            known: ("reference", "REFERENCE_INCONNUE"), acts: false
        ) { office, _, _ in
            let number = office.number(reference)
            return [
                "reference": .string(reference), "montant_millimes": JSON(20_000 + number % 180_000),
                "echeance": .string("2026-12-\(10 + number % 18)"), "etat": number % 5 == 0 ? "PAYEE" : "A_PAYER",
            ]
        }
    }

    private static let payment = SimulatedOperation(
        name: "paiement",
        fields: [
            "reference_facture": Take.digits(9), "reference_externe": Take.reference, "montant_millimes": Take.amount, "mode": Take.mode,
        ], reference: "reference_externe", refusal: "MONTANT_REFUSE", listed: ["reference_facture", "montant_millimes"]
    ) { _, number, reference in ["numero_quittance": .string(number), "reference_externe": .string(reference)] }

    private static let reading = SimulatedOperation(
        name: "releve",
        fields: [
            "reference_client": Take.digits(9), "numero_compteur": Take.digits(6...12), "index": Take.integer, "date_releve": Take.date,
            "reference_externe": Take.reference,
        ], reference: "reference_externe", refusal: "INDEX_INFERIEUR", known: ("numero_compteur", "COMPTEUR_INCONNU"),
        listed: ["reference_client", "numero_compteur", "index"]
    ) { office, _, reference in
        ["accepte": .bool(office.number(reference) % 4 != 0), "estimation_millimes": JSON(30_000 + office.number(reference) % 90_000)]
    }

    private static let incident = SimulatedOperation(
        name: "incident",
        fields: [
            "reference_client": Take.digits(9), "lieu": Take.text(3...200),
            "nature": Take.oneOf("COUPURE", "BAISSE_TENSION", "CABLE_TOMBE", "COMPTEUR"), "commentaire": Take.reference,
        ], reference: "commentaire", known: ("reference_client", "REFERENCE_INCONNUE")
    ) { _, number, _ in ["numero_dossier": .string(number)] }

    private static let dispute = SimulatedOperation(
        name: "reclamation",
        fields: [
            "reference_client": Take.digits(9), "periode": Take.month, "motif": Take.text(10...2000), "reference_externe": Take.reference,
        ], reference: "reference_externe", known: ("reference_client", "REFERENCE_INCONNUE"), isKeyed: true
    ) { office, number, reference in
        switch office.decision(reference) {
        case nil: ["numero_dossier": .string(number), "decision": "EN_COURS", "delai_secondes": 1]
        case true?: ["numero_dossier": .string(number), "decision": "ACCEPTEE"]
        case false?: ["numero_dossier": .string(number), "decision": "REJETEE"]
        }
    }

    private static let complaint = SimulatedOperation(
        name: "doleance", fields: ["objet": Take.text(3...200), "texte": Take.text(10...4000), "reference_externe": Take.reference],
        optional: ["telephone": Take.phone], reference: "reference_externe", refusal: "TEXTE_REFUSE", isKeyed: true
    ) { _, number, _ in ["numero_dossier": .string(number)] }

    private static let suggestion = SimulatedOperation(
        name: "suggestion", fields: ["objet": Take.text(3...200), "texte": Take.text(10...4000), "reference_externe": Take.reference],
        reference: "reference_externe", refusal: "TEXTE_REFUSE", isKeyed: true
    ) { _, number, _ in ["numero_dossier": .string(number)] }
}
