import Foundation
public import JSONValue

/// A form that a value has beyond its type (Validation section 7).
public struct Format: Sendable {
    /// Whether a value has it. A value of a type that the format says nothing about has it.
    public let isValid: @Sendable (JSON) -> Bool
    public let message: Message

    public init(_ message: Message, isValid: @escaping @Sendable (JSON) -> Bool) {
        self.message = message
        self.isValid = isValid
    }

    /// A format of texts.
    public static func text(_ message: Message, _ isValid: @escaping @Sendable (String) -> Bool) -> Format {
        Format(message) { value in value.string.map(isValid) ?? true }
    }

    /// The formats of Validation section 7.3 that we assert.
    public static let standard: [String: Format] = [
        "date": .text(Message(ar: "المنتظر تاريخ صحيح", fr: "Une date valide est attendue", en: "Expected a date that exists")) {
            isDate(Array($0.utf8)[...])
        },
        "time": .text(Message(ar: "المنتظر وقت صحيح", fr: "Une heure valide est attendue", en: "Expected a time of day with its zone")) {
            isTime(Array($0.utf8)[...])
        },
        "date-time": .text(
            Message(ar: "المنتظر تاريخ ووقت", fr: "Une date et une heure sont attendues", en: "Expected a date and time with its zone")
        ) { text in
            let bytes = Array(text.utf8)
            return bytes.count > 11 && bytes[10] | 0x20 == UInt8(ascii: "t") && isDate(bytes[..<10]) && isTime(bytes[11...])
        },
        "duration": .text(Message(ar: "المنتظر مدة", fr: "Une durée est attendue", en: "Expected a duration")) {
            duration.matches($0) && !$0.hasSuffix("T") && $0 != "P"
        },
        "email": .text(
            Message(ar: "المنتظر عنوان بريد إلكتروني", fr: "Une adresse électronique est attendue", en: "Expected an e-mail address"),
            isEmail),
        "hostname": .text(Message(ar: "المنتظر اسم خادم", fr: "Un nom de machine est attendu", en: "Expected a host name"), isHostname),
        "ipv4": .text(Message(ar: "المنتظر عنوان IPv4", fr: "Une adresse IPv4 est attendue", en: "Expected an IPv4 address"), isIPv4),
        "ipv6": .text(Message(ar: "المنتظر عنوان IPv6", fr: "Une adresse IPv6 est attendue", en: "Expected an IPv6 address")) { text in
            var address = in6_addr()
            return !text.utf8.contains(0) && inet_pton(AF_INET6, text, &address) == 1
        },
        "uri": .text(Message(ar: "المنتظر عنوان كامل", fr: "Une adresse URI complète est attendue", en: "Expected a complete URI"), isURI),
        "uuid": .text(Message(ar: "المنتظر معرف UUID", fr: "Un UUID est attendu", en: "Expected a UUID")) { uuid.matches($0) },
        "json-pointer": .text(
            Message(ar: "المنتظر مؤشر JSON", fr: "Un pointeur JSON est attendu", en: "Expected a JSON Pointer")
        ) { pointer.matches($0) },
        "regex": .text(
            Message(ar: "المنتظر تعبير نمطي", fr: "Une expression régulière est attendue", en: "Expected a regular expression")
        ) { (try? Pattern($0)) != nil },
    ]

