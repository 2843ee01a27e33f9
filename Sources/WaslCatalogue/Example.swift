import Foundation
import WaslModel

/// One file of a service's `examples/`: an order, the call that comes of it, and what each answer means.
struct Example {
    struct Answer {
        let about: String
        let phase: Phase
        let status: Int
        let headers: JSONObject
        /// What the agency's bytes are read as, or those bytes.
        let body: JSON?
        let raw: String?
        let expected: JSON
    }

    /// The name of its file in the service's folder.
    let name: String
    let request: JSONObject
    /// `.null` at a desk.
    let call: JSON
    /// What the desk answers to it.
    let outcome: JSONObject?
    let lookup: JSON?
    /// The call that brings the first of its papers.
    let upload: JSON?
    let answers: [Answer]

    /// The reference, house and time that every example is written for.
    static let reference = "RSWPD7PNYJZPZ2V2IKF2PGWVQZ"
    static let house = "hydra"
    static let time = "2026-11-23T09:00:00.000Z"

    /// What `call.jq` and `lookup.jq` see.
    static func input(_ fields: JSONObject, of service: Service, for program: Service.Program) -> JSON {
        var input: JSONObject = [
            "reference": .string(reference), "service": .string(service.id.text), "house": .string(house), "time": .string(time),
            "fields": .object(fields),
        ]
        if program == .upload, let field = service.attachments?.field { input["attachment"] = fields[field]?.array?.first ?? .null }
        return .object(input)
    }

    static func all(of service: Service) throws -> [Example] {
        let folder = service.folder + "/examples"
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".json") }.sorted()
        return try names.map { try Example(file: folder + "/" + $0, name: "examples/" + $0, isDesk: service.isDesk) }
    }

    private init(file: String, name: String, isDesk: Bool) throws {
        let json = try Service.json(file)
        func fail(_ key: String, _ reason: String) -> SettingsError { SettingsError(file: file, key: key, reason: reason) }
        let known = ["about", "request", "call", "lookup", "upload", "outcome", "answers"]
        if let unknown = json.object?.keys.first(where: { !known.contains($0) }) {
            throw fail(unknown, "unknown member; known: \(known.joined(separator: ", "))")
        }
        guard let request = json["request"]?.object else { throw fail("request", "expected the order's fields") }
        guard isDesk || json["call"] != nil else { throw fail("call", "expected the call that comes of it") }
        guard !isDesk || json["outcome"]?.object != nil else { throw fail("outcome", "expected the fields that the desk answers with") }
        outcome = json["outcome"]?.object
        self.name = name
        self.request = request
        call = json["call"] ?? .null
        lookup = json["lookup"]
        upload = json["upload"]
        answers = try (json["answers"]?.array ?? []).enumerated().map { index, answer in
            let place = "answers[\(index)]"
            guard let status = answer["status"]?.integer, (100...599).contains(status) else {
                throw fail(place + ".status", "expected 100 to 599")
            }
            guard let expected = answer["expect"] else { throw fail(place + ".expect", "missing") }
            guard answer["body"] != nil || answer["raw"] != nil else { throw fail(place, "expected `body` or `raw`") }
            guard let phase = Phase(rawValue: answer["phase"]?.string ?? "call") else {
                throw fail(place + ".phase", "expected call, lookup or upload")
            }
            return Answer(
                about: answer["about"]?.string ?? place, phase: phase, status: Int(status),
                headers: answer["headers"]?.object ?? [:], body: answer["body"], raw: answer["raw"]?.string, expected: expected)
        }
    }
}
