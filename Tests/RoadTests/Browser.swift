import Foundation
import Hummingbird
import HummingbirdTesting

/// A browser: keeps its cookie, follows nothing.
struct Browser: Sendable {
    let client: any TestClientProtocol
    var cookie: String?

    mutating func get(_ path: String) async throws -> (status: Int, html: String) {
        var headers: HTTPFields = [:]
        if let cookie { headers[.cookie] = cookie }
        return try await client.execute(uri: path, method: .get, headers: headers) { (Int($0.status.code), String(buffer: $0.body)) }
    }

    mutating func post(_ path: String, _ form: [String: String]) async throws -> (status: Int, html: String) {
        var headers: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
        if let cookie { headers[.cookie] = cookie }
        let plain = CharacterSet.alphanumerics
        let text = form.map { "\($0.key)=\($0.value.addingPercentEncoding(withAllowedCharacters: plain)!)" }.joined(separator: "&")
        let (status, html, set) = try await client.execute(uri: path, method: .post, headers: headers, body: ByteBuffer(string: text)) {
            (Int($0.status.code), String(buffer: $0.body), $0.headers[.setCookie])
        }
        if let set { cookie = set.split(separator: ";").first.map(String.init) }
        return (status, html)
    }

    func token(_ html: String) -> String { html.firstMatch(of: #/name="token" value="([^"]+)"/#).map { String($0.output.1) } ?? "" }
}
