import Foundation
public import Hummingbird
import WaslModel

/// Guards an API that listens on loopback: any page in the clerk's browser can reach loopback too, so a Host check stops DNS rebinding
/// and a token stops everything that cannot read the token's file.
public struct LocalGuard<Context: RequestContext>: RouterMiddleware {
    private let token: [UInt8]
    private let hosts: Set<String>
    private let open: Set<String>
    private let signedIn: String?

    /// - Parameters:
    ///   - hosts: names that `Host` may carry, besides the loopback ones.
    ///   - open: paths that need no token.
    ///   - signedIn: the path of pages that people sign in to themselves.
    public init(token: String, hosts: [String] = [], open: Set<String>, signedIn: String? = nil) {
        self.signedIn = signedIn
        self.token = Array(token.utf8)
        self.hosts = Set(["127.0.0.1", "localhost", "[::1]"] + hosts)
        self.open = open
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard isKnown(authority: request.head.authority ?? "") else {
            throw Problem(
                .misdirectedRequest, "host",
                LocalizedText(ar: "عنوان غير معروف", fr: "Nom d'hôte inconnu", en: "Unknown host name"),
                detail: "This service answers to its own name only; see `http.hosts` in the configuration.")
        }
        let path = request.uri.path
        let isPage = signedIn.map { path == $0 || path.hasPrefix($0 + "/") } ?? false
        if !isPage, !open.contains(path) {
            let given = Array((request.headers[.authorization] ?? "").utf8)
            guard isSame(given, Array("Bearer ".utf8) + token) else {
                throw Problem(
                    .unauthorized, "token",
                    LocalizedText(ar: "رمز الدخول مفقود أو خاطئ", fr: "Jeton absent ou faux", en: "Missing or wrong token"),
                    detail: "Send `Authorization: Bearer …` with the content of the token file.")
            }
        }
        return try await next(request, context)
    }

    /// Whether a Host header names us, with or without a port.
    func isKnown(authority: String) -> Bool {
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return hosts.contains(String(host))
    }

    /// Takes the same time wherever the difference is.
    private func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Reads a secret from a file that nobody else may read, without the end of line that editors add.
public func readSecret(_ path: String) throws -> String {
    let text = String(decoding: try SecretFile.read(path), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    guard text.utf8.count >= 16 else { throw SecretError(path: path) }
    return text
}

/// A secret that is too short to be one.
public struct SecretError: Error, CustomStringConvertible {
    let path: String
    public var description: String { "\(path): a secret of at least 16 characters is expected" }
}
