import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import WaslCatalogue
package import WaslModel

/// The agency's answer did not end in time.
struct AnswerTimedOut: Error {}

/// What came back over the network.
package enum Transport: Sendable {
    /// Nothing reached the agency, for certain.
    case notSent(String)
    /// - Parameter raw: the body's bytes as they came.
    case answered(status: Int, headers: JSONObject, body: JSON, raw: [UInt8])
    /// It may have reached the agency.
    case unknown(String)
}

/// Calls an agency's API. Redirects are not followed and nothing is retried in here: a replayed POST would be a second payment.
final class AgencyClient: Sendable {
    private let connections: AgencyConnections
    private let endpoint: String
    private let agency: Agency
    private let credentials: (name: String, value: String)?
    private let logger: Logger
    /// When each kind of failure was last told.
    private let told = Mutex<[CallFailure.Kind: ContinuousClock.Instant]>([:])

    /// An outage fails thousands of calls and is one piece of news.
    private static let tellingPause: Duration = .seconds(60)

    /// - Parameter secret: the text of the credentials' file.
    /// - Throws: ``SettingsError`` naming the TLS file that cannot be read.
    init(_ agency: Agency, endpoint: String, secret: String?, logger: Logger) throws {
        credentials = secret.flatMap { secret in
            switch agency.credentials?.scheme {
            case .bearer: ("authorization", "Bearer \(secret)")
            case .basic: ("authorization", "Basic \(Data(secret.utf8).base64EncodedString())")
            case .header: (agency.credentials?.header ?? "authorization", secret)
            case nil: nil
            }
        }
        self.agency = agency
        self.endpoint = endpoint
        self.logger = logger
        connections = try AgencyConnections(agency, logger: logger)
    }

    func close() async { await connections.close() }

    /// - Parameters:
    ///   - isRepeatable: otherwise a connection of its own is used, so that no idle one that the agency is just closing
    ///     leaves a doubt that need not be.
    ///   - content: a paper's type and bytes, for the call that brings it.
    func perform(
        _ call: AgencyCall, isRepeatable: Bool, content: (type: String, bytes: [UInt8])? = nil
    ) async -> Transport {
        do {
            let (response, bytes) = try await send(call, isRepeatable: isRepeatable, content: content)
            return await decode(response, bytes)
        } catch {
            tell(error)
            return error.mayHaveActed ? .unknown(error.description) : .notSent(error.description)
        }
    }

    func send(
        _ call: AgencyCall, isRepeatable: Bool, content: (type: String, bytes: [UInt8])? = nil
    ) async throws(CallFailure) -> (HTTPClientResponse, [UInt8]) {
        var request = HTTPClientRequest(url: endpoint + call.path)
        request.method = HTTPMethod(rawValue: call.method)
        for (name, value) in call.headers { request.headers.add(name: name, value: value) }
        if let credentials { request.headers.replaceOrAdd(name: credentials.name, value: credentials.value) }
        if let content {
            request.headers.replaceOrAdd(name: "content-type", value: content.type)
            request.body = .bytes(content.bytes)
        } else if let body = call.body {
            let encoded: (type: String, bytes: [UInt8])
            do { encoded = try agency.style.encode(body) } catch { throw CallFailure(.noCall, "\(error)") }
            request.headers.replaceOrAdd(name: "content-type", value: encoded.type)
            request.body = .bytes(encoded.bytes)
        }
        let timeout = AgencyClient.timeout(of: agency, contentBytes: content?.bytes.count ?? 0)
        let pool = connections.current
        guard isRepeatable else { return try await executeAlone(request, pool.configuration, timeout: timeout) }
        let answer: Result<(HTTPClientResponse, [UInt8]), CallFailure>
        do throws(CallFailure) {
            answer = .success(try await execute(request, by: pool.client, timeout: timeout) { .unknown })
        } catch {
            answer = .failure(error)
        }
        // The files may be renewed meanwhile: its connections end with its last call.
        return try withExtendedLifetime(pool) { answer }.get()
    }

