import HTTPTypes
public import Hummingbird
import Synchronization

/// Who may ask for a path.
public enum Access: Sendable {
    /// Everybody: health alone.
    case open
    /// Whoever has the token.
    case token
    /// Whoever has the token, or the one for metrics.
    case metrics
    /// Browsers, which send no token: the page asks people to sign in itself.
    case page
}

/// An API's routes, each declared with who may ask and the query words that it knows. Whatever is not declared is refused before any
/// handler is called.
public struct Routes {
    public typealias Handler = @Sendable (Request, BasicRequestContext) async throws -> Response

    public let router = Router(context: BasicRequestContext.self)
    private let table = RouteTable()

    /// - Parameters:
    ///   - token: what callers send as `Authorization: Bearer …`.
    ///   - metricsToken: what opens `/metrics` besides.
    ///   - hosts: names that `Host` may carry, besides the loopback ones.
    ///   - explain: what an error of the role's own is to the caller; `nil` for one that nobody has foreseen.
    public init(
        token: String, metricsToken: String? = nil, hosts: [String], explain: @escaping @Sendable (any Error) -> Problem? = { _ in nil }
    ) {
        router.add(middleware: LocalGuard(token: token, metricsToken: metricsToken, hosts: hosts, table: table, explain: explain))
    }

    public func get(_ path: String, _ access: Access = .token, query: [String] = [], use handler: @escaping Handler) {
        on(path, .get, access, query, handler)
    }

    public func post(_ path: String, _ access: Access = .token, query: [String] = [], use handler: @escaping Handler) {
        on(path, .post, access, query, handler)
    }

    public func put(_ path: String, _ access: Access = .token, query: [String] = [], use handler: @escaping Handler) {
        on(path, .put, access, query, handler)
    }

    private func on(_ path: String, _ method: HTTPRequest.Method, _ access: Access, _ query: [String], _ handler: @escaping Handler) {
        table.add(RouteTable.Route(path: path, method: method, access: access, query: query))
        router.on(RouterPath(path), method: method, use: handler)
    }
}

/// The declared routes. Filled while an API is put together, read ever after.
final class RouteTable: Sendable {
    struct Route: Sendable {
        let path: String
        let method: HTTPRequest.Method
        let access: Access
        let query: [String]

        /// A word behind `:` stands for any one word.
        func matches(_ words: [Substring]) -> Bool {
            let own = path.split(separator: "/")
            return own.count == words.count && zip(own, words).allSatisfy { $0.hasPrefix(":") || $0 == $1 }
        }
    }

    private let routes = Mutex<[Route]>([])

    func add(_ route: Route) { routes.withLock { $0.append(route) } }

    /// The routes of a path, one for each method.
    func routes(at path: String) -> [Route] {
        let words = path.split(separator: "/")
        return routes.withLock { $0 }.filter { $0.matches(words) }
    }
}
