import HTTPTypes
public import Hummingbird
import NIOCore
public import WaslModel

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

    public static func page(_ html: String, status: HTTPResponse.Status = .ok) -> Response {
        .text(html, type: "text/html; charset=utf-8", status: status)
    }

    public static func seeOther(_ location: String) -> Response { Response(status: .seeOther, headers: [.location: location]) }

    /// What every answer carries: nobody guesses its type.
    mutating func guardContent() { setHeader("X-Content-Type-Options", "nosniff") }

    /// What every answer to a browser carries besides: nothing from elsewhere may frame, feed or run in it, and nobody keeps it.
    mutating func guardPage() {
        setHeader(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
        setHeader("Referrer-Policy", "no-referrer")
        headers[.cacheControl] = "no-store"
    }
}
