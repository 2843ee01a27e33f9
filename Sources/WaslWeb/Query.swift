public import Hummingbird
import HummingbirdCore
import WaslModel

/// The words of an address's query, each read by its shape. What is not of it is a 400 that names the word.
public struct Query {
    private let words: FlatDictionary<Substring, Substring>

    init(_ request: Request) { words = request.uri.queryParameters }

    /// - Throws: ``Problem`` naming a word that the route does not know, or that comes twice.
    func check(known: [String]) throws {
        var seen: Set<Substring> = []
        for (name, value) in words where !name.isEmpty || !value.isEmpty {
            guard known.contains(String(name)) else {
                throw Problem.query(
                    String(name),
                    known.isEmpty ? "unknown; this path knows no query" : "unknown; known here: \(known.joined(separator: ", "))")
            }
            guard seen.insert(name).inserted else { throw Problem.query(String(name), "comes twice; send it once") }
        }
    }

    public func has(_ name: String) -> Bool { words.has(name[...]) }

    public func number(_ name: String, in range: ClosedRange<Int64>) throws -> Int64? {
        guard let text = words[name[...]] else { return nil }
        guard let number = wholeNumber(String(text)), range.contains(number) else {
            throw Problem.query(name, "expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// One of an enumeration's words, or whatever else has a text.
    ///
    /// - Parameter expected: the shape, in words.
    public func value<Value>(_ name: String, expected: String, _ read: (String) -> Value?) throws -> Value? {
        guard let text = words[name[...]] else { return nil }
        guard let value = read(String(text)) else { throw Problem.query(name, "expected \(expected)") }
        return value
    }

    public func word(_ name: String, of known: [String]) throws -> String? {
        try value(name, expected: "one of \(known.joined(separator: ", "))") { known.contains($0) ? $0 : nil }
    }

    /// The page's language; Arabic where none is asked for.
    public func language() throws -> Language {
        try value("lang", expected: "one of \(Language.allCases.map(\.rawValue).joined(separator: ", "))", Language.init(rawValue:)) ?? .ar
    }
}

/// Digits only, so that there is one way to write each number.
public func wholeNumber(_ text: String) -> Int64? {
    let digits: ClosedRange<UInt8> = 0x30...0x39
    return text.utf8.allSatisfy(digits.contains) ? Int64(text) : nil
}

extension Request {
    public var query: Query { Query(self) }
}

extension Problem {
    static func query(_ name: String, _ what: String) -> Problem { wrong("query", "query word", name, what) }

    /// A header that is not of its shape.
    public static func header(_ name: String, _ what: String) -> Problem { wrong("header", "header", name, what) }

    private static func wrong(_ kind: String, _ place: String, _ name: String, _ what: String) -> Problem {
        // Whoever sent it may have sent much.
        let name = String(name.prefix(60))
        return Problem(
            .badRequest, kind, LocalizedText(ar: "طلب غير صالح", fr: "Requête invalide", en: "Invalid request"),
            detail: "The \(place) `\(name)`: \(what).", errors: [["name": .string(name), "detail": .string(what)]])
    }
}
