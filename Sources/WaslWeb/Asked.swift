import HTTPTypes
public import Hummingbird
import NIOCore
public import WaslModel

extension Request {
    /// A header's value by its name.
    public func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }

    /// The body as one JSON value, at most so many bytes.
    ///
    /// - Throws: ``Problem``: 413 when it is larger, 415 when it is not said to be JSON, 400 when it is not.
    public func json(bytesMax: Int) async throws -> (json: JSON, bytes: [UInt8]) {
        let type = headers[.contentType]?.split(separator: ";").first.map(String.init)
        guard type == "application/json" else {
            throw Problem(
                .unsupportedMediaType, "media-type",
                LocalizedText(
                    ar: "نوع المحتوى غير مدعوم", fr: "Type de contenu non pris en charge", en: "Unsupported media type"),
                detail: "Send the body as application/json.")
        }
        let bytes = Array(try await wholeBody(bytesMax: bytesMax).readableBytesView)
        do { return (try JSON.parse(bytes), bytes) } catch {
            throw Problem(
                .badRequest, "not-json",
                LocalizedText(ar: "المحتوى ليس JSON صحيحا", fr: "Le corps n'est pas du JSON valide", en: "The body is not valid JSON"),
                detail: "\(error)")
        }
    }

    /// A form's fields.
    ///
    /// - Throws: ``Problem`` where the body is none, or too large.
    public func form(bytesMax: Int = 64 << 10) async throws -> [String: String] {
        let problem = Problem(
            .badRequest, "not-a-form",
            LocalizedText(ar: "استمارة غير مقروءة", fr: "Formulaire illisible", en: "The form cannot be read"),
            detail: "Expected application/x-www-form-urlencoded of at most \(bytesMax) bytes, each field once.")
        guard headers[.contentType]?.hasPrefix("application/x-www-form-urlencoded") == true else { throw problem }
        let text = String(buffer: try await wholeBody(bytesMax: bytesMax))
        guard let fields = try? URLEncodedFormDecoder().decode([String: String].self, from: text) else { throw problem }
        return fields
    }

    /// Only a body that is too long is called so: a broken chunk or a lost connection is something else.
    private func wholeBody(bytesMax: Int) async throws -> ByteBuffer {
        do { return try await body.collect(upTo: bytesMax) } catch is NIOTooManyBytesError { throw Problem.tooLarge(bytesMax: bytesMax) }
    }
}
