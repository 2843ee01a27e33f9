import Hummingbird
import Logging
import TestSupport
import Testing
import WaslModel
import WaslWeb

/// A server with routes of the test's own, on a free port, and what it logs.
struct ServerUnderTest: Sendable {
    static let token = "a token of sixteen characters"
    static let bearer = "Authorization: Bearer \(token)"

    /// Limits of time that no test waits for.
    static var patient: ConnectionLimits {
        var limits = ConnectionLimits()
        limits.head = .seconds(600)
        limits.body = .seconds(600)
        limits.idle = .seconds(600)
        return limits
    }

    let port: Int
    let log: Recorder<String>

    func connect(from source: String = "127.0.0.1") async throws -> RawConnection {
        try await blocking { [port] in try RawConnection(port: port, from: source) }
    }

    func ask(_ method: String, _ path: String, headers: [String] = [bearer], body: String = "") async throws -> RawAnswer {
        let connection = try await connect()
        return try await blocking { try connection.exchange(method, path, headers: headers, body: body) }
    }

    /// Runs the test beside a server, and ends that.
    static func run(
        limits: ConnectionLimits = patient, metricsToken: String? = nil, routes add: (Routes) -> Void,
        _ test: (ServerUnderTest) async throws -> Void
    ) async throws {
        let log = Recorder<String>()
        let logger = Logger(label: "test", factory: { _ in RecordingLog(lines: log) })
        let routes = Routes(token: token, metricsToken: metricsToken, hosts: ["wasl.example"])
        routes.get("/livez", .open) { _, _ in .json(["status": "alive"]) }
        add(routes)
        let router = routes.router
        let listening = Recorder<Int>()
        let server = Task { [limits] in
            try await Server.run(router, host: "127.0.0.1", port: 0, limits: limits, logger: logger) { listening.append($0) }
        }
        await listening.wait { !$0.isEmpty }
        let result: Result<Void, any Error>
        do { result = .success(try await test(ServerUnderTest(port: listening.elements[0], log: log))) } catch { result = .failure(error) }
        server.cancel()
        _ = try? await server.value
        try result.get()
    }
}

/// Keeps each line with its metadata.
private struct RecordingLog: LogHandler {
    let lines: Recorder<String>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.append("\(event.message) \(event.metadata ?? [:])") }
}
