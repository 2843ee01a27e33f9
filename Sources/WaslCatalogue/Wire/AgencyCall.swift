package import WaslModel

/// A call as `call.jq` or `lookup.jq` describes it.
package struct AgencyCall: Sendable {
    package let method: String
    package let path: String
    package private(set) var headers: [(name: String, value: String)]
    package let body: JSON?

    /// - Throws: ``CallError`` naming the member.
    package init(_ json: JSON) throws {
        guard let method = json["method"]?.string, ["GET", "POST", "PUT", "DELETE"].contains(method) else {
            throw CallError("method: expected GET, POST, PUT or DELETE")
        }
        guard let path = json["path"]?.string, path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CallError("path: expected an absolute path in visible ASCII")
        }
        var headers: [(name: String, value: String)] = []
        // Members are told by their place: a program may have made a name of what a citizen wrote.
        for (index, (name, value)) in (json["headers"]?.object?.members ?? []).enumerated() {
            guard AgencyCall.isHeaderName(name) else {
                throw CallError("headers, member \(index + 1): its name is no header's; expected letters, digits and !#$%&'*+-.^_`|~")
            }
            guard let text = value.string, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
                throw CallError("headers, member \(index + 1): expected a text in ASCII, found \(value.shape)")
            }
            headers.append((name, text))
        }
        if let unknown = json.object?.keys.firstIndex(where: { !["method", "path", "headers", "body"].contains($0) }) {
            throw CallError("member \(unknown + 1): a call has method, path, headers and body")
        }
        self.method = method
        self.path = path
        self.headers = headers
        body = json["body"]
    }

    /// A token (RFC 9110 section 5.6.2).
    private static func isHeaderName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
    }

    package mutating func set(header name: String, to value: String) {
        headers.removeAll { $0.name.lowercased() == name.lowercased() }
        headers.append((name, value))
    }

    /// The call as it goes over the wire, for whoever wants to see it: the host and what the client adds besides are left out.
    package func text(_ form: WireForm) throws -> String {
        var lines = ["\(method) \(path)"] + headers.map { "\($0.name): \($0.value)" }
        if let body {
            let encoded = try form.encode(body)
            lines += ["content-type: \(encoded.type)", "", String(decoding: encoded.bytes, as: UTF8.self)]
        }
        return lines.joined(separator: "\n")
    }
}

/// Why a program's value is no call, or its body has not the agency's form.
package struct CallError: Error, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
