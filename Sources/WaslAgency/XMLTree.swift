import Foundation
package import WaslModel

/// XML as a JSON value that jq can work on, and back.
///
/// An element with text only is a string; otherwise an object of its children by local name, repeated ones as an array, attributes with
/// `@` before their name.
package enum XMLTree {
    struct Failure: Error, CustomStringConvertible { let description: String }

    package static func parse(_ bytes: [UInt8]) throws -> JSON { try XMLReader.parse(bytes) }

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
