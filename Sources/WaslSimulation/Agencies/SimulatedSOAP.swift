import HTTPTypes
import Hummingbird
import WaslModel

/// What agencies that speak SOAP share: an envelope of one version, one namespace an address, and faults.
struct SimulatedSOAP: Sendable {
    enum Version { case soap11, soap12 }

    let office: SimulatedOffice
    let version: Version
    let namespace: String
    /// By the name of the request's element.
    let operations: [String: SimulatedOperation]
    /// Lookups: the request's element, the operation that is looked for, the field with the reference, the element of a hit.
    var lookups: [String: (operation: SimulatedOperation, reference: String, element: String)] = [:]

    private var envelope: String {
        version == .soap11 ? "http://schemas.xmlsoap.org/soap/envelope/" : "http://www.w3.org/2003/05/soap-envelope"
    }

    func take(_ request: Request) async throws -> Response {
        let expected = version == .soap11 ? "text/xml" : "application/soap+xml"
        guard request.headers[.contentType]?.hasPrefix(expected) == true else { return fail(.unsupportedMediaType, "TYPE_INCONNU") }
        let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
        guard let document = SimulatedXML(text), text.contains("\"\(envelope)\""), text.contains("\"\(namespace)\""),
            let name = document.containers.subtracting(["Envelope", "Body"]).first, let values = document.values
        else { return fail(.internalServerError, "REQUETE_INVALIDE") }
        if version == .soap11, request.headers[HTTPField.Name("SOAPAction")!] != "\"urn:sonede:\(name)\"" {
            return fail(.internalServerError, "ACTION_INCONNUE")
        }
        if let lookup = lookups[name] {
            guard values.keys == [lookup.reference], let reference = values[lookup.reference]?.string else {
                return fail(.internalServerError, "REQUETE_INVALIDE")
            }
            let found = office.payments(reference).first.map { done -> JSONObject in
                [lookup.element: .object(lookup.operation.answer(office, done.receipt, reference))]
            }
            return answer(name, found ?? [:])
        }
        guard let operation = operations[name] else { return fail(.internalServerError, "OPERATION_INCONNUE") }
        return try await office.take(
            operation, values, malformed: body(.ok, "<r:\(name)Reponse"), unknownStatus: .internalServerError,
            render: { answer(name, $0) },
            // A wrong request is a fault of the server's, as these systems have it.
            fail: { fail($0 == .badRequest ? .internalServerError : $0, $1) })
    }

    private func answer(_ name: String, _ values: JSONObject) -> Response {
        body(.ok, "<r:\(name)Reponse xmlns:r=\"\(namespace)\">\(SimulatedXML.elements(values, prefix: "r:"))</r:\(name)Reponse>")
    }

    private func fail(_ status: HTTPResponse.Status, _ code: String) -> Response {
        switch version {
        case .soap11: body(status, "<S:Fault><faultcode>S:Server</faultcode><faultstring>\(code)</faultstring></S:Fault>")
        case .soap12:
            body(
                status,
                "<S:Fault><S:Code><S:Value>S:Receiver</S:Value></S:Code><S:Reason><S:Text xml:lang=\"fr\">\(code)</S:Text></S:Reason></S:Fault>"
            )
        }
    }

    private func body(_ status: HTTPResponse.Status, _ inner: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: version == .soap11 ? "text/xml; charset=utf-8" : "application/soap+xml; charset=utf-8"],
            body: ResponseBody(
                byteBuffer: ByteBuffer(
                    string: "<?xml version=\"1.0\"?><S:Envelope xmlns:S=\"\(envelope)\"><S:Body>\(inner)</S:Body></S:Envelope>")))
    }
}
