import HTTPTypes
public import Hummingbird
import WaslModel

/// The pension fund: one address, forms in both directions.
public struct SimulatedCNRPS: SimulatedAgency {
    public static let id = "cnrps"
    let office: SimulatedOffice

    public init(_ office: SimulatedOffice) { self.office = office }

    public func addRoutes(to router: Router<BasicRequestContext>) {
        router.post("/guichet") { request, _ in try await take(request) }
    }

    private static let operations: [String: SimulatedOperation] = [
        "releve_carriere": document("releve_carriere", refusal: nil),
        "attestation_affiliation": document("attestation_affiliation", refusal: nil),
        "attestation_pension": document("attestation_pension", refusal: "PAS_DE_PENSION"),
        "identifiant": SimulatedOperation(
            name: "identifiant", fields: ["cle": Take.reference, "cin": Take.digits(8)], reference: "cle", known: ("cin", "CIN_INCONNU"),
            acts: false
        ) { office, _, reference in ["iu": .string(String(10_000_000_000 + office.number(reference) % 80_000_000_000))] },
        "doleance": SimulatedOperation(
            name: "doleance", fields: ["cle": Take.reference, "objet": Take.text(3...200), "texte": Take.text(10...4000)],
            optional: ["telephone": Take.phone], reference: "cle", refusal: "TEXTE_REFUSE", isKeyed: true
        ) { _, number, _ in ["dossier": .string(number)] },
        "suggestion": SimulatedOperation(
            name: "suggestion", fields: ["cle": Take.reference, "objet": Take.text(3...200), "texte": Take.text(10...4000)],
            reference: "cle", refusal: "TEXTE_REFUSE", isKeyed: true
        ) { _, number, _ in ["dossier": .string(number)] },
    ]

    private static func document(_ name: String, refusal: String?) -> SimulatedOperation {
        SimulatedOperation(
            name: name, fields: ["cle": Take.reference, "cin": Take.digits(8), "iu": Take.digits(11)], reference: "cle", refusal: refusal,
            known: ("iu", "AFFILIE_INCONNU"), isKeyed: true
        ) { _, number, _ in
            let document = SimulatedDocument(title: name, number: number)
            return [
                "numero": .string(number), "type": "application/pdf", "taille": .string(String(document.size)),
                "sha256": .string(document.digest), "contenu": .string(document.base64),
            ]
        }
    }

    private func take(_ request: Request) async throws -> Response {
        guard request.headers[.contentType]?.hasPrefix("application/x-www-form-urlencoded") == true else {
            return SimulatedCNRPS.form(.badRequest, ["etat": "ERREUR", "champ": "content-type"])
        }
        let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
        var values: JSONObject = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let value = SimulatedCNRPS.decoded(parts[1]) else {
                return SimulatedCNRPS.form(.badRequest, ["etat": "ERREUR", "champ": .string(String(parts[0]))])
            }
            values[String(parts[0])] = .string(value)
        }
        guard let operation = SimulatedCNRPS.operations[values["action"]?.string ?? ""] else {
            return SimulatedCNRPS.form(.badRequest, ["etat": "ERREUR", "champ": "action"])
        }
        values["action"] = nil
        return try await office.take(
            operation, values,
            malformed: Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "<html>Erreur PHP"))), unknownStatus: .ok,
            render: { answer in
                var all: JSONObject = ["etat": "OK"]
                for (name, value) in answer.members { all[name] = value }
                return SimulatedCNRPS.form(.ok, all)
            },
            fail: { status, code in
                switch status {
                case .ok: SimulatedCNRPS.form(.ok, ["etat": "REFUS", "code": .string(code)])
                case .serviceUnavailable: SimulatedCNRPS.form(status, ["etat": "MAINTENANCE"])
                default: SimulatedCNRPS.form(status, ["etat": "ERREUR", "champ": .string(code)])
                }
            })
    }

    private static func form(_ status: HTTPResponse.Status, _ values: JSONObject) -> Response {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*".utf8)
        func encoded(_ text: String) -> String {
            text.utf8.map {
                plain.contains($0) ? String(UnicodeScalar($0)) : "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true)
            }
            .joined()
        }
        let text = values.members.map { "\($0.key)=\(encoded($0.value.string ?? $0.value.text))" }.joined(separator: "&")
        return Response(
            status: status, headers: [.contentType: "application/x-www-form-urlencoded"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    private static func decoded(_ text: Substring) -> String? { String(text).replacing("+", with: " ").removingPercentEncoded }
}

extension String {
    /// The text with `%XX` read; `nil` where one is broken.
    fileprivate var removingPercentEncoded: String? {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            if byte != UInt8(ascii: "%") {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
