import Foundation
public import JSONSchema
public import WaslModel

/// A typed operation of an agency, as data: one folder `Schemas/services/<agency>/<service>/<version>/`.
public struct Service: Sendable {
    public let id: ServiceID
    public let version: Int64
    public let agency: ParticipantID
    public let names: LocalizedText
    public let effect: EffectClass
    /// How long the agency may take before the request counts as overdue.
    public let level: Duration
    /// How long after its acceptance a request may still be begun.
    public let expiry: Duration
    /// The member of `fields` that holds the amount in millimes; `nil` where nothing is paid.
    public let amountField: String?
    /// Proposed rather than known: shown so to operators.
    public let isProposed: Bool
    public let request: Schema
    public let outcome: Schema
    /// The jq programs: `call`, `answer`, and `lookup` where the effect class is `queryable`.
    public let programs: [Program: String]

    public enum Program: String, Sendable, CaseIterable {
        case call, answer, lookup
    }

    /// - Throws: ``SettingsError`` naming file and place.
    init(folder: String) throws {
        let settings = try Settings(file: folder + "/service.yaml")
        guard let id = ServiceID(try settings.requiredString("service")), let agency = id.agency else {
            throw settings.error("service", "expected a service's identifier")
        }
        self.id = id
        self.agency = agency
        guard let version = try settings.integer("version", in: 1...9999) else { throw settings.error("version", "missing") }
        self.version = version
        guard let names = try settings.texts("names") else { throw settings.error("names", "missing") }
        self.names = names
        guard let effect = try settings.word("effect", EffectClass.self) else { throw settings.error("effect", "missing") }
        self.effect = effect
        guard let level = try settings.duration("level") else { throw settings.error("level", "missing") }
        self.level = level
        expiry = try settings.duration("expiry") ?? .seconds(86_400)
        amountField = try settings.string("amount-field")
        isProposed = try settings.string("mark") == "proposed"
        try settings.finish()
        request = try Service.schema(folder + "/request.schema.json")
        outcome = try Service.schema(folder + "/outcome.schema.json")
        var programs: [Program: String] = [:]
        for program in Program.allCases where program != .lookup || effect == .queryable {
            let file = "\(folder)/\(program.rawValue).jq"
            guard let data = FileManager.default.contents(atPath: file) else {
                throw SettingsError(file: file, key: "", reason: "cannot be read")
            }
            programs[program] = String(decoding: data, as: UTF8.self)
        }
        self.programs = programs
    }

    private static func schema(_ file: String) throws -> Schema {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw SettingsError(file: file, key: "", reason: "cannot be read")
        }
        do { return try Schema(try JSON.parse([UInt8](data))) } catch {
            throw SettingsError(file: file, key: "", reason: "\(error)")
        }
    }

    /// The name of one of its programs for the translator.
    public func programName(_ program: Program) -> String { "\(id)@\(version)/\(program.rawValue)" }
}
