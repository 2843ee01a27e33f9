package import WaslModel

/// XML as a JSON value that jq can work on, and back.
///
/// An element with text only is a string; otherwise an object of its children by local name, repeated ones as an array, attributes with
/// `@` before their name, and its text as `#text` where it has attributes besides.
package enum XMLTree {
    struct Failure: Error, CustomStringConvertible { let description: String }

    static let declaration = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"

    package static func parse(_ bytes: [UInt8]) throws -> JSON { try XMLReader.parse(bytes) }

    static func text(_ json: JSON) -> String {
        var output = ""
        write(json, into: &output)
        return output
    }

    /// Writes the members of an object as elements.
    private static func write(_ json: JSON, into output: inout String) {
        guard case .object(let object) = json else {
            escape(plain(json), into: &output)
            return
        }
        for (name, value) in object.members where !name.hasPrefix("@") {
            if name == "#text" {
                escape(plain(value), into: &output)
                continue
            }
            for element in value.array ?? [value] {
                output += "<\(name)"
                for (key, attribute) in element.object?.members ?? [] where key.hasPrefix("@") {
                    output += " \(key.dropFirst())=\""
                    escape(plain(attribute), into: &output)
                    output += "\""
                }
                output += ">"
                write(element, into: &output)
                output += "</\(name.prefix { $0 != " " })>"
            }
        }
    }

    private static func plain(_ json: JSON) -> String {
        switch json {
        case .null: ""
        case .string(let text): text
        default: json.text
        }
    }

    private static func escape(_ text: String, into output: inout String) {
        for character in text.unicodeScalars {
            switch character {
            case "&": output += "&amp;"
            case "<": output += "&lt;"
            case ">": output += "&gt;"
            case "\"": output += "&quot;"
            // What XML 1.0 cannot say at all (section 2.2) would make the whole call unreadable.
            case "\u{0}"..."\u{8}", "\u{B}", "\u{C}", "\u{E}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": output += "\u{FFFD}"
            default: output.unicodeScalars.append(character)
            }
        }
    }
}

/// A SOAP envelope around a body.
package enum SOAP {
    static let namespace11 = "http://schemas.xmlsoap.org/soap/envelope/"
    static let namespace12 = "http://www.w3.org/2003/05/soap-envelope"

    package static func envelope(_ body: JSON, namespace: String = namespace11) -> [UInt8] {
        Array(
            "\(XMLTree.declaration)<soap:Envelope xmlns:soap=\"\(namespace)\"><soap:Body>\(XMLTree.text(body))</soap:Body></soap:Envelope>"
                .utf8
        )
    }
}
