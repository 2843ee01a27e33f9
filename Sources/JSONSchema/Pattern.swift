import Foundation

/// A regular expression of ECMA-262 in Unicode mode, as schemas use it (Core section 6.4).
///
/// The forms that most identifiers need run over the bytes; the others by the system's engine, in its own dialect.
struct Pattern: @unchecked Sendable {
    // `NSRegularExpression` is immutable and documented as safe from any thread.
    private let sequence: ByteSequence?
    private let expression: NSRegularExpression

    /// - Throws: ``Failure`` saying what is not of the language.
    init(_ text: String) throws {
        do { expression = try NSRegularExpression(pattern: try Pattern.translate(text)) } catch let error as Failure { throw error } catch {
            throw Failure(reason: "not a regular expression")
        }
        sequence = ByteSequence(text)
    }

    struct Failure: Error { let reason: String }

    /// Whether it is found anywhere in the text.
    func matches(_ text: String) -> Bool {
        if let sequence { return sequence.matches(text) }
        return expression.firstMatch(in: text, range: NSRange(location: 0, length: text.utf16.count)) != nil
    }

    private static let space = "\\t\\n\\u000B\\f\\r\\u00A0\\uFEFF\\p{Z}"

    /// From ECMA-262's dialect to ICU's: there `\d` and `\w` hold all of Unicode, `$` stops before a last line break, and `[` nests.
    private static func translate(_ text: String) throws -> String {
        var output = ""
        var rest = text[...]
        var isInClass = false
        while let character = rest.popFirst() {
            switch character {
            case "\\": output += try translateEscape(&rest, isInClass: isInClass)
            case "[":
                output += isInClass ? "\\[" : "["
                if !isInClass, rest.first == "^" { output.append(rest.removeFirst()) }
                isInClass = true
            case "]":
                isInClass = false
                output += "]"
            case "&" where isInClass: output += "\\&"
            case "$" where !isInClass: output += "\\z"
            case "(" where !isInClass && rest.first == "?":
                guard let kind = rest.dropFirst().first, ":=!<".contains(kind) else { throw Failure(reason: "a group that is not known") }
                output += "("
            default: output.append(character)
            }
        }
        return output
    }

    private static func translateEscape(_ rest: inout Substring, isInClass: Bool) throws -> String {
        guard let escaped = rest.popFirst() else { throw Failure(reason: "a backslash at the end") }
        switch escaped {
        case "d": return isInClass ? "0-9" : "[0-9]"
        case "D": return "[^0-9]"
        case "w": return isInClass ? "A-Za-z0-9_" : "[A-Za-z0-9_]"
        case "W": return "[^A-Za-z0-9_]"
        case "s": return isInClass ? space : "[\(space)]"
        case "S": return "[^\(space)]"
        case "v": return "\\u000B"
        case "0": return "\\u0000"
        case "u" where rest.first == "{": return "\\x"
        case "t", "n", "r", "f", "c", "x", "u", "p", "P", "b", "B", "k", "1"..."9": return "\\\(escaped)"
        case "^", "$", "\\", ".", "*", "+", "?", "(", ")", "[", "]", "{", "}", "|", "/", "-": return "\\\(escaped)"
        default: throw Failure(reason: "`\\\(escaped)` is no escape")
        }
    }
}

/// `^` pieces `$`, each piece some ASCII characters so many times, and never a doubt where one ends and the next begins: then going
/// forward greedily is exact.
private struct ByteSequence {
    private struct Piece {
        var low: UInt64 = 0
        var high: UInt64 = 0
        var least = 1
        var most = 1

        mutating func insert(_ byte: UInt8) { if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) } }
        func contains(_ byte: UInt8) -> Bool {
            byte < 64 ? low >> UInt64(byte) & 1 == 1 : byte < 128 && high >> UInt64(byte - 64) & 1 == 1
        }
        func meets(_ other: Piece) -> Bool { low & other.low != 0 || high & other.high != 0 }
    }

    private let pieces: [Piece]

    /// `nil` when the expression is not of this form.
    init?(_ text: String) {
        var rest = Array(text.utf8)[...]
        guard rest.popFirst() == UInt8(ascii: "^"), rest.popLast() == UInt8(ascii: "$"), rest.last != UInt8(ascii: "\\") else { return nil }
        var pieces: [Piece] = []
        while !rest.isEmpty {
            guard var piece = ByteSequence.characters(&rest), ByteSequence.count(&rest, &piece) else { return nil }
            pieces.append(piece)
        }
        for (index, piece) in pieces.enumerated() where piece.least != piece.most {
            for next in pieces[(index + 1)...] {
                if piece.meets(next) { return nil }
                if next.least > 0 { break }
            }
        }
        self.pieces = pieces
    }

    func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var at = 0
            for piece in pieces {
                var count = 0
                while count < piece.most, at < bytes.count, piece.contains(bytes[at]) {
                    at += 1
                    count += 1
                }
                if count < piece.least { return false }
            }
            return at == bytes.count
        }
    }

    private static func characters(_ rest: inout ArraySlice<UInt8>) -> Piece? {
        var piece = Piece()
        guard let first = rest.popFirst(), first < 0x80 else { return nil }
        switch first {
        case UInt8(ascii: "["):
            guard rest.first != UInt8(ascii: "^") else { return nil }
            while let byte = rest.popFirst(), byte != UInt8(ascii: "]") {
                guard byte < 0x80, byte != UInt8(ascii: "["), byte != UInt8(ascii: "\\") else { return nil }
                if rest.first == UInt8(ascii: "-"), let end = rest.dropFirst().first, end != UInt8(ascii: "]") {
                    guard end < 0x80, byte <= end else { return nil }
                    for member in byte...end { piece.insert(member) }
                    rest.removeFirst(2)
                } else {
                    piece.insert(byte)
                }
            }
            return rest.startIndex > 0 ? piece : nil
        case UInt8(ascii: "\\"):
            guard let escaped = rest.popFirst() else { return nil }
            if escaped == UInt8(ascii: "d") {
                for digit in UInt8(ascii: "0")...UInt8(ascii: "9") { piece.insert(digit) }
            } else if ".*+?()[]{}|/^$-".utf8.contains(escaped) {
                piece.insert(escaped)
            } else {
                return nil
            }
        default:
            guard !".*+?()]{}|^$".utf8.contains(first) else { return nil }
            piece.insert(first)
        }
        return piece
    }

    private static func count(_ rest: inout ArraySlice<UInt8>, _ piece: inout Piece) -> Bool {
        switch rest.first {
        case UInt8(ascii: "?"): (piece.least, piece.most) = (0, 1)
        case UInt8(ascii: "*"): (piece.least, piece.most) = (0, .max)
        case UInt8(ascii: "+"): (piece.least, piece.most) = (1, .max)
        case UInt8(ascii: "{"):
            guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { return false }
            let bounds = String(decoding: rest[rest.startIndex..<end].dropFirst(), as: UTF8.self).split(
                separator: ",", omittingEmptySubsequences: false)
            guard let least = bounds.first.flatMap({ Int($0) }), bounds.count <= 2 else { return false }
            let most = bounds.count == 1 ? least : bounds[1].isEmpty ? .max : Int(bounds[1]) ?? -1
            guard most >= least else { return false }
            (piece.least, piece.most) = (least, most)
            rest = rest[end...]
        default: return true
        }
        rest.removeFirst()
        // A lazy or doubled count is left to the engine.
        return !rest.first.map { "?*+{".utf8.contains($0) }.isTrue
    }
}

extension Bool? {
    fileprivate var isTrue: Bool { self == true }
}
