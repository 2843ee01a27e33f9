/// Why a body is not a message, naming the attribute, the shape of its value, and what was expected.
public struct EnvelopeError: Error, Sendable, Hashable, CustomStringConvertible {
    public let attribute: String
    public let reason: String

    public init(attribute: String, reason: String) {
        self.attribute = attribute
        self.reason = reason
    }

    public var description: String { "\(attribute): \(reason)" }
}

extension Envelope {
    /// Reads a body. Attributes that the contract does not name are passed over, as CloudEvents section 3 allows.
    ///
    /// - Throws: ``EnvelopeError``
    public init(parsing body: [UInt8]) throws(EnvelopeError) {
        guard body.count <= Envelope.bytesMax else {
            throw EnvelopeError(attribute: "body", reason: "\(body.count) bytes; at most \(Envelope.bytesMax)")
        }
        let object: JSONObject
        do {
            guard case .object(let parsed) = try JSON.parse(body) else {
                throw EnvelopeError(attribute: "body", reason: "expected one JSON object")
            }
            object = parsed
        } catch {
            throw error as? EnvelopeError ?? EnvelopeError(attribute: "body", reason: "\(error)")
        }
        self = try AttributeReader(object: object).envelope()
    }
}

private struct AttributeReader {
    let object: JSONObject

    func envelope() throws(EnvelopeError) -> Envelope {
        guard try text("specversion") == "1.0" else {
            throw EnvelopeError(attribute: "specversion", reason: "expected 1.0")
        }
        let id = try text("id")
        guard (1...128).contains(id.utf8.count) else {
            throw EnvelopeError(attribute: "id", reason: "expected 1 to 128 bytes, found \(id.utf8.count)")
        }
        let type = try required("type", "a type of this contract") { MessageType(rawValue: $0) }
        let source = try required("source", "/houses/<id>, /agencies/<id> or /ledger") { Source($0) }
        guard type.mayCome(from: source.role) else {
            throw EnvelopeError(attribute: "type", reason: "\(type.rawValue) never comes from a \(source.role.rawValue)")
        }
        guard case .object(let data)? = object["data"] else {
            throw EnvelopeError(attribute: "data", reason: "expected an object, found \(object["data"]?.shape ?? "nothing")")
        }
        if object["datacontenttype"] != nil, try text("datacontenttype") != "application/json" {
            throw EnvelopeError(attribute: "datacontenttype", reason: "expected application/json")
        }
        return Envelope(
            id: id, type: type, source: source,
            time: try required("time", "RFC 3339 in UTC") { Timestamp($0) },
            subject: try optional("subject", "a request's UUID in lower case") { RequestID($0) },
            lane: try lane(),
            recipient: try optional("recipient", "a participant's identifier") { ParticipantID($0) },
            service: try optional("service", "a service's identifier") { ServiceID($0) },
            contract: try optional("contract", "a whole number from 1 in quotes, without leading zeros") { AttributeReader.contract($0) },
            causationID: try optional("causationid", "a message's identifier") { $0.utf8.count <= 128 ? $0 : nil },
            expiry: try optional("expirytime", "RFC 3339 in UTC") { Timestamp($0) },
            data: data)
    }

    /// One number has one text: what is signed as `01` must not be answered as `1`.
    private static func contract(_ text: String) -> Int64? {
        guard let value = Int64(text), (1...Envelope.contractMax).contains(value), String(value) == text else { return nil }
        return value
    }

    private func lane() throws(EnvelopeError) -> LanePosition? {
        let epoch = try optional("journal", "an epoch's UUID") { EpochID($0) }
        let sequence = try optional("sequence", "20 digits, from 1 to \(LanePosition.sequenceMax)") { text -> Int64? in
            guard text.utf8.count == 20, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let value = Int64(text),
                (1...LanePosition.sequenceMax).contains(value)
            else { return nil }
            return value
        }
        let chain = try optional("chain", "43 characters of base64url") { $0.utf8.count == 43 ? $0 : nil }
        guard let epoch, let sequence else {
            guard epoch == nil, sequence == nil, chain == nil else {
                throw EnvelopeError(attribute: "sequence", reason: "journal, sequence and chain come together")
            }
            return nil
        }
        guard (chain == nil) == (sequence == 1) else {
            throw EnvelopeError(attribute: "chain", reason: "absent at sequence 1 and there only")
        }
        return LanePosition(epoch: epoch, sequence: sequence, chain: chain)
    }

    private func text(_ key: String) throws(EnvelopeError) -> String {
        guard let value = object[key] else { throw EnvelopeError(attribute: key, reason: "missing") }
        guard let text = value.string else {
            throw EnvelopeError(attribute: key, reason: "expected a string, found \(value.shape)")
        }
        return text
    }

    private func required<Value>(
        _ key: String, _ expected: String, _ convert: (String) -> Value?
    ) throws(EnvelopeError) -> Value {
        let text = try text(key)
        guard let value = convert(text) else {
            throw EnvelopeError(
                attribute: key, reason: "expected \(expected), found a string of \(text.utf8.count) bytes")
        }
        return value
    }

    private func optional<Value>(
        _ key: String, _ expected: String, _ convert: (String) -> Value?
    ) throws(EnvelopeError) -> Value? {
        object[key] == nil ? nil : try required(key, expected, convert)
    }
}