    /// A paper of megabytes takes its time: a quarter of one in a second at least.
    static func timeout(of agency: Agency, contentBytes: Int) -> Duration { agency.timeout + .seconds(contentBytes >> 18) }

    /// On a connection that nobody used before and nobody will use again.
    ///
    /// `connection: close` alone would not do: it ends a connection after its call, and lets the call travel on one that was kept. A
    /// client of its own keeps none; and it tells whether its one connection ever stood, which says for certain whether anything was sent.
    private func executeAlone(
        _ request: HTTPClientRequest, _ configuration: HTTPClient.Configuration, timeout: Duration
    ) async throws(CallFailure) -> (HTTPClientResponse, [UInt8]) {
        var request = request
        request.headers.replaceOrAdd(name: "connection", value: "close")
        let connection = OpenedConnection()
        var configuration = configuration
        configuration.http1_1ConnectionDebugInitializer = { channel in
            connection.stands()
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        let alone = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<(HTTPClientResponse, [UInt8]), CallFailure>
        do throws(CallFailure) {
            result = .success(
                try await execute(request, by: alone, timeout: timeout) {
                    // Only when this client has ended can no connection of it come to stand any more.
                    if !connection.hasStood { try? await alone.shutdown() }
                    return connection.hasStood ? .handedOver : .connecting
                })
        } catch {
            result = .failure(error)
        }
        // Saying good-bye may take a peer seconds, and nobody has to wait for it.
        Task { try? await alone.shutdown() }
        return try result.get()
    }

    /// Head and body within one time: the client's own deadline ends with the head.
    ///
    /// - Parameter stage: asked when it failed before the answer began.
    private func execute(
        _ request: HTTPClientRequest, by client: HTTPClient, timeout: Duration, stage: () async -> CallFailure.Stage
    ) async throws(CallFailure) -> (HTTPClientResponse, [UInt8]) {
        do {
            return try await withThrowingTaskGroup(of: (HTTPClientResponse, [UInt8]).self) { [agency] group in
                group.addTask {
                    let response = try await client.execute(request, deadline: .now() + .milliseconds(timeout.milliseconds))
                    do {
                        let body = try await response.body.collect(upTo: agency.answerBytesMax)
                        return (response, Array(body.readableBytesView))
                    } catch {
                        throw CallFailure(error, at: .answering)
                    }
                }
                group.addTask {
                    try await Task.sleep(for: timeout + .milliseconds(200))
                    throw AnswerTimedOut()
                }
                defer { group.cancelAll() }
                guard let first = try await group.next() else { throw AnswerTimedOut() }
                return first
            }
        } catch {
            throw CallFailure(error, at: await stage())
        }
    }

    private func decode(_ response: HTTPClientResponse, _ bytes: [UInt8]) async -> Transport {
        var headers = JSONObject()
        for header in response.headers { headers[header.name.lowercased()] = .string(header.value) }
        return .answered(status: Int(response.status.code), headers: headers, body: await agency.style.decodeAside(bytes), raw: bytes)
    }

    private func tell(_ failure: CallFailure) {
        let isNews = told.withLock { told in
            if let last = told[failure.kind], ContinuousClock.now - last < AgencyClient.tellingPause { return false }
            told[failure.kind] = .now
            return true
        }
        logger.log(
            level: isNews ? .warning : .debug, "a call brought no answer",
            metadata: [
                "failure": "\(failure.kind.rawValue)", "agency may have acted": "\(failure.mayHaveActed)", "endpoint": "\(endpoint)",
                "error": "\(failure.detail)", "remedy": "\(failure.kind.remedy)",
            ])
    }
}

/// Whether a connection has ever stood, its TLS handshake included.
private final class OpenedConnection: Sendable {
    private let flag = Mutex(false)

    func stands() { flag.withLock { $0 = true } }
    var hasStood: Bool { flag.withLock { $0 } }
}
