import HTTPTypes
public import Hummingbird
public import WaslModel

/// An error as RFC 9457 describes it: `application/problem+json`.
public struct Problem: Error, HTTPResponseError, Sendable {
    public let status: HTTPResponse.Status
    /// The last part of the problem's type: `urn:wasl:problem:<kind>`.
    public let kind: String
    public let title: LocalizedText
    /// What to do, for the person who reads it.
    public let detail: String
    public var retryAfterSeconds: Int?
    /// One entry for each field that is wrong.
    public var errors: [JSON] = []

    public init(
        _ status: HTTPResponse.Status, _ kind: String, _ title: LocalizedText, detail: String,
        retryAfterSeconds: Int? = nil, errors: [JSON] = []
    ) {
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.retryAfterSeconds = retryAfterSeconds
        self.errors = errors
    }

    public func response(from request: Request, context: some RequestContext) throws -> Response {
        var body: JSONObject = [
            "type": .string("urn:wasl:problem:\(kind)"), "title": .string(title.en), "status": JSON(status.code),
            "detail": .string(detail), "titles": title.json,
        ]
        if !errors.isEmpty { body["errors"] = .array(errors) }
        var response = Response.json(.object(body), status: status)
        response.headers[.contentType] = "application/problem+json"
        if let retryAfterSeconds { response.headers[.retryAfter] = String(retryAfterSeconds) }
        return response
    }
}

extension Response {
    /// Sets a header by its name.
    public mutating func setHeader(_ name: String, _ value: String) {
        if let name = HTTPField.Name(name) { headers[name] = value }
    }

    public static func json(_ json: JSON, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }

    public static func text(
        _ text: String, type: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok
    ) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

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
        let buffer: ByteBuffer
        do { buffer = try await body.collect(upTo: bytesMax) } catch {
            throw Problem(
                .contentTooLarge, "too-large",
                LocalizedText(ar: "المطلب أكبر مما يُقبل", fr: "Demande trop volumineuse", en: "The body is too large"),
                detail: "At most \(bytesMax) bytes are accepted.")
        }
        let bytes = Array(buffer.readableBytesView)
        do { return (try JSON.parse(bytes), bytes) } catch {
            throw Problem(
                .badRequest, "not-json",
                LocalizedText(ar: "المحتوى ليس JSON صحيحا", fr: "Le corps n'est pas du JSON valide", en: "The body is not valid JSON"),
                detail: "\(error)")
        }
    }
}
