import Crypto
import HTTPTypes
public import Hummingbird
import Synchronization
import WaslModel

/// The health insurance fund: XML over REST.
public struct SimulatedCNAM: SimulatedAgency {
    public static let id = "cnam"
    let office: SimulatedOffice
    private let papers = Papers()

    public init(_ office: SimulatedOffice) { self.office = office }

    /// The papers that it was brought, by reference; forgotten at a restart, as a receiving folder may be.
    private final class Papers: Sendable {
        private let held = Mutex<Set<String>>([])

        /// - Returns: whether it is new.
        func take(_ digest: String, _ reference: String) -> Bool { held.withLock { $0.insert("\(reference) \(digest)").inserted } }
        func holds(_ digest: String, _ reference: String) -> Bool { held.withLock { $0.contains("\(reference) \(digest)") } }
    }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/api/attestations") { request, _ in
            try await take(SimulatedCNAM.certificate, request, root: "demande", answer: "attestation", status: .ok)
        }
        router.post("/api/dossiers") { request, _ in
            try await take(SimulatedCNAM.claim, request, root: "dossier", answer: "dossier", status: .created)
        }
        router.put("/api/pieces/:empreinte") { request, context in
            try await takePaper(context.parameters.get("empreinte") ?? "", request)
        }
        router.get("/api/dossiers") { request, _ in list(SimulatedCNAM.claim, request, "dossiers", "dossier") }
        router.get("/api/dossiers/:numero") { request, context in
            try await track(context.parameters.get("numero") ?? "", request.headers[HTTPField.Name("x-reference")!] ?? "")
        }
        router.post("/api/filieres") { request, _ in
            try await take(SimulatedCNAM.channel, request, root: "changement", answer: "changement", status: .created)
        }
        router.get("/api/filieres") { request, _ in list(SimulatedCNAM.channel, request, "changements", "changement") }
        for (path, operation, root) in [
            ("/api/doleances/:reference", SimulatedCNAM.complaint, "doleance"),
            ("/api/suggestions/:reference", SimulatedCNAM.suggestion, "suggestion"),
        ] {
            router.put(.init(path)) { request, context in
                try await take(
                    operation, request, root: root, answer: root, status: .created,
                    path: ["reference": JSON(context.parameters.get("reference"))])
            }
        }
    }

    private func take(
        _ operation: SimulatedOperation, _ request: Request, root: String, answer: String, status: HTTPResponse.Status,
        path: JSONObject = [:]
    ) async throws -> Response {
        let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
        guard request.headers[.contentType]?.hasPrefix("application/xml") == true, let document = SimulatedXML(text),
            document.containers.contains(root), document.containers.isSubset(of: [root, "pieces", "piece"]),
            var values = SimulatedCNAM.values(document)
        else { return SimulatedCNAM.fail(.badRequest, "REQUETE_INVALIDE") }
        for (name, value) in path.members { values[name] = value }
        if let named = values["pieces"]?.array, SimulatedCNAM.claim.wrongField(values) == nil {
            let reference = values["reference"]?.string ?? ""
            guard named.allSatisfy({ papers.holds($0["sha256"]?.string ?? "", reference) }) else {
                return SimulatedCNAM.fail(.conflict, "PIECE_ABSENTE")
            }
        }
        return try await office.take(
            operation, values, malformed: SimulatedCNAM.xml(status, "<\(answer)><numero>"), unknownStatus: .unprocessableContent,
            render: { SimulatedCNAM.xml(status, "<\(answer)>\(SimulatedXML.elements($0))</\(answer)>") }, fail: SimulatedCNAM.fail)
    }

    /// A paper, named by the hash of its bytes.
    private func takePaper(_ digest: String, _ request: Request) async throws -> Response {
        guard let reference = request.uri.queryParameters["reference"].map(String.init), Take.reference(.string(reference)) else {
            return SimulatedCNAM.fail(.badRequest, "REQUETE_INVALIDE reference")
        }
        let bytes = Array(try await request.body.collect(upTo: 20 << 20).readableBytesView)
        let starts: [String: [UInt8]] = [
            "application/pdf": Array("%PDF-".utf8), "image/jpeg": [0xFF, 0xD8, 0xFF], "image/png": [0x89, 0x50, 0x4E, 0x47],
        ]
        guard let start = starts[request.headers[.contentType] ?? ""], bytes.starts(with: start),
            SimulatedDocument.hexadecimal(SHA256.hash(data: bytes)) == digest
        else { return SimulatedCNAM.fail(.unprocessableContent, "PIECE_REFUSEE") }
        return Response(status: papers.take(digest, reference) ? .created : .noContent)
    }

    /// The claim's papers come as so many `piece` of name and hash: each pair becomes one value of the list.
    private static func values(_ document: SimulatedXML) -> JSONObject? {
        let papers = document.leaves.filter { $0.name == "nom" || $0.name == "sha256" }
        guard !papers.isEmpty || document.containers.contains("pieces") else { return document.values }
        guard papers.count % 2 == 0, document.containers.isSuperset(of: ["pieces", "piece"]) else { return nil }
        var values = JSONObject()
        for leaf in document.leaves where leaf.name != "nom" && leaf.name != "sha256" {
            guard values[leaf.name] == nil else { return nil }
            values[leaf.name] = .string(leaf.text)
        }
        values["pieces"] = .array(
            stride(from: 0, to: papers.count, by: 2).map { index in
                .object(
                    JSONObject([
                        (papers[index].name, .string(papers[index].text)), (papers[index + 1].name, .string(papers[index + 1].text)),
                    ]))
            })
        return values
    }

    private func track(_ number: String, _ reference: String) async throws -> Response {
        try await office.take(
            SimulatedOperation(
                name: "suivi", fields: ["numero": Take.text(4...40), "reference": Take.reference], reference: "reference",
                known: ("numero", "DOSSIER_INCONNU"), acts: false
            ) { office, _, _ in
                ["numero": .string(number), "etat": .string(["EN_COURS", "PAYE", "REJETE"][Int(office.number(number) % 3)])]
            }, ["numero": .string(number), "reference": .string(reference)], malformed: SimulatedCNAM.xml(.ok, "<dossier"),
            unknownStatus: .notFound, render: { SimulatedCNAM.xml(.ok, "<dossier>\(SimulatedXML.elements($0))</dossier>") },
            fail: SimulatedCNAM.fail)
    }

    private func list(_ operation: SimulatedOperation, _ request: Request, _ root: String, _ element: String) -> Response {
        guard let reference = request.uri.queryParameters["reference"].map(String.init) else {
            return SimulatedCNAM.fail(.badRequest, "REQUETE_INVALIDE reference")
        }
        let found = office.payments(reference).map { done in
            "<\(element)>\(SimulatedXML.elements(operation.answer(office, done.receipt, reference)))</\(element)>"
        }
        return SimulatedCNAM.xml(.ok, found.isEmpty ? "<\(root)/>" : "<\(root)>\(found.joined())</\(root)>")
    }

    private static func fail(_ status: HTTPResponse.Status, _ code: String) -> Response {
        xml(status, "<erreur><code>\(code)</code></erreur>")
    }

    private static func xml(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "application/xml; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: "<?xml version=\"1.0\" encoding=\"utf-8\"?>" + text)))
    }

    private static let certificate = SimulatedOperation(
        name: "attestation", fields: ["cle": Take.reference, "matricule": Take.digits(10)], reference: "cle",
        known: ("matricule", "ASSURE_INCONNU"), isKeyed: true
    ) { _, number, _ in
        let document = SimulatedDocument(title: "Attestation", number: number)
        return [
            "numero": .string(number), "type": "application/pdf", "taille": .string(String(document.size)),
            "sha256": .string(document.digest), "contenu": .string(document.base64),
        ]
    }

    private static let claim = SimulatedOperation(
        name: "dossier",
        fields: [
            "reference": Take.reference, "matricule": Take.digits(10), "rib": Take.digits(20), "dateSoins": Take.date,
            "pieces": { value in
                guard let papers = value.array, (1...10).contains(papers.count) else { return false }
                return papers.allSatisfy { paper in
                    Take.text(1...100)(paper["nom"] ?? .null) && Take.hash(paper["sha256"] ?? .null)
                }
            },
        ], reference: "reference", known: ("matricule", "ASSURE_INCONNU")
    ) { _, number, _ in ["numero": .string(number)] }

    private static let channel = SimulatedOperation(
        name: "filiere",
        fields: [
            "reference": Take.reference, "matricule": Take.digits(10), "filiere": Take.oneOf("PUBLIQUE", "PRIVEE", "REMBOURSEMENT"),
        ], reference: "reference", refusal: "FILIERE_FERMEE", known: ("matricule", "ASSURE_INCONNU")
    ) { _, _, _ in ["dateEffet": "2027-01-01"] }

    private static let complaint = SimulatedOperation(
        name: "doleance", fields: ["objet": Take.text(3...200), "texte": Take.text(10...4000), "reference": Take.reference],
        optional: ["telephone": Take.phone], reference: "reference", refusal: "TEXTE_REFUSE", isKeyed: true
    ) { _, number, _ in ["numero": .string(number)] }

    private static let suggestion = SimulatedOperation(
        name: "suggestion", fields: ["objet": Take.text(3...200), "texte": Take.text(10...4000), "reference": Take.reference],
        reference: "reference", refusal: "TEXTE_REFUSE", isKeyed: true
    ) { _, number, _ in ["numero": .string(number)] }
}
