/// Why a text is not JSON that we accept, and where.
public struct JSONParseError: Error, Sendable, Hashable, CustomStringConvertible {
    public let offset: Int
    public let reason: String

    public var description: String { "not acceptable JSON at byte \(offset): \(reason)" }
}

extension JSON {
    /// Parses one I-JSON text (RFC 7493): UTF-8, no duplicate keys, nothing after the value.
    ///
    /// - Parameter depthMax: nesting past which the text is refused, so that no input can exhaust the stack.
    /// - Throws: ``JSONParseError``
    public static func parse(_ bytes: [UInt8], depthMax: Int = 64) throws -> JSON {
        try bytes.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: buffer, depthMax: depthMax)
            return try parser.parseDocument()
        }
    }

    public static func parse(_ text: String) throws -> JSON { try parse(Array(text.utf8)) }
}

/// A recursive-descent parser over borrowed bytes; `depthMax` bounds the recursion.
private struct JSONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    let depthMax: Int
    var at = 0

    init(bytes: UnsafeBufferPointer<UInt8>, depthMax: Int) {
        self.bytes = bytes
        self.depthMax = depthMax
    }

    func failure(_ reason: String) -> JSONParseError { JSONParseError(offset: at, reason: reason) }

    mutating func parseDocument() throws -> JSON {
        let value = try parseValue(depth: 0)
        skipSpace()
        guard at == bytes.count else { throw failure("something follows the value") }
        return value
    }

    mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x0D || bytes[at] == 0x09 {
            at += 1
        }
    }

    mutating func parseValue(depth: Int) throws -> JSON {
        guard depth <= depthMax else { throw failure("nested deeper than \(depthMax)") }
        skipSpace()
        guard at < bytes.count else { throw failure("the text ends where a value is expected") }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try parseObject(depth: depth)
        case UInt8(ascii: "["): return try parseArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        default: return try parseNumber()
        }
    }

    mutating func parseWord(_ word: StaticString, _ value: JSON) throws -> JSON {
        let length = word.utf8CodeUnitCount
        guard at + length <= bytes.count else { throw failure("the text ends inside a word") }
        for index in 0..<length where bytes[at + index] != word.utf8Start[index] {
            throw failure("expected `\(word)`")
        }
        at += length
        return value
    }

    mutating func parseObject(depth: Int) throws -> JSON {
        at += 1
        var members: [(key: String, value: JSON)] = []
        var places: [String: Int]?
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
            at += 1
            return .object(JSONObject())
        }
        while true {
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw failure("expected a key in quotes") }
            let keyOffset = at
            let key = try parseString()
            if places == nil, members.count == JSONObject.linearMax {
                places = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1.key, $0) })
            }
            let isDuplicate: Bool
            if places == nil {
                isDuplicate = members.contains { $0.key == key }
            } else {
                isDuplicate = places?.updateValue(members.count, forKey: key) != nil
            }
            if isDuplicate {
                throw JSONParseError(offset: keyOffset, reason: "a key of \(key.utf8.count) bytes comes twice in one object")
            }
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { throw failure("expected `:`") }
            at += 1
            members.append((key, try parseValue(depth: depth + 1)))
            skipSpace()
            guard at < bytes.count else { throw failure("the text ends inside an object") }
            at += 1
            if bytes[at - 1] == UInt8(ascii: "}") { return .object(JSONObject(unique: members, places: places)) }
            guard bytes[at - 1] == UInt8(ascii: ",") else {
                at -= 1
                throw failure("expected `,` or `}`")
            }
        }
    }

    mutating func parseArray(depth: Int) throws -> JSON {
        at += 1
        var elements: [JSON] = []
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
            at += 1
            return .array([])
        }
        while true {
            elements.append(try parseValue(depth: depth + 1))
            skipSpace()
            guard at < bytes.count else { throw failure("the text ends inside an array") }
            at += 1
            if bytes[at - 1] == UInt8(ascii: "]") { return .array(elements) }
            guard bytes[at - 1] == UInt8(ascii: ",") else {
                at -= 1
                throw failure("expected `,` or `]`")
            }
        }
    }

    mutating func parseString() throws -> String {
        at += 1
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                let text = try text(from: start, to: at)
                at += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try parseEscapedString(from: start) }
            guard byte >= 0x20 else { throw failure("a control character stands bare in a string") }
            at += 1
        }
        throw failure("the text ends inside a string")
    }

    func text(from start: Int, to end: Int) throws -> String {
        guard let text = String(validating: UnsafeBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self) else {
            throw JSONParseError(offset: start, reason: "a string is not UTF-8")
        }
        return text
    }

    /// The slow path, from the first backslash on.
    mutating func parseEscapedString(from start: Int) throws -> String {
        var collected = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                at += 1
                guard let text = String(validating: collected, as: UTF8.self) else {
                    throw JSONParseError(offset: start, reason: "a string is not UTF-8")
                }
                return text
            }
            guard byte >= 0x20 else { throw failure("a control character stands bare in a string") }
            at += 1
            if byte != UInt8(ascii: "\\") {
                collected.append(byte)
                continue
            }
            guard at < bytes.count else { break }
            at += 1
            switch bytes[at - 1] {
            case UInt8(ascii: "\""): collected.append(UInt8(ascii: "\""))
            case UInt8(ascii: "\\"): collected.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "/"): collected.append(UInt8(ascii: "/"))
            case UInt8(ascii: "b"): collected.append(0x08)
            case UInt8(ascii: "f"): collected.append(0x0C)
            case UInt8(ascii: "n"): collected.append(0x0A)
            case UInt8(ascii: "r"): collected.append(0x0D)
            case UInt8(ascii: "t"): collected.append(0x09)
            case UInt8(ascii: "u"): collected.append(contentsOf: String(try parseUnicodeEscape()).utf8)
            default: throw failure("an unknown escape")
            }
        }
        throw failure("the text ends inside a string")
    }

    mutating func parseUnicodeEscape() throws -> Unicode.Scalar {
        let first = try parseFourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), at + 1 < bytes.count,
            bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u")
        else { throw failure("a surrogate without its pair") }
        at += 2
        let second = try parseFourHexDigits()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00))
        else { throw failure("a surrogate without its pair") }
        return scalar
    }

    mutating func parseFourHexDigits() throws -> UInt16 {
        guard at + 4 <= bytes.count else { throw failure("the text ends inside an escape") }
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = hexDigitValue(bytes[at]) else { throw failure("expected four hexadecimal digits") }
            value = value << 4 | UInt16(digit)
            at += 1
        }
        return value
    }

    mutating func parseNumber() throws -> JSON {
        let start = at
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        let integerStart = at
        skipDigits()
        guard at > integerStart else {
            at = start
            throw failure("expected a value")
        }
        guard at - integerStart == 1 || bytes[integerStart] != UInt8(ascii: "0") else {
            throw failure("a number starts with 0")
        }
        var isInteger = true
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            let fractionStart = at
            skipDigits()
            guard at > fractionStart else { throw failure("expected digits after the point") }
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: "e") || bytes[at] == UInt8(ascii: "E") {
            isInteger = false
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            let exponentStart = at
            skipDigits()
            guard at > exponentStart else { throw failure("expected digits in the exponent") }
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw failure("a number out of range") }
        return .number(value)
    }

    mutating func skipDigits() {
        while at < bytes.count, bytes[at] >= UInt8(ascii: "0"), bytes[at] <= UInt8(ascii: "9") { at += 1 }
    }
}

package func hexDigitValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