    private static func pattern(_ text: String) -> Pattern {
        // Written below, so it cannot fail unless we write it wrong.
        do { return try Pattern(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    private static let uuid = pattern("^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$")
    private static let pointer = pattern("^(/([^~/]|~[01])*)*$")
    /// RFC 3339, appendix A: weeks alone, or dates and times whose units follow each other without a hole.
    private static let duration = pattern(
        "^P([0-9]+W|([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)?(T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S))?)$"
    )
    private static let uriForm = pattern(
        "^[A-Za-z][A-Za-z0-9+.-]*:(//([A-Za-z0-9._~!$&'()*+,;=:%-]*@)?(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?|[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)(\\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?(#[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
    )

    private static func digits(_ bytes: ArraySlice<UInt8>) -> Int? {
        var value = 0
        for byte in bytes {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return bytes.isEmpty ? nil : value
    }

    /// RFC 3339 `full-date`.
    static func isDate(_ bytes: ArraySlice<UInt8>) -> Bool {
        let bytes = Array(bytes)
        guard bytes.count == 10, bytes[4] == 0x2D, bytes[7] == 0x2D, let year = digits(bytes[0..<4]), let month = digits(bytes[5..<7]),
            let day = digits(bytes[8..<10]), (1...12).contains(month)
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...days[month - 1]).contains(day)
    }

    /// RFC 3339 `full-time`; a leap second only where one may be, at the end of a UTC day.
    static func isTime(_ bytes: ArraySlice<UInt8>) -> Bool {
        let bytes = Array(bytes)
        guard bytes.count >= 9, bytes[2] == 0x3A, bytes[5] == 0x3A, let hour = digits(bytes[0..<2]), let minute = digits(bytes[3..<5]),
            let second = digits(bytes[6..<8]), hour < 24, minute < 60, second <= 60
        else { return false }
        var rest = bytes[8...]
        if rest.first == UInt8(ascii: ".") {
            let fraction = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
            guard !fraction.isEmpty else { return false }
            rest = rest.dropFirst(1 + fraction.count)
        }
        var offset = 0
        if rest.count == 1, rest.first! | 0x20 == UInt8(ascii: "z") {
        } else {
            let zone = Array(rest)
            guard zone.count == 6, zone[0] == UInt8(ascii: "+") || zone[0] == UInt8(ascii: "-"), zone[3] == 0x3A,
                let hours = digits(zone[1..<3]), let minutes = digits(zone[4..<6]), hours < 24, minutes < 60
            else { return false }
            offset = (zone[0] == UInt8(ascii: "+") ? 1 : -1) * (hours * 60 + minutes)
        }
        return second < 60 || ((hour * 60 + minute - offset) % 1440 + 1440) % 1440 == 1439
    }

    /// RFC 5321 section 4.1.2, with a quoted local part or an address in brackets.
    private static func isEmail(_ text: String) -> Bool {
        guard let at = text.lastIndex(of: "@") else { return false }
        let local = text[..<at]
        let domain = String(text[text.index(after: at)...])
        let isQuoted = local.count >= 2 && local.hasPrefix("\"") && local.hasSuffix("\"")
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_`{|}~-.")
        guard (1...64).contains(local.utf8.count),
            isQuoted || (local.allSatisfy(allowed.contains) && !local.hasPrefix(".") && !local.hasSuffix(".") && !local.contains(".."))
        else { return false }
        if domain.hasPrefix("["), domain.hasSuffix("]") {
            let address = String(domain.dropFirst().dropLast())
            return isIPv4(address) || address.hasPrefix("IPv6:") && standard["ipv6"]!.isValid(.string(String(address.dropFirst(5))))
        }
        return isHostname(domain)
    }

    /// RFC 1123 section 2.1.
    private static func isHostname(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.utf8.first != 0x2D && label.utf8.last != 0x2D
                && label.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2D
                }
        }
    }

    private static func isIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && digits(Array(part.utf8)[...]).map { $0 < 256 } == true
                    && (part.count == 1 || part.first != "0")
            }
    }

    /// RFC 3986 section 3, with a scheme.
    private static func isURI(_ text: String) -> Bool {
        guard uriForm.matches(text) else { return false }
        var rest = text.utf8[...]
        while let percent = rest.firstIndex(of: UInt8(ascii: "%")) {
            rest = rest[rest.index(after: percent)...]
            guard let high = rest.popFirst(), let low = rest.popFirst(), hexDigit(high) != nil, hexDigit(low) != nil else { return false }
        }
        return true
    }
}
