import Foundation
import FoundationXML
import WaslModel

/// XML as a JSON value that jq can work on, and back.
///
/// An element with text only is a string; otherwise an object of its children by local name, repeated ones as an array, attributes with
/// `@` before their name.
enum XMLTree {
    struct Failure: Error, CustomStringConvertible { let description: String }

    static func parse(_ bytes: [UInt8]) throws -> JSON {
        // No answer needs a document type, and entities are how a small text becomes a large one.
        if bytes.count >= 9, contains(bytes, Array("<!DOCTYPE".utf8)) || contains(bytes, Array("<!ENTITY".utf8)) {
            throw Failure(description: "a document type is not accepted")
        }
        let reader = Reader()
        let parser = XMLParser(data: Data(bytes))
        parser.shouldProcessNamespaces = true
        parser.shouldResolveExternalEntities = false
        parser.delegate = reader
        guard parser.parse(), let root = reader.root else { throw Failure(description: "not well-formed XML") }
        return root
    }

    private static func contains(_ bytes: [UInt8], _ pattern: [UInt8]) -> Bool {
        guard bytes.count >= pattern.count else { return false }
        return (0...(bytes.count - pattern.count)).contains { start in
            bytes[start] == pattern[0] && bytes[start..<(start + pattern.count)].elementsEqual(pattern)
        }
    }

    /// Writes the members of an object as elements.
    static func write(_ json: JSON, into output: inout String) {
        guard case .object(let object) = json else {
            output += escape(text(json))
            return
        }
        for (name, value) in object.members where !name.hasPrefix("@") {
            for element in value.array ?? [value] {
                output += "<\(name)"
                for (key, attribute) in element.object?.members ?? [] where key.hasPrefix("@") {
                    output += " \(key.dropFirst())=\"\(escape(text(attribute)))\""
                }
                output += ">"
                write(element, into: &output)
                output += "</\(name.prefix { $0 != " " })>"
            }
        }
    }

    private static func text(_ json: JSON) -> String {
        switch json {
        case .null: ""
        case .string(let text): text
        default: json.text
        }
    }

    private static func escape(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
    }

    private final class Reader: NSObject, XMLParserDelegate {
        private struct Element {
            let name: String
            var members = JSONObject()
            var text = ""
        }

        private var stack: [Element] = []
        var root: JSON?

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            guard stack.count < 64 else { return parser.abortParsing() }
            var element = Element(name: name)
            for (key, value) in attributes.sorted(by: { $0.key < $1.key }) where !key.hasPrefix("xmlns") {
                element.members["@" + key] = .string(value)
            }
            stack.append(element)
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) {
            if !stack.isEmpty { stack[stack.count - 1].text += string }
        }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
        ) {
            guard let element = stack.popLast() else { return }
            let text = element.text.trimmingCharacters(in: .whitespacesAndNewlines)
            let value: JSON = element.members.isEmpty ? .string(text) : .object(element.members)
            guard !stack.isEmpty else {
                root = .object([element.name: value])
                return
            }
            switch stack[stack.count - 1].members[element.name] {
            case nil: stack[stack.count - 1].members[element.name] = value
            case .array(let elements)?: stack[stack.count - 1].members[element.name] = .array(elements + [value])
            case let first?: stack[stack.count - 1].members[element.name] = .array([first, value])
            }
        }
    }
}

/// SOAP 1.1 around a body.
enum SOAP {
    static func envelope(_ body: JSON) -> [UInt8] {
        var inner = ""
        XMLTree.write(body, into: &inner)
        return Array(
            """
            <?xml version="1.0" encoding="utf-8"?>
            <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>\(inner)</soap:Body></soap:Envelope>
            """.utf8)
    }
}
