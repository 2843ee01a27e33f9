import WaslModel

/// Reads the XML that agencies answer with: elements, attributes, text, CDATA, comments, the five entities and character references, in
/// UTF-8. No document type. Names lose their prefix; depth is bounded. Whatever else comes is an error, never a crash (decision 0009).
struct XMLReader {
    private let bytes: [UInt8]
    private var at = 0
    private var elements = 0

    private static let depthMax = 64
    /// No answer that an agency means has more; an element of four bytes becomes many times that in memory, here and in a translation.
    static let elementsMax = 200_000
    static let attributesMax = 1_000

    /// Elements inside one element, by their names in the order in which each came first.
    private struct Children {
        private var names: [String] = []
        private var values: [String: [JSON]] = [:]

        var isEmpty: Bool { names.isEmpty }

        /// In place: a list that is copied for each of its elements costs the square of them.
        mutating func append(_ value: JSON, named name: String) {
            values[name, default: []].append(value)
            if values[name]?.count == 1 { names.append(name) }
        }

        func add(to members: inout JSONObject) {
            for name in names {
                guard let all = values[name] else { continue }
                members[name] = all.count == 1 ? all[0] : .array(all)
            }
        }
    }

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
        let first = text.utf8Start[0]
        while let next = bytes[at...].firstIndex(of: first) {
            at = next
            if looking(at: text) {
                at += text.utf8CodeUnitCount
                return
            }
            at += 1
        }
        throw failure("the text ends before `\(text)`")
    }

    private mutating func skipBetweenElements() throws(XMLTree.Failure) {
        repeat { skipSpace() } while try skipCommentOrInstruction()
    }

    /// Exactly one: what follows it inside an element may be text, its spaces too, or CDATA.
    ///
    /// - Returns: whether there was one.
    private mutating func skipCommentOrInstruction() throws(XMLTree.Failure) -> Bool {
        if looking(at: "<!--") {
            at += 4
            try skip(through: "-->")
        } else if looking(at: "<?") {
            at += 2
            try skip(through: "?>")
        } else if looking(at: "<!") {
            throw failure("a document type is not accepted")
        } else {
            return false
        }
        return true
    }

    /// A name without its prefix.
    private mutating func name() throws(XMLTree.Failure) -> (local: String, prefix: String) {
        let start = at
        while let byte = peek(), !" \t\r\n/><=\"'&;".utf8.contains(byte) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let last = parts.last, !last.isEmpty, parts.count <= 2, let first = last.unicodeScalars.first,
            first.properties.isAlphabetic || first == "_"
        else { throw failure("\(at - start) bytes that are not a name") }
        return (String(last), parts.count == 2 ? String(parts[0]) : "")
    }

    private mutating func element(depth: Int) throws(XMLTree.Failure) -> (name: String, value: JSON) {
        guard depth < XMLReader.depthMax else { throw failure("deeper than \(XMLReader.depthMax) elements") }
        elements += 1
        guard elements <= XMLReader.elementsMax else { throw failure("more than \(XMLReader.elementsMax) elements") }
        at += 1
        let start = at
        let (local, _) = try name()
        let written = start..<at
        let attributes = try attributes()
        if looking(at: "/>") {
            at += 2
            return (local, attributes.isEmpty ? .string("") : .object(attributes))
        }
        guard peek() == UInt8(ascii: ">") else { throw failure("expected `>`") }
        at += 1
        var children = Children()
        var text: [UInt8] = []
        while true {
            text += plainText()
            guard let byte = peek() else { throw failure("the element at byte \(start - 1) does not end") }
            if byte == UInt8(ascii: "&") {
                text += try reference()
            } else if looking(at: "</") {
                at += 2
                guard bytes[at...].starts(with: bytes[written]) else {
                    throw failure("expected the end of the element at byte \(start - 1)")
                }
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
            } else if try skipCommentOrInstruction() {
                continue
            } else {
                let (name, value) = try element(depth: depth + 1)
                children.append(value, named: name)
            }
        }
        let trimmed = String(decoding: text.trimmingSpace(), as: UTF8.self)
        if attributes.isEmpty, children.isEmpty { return (local, .string(trimmed)) }
        var members = attributes
        if !trimmed.isEmpty, children.isEmpty { members["#text"] = .string(trimmed) }
        children.add(to: &members)
        return (local, .object(members))
    }

    /// What stands before the next tag or reference, taken as one piece.
    private mutating func plainText() -> ArraySlice<UInt8> {
        let start = at
        at = bytes[at...].firstIndex { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: "&") } ?? bytes.count
        return bytes[start..<at]
    }

    private mutating func attributes() throws(XMLTree.Failure) -> JSONObject {
        var members = JSONObject()
        var count = 0
        while true {
            skipSpace()
            guard let byte = peek() else { throw failure("the text ends inside a tag") }
            if byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/") { return members }
            count += 1
            guard count <= XMLReader.attributesMax else { throw failure("more than \(XMLReader.attributesMax) attributes of one element") }
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
            guard members["@" + local] == nil else { throw failure("an attribute comes twice") }
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
        guard let character else { throw failure("a reference that is not known") }
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
