import Dispatch
public import Hummingbird
import Synchronization
public import WaslModel

/// Who is signed in, in memory: a restart signs everybody out.
public final class Sessions: Sendable {
    public struct Session: Sendable {
        public let name: String
        /// Goes with every form, so that no other page can send one for whoever is signed in.
        public let formToken: String
        /// ``Accounts/mark(of:)`` when it began: another password, or none, ends it.
        public let mark: String
        fileprivate let begun: Timestamp
        fileprivate var lastSeen: Timestamp
    }

    private struct State {
        var sessions: [String: Session] = [:]
        var failures: [String: (count: Int, since: Timestamp)] = [:]
        var waiting = 0
    }

    private let state = Mutex(State())
    private let cookie: String
    private let path: String
    private let now: @Sendable () -> Timestamp

    private static let patience: Duration = .seconds(3_600)
    /// A day's work: then one signs in again.
    private static let lifetime: Duration = .seconds(10 * 3_600)
    /// Sign-ins that wait for their turn at scrypt.
    private static let waitingMax = 4
    private let checking = DispatchQueue(label: "sign-in")
    private static let failuresMax = 5
    private static let failuresPause: Duration = .seconds(300)

    /// - Parameters:
    ///   - cookie: its name.
    ///   - path: the pages that it is sent to.
    public init(cookie: String, path: String, now: @escaping @Sendable () -> Timestamp) {
        self.cookie = cookie
        self.path = path
        self.now = now
    }

    /// Whether this name may try (again): after five wrong passwords it waits five minutes.
    public func mayTry(_ name: String) -> Bool {
        state.withLock { state in
            guard let failures = state.failures[name] else { return true }
            return failures.count < Sessions.failuresMax || now().since(failures.since) >= Sessions.failuresPause
        }
    }

    public func failed(_ name: String) {
        state.withLock { state in
            let known = state.failures[name]
            let isOld = known.map { now().since($0.since) >= Sessions.failuresPause } ?? true
            state.failures[name] = isOld ? (1, now()) : ((known?.count ?? 0) + 1, now())
            // Names that nobody has must not fill the memory, nor wipe out who waits.
            if state.failures.count > 1_000, let oldest = state.failures.min(by: { $0.value.since < $1.value.since })?.key {
                state.failures[oldest] = nil
            }
        }
    }

    /// Runs the check of a password, one at a time and beside the pool that everything else runs on.
    ///
    /// - Returns: `nil` where too many wait.
    public func check(_ isRight: @escaping @Sendable () -> Bool) async -> Bool? {
        let mayWait = state.withLock { state in
            guard state.waiting < Sessions.waitingMax else { return false }
            state.waiting += 1
            return true
        }
        guard mayWait else { return nil }
        defer { state.withLock { $0.waiting -= 1 } }
        return await withCheckedContinuation { continuation in
            checking.async { continuation.resume(returning: isRight()) }
        }
    }

    /// Signs somebody in.
    ///
    /// - Returns: the value of `Set-Cookie`.
    public func open(_ name: String, mark: String) -> String {
        let id = Sessions.token()
        state.withLock { state in
            state.failures[name] = nil
            state.sessions = state.sessions.filter { isAlive($0.value) }
            state.sessions[id] = Session(name: name, formToken: Sessions.token(), mark: mark, begun: now(), lastSeen: now())
        }
        return "\(cookie)=\(id); Path=\(path); HttpOnly; SameSite=Strict"
    }

    private func isAlive(_ session: Session) -> Bool {
        now().since(session.lastSeen) < Sessions.patience && now().since(session.begun) < Sessions.lifetime
    }

    /// - Parameter isUse: a page that comes again by itself is no use of it.
    public func session(_ request: Request, isUse: Bool = true) -> Session? {
        guard let id = id(request) else { return nil }
        return state.withLock { state in
            guard let session = state.sessions[id], isAlive(session) else { return nil }
            if isUse { state.sessions[id]?.lastSeen = now() }
            return session
        }
    }

    /// - Returns: the value of `Set-Cookie` that forgets it.
    public func close(_ request: Request) -> String {
        if let id = id(request) { state.withLock { $0.sessions[id] = nil } }
        return "\(cookie)=; Path=\(path); HttpOnly; SameSite=Strict; Max-Age=0"
    }

    private func id(_ request: Request) -> String? {
        for pair in (request.header("Cookie") ?? "").split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " } }
            if parts.count == 2, parts[0] == cookie { return parts[1] }
        }
        return nil
    }

    private static func token() -> String {
        var generator = SystemRandomNumberGenerator()
        return Base64URL.encode((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }
}
