import AsyncHTTPClient
import Foundation
import NIOCore
import WaslModel
import WaslSimulation
import WaslWeb

/// Simulated agents: they sign in to an agency's desk, read what waits, write it into their register, and enter the answer, through the
/// very pages that people use.
actor DevStaff {
    /// Whoever signs in to the pages of a `wasl dev`, here and in a browser.
    static let name = "guichet"

    private let agency: String
    private let address: String
    private let password: String
    private let register: EffectsLog
    private let client: HTTPClient
    /// Case numbers by house and number of the request: what is in the register is not written there twice.
    private var cases: [String: String]
    private var cookie: String?

    init(agency: String, address: String, password: String, logPath: String) throws {
        self.agency = agency
        self.address = address
        self.password = password
        cases = Dictionary(
            try EffectsLog.read(path: logPath).filter { $0.operation == "desk" }.compactMap { line in
                line.receipt.map { (line.reference, $0) }
            },
            uniquingKeysWith: { first, _ in first })
        register = try EffectsLog(path: logPath)
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Works until cancelled.
    func work() async {
        while !Task.isCancelled {
            do { try await answerWhatWaits() } catch { cookie = nil }
            try? await Task.sleep(for: .milliseconds(400))
        }
        try? await client.shutdown()
        register.close()
    }

    private func answerWhatWaits() async throws {
        if cookie == nil { try await signIn() }
        let list = try await get("/desk?lang=fr")
        for match in list.matches(of: #/\/desk\/requests\/([a-z0-9-]+)\/([0-9a-f-]{36})/#) {
            guard let request = RequestKey(house: String(match.output.1), subject: String(match.output.2)) else { continue }
            try await answer(request)
        }
    }

    private func signIn() async throws {
        let response = try await post("/desk/sign-in?lang=fr", ["name": DevStaff.name, "password": password])
        guard response.status == 303, let set = response.cookie else { throw Failure.unavailable("\(address): the desk takes nobody") }
        cookie = String(set.prefix { $0 != ";" })
    }

    private func answer(_ request: RequestKey) async throws {
        let path = "/desk/requests/\(request.path)?lang=fr"
        guard let token = try await get(path).firstMatch(of: #/name="token" value="([^"]+)"/#)?.output.1 else { return }
        var form = ["token": String(token)]
        // Which are refused, and which are first taken in hand, is a matter of their numbers.
        let sum = request.subject.text.utf8.reduce(0) { $0 + Int($1) }
        if sum % 7 == 0 {
            form["act"] = "refuse"
            form["reason"] = "Le texte ne dit pas de quoi il s'agit."
        } else {
            if sum % 2 == 0 {
                _ = try await post(path, ["token": String(token), "act": "take"])
            }
            form["act"] = "complete"
            form["field.case_number"] = await enter(request)
        }
        _ = try await post(path, form)
    }

    private func enter(_ request: RequestKey) async -> String {
        let reference = request.description
        if let known = cases[reference] { return known }
        let number = "\(agency.uppercased())-\(cases.count + 1)-\(request.subject.text.prefix(8))"
        cases[reference] = number
        await register.append(.init(agency: agency, operation: "desk", reference: reference, receipt: number, fault: nil))
        return number
    }

    private func get(_ path: String) async throws -> String {
        var request = HTTPClientRequest(url: address + path)
        if let cookie { request.headers.add(name: "cookie", value: cookie) }
        let response = try await client.execute(request, deadline: .now() + .seconds(20))
        let text = String(buffer: try await response.body.collect(upTo: 4 << 20))
        guard response.status == .ok else { throw Failure.unavailable("\(address)\(path): \(response.status.code)") }
        return text
    }

    private func post(_ path: String, _ form: [String: String]) async throws -> (status: Int, cookie: String?) {
        var request = HTTPClientRequest(url: address + path)
        request.method = .POST
        if let cookie { request.headers.add(name: "cookie", value: cookie) }
        request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
        let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        request.body = .bytes(
            Array(
                form.map { "\($0.key)=\($0.value.addingPercentEncoding(withAllowedCharacters: plain) ?? "")" }.joined(separator: "&").utf8))
        let response = try await client.execute(request, deadline: .now() + .seconds(20))
        _ = try await response.body.collect(upTo: 4 << 20)
        return (Int(response.status.code), response.headers["set-cookie"].first)
    }
}
