extension JSON {
    /// The value as compact JSON text in UTF-8.
    public var bytes: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(256)
        write(to: &output, indent: nil)
        return output
    }

    /// The value as compact JSON text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The value as JSON text that a person reads: two spaces an indent.
    public var prettyText: String {
        var output: [UInt8] = []
        write(to: &output, indent: 0)
        return String(decoding: output, as: UTF8.self)
    }

    /// The value in RFC 8785 form: members sorted by UTF-16 code units, nothing between tokens.
    ///
    /// - Throws: ``JSONParseError`` when a number is not whole: what we canonicalise holds whole numbers only.
    public func canonicalBytes() throws -> [UInt8] {
        var output: [UInt8] = []
        try sorted().write(to: &output, indent: nil)
        return output
    }

    private func sorted() throws -> JSON {
        switch self {
        case .number: throw JSONParseError(offset: 0, reason: "a number with a fraction has no canonical form here")
        case .array(let elements): return .array(try elements.map { try $0.sorted() })
        case .object(let object):
            let members = object.members.sorted { Array($0.key.utf16).lexicographicallyPrecedes(Array($1.key.utf16)) }
            return .object(JSONObject(unique: try members.map { ($0.key, try $0.value.sorted()) }))
        default: return self
        }
    }

    func write(to output: inout [UInt8], indent: Int?) {
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): output.append(contentsOf: String(value).utf8)
        case .number(let value): output.append(contentsOf: String(value).utf8)
        case .string(let value): JSON.writeString(value, to: &output)
        case .array(let elements):
            writeList(elements, open: "[", close: "]", to: &output, indent: indent) { element, output, indent in
                element.write(to: &output, indent: indent)
            }
        case .object(let object):
            writeList(object.members, open: "{", close: "}", to: &output, indent: indent) { member, output, indent in
                JSON.writeString(member.key, to: &output)
                output.append(UInt8(ascii: ":"))
                if indent != nil { output.append(0x20) }
                member.value.write(to: &output, indent: indent)
            }
        }
    }

    private func writeList<Element>(
        _ elements: [Element], open: Character, close: Character, to output: inout [UInt8], indent: Int?,
        _ writeElement: (Element, inout [UInt8], Int?) -> Void
    ) {
        output.append(open.asciiValue!)
        let inner = indent.map { $0 + 2 }
        for (index, element) in elements.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            if let inner { output.append(contentsOf: [0x0A] + [UInt8](repeating: 0x20, count: inner)) }
            writeElement(element, &output, inner)
        }
        if let indent, !elements.isEmpty {
            output.append(contentsOf: [0x0A] + [UInt8](repeating: 0x20, count: indent))
        }
        output.append(close.asciiValue!)
    }

    /// Escapes as RFC 8785 section 3.2.2.2 says, which is also the shortest form.
    static func writeString(_ value: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { bytes in
            var start = 0
            for index in 0..<bytes.count where bytes[index] < 0x20 || bytes[index] == 0x22 || bytes[index] == 0x5C {
                output.append(contentsOf: bytes[start..<index])
                writeEscape(bytes[index], to: &output)
                start = index + 1
            }
            output.append(contentsOf: bytes[start...])
        }
        output.append(UInt8(ascii: "\""))
    }

    private static func writeEscape(_ byte: UInt8, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5C: output.append(byte)
        case 0x08: output.append(UInt8(ascii: "b"))
        case 0x09: output.append(UInt8(ascii: "t"))
        case 0x0A: output.append(UInt8(ascii: "n"))
        case 0x0C: output.append(UInt8(ascii: "f"))
        case 0x0D: output.append(UInt8(ascii: "r"))
        default: output.append(contentsOf: ("u00" + hexText([byte])).utf8)
        }
    }
}

/// Bytes as lower-case hexadecimal text.
public func hexText(_ bytes: some Sequence<UInt8>) -> String {
    var output: [UInt8] = []
    let digits = Array("0123456789abcdef".utf8)
    for byte in bytes {
        output.append(digits[Int(byte >> 4)])
        output.append(digits[Int(byte & 15)])
    }
    return String(decoding: output, as: UTF8.self)
}

/// The bytes of hexadecimal digits in lower case; `nil` where the text is something else.
public func hexBytes(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count % 2 == 0, digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).compactMap { at in
        guard let high = hexDigitValue(digits[at]), let low = hexDigitValue(digits[at + 1]) else { return nil }
        return high << 4 | low
    }
}
