import Crypto
import Foundation
package import WaslModel

/// A document that came inside an agency's answer.
package struct FoundDocument: Sendable, Hashable {
    package let bytes: [UInt8]

    /// Takes the document out of an answer's body, and leaves in its place what it is: `{size, digest}`, or `{unreadable: true}`. So
    /// the translation sees what we have, and no program ever carries megabytes.
    package static func take(_ rule: Service.DocumentRule, from body: inout JSON) -> FoundDocument? {
        var steps = rule.content.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
            String($0).replacing("~1", with: "/").replacing("~0", with: "~")
        }[...]
        return take(&steps, from: &body)
    }

    private static func take(_ steps: inout ArraySlice<String>, from value: inout JSON) -> FoundDocument? {
        guard let step = steps.popFirst() else {
            guard let text = value.string else { return nil }
            // Long texts come in lines.
            guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters), !data.isEmpty else {
                value = ["unreadable": true]
                return nil
            }
            let found = FoundDocument(bytes: [UInt8](data))
            value = ["size": JSON(found.bytes.count), "digest": .string(found.digest)]
            return found
        }
        guard case .object(var object) = value, var member = object[step] else { return nil }
        let found = take(&steps, from: &member)
        object[step] = member
        value = .object(object)
        return found
    }

    /// SHA-256 in hexadecimal.
    package var digest: String { hexText(SHA256.hash(data: bytes)) }

    /// Why this is not the document that an outcome's fields speak of; `nil` where it is.
    package static func disagreement(_ found: FoundDocument?, _ rule: Service.DocumentRule, _ fields: JSONObject) -> String? {
        guard let promised = fields[rule.field] else { return "the outcome says nothing of its document" }
        guard let found, found.bytes.count <= Attachments.bytesMax else {
            return "the answer holds no readable document of at most 20 MB at \(rule.content)"
        }
        if promised["size"]?.integer != Int64(found.bytes.count) { return "the document has \(found.bytes.count) bytes, not what is said" }
        if promised["digest"]?.string != found.digest { return "the document has another digest than is said" }
        if promised["type"] == "application/pdf", !found.bytes.starts(with: Array("%PDF-".utf8)) { return "the document is no PDF" }
        return nil
    }
}
