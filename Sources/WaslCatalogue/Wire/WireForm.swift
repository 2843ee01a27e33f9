import Dispatch
package import WaslModel

/// The form in which an agency's API writes calls and answers; what they say is the services' business.
public enum WireForm: String, Sendable, CaseIterable {
    case restJSON = "rest-json"
    case restXML = "rest-xml"
    case soap11 = "soap-1.1"
    case soap12 = "soap-1.2"
    /// `application/x-www-form-urlencoded` in both directions.
    case form
    /// Nothing goes over a wire: the agency's staff answers on a page of the worker.
    case desk

    /// - Throws: ``CallError`` when the body has no such form.
    package func encode(_ body: JSON) throws -> (type: String, bytes: [UInt8]) {
        switch self {
        case .restJSON: return ("application/json", body.bytes)
        case .restXML:
            guard let root = body.object, root.count == 1 else { throw CallError("body: expected an object with the root element alone") }
            return ("application/xml; charset=utf-8", Array((XMLTree.declaration + XMLTree.text(body)).utf8))
        case .soap11: return ("text/xml; charset=utf-8", SOAP.envelope(body, namespace: SOAP.namespace11))
        case .soap12: return ("application/soap+xml; charset=utf-8", SOAP.envelope(body, namespace: SOAP.namespace12))
        case .form:
            guard let members = body.object?.members else { throw CallError("body: expected an object of texts") }
            let pairs = try members.enumerated().map { index, member -> String in
                let (name, value) = member
                guard let text = value.string else { throw CallError("body, member \(index + 1): expected a text, found \(value.shape)") }
                return FormText.escape(name) + "=" + FormText.escape(text)
            }
            return ("application/x-www-form-urlencoded", Array(pairs.joined(separator: "&").utf8))
        case .desk: throw CallError("the agency's staff answers at its desk: nothing is called")
        }
    }

    /// An answer's body as `answer.jq` sees it; `{"unreadable": true}` where it is not of the form.
    package func decode(_ bytes: [UInt8]) -> JSON {
        if bytes.isEmpty { return .null }
        let body: JSON? =
            switch self {
            case .restJSON: try? JSON.parse(bytes)
            case .restXML, .soap11, .soap12: try? XMLTree.parse(bytes)
            case .form: FormText.parse(bytes)
            case .desk: nil
            }
        // The status alone decides nothing: a 200 that cannot be read is doubt.
        return body ?? ["unreadable": true]
    }

    /// The same, away from the threads that all tasks share: one large answer must not make every other job wait.
    package func decodeAside(_ bytes: [UInt8]) async -> JSON {
        if bytes.count < WireForm.asideBytesMin { return decode(bytes) }
        return await withCheckedContinuation { continuation in
            WireForm.readers.async { continuation.resume(returning: decode(bytes)) }
        }
    }

    /// So little is read sooner than it is handed over.
    private static let asideBytesMin = 64 << 10
    private static let readers = DispatchQueue(label: "answers", qos: .utility, attributes: .concurrent)
}

/// `application/x-www-form-urlencoded` (URL Standard, section 5).
enum FormText {
    static func escape(_ text: String) -> String {
        var output: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "*"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                output.append(byte)
            case UInt8(ascii: " "): output.append(UInt8(ascii: "+"))
            default: output += Array("%\(hexText([byte]).uppercased())".utf8)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// `nil` where it is not such text: a pair without `=`, a broken escape, not UTF-8, a name twice.
    static func parse(_ bytes: [UInt8]) -> JSON? {
        var object = JSONObject()
        for pair in bytes.split(separator: UInt8(ascii: "&")) {
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")), let name = unescape(pair[..<equals]),
                let value = unescape(pair[(equals + 1)...]), object[name] == nil
            else { return nil }
            object[name] = .string(value)
        }
        return .object(object)
    }

    private static func unescape(_ bytes: ArraySlice<UInt8>) -> String? {
        var output: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): output.append(0x20)
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(hexDigitValue), let low = rest.popFirst().flatMap(hexDigitValue) else {
                    return nil
                }
                output.append(high << 4 | low)
            // Nothing that a form's text may hold bare.
            case 0x00...0x20, 0x7F...0xFF, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "="): return nil
            default: output.append(byte)
            }
        }
        return String(validating: output, as: UTF8.self)
    }
}
