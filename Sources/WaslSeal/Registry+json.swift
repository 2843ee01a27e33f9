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
            participants.append(try Participant(element, at: "participants[\(index)]"))
        }
        try self.init(
            version: version, issued: time(json, "issued", at: "registry"), expires: time(json, "expires", at: "registry"),
            participants: participants)
    }

    public var json: JSON {
        [
            "version": .integer(version), "issued": .string(issued.description), "expires": .string(expires.description),
            "participants": .array(participants.values.sorted { $0.id < $1.id }.map(\.json)),
        ]
    }
}

private func time(_ json: JSON, _ key: String, at place: String) throws(SealError) -> Timestamp {
    guard let value = json[key]?.string.flatMap({ Timestamp($0) }) else {
        throw SealError(.malformed, "\(place).\(key): expected RFC 3339 in UTC")
    }
    return value
}

extension Registry.Participant {
    fileprivate init(_ json: JSON, at place: String) throws(SealError) {
        guard let id = json["id"]?.string.flatMap({ ParticipantID($0) }) else {
            throw SealError(.malformed, "\(place).id: expected a participant's identifier")
        }
        guard let role = json["role"]?.string.flatMap(Role.init(rawValue:)) else {
            throw SealError(.malformed, "\(place).role: expected house, agency or ledger")
        }
        guard let names = json["names"], let ar = names["ar"]?.string, let fr = names["fr"]?.string,
            let en = names["en"]?.string
        else { throw SealError(.malformed, "\(place).names: expected ar, fr and en") }
        guard let state = json["state"]?.string.flatMap(Registry.State.init(rawValue:)) else {
            throw SealError(.malformed, "\(place).state: expected active or suspended")
        }
        var keys: [Registry.Key] = []
        for (index, element) in (json["keys"]?.array ?? []).enumerated() {
            keys.append(try Registry.Key(element, at: "\(place).keys[\(index)]"))
        }
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
            keys: keys, services: services)
    }

    fileprivate var json: JSON {
        var object: JSONObject = [
            "id": .string(id.text), "role": .string(role.rawValue), "names": names.json,
            "state": .string(state.rawValue), "keys": .array(keys.map(\.json)),
            "services": .array(
                services.sorted { $0.key < $1.key }.map {
                    ["service": .string($0.key.text), "delegation": .string($0.value)]
                }),
        ]
        if let governorate { object["governorate"] = .string(governorate) }
        if isMobile { object["mobile"] = true }
        if isPlaceholder { object["placeholder"] = true }
        return .object(object)
    }
}

extension Registry.Key {
    fileprivate init(_ json: JSON, at place: String) throws(SealError) {
        guard let use = json["use"]?.string.flatMap(Registry.KeyUse.init(rawValue:)) else {
            throw SealError(.malformed, "\(place).use: expected sig, enc or person")
        }
        guard let jwkJSON = json["jwk"] else { throw SealError(.malformed, "\(place).jwk: missing") }
        let jwk: PublicJWK
        do { jwk = try PublicJWK(jwkJSON) } catch { throw SealError(.malformed, "\(place).jwk.\(error.reason)") }
        guard (jwk.curve == .x25519) == (use == .sealing) else {
            throw SealError(.malformed, "\(place): curve \(jwk.curve.rawValue) does not fit use \(use.rawValue)")
        }
        func optionalTime(_ key: String) throws(SealError) -> Timestamp? {
            json[key] == nil ? nil : try time(json, key, at: place)
        }
        self.init(
            jwk: jwk, use: use, holder: json["holder"]?.string, from: try time(json, "from", at: place),
            until: try optionalTime("until"), revoked: try optionalTime("revoked"))
    }

    fileprivate var json: JSON {
        var object: JSONObject = [
            "use": .string(use.rawValue), "jwk": jwk.json, "from": .string(from.description),
        ]
        if let holder { object["holder"] = .string(holder) }
        if let until { object["until"] = .string(until.description) }
        if let revoked { object["revoked"] = .string(revoked.description) }
        return .object(object)
    }
}
