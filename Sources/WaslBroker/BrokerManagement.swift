import AsyncHTTPClient
import Foundation
import NIOCore
public import WaslModel

/// RabbitMQ's management API, as far as the topology needs it.
public struct BrokerManagement: Sendable {
    private let address: String
    private let authorization: String

    /// - Parameter address: such as `http://127.0.0.1:15672`.
    public init(address: String, user: String, password: String) {
        self.address = address
        authorization = "Basic " + base64(Array("\(user):\(password)".utf8))
    }

    public func apply(_ definitions: JSON) async throws { _ = try await call(.post, "/api/definitions", body: definitions) }

    public func definitions() async throws -> JSON { try await call(.get, "/api/definitions") }

    /// Any other call, for tests that purge and delete.
    @discardableResult
    public func call(_ method: Method, _ path: String, body: JSON? = nil) async throws -> JSON {
        var request = HTTPClientRequest(url: address + path)
        request.method = .RAW(value: method.rawValue)
        request.headers.add(name: "authorization", value: authorization)
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(body.bytes)
        }
        let response: HTTPClientResponse
        do {
            response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
        } catch {
            throw BrokerError(.unreachable, "\(address)\(path): \(error)")
        }
        let answer = try await response.body.collect(upTo: 32 << 20)
        guard (200..<300).contains(response.status.code) else {
            throw BrokerError(
                .refused, "\(method.rawValue) \(path): \(response.status.code) \(String(buffer: answer).prefix(500))")
        }
        return answer.readableBytes == 0 ? .null : try JSON.parse(Array(answer.readableBytesView))
    }

    public enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }
}

func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
