import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
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
    private let client: HTTPClient
    private let endpoint: String
    private let agency: Agency
    private let credentials: (name: String, value: String)?

    /// - Parameter secret: the text of the credentials' file.
    /// - Throws: where the TLS files cannot be read.
    init(_ agency: Agency, endpoint: String, secret: String?) throws {
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
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        // Well before the whole call's time is up: a host that does not answer the handshake was sent nothing.
        configuration.timeout.connect = .milliseconds(min(5_000, agency.timeout.milliseconds / 2))
        configuration.timeout.read = .milliseconds(agency.timeout.milliseconds)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.idleTimeout = .seconds(20)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = agency.concurrencyMax
        configuration.httpVersion = .http1Only
        if let tls = agency.tls {
            var secure = TLSConfiguration.makeClientConfiguration()
            secure.trustRoots = .file(tls.authority)
            if let certificate = tls.certificate, let key = tls.key {
                secure.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
                secure.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            }
            configuration.tlsConfiguration = secure
        }
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func close() async { try? await client.shutdown() }

    /// - Parameters:
    ///   - isRepeatable: otherwise a connection of its own is used, so that no idle one that the agency is just closing
    ///     leaves a doubt that need not be.
    ///   - content: a paper's type and bytes, for the call that brings it.
    func perform(
        _ call: AgencyCall, isRepeatable: Bool, content: (type: String, bytes: [UInt8])? = nil
    ) async -> Transport {
        var request = HTTPClientRequest(url: endpoint + call.path)
        request.method = HTTPMethod(rawValue: call.method)
        for (name, value) in call.headers { request.headers.add(name: name, value: value) }
        if let credentials { request.headers.replaceOrAdd(name: credentials.name, value: credentials.value) }
        if !isRepeatable { request.headers.replaceOrAdd(name: "connection", value: "close") }
        if let content {
            request.headers.replaceOrAdd(name: "content-type", value: content.type)
            request.body = .bytes(content.bytes)
        } else if let body = call.body {
            let encoded: (type: String, bytes: [UInt8])
            do { encoded = try agency.style.encode(body) } catch { return .notSent("\(error)") }
            request.headers.replaceOrAdd(name: "content-type", value: encoded.type)
            request.body = .bytes(encoded.bytes)
        }
        do {
            // A paper of megabytes takes its time: a quarter of one in a second at least.
            let (response, bytes) = try await execute(
                request, timeout: agency.timeout + .seconds((content?.bytes.count ?? 0) >> 18))
            return decode(response, bytes)
        } catch {
            return AgencyClient.isCertainlyUnsent(error) ? .notSent("\(error)") : .unknown("\(error)")
        }
    }

    /// Head and body within one time: the client's own deadline ends with the head.
    private func execute(_ request: HTTPClientRequest, timeout: Duration) async throws -> (HTTPClientResponse, [UInt8]) {
        try await withThrowingTaskGroup(of: (HTTPClientResponse, [UInt8]).self) { [client, agency] group in
            group.addTask {
                let response = try await client.execute(request, deadline: .now() + .milliseconds(timeout.milliseconds))
                let body = try await response.body.collect(upTo: agency.answerBytesMax)
                return (response, Array(body.readableBytesView))
            }
            group.addTask {
                try await Task.sleep(for: timeout + .milliseconds(200))
                throw AnswerTimedOut()
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw AnswerTimedOut() }
            return first
        }
    }

    /// Only what failed before a byte of the request was handed over.
    private static func isCertainlyUnsent(_ error: any Error) -> Bool {
        if error is NIOConnectionError { return true }
        if let error = error as? HTTPClientError {
            return [.connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout, .invalidURL, .emptyHost].contains(error)
        }
        if let error = error as? IOError { return error.errnoCode == ECONNREFUSED || error.errnoCode == EHOSTUNREACH }
        return false
    }

    private func decode(_ response: HTTPClientResponse, _ bytes: [UInt8]) -> Transport {
        var headers = JSONObject()
        for header in response.headers { headers[header.name.lowercased()] = .string(header.value) }
        return .answered(status: Int(response.status.code), headers: headers, body: agency.style.decode(bytes), raw: bytes)
    }
}
