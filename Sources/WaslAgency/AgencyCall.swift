import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import WaslCatalogue
package import WaslModel

/// A call as `call.jq` or `lookup.jq` describes it.
package struct AgencyCall: Sendable, Hashable {
    package let method: String
    package let path: String
    package let headers: [(String, String)]
    package let body: JSON?

    package static func == (left: AgencyCall, right: AgencyCall) -> Bool {
        left.method == right.method && left.path == right.path && left.body == right.body
            && left.headers.map { "\($0):\($1)" } == right.headers.map { "\($0):\($1)" }
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(path) }

    /// - Throws: ``TranslationResultError`` naming the member.
    init(_ json: JSON) throws {
        guard let method = json["method"]?.string, ["GET", "POST", "PUT", "DELETE"].contains(method) else {
            throw TranslationResultError("method: expected GET, POST, PUT or DELETE")
        }
        guard let path = json["path"]?.string, path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw TranslationResultError("path: expected an absolute path in visible ASCII")
        }
        var headers: [(String, String)] = []
        for (name, value) in json["headers"]?.object?.members ?? [] {
            guard let text = value.string, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
                throw TranslationResultError("headers.\(name): expected a text in ASCII")
            }
            headers.append((name, text))
        }
        self.method = method
        self.path = path
        self.headers = headers
        body = json["body"]
    }
}

/// The agency's answer did not end in time.
struct AnswerTimedOut: Error {}

struct TranslationResultError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What came back over the network.
package enum Transport: Sendable {
    /// Nothing reached the agency, for certain.
    case notSent(String)
    case answered(status: Int, headers: JSONObject, body: JSON)
    /// It may have reached the agency.
    case unknown(String)
}

/// Calls an agency's API. Redirects are not followed and nothing is retried in here: a replayed POST would be a second payment.
final class AgencyClient: Sendable {
    private let client: HTTPClient
    private let endpoint: String
    private let agency: Agency

    init(_ agency: Agency, endpoint: String) {
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
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func close() async { try? await client.shutdown() }

    /// - Parameter isRepeatable: otherwise a connection of its own is used, so that no idle one that the agency is just closing
    ///   leaves a doubt that need not be.
    func perform(_ call: AgencyCall, isRepeatable: Bool) async -> Transport {
        var request = HTTPClientRequest(url: endpoint + call.path)
        request.method = HTTPMethod(rawValue: call.method)
        for (name, value) in call.headers { request.headers.add(name: name, value: value) }
        if !isRepeatable { request.headers.replaceOrAdd(name: "connection", value: "close") }
        if let body = call.body {
            let encoded = encode(body)
            request.headers.replaceOrAdd(name: "content-type", value: encoded.type)
            request.body = .bytes(encoded.bytes)
        }
        do {
            let (response, bytes) = try await execute(request)
            return decode(response, bytes)
        } catch {
            return AgencyClient.isCertainlyUnsent(error) ? .notSent("\(error)") : .unknown("\(error)")
        }
    }

    /// Head and body within one time: the client's own deadline ends with the head.
    private func execute(_ request: HTTPClientRequest) async throws -> (HTTPClientResponse, [UInt8]) {
        try await withThrowingTaskGroup(of: (HTTPClientResponse, [UInt8]).self) { [client, agency] group in
            group.addTask {
                let response = try await client.execute(request, deadline: .now() + .milliseconds(agency.timeout.milliseconds))
                let body = try await response.body.collect(upTo: agency.answerBytesMax)
                return (response, Array(body.readableBytesView))
            }
            group.addTask {
                try await Task.sleep(for: agency.timeout + .milliseconds(200))
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

    private func encode(_ body: JSON) -> (type: String, bytes: [UInt8]) {
        switch agency.style {
        case .restJSON: ("application/json", body.bytes)
        case .soap11: ("text/xml; charset=utf-8", SOAP.envelope(body))
        }
    }

    private func decode(_ response: HTTPClientResponse, _ bytes: [UInt8]) -> Transport {
        var headers = JSONObject()
        for header in response.headers { headers[header.name.lowercased()] = .string(header.value) }
        let status = Int(response.status.code)
        let body: JSON?
        switch agency.style {
        case .restJSON: body = bytes.isEmpty ? .null : try? JSON.parse(bytes)
        case .soap11: body = bytes.isEmpty ? .null : try? XMLTree.parse(bytes)
        }
        guard let body else {
            // The status alone decides nothing: a 200 that cannot be read is doubt.
            return .answered(status: status, headers: headers, body: ["unreadable": true])
        }
        return .answered(status: status, headers: headers, body: body)
    }
}
