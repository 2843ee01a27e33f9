import WaslModel

/// Reads the XML that agencies answer with: elements, attributes, text, CDATA, comments, the five entities and character references, in
/// UTF-8. No document type. Names lose their prefix; depth is bounded. Whatever else comes is an error, never a crash (decision 0009).
struct XMLReader {
    private let bytes: [UInt8]
    private var at = 0

    private static let depthMax = 64

    static func parse(_ bytes: [UInt8]) throws(XMLTree.Failure) -> JSON {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw XMLTree.Failure(description: "not UTF-8") }
        var reader = XMLReader(bytes: bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.at = 3 }
        try reader.skipBetweenElements()
        guard reader.peek() == UInt8(ascii: "<") else { throw reader.failure("expected an element") }
        let (name, value) = try reader.element(depth: 0)
        try reader.skipBetweenElements()
        guard reader.at == bytes.count else { throw reader.failure("something follows the root element") }
        return .object([name: value])
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func failure(_ reason: String) -> XMLTree.Failure { XMLTree.Failure(description: "byte \(at): \(reason)") }

    private func peek(_ offset: Int = 0) -> UInt8? { at + offset < bytes.count ? bytes[at + offset] : nil }

    private func looking(at text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard at + length <= bytes.count else { return false }
        return text.withUTF8Buffer { $0.elementsEqual(bytes[at..<at + length]) }
    }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { at += 1 }
    }

    /// Moves past the next `text`.
    private mutating func skip(through text: StaticString) throws(XMLTree.Failure) {
        while at < bytes.count {
            if looking(at: text) {
                at += text.utf8CodeUnitCount
                return
            }
            at += 1
        }
        throw failure("the text ends before `\(text)`")
    }

    private mutating func skipBetweenElements() throws(XMLTree.Failure) {
        while true {
            skipSpace()
            if looking(at: "<!--") {
                at += 4
                try skip(through: "-->")
            } else if looking(at: "<?") {
                at += 2
                try skip(through: "?>")
            } else if looking(at: "<!") {
                throw failure("a document type is not accepted")
            } else {
                return
            }
        }
    }

    /// A name without its prefix.
    private mutating func name() throws(XMLTree.Failure) -> (local: String, prefix: String) {
        let start = at
        while let byte = peek(), !" \t\r\n/><=\"'&;".utf8.contains(byte) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let last = parts.last, !last.isEmpty, parts.count <= 2, let first = last.unicodeScalars.first,
            first.properties.isAlphabetic || first == "_"
        else { throw failure("`\(text.prefix(40))` is not a name") }
        return (String(last), parts.count == 2 ? String(parts[0]) : "")
    }

    private mutating func element(depth: Int) throws(XMLTree.Failure) -> (name: String, value: JSON) {
        guard depth < XMLReader.depthMax else { throw failure("deeper than \(XMLReader.depthMax) elements") }
        at += 1
        let start = at
        let (local, _) = try name()
        let written = Array(bytes[start..<at])
        var members = try attributes()
        if looking(at: "/>") {
            at += 2
            return (local, members.isEmpty ? .string("") : .object(members))
        }
        guard peek() == UInt8(ascii: ">") else { throw failure("expected `>`") }
        at += 1
        var text: [UInt8] = []
        while true {
            guard let byte = peek() else { throw failure("`\(local)` does not end") }
            if looking(at: "</") {
                at += 2
                guard bytes[at...].starts(with: written) else { throw failure("expected the end of `\(local)`") }
                at += written.count
                skipSpace()
                guard peek() == UInt8(ascii: ">") else { throw failure("expected `>`") }
                at += 1
                break
            } else if looking(at: "<![CDATA[") {
                at += 9
                let from = at
                try skip(through: "]]>")
                text += bytes[from..<(at - 3)]
            } else if byte == UInt8(ascii: "<"), peek(1) == UInt8(ascii: "!") || peek(1) == UInt8(ascii: "?") {
                try skipBetweenElements()
            } else if byte == UInt8(ascii: "<") {
                let (name, value) = try element(depth: depth + 1)
                switch members[name] {
                case nil: members[name] = value
                case .array(let elements)?: members[name] = .array(elements + [value])
                case let first?: members[name] = .array([first, value])
                }
            } else if byte == UInt8(ascii: "&") {
                text += try reference()
            } else {
                text.append(byte)
                at += 1
            }
        }
        let trimmed = String(decoding: text.trimmingSpace(), as: UTF8.self)
        if members.isEmpty { return (local, .string(trimmed)) }
        if !trimmed.isEmpty, members.keys.allSatisfy({ $0.hasPrefix("@") }) { members["#text"] = .string(trimmed) }
        return (local, .object(members))
    }

    private mutating func attributes() throws(XMLTree.Failure) -> JSONObject {
        var members = JSONObject()
        while true {
            skipSpace()
            guard let byte = peek() else { throw failure("the text ends inside a tag") }
            if byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/") { return members }
            let (local, prefix) = try name()
            skipSpace()
            guard peek() == UInt8(ascii: "=") else { throw failure("expected `=`") }
            at += 1
            skipSpace()
            guard let quote = peek(), quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { throw failure("expected a quote") }
            at += 1
            var value: [UInt8] = []
            while let byte = peek(), byte != quote {
                if byte == UInt8(ascii: "<") { throw failure("`<` in an attribute") }
                if byte == UInt8(ascii: "&") {
                    value += try reference()
                } else {
                    value.append(byte)
                    at += 1
                }
            }
            guard peek() == quote else { throw failure("an attribute does not end") }
            at += 1
            if prefix == "xmlns" || local == "xmlns" { continue }
            guard members["@" + local] == nil else { throw failure("attribute `\(local)` comes twice") }
            members["@" + local] = .string(String(decoding: value, as: UTF8.self))
        }
    }

    /// `&lt;`, `&#233;`, `&#xE9;`: nothing that grows.
    private mutating func reference() throws(XMLTree.Failure) -> [UInt8] {
        let start = at + 1
        guard let end = bytes[start..<min(bytes.count, start + 10)].firstIndex(of: UInt8(ascii: ";")) else {
            throw failure("`&` without `;`")
        }
        let text = String(decoding: bytes[start..<end], as: UTF8.self)
        let known: [String: String] = ["lt": "<", "gt": ">", "amp": "&", "quot": "\"", "apos": "'"]
        let character: String?
        if text.hasPrefix("#x") {
            character = XMLReader.character(UInt32(text.dropFirst(2), radix: 16))
        } else if text.hasPrefix("#") {
            character = XMLReader.character(UInt32(text.dropFirst()))
        } else {
            character = known[text]
        }
        guard let character else { throw failure("`&\(text);` is not known") }
        at = end + 1
        return Array(character.utf8)
    }

    /// The characters that XML 1.0 allows (section 2.2).
    private static func character(_ code: UInt32?) -> String? {
        guard let code, code == 0x9 || code == 0xA || code == 0xD || code >= 0x20, code != 0xFFFE, code != 0xFFFF else { return nil }
        return Unicode.Scalar(code).map { String(Character($0)) }
    }
}

extension [UInt8] {
    fileprivate func trimmingSpace() -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else { return [] }
        return self[first...last]
    }
}
