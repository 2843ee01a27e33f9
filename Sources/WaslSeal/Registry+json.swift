public import WaslModel

extension Registry {
    /// Reads a registry after its signature was verified.
    ///
    /// - Throws: ``SealError`` naming the member.
    public init(_ json: JSON) throws(SealError) {
        guard let version = json["version"]?.integer, version >= 1 else {
            throw SealError(.malformed, "version: expected a whole number from 1")
        }
        guard let list = json["participants"]?.array else {
            throw SealError(.malformed, "participants: expected an array")
        }
        var participants: [Participant] = []
        for (index, element) in list.enumerated() {
            if let participant = try Participant(element, at: "participants[\(index)]") { participants.append(participant) }
        }
        var approvals: [Approval] = []
        for (index, element) in try Registry.list(json, "approvals").enumerated() {
            if let approval = try Approval(element, at: "approvals[\(index)]") { approvals.append(approval) }
        }
        var delegations: [Delegation] = []
        for (index, element) in try Registry.list(json, "delegations").enumerated() {
            delegations.append(try Delegation(element, at: "delegations[\(index)]"))
        }
        var rotations: [RootRotation] = []
        for (index, element) in try Registry.list(json, "rotations").enumerated() {
            rotations.append(try RootRotation(element, at: "rotations[\(index)]"))
        }
        var root: PublicJWK?
        if let jwk = json["root"] {
            do { root = try PublicJWK(jwk) } catch { throw SealError(.malformed, "root.\(error.reason)") }
        }
        var archive: RegistryArchive.Name?
        if let name = json["archive"] { archive = try RegistryArchive.Name(name, at: "archive") }
        try self.init(
            version: version, issued: Registry.time(json, "issued", at: "registry"),
            expires: Registry.time(json, "expires", at: "registry"), participants: participants, delegations: delegations,
            approvals: approvals, archive: archive, root: root, rotations: rotations)
    }

    public var json: JSON {
        var object: JSONObject = [
            "version": .integer(version), "issued": .string(issued.description), "expires": .string(expires.description),
        ]
        if let root { object["root"] = root.json }
        if !rotations.isEmpty { object["rotations"] = .array(rotations.map(\.json)) }
        if let archive { object["archive"] = archive.json }
        object["delegations"] = .array(delegations.map(\.json))
        if !approvals.isEmpty { object["approvals"] = .array(approvals.map(\.json)) }
        object["participants"] = .array(participants.values.sorted { $0.id < $1.id }.map(\.json))
        return .object(object)
    }

    static func time(_ json: JSON, _ key: String, at place: String) throws(SealError) -> Timestamp {
        guard let value = json[key]?.string.flatMap({ Timestamp($0) }) else {
            throw SealError(.malformed, "\(place).\(key): expected RFC 3339 in UTC")
        }
        return value
    }

    /// A list that may be left out.
    private static func list(_ json: JSON, _ key: String) throws(SealError) -> [JSON] {
        guard let value = json[key] else { return [] }
        guard let list = value.array else { throw SealError(.malformed, "\(key): expected an array") }
        return list
    }
}

extension Registry.Participant {
    /// `nil` for a role that this version does not know: such a one cannot be placed, and speaks to nobody here.
    fileprivate init?(_ json: JSON, at place: String) throws(SealError) {
        guard let id = json["id"]?.string.flatMap({ ParticipantID($0) }) else {
            throw SealError(.malformed, "\(place).id: expected a participant's identifier")
        }
        guard let roleWord = json["role"]?.string else {
            throw SealError(.malformed, "\(place).role: expected house, agency or ledger")
        }
        guard let role = Role(rawValue: roleWord) else { return nil }
        guard let names = json["names"], let ar = names["ar"]?.string, let fr = names["fr"]?.string,
            let en = names["en"]?.string
        else { throw SealError(.malformed, "\(place).names: expected ar, fr and en") }
        guard let stateWord = json["state"]?.string else {
            throw SealError(.malformed, "\(place).state: expected active or suspended")
        }
        // Whatever a later version calls a state, only `active` gives a voice.
        let state = Registry.State(rawValue: stateWord) ?? .suspended
        var services: [ServiceID: String] = [:]
        for (index, element) in (json["services"]?.array ?? []).enumerated() {
            guard let service = element["service"]?.string.flatMap({ ServiceID($0) }),
                let delegation = element["delegation"]?.string
            else { throw SealError(.malformed, "\(place).services[\(index)]: expected service and delegation") }
            services[service] = delegation
        }
        self.init(
            id: id, role: role, names: LocalizedText(ar: ar, fr: fr, en: en), governorate: json["governorate"]?.string,
            isMobile: json["mobile"]?.bool ?? false, isPlaceholder: json["placeholder"]?.bool ?? false, state: state,
            keys: try Registry.Key.list(json["keys"], at: place), services: services)
    }

    fileprivate var json: JSON {
        var object: JSONObject = [
            "id": .string(id.text), "role": .string(role.rawValue), "names": names.json,
            "state": .string(state.rawValue), "keys": .array(keys.map(\.json)),
        ]
        if let governorate { object["governorate"] = .string(governorate) }
        if isMobile { object["mobile"] = true }
        if isPlaceholder { object["placeholder"] = true }
        return .object(object)
    }
}

extension Registry.Key {
    /// Keys of a participant. Those for uses, or of kinds, that this version does not know are passed over.
    static func list(_ json: JSON?, at place: String) throws(SealError) -> [Registry.Key] {
        var keys: [Registry.Key] = []
        for (index, element) in (json?.array ?? []).enumerated() {
            if let key = try Registry.Key(element, at: "\(place).keys[\(index)]") { keys.append(key) }
        }
        return keys
    }

    private init?(_ json: JSON, at place: String) throws(SealError) {
        guard let word = json["use"]?.string else { throw SealError(.malformed, "\(place).use: expected sig, enc or person") }
        guard let use = Registry.KeyUse(rawValue: word) else { return nil }
        guard let jwkJSON = json["jwk"] else { throw SealError(.malformed, "\(place).jwk: missing") }
        guard let kind = jwkJSON["kty"]?.string else { throw SealError(.malformed, "\(place).jwk.kty: expected OKP") }
        if kind != "OKP" { return nil }
        if let curve = jwkJSON["crv"]?.string, Curve(rawValue: curve) == nil { return nil }
        let jwk: PublicJWK
        do { jwk = try PublicJWK(jwkJSON) } catch { throw SealError(.malformed, "\(place).jwk.\(error.reason)") }
        guard (jwk.curve == .x25519) == (use == .sealing) else {
            throw SealError(.malformed, "\(place): curve \(jwk.curve.rawValue) does not fit use \(use.rawValue)")
        }
        func optionalTime(_ key: String) throws(SealError) -> Timestamp? {
            json[key] == nil ? nil : try Registry.time(json, key, at: place)
        }
        self.init(
            jwk: jwk, use: use, holder: json["holder"]?.string, from: try Registry.time(json, "from", at: place),
            until: try optionalTime("until"), revoked: try optionalTime("revoked"))
    }

    /// Without `kid`: a thumbprint is of the key's own members, and a registry has many keys.
    public var json: JSON {
        var members = jwk.json.object
        members?["kid"] = nil
        var object: JSONObject = [
            "use": .string(use.rawValue), "jwk": members.map(JSON.object) ?? jwk.json, "from": .string(from.description),
        ]
        if let holder { object["holder"] = .string(holder) }
        if let until { object["until"] = .string(until.description) }
        if let revoked { object["revoked"] = .string(revoked.description) }
        return .object(object)
    }
}
