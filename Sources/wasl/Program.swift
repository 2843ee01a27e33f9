import AsyncHTTPClient
import Foundation
import NIOCore
import WaslModel

/// This program itself, and the small errands that its commands share.
enum Program {
    /// Its own executable file.
    static let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]

    /// The `Schemas` folder: as told, in this folder, or beside the executable's sources.
    static func schemas(_ given: String?) throws -> String {
        if let given = given ?? ProcessInfo.processInfo.environment["WASL_SCHEMAS"] { return given }
        var folder = FileManager.default.currentDirectoryPath
        for _ in 0..<2 {
            while folder != "/", folder != "" {
                if FileManager.default.fileExists(atPath: folder + "/Schemas/services") { return folder + "/Schemas" }
                folder = (folder as NSString).deletingLastPathComponent
            }
            folder = (path as NSString).deletingLastPathComponent
        }
        throw Failure.usage("no Schemas folder here or beside the program: name it with --schemas or WASL_SCHEMAS")
    }

    static func read(_ file: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: file) else { throw Failure.badInput("\(file): cannot be read") }
        return [UInt8](data)
    }

    /// One HTTP call with a JSON answer.
    ///
    /// - Throws: ``Failure`` when nobody answers.
    static func http(
        _ method: String, _ address: String, token: String? = nil, body: JSON? = nil, headers: [(String, String)] = [],
        timeout: Duration = .seconds(30)
    ) async throws -> (status: Int, answer: JSON) {
        var request = HTTPClientRequest(url: address)
        request.method = .RAW(value: method)
        if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(body.bytes)
        }
        do {
            let response = try await HTTPClient.shared.execute(
                request, deadline: .now() + .milliseconds(timeout.milliseconds))
            let bytes = try await response.body.collect(upTo: 16 << 20)
            return (Int(response.status.code), (try? JSON.parse(Array(bytes.readableBytesView))) ?? .null)
        } catch {
            throw Failure.unavailable("\(address): nobody answers (\(error))")
        }
    }

    static var now: Timestamp {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }
}
