public import WaslModel

/// Citizen data on its way between a house and an agency: what is inside a message's `sealed`.
///
/// It repeats who it is from, for whom and about what, so that a sealed text cannot be moved into another envelope.
public struct SealedContent: Sendable, Hashable {
    public let id: String
    public let subject: RequestID
    public let source: Source
    public let recipient: ParticipantID
    public let service: ServiceID
    public let expiry: Timestamp?
    public let fields: JSONObject

    public init(
        id: String, subject: RequestID, source: Source, recipient: ParticipantID, service: ServiceID, expiry: Timestamp?,
        fields: JSONObject
    ) {
        self.id = id
        self.subject = subject
        self.source = source
        self.recipient = recipient
        self.service = service
        self.expiry = expiry
        self.fields = fields
    }

    /// The JWE in compact form, for the recipient's key.
    public func sealed(to key: PublicJWK, entropy: Entropy = randomBytes) throws -> String {
        var object: JSONObject = [
            "id": .string(id), "subject": .string(subject.text), "source": .string(source.description),
            "recipient": .string(recipient.text), "service": .string(service.text),
        ]
        if let expiry { object["expirytime"] = .string(expiry.description) }
        object["fields"] = .object(fields)
        return try SealedText.seal(
            JSON.object(object).bytes, to: key, sender: source.participant, recipient: recipient, entropy: entropy)
    }

    /// Opens a message's `sealed` and compares everything but the fields with the envelope.
    ///
    /// - Throws: ``SealError``
    public static func open(_ sealed: String, in envelope: Envelope, with keys: [OpeningKey]) throws(SealError) -> JSONObject {
        guard let recipient = envelope.recipient else { throw SealError(.malformed, "recipient: missing beside `sealed`") }
        let bytes = try SealedText.open(
            sealed, with: keys, sender: envelope.source.participant, recipient: recipient)
        guard case .object(let object)? = try? JSON.parse(bytes), case .object(let fields)? = object["fields"] else {
            throw SealError(.malformed, "sealed: expected an object with `fields`")
        }
        let expected: [(key: String, value: String?)] = [
            ("id", envelope.id), ("subject", envelope.subject?.text), ("source", envelope.source.description),
            ("recipient", recipient.text), ("service", envelope.service?.text),
            ("expirytime", envelope.expiry?.description),
        ]
        for (key, value) in expected where object[key] != value.map(JSON.string) {
            throw SealError(.malformed, "sealed.\(key): not what the envelope says")
        }
        let known = expected.map(\.key) + ["fields"]
        if let place = object.keys.firstIndex(where: { !known.contains($0) }) {
            // By its place: this ends in the clear, and an error of the sender's may have made a name of a citizen's data.
            throw SealError(
                .malformed, "sealed.member \(place + 1): not a member of a sealed text, which has \(known.joined(separator: ", "))")
        }
        return fields
    }
}
