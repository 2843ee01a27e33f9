import WaslJournal
public import WaslModel

/// The AMQP side as an AsyncAPI 3.0 document, made from the same types that route messages: it cannot say something else than the code.
public struct AsyncAPIDocument {
    /// The schema of a message's `data`, by the type's word (`request.submitted`); `nil` where the type is reserved.
    private let schema: (String) throws -> JSON?

    /// - Parameter schema: reads `Schemas/messages/<word>.schema.json`.
    public init(schema: @escaping (String) throws -> JSON?) { self.schema = schema }

    public func json() throws -> JSON {
        var channels = JSONObject()
        var operations = JSONObject()
        var messages = JSONObject()
        for type in MessageType.allCases {
            guard let data = try schema(AsyncAPIDocument.word(type)) else { continue }
            messages[type.routingWord] = AsyncAPIDocument.message(type, data)
            for role in Role.allCases where type.mayCome(from: role) {
                guard let (exchange, address, parameters) = AsyncAPIDocument.route(type, role) else { continue }
                // One channel for each form of routing key: `wasl.requests` by agency, service and house.
                let name = ([exchange.rawValue] + parameters + (parameters.count == 1 ? [type.routingWord] : []))
                    .joined(separator: "-").replacing(".", with: "-")
                channels[name] = AsyncAPIDocument.channel(
                    exchange, address, parameters, adding: type, to: channels[name]?["messages"]?.object ?? [:])
                operations["\(role.rawValue)-\(type.routingWord)"] = [
                    "action": "send", "channel": ["$ref": .string("#/channels/\(name)")],
                    "summary": .string("What \(AsyncAPIDocument.words[role]!) says, confirmed by the broker"),
                    "messages": [["$ref": .string("#/channels/\(name)/messages/\(type.routingWord)")]],
                    "bindings": ["amqp": ["deliveryMode": 2, "mandatory": .bool(exchange.isMandatory), "bindingVersion": "0.3.0"]],
                ]
            }
        }
        return [
            "asyncapi": "3.0.0",
            "info": [
                "title": "Wasl over AMQP 0-9-1", "version": "1.0.0",
                "description":
                    "Exchanges, routing keys and messages of the wire contract, version 1. Queues are quorum queues: agency.<id>, house.<id>, control.<id>, ledger. Identity is the signature in the header wasl-signature; what it covers are the exact bytes of the body.",
            ],
            "defaultContentType": .string(Envelope.contentType), "channels": .object(channels), "operations": .object(operations),
            "components": ["messages": .object(messages)],
        ]
    }

    private static let words: [Role: String] = [.house: "a house", .agency: "an agency", .ledger: "the ledger"]

    private static func word(_ type: MessageType) -> String {
        String(type.rawValue.dropFirst("tn.wasl.".count).dropLast(".v1".count))
    }

    /// The route of a type from a role, with names in place of identifiers.
    private static func route(_ type: MessageType, _ role: Role) -> (Exchange, address: String, parameters: [String])? {
        let sender = role == .ledger ? ParticipantID.ledger : ParticipantID("sender-sender")!
        let recipient = ParticipantID("recipient-recipient")!
        guard
            let route = Route(
                type: type, from: sender, role: role, to: recipient, service: ServiceID("service.service")!)
        else { return nil }
        var address = route.key
        var parameters: [String] = []
        let names: [(String, String)] = [
            (recipient.text, route.exchange == .requests ? "agency" : route.exchange == .outcomes ? "house" : "participant"),
            ("service-service", "service"),
            (sender.text, route.exchange == .requests ? "house" : route.exchange == .outcomes ? "agency" : "participant"),
        ]
        for (text, name) in names where address.contains(text) {
            address = address.replacing(text, with: "{\(name)}")
            parameters.append(name)
        }
        return (route.exchange, address, parameters)
    }

    private static func channel(
        _ exchange: Exchange, _ address: String, _ parameters: [String], adding type: MessageType, to messages: JSONObject
    ) -> JSON {
        var messages = messages
        messages[type.routingWord] = ["$ref": .string("#/components/messages/\(type.routingWord)")]
        let descriptions = [
            "agency": "An agency's identifier, such as steg", "house": "A house's identifier, such as hydra",
            "participant": "A participant's identifier", "service": "A service's identifier with - for each dot, such as steg-bill-view",
        ]
        return [
            "address": .string(address),
            "parameters": .object(JSONObject(parameters.map { ($0, ["description": .string(descriptions[$0] ?? "")]) })),
            "messages": .object(messages),
            "bindings": [
                "amqp": [
                    "is": "routingKey",
                    "exchange": [
                        "name": .string(exchange.rawValue), "type": "topic", "durable": true, "autoDelete": false, "vhost": "wasl",
                    ],
                    "bindingVersion": "0.3.0",
                ]
            ],
        ]
    }

    private static func message(_ type: MessageType, _ data: JSON) -> JSON {
        let text: JSON = ["type": "string"]
        let time: JSON = ["type": "string", "format": "date-time"]
        let isTransient = type == .presence
        var required: [JSON] = ["specversion", "id", "type", "source", "time", "datacontenttype", "data"]
        if !isTransient { required += ["journal", "sequence"] }
        var properties: JSONObject = [
            "specversion": ["const": "1.0"], "id": text, "type": ["const": .string(type.rawValue)],
            "source": ["type": "string", "pattern": "^(/houses/[a-z][a-z0-9-]{1,30}|/agencies/[a-z][a-z0-9-]{1,30}|/ledger)$"],
            "time": time, "subject": ["type": "string", "format": "uuid"], "recipient": text, "service": text,
            "contract": [
                "type": "string", "pattern": "^[1-9][0-9]{0,15}$",
                "description": .string("A whole number from 1 to \(Envelope.contractMax), without leading zeros."),
            ],
            "causationid": text, "expirytime": time, "datacontenttype": ["const": "application/json"], "data": data,
        ]
        if !isTransient {
            properties["journal"] = ["type": "string", "format": "uuid"]
            properties["sequence"] = [
                "type": "string", "pattern": "^0000[0-9]{16}$",
                "description": .string("From 1 to \(LanePosition.sequenceMax), in 20 digits."),
            ]
            properties["chain"] = ["type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"]
        }
        return [
            "name": .string(type.rawValue), "contentType": .string(Envelope.contentType),
            "headers": [
                "type": "object", "required": ["wasl-signature"],
                "properties": [
                    "wasl-signature": [
                        "type": "string", "description": "Detached JWS (Ed25519, b64 false) over the exact bytes of the body",
                    ],
                    "traceparent": text,
                ],
            ],
            "payload": ["type": "object", "required": .array(required), "properties": .object(properties)],
        ]
    }
}
