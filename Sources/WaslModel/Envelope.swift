/// Who speaks: a message's `source`, such as `/houses/hydra` or `/ledger`.
public struct Source: Sendable, Hashable, CustomStringConvertible {
    public let role: Role
    public let participant: ParticipantID

    public init(role: Role, participant: ParticipantID) {
        self.role = role
        self.participant = participant
    }

    public init?(_ text: String) {
        let parts = text.pieces(UInt8(ascii: "/"))
        if text == "/ledger" {
            self.init(role: .ledger, participant: .ledger)
        } else if parts.count == 3, parts[0].isEmpty, let participant = ParticipantID(String(parts[2])),
            let role = [Role.house, .agency].first(where: { $0.sourceFolder == parts[1] })
        {
            self.init(role: role, participant: participant)
        } else {
            return nil
        }
    }

    public var description: String {
        role == .ledger ? "/ledger" : "/\(role.sourceFolder)/\(participant)"
    }
}

/// Where a message stands in its journal: the epoch, the gapless number from 1, the hash of the message before.
public struct LanePosition: Sendable, Hashable {
    public let epoch: EpochID
    public let sequence: Int64
    /// Base64url SHA-256 of the previous message's exact body; `nil` at 1.
    public let chain: String?

    public init(epoch: EpochID, sequence: Int64, chain: String?) {
        self.epoch = epoch
        self.sequence = sequence
        self.chain = chain
    }

    /// What I-JSON counts exactly (RFC 7493 section 2.2): no arithmetic on numbers from outside can overflow.
    public static let sequenceMax: Int64 = 1 << 53

    /// 20 digits, so that texts sort as numbers do.
    public static func sequenceText(_ sequence: Int64) -> String {
        let digits = String(sequence)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }
}

/// One message of the wire contract, section 3: a CloudEvents 1.0 JSON object in structured mode.
public struct Envelope: Sendable, Hashable {
    public var id: String
    public var type: MessageType
    public var source: Source
    public var time: Timestamp
    public var subject: RequestID?
    public var lane: LanePosition?
    public var recipient: ParticipantID?
    public var service: ServiceID?
    public var contract: Int64?
    public var causationID: String?
    public var expiry: Timestamp?
    public var data: JSONObject

    public init(
        id: String, type: MessageType, source: Source, time: Timestamp, subject: RequestID? = nil,
        lane: LanePosition? = nil, recipient: ParticipantID? = nil, service: ServiceID? = nil, contract: Int64? = nil,
        causationID: String? = nil, expiry: Timestamp? = nil, data: JSONObject = [:]
    ) {
        self.id = id
        self.type = type
        self.source = source
        self.time = time
        self.subject = subject
        self.lane = lane
        self.recipient = recipient
        self.service = service
        self.contract = contract
        self.causationID = causationID
        self.expiry = expiry
        self.data = data
    }

    public static let contentType = "application/cloudevents+json; charset=utf-8"
    public static let bytesMax = 256 * 1024
    /// What I-JSON counts exactly, as for ``LanePosition/sequenceMax``.
    public static let contractMax: Int64 = 1 << 53

    /// The body's exact bytes.
    public func encoded() -> [UInt8] {
        var members: [(key: String, value: JSON)] = [
            ("specversion", "1.0"), ("id", .string(id)), ("type", .string(type.rawValue)),
            ("source", .string(source.description)), ("time", .string(time.description)),
        ]
        members.reserveCapacity(16)
        func put(_ key: String, _ value: String?) { if let value { members.append((key, .string(value))) } }
        put("subject", subject?.text)
        put("journal", lane?.epoch.text)
        put("sequence", lane.map { LanePosition.sequenceText($0.sequence) })
        put("chain", lane?.chain)
        put("recipient", recipient?.text)
        put("service", service?.text)
        put("contract", contract.map(String.init))
        put("causationid", causationID)
        put("expirytime", expiry?.description)
        put("datacontenttype", "application/json")
        members.append(("data", .object(data)))
        return JSON.object(JSONObject(unique: members)).bytes
    }
}
