public import JSONSchema
public import WaslModel

extension Service {
    /// All that is wrong with an order's fields: by the service's schema, then in the characters of its texts. House and worker both ask
    /// here, because neither believes the other.
    public func violations(in fields: JSONObject) -> [Violation] {
        var found = request.validate(.object(fields))
        PlainText.check(.object(fields), at: "", &found)
        return found
    }
}

/// The characters that a text of a citizen may hold on its way to an agency (wire contract, section 6).
///
/// A control character ends a line in a log, a command in a terminal or a record in an old system; one that turns the direction of what
/// follows lets a text show something else than it says. What Arabic, French and Berber are written with is all allowed: ZWNJ and ZWJ,
/// and the marks LRM, RLM and ALM, which touch their neighbours only.
enum PlainText {
    static func check(_ value: JSON, at place: String, _ violations: inout [Violation]) {
        switch value {
        case .string(let text):
            if let character = forbidden(in: text) { violations.append(violation(character, at: place)) }
        case .array(let elements):
            for (index, element) in elements.enumerated() { check(element, at: "\(place)/\(index)", &violations) }
        case .object(let object):
            for (key, value) in object.members {
                if let character = forbidden(in: key) {
                    violations.append(violation(character, at: place))
                } else {
                    check(value, at: place + "/" + key.replacing("~", with: "~0").replacing("/", with: "~1"), &violations)
                }
            }
        default: break
        }
    }

    /// The first character that may not stand in a text. A line ends with LF, or with CR and LF.
    static func forbidden(in text: String) -> Unicode.Scalar? {
        var isAfterReturn = false
        for scalar in text.unicodeScalars {
            if isAfterReturn, scalar != "\n" { return "\r" }
            isAfterReturn = scalar == "\r"
            switch scalar {
            case "\t", "\n", "\r": continue
            // C0, DEL and C1.
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}": return scalar
            // Embeddings, overrides and isolates of direction.
            case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}": return scalar
            default:
                // RFC 7493 section 2.1, which a parser of JSON alone does not see to.
                if scalar.properties.isNoncharacterCodePoint { return scalar }
            }
        }
        return isAfterReturn ? "\r" : nil
    }

    private static func violation(_ character: Unicode.Scalar, at place: String) -> Violation {
        let digits = String(character.value, radix: 16, uppercase: true)
        let name = "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return Violation(
            instanceLocation: place, keywordLocation: "",
            message: Message(
                ar: "النص يحتوي على حرف تحكم غير مسموح به (\(name))، احذفه أو أعد كتابة النص",
                fr: "Le texte contient un caractère de contrôle qui n'est pas permis (\(name)) : effacez-le ou tapez le texte à nouveau",
                en: "The text holds a control character that is not allowed (\(name)): delete it or type the text again"))
    }
}
