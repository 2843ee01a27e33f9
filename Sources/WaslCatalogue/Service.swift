import Foundation
public import JSONSchema
public import WaslModel

/// A typed operation of an agency, as data: one folder `Schemas/services/<agency>/<service>/<version>/`.
public struct Service: Sendable {
    public let id: ServiceID
    public let version: Int64
    public let agency: ParticipantID
    /// The committee's approval.
    public let approval: Approval
    public let names: LocalizedText
    public let guidance: Guidance
    public let effect: EffectClass
    /// How long the agency may take before the request counts as overdue.
    public let level: ServiceLevel
    /// How long after its acceptance a request may still be begun.
    public let expiry: Duration
    /// How long journals keep the citizen's sealed fields.
    public let retention: Duration
    /// The member of `fields` that holds the amount in millimes; `nil` where nothing is paid.
    public let amountField: String?
    /// Papers that go with the order; `nil` where there are none.
    public let attachments: AttachmentRule?
    /// The document that a completed outcome comes with; `nil` where there is none.
    public let document: DocumentRule?
    /// The agency's staff answers on a page of the worker, and nothing is called.
    public let isDesk: Bool
    /// The fields in the order of the screen.
    public let form: [FormField]
    /// The outcome's fields in the order of the desk's screen; empty where a machine answers.
    public let answerForm: [FormField]
    /// Proposed rather than known: shown so to operators.
    public let isProposed: Bool
    public let request: Schema
    public let outcome: Schema
    /// The jq programs: `call`, `answer`, `lookup` where the effect class is `queryable`, `upload` where papers go along; none at a desk.
    public let programs: [Program: String]
    /// Where its files are.
    public let folder: String

    public enum Program: String, Sendable, CaseIterable {
        case call, answer, lookup, upload
    }

    public struct Approval: Sendable {
        public let decision: String
        public let date: String
        public let phase: Int64
    }

    /// What a clerk tells a citizen before the order.
    public struct Guidance: Sendable {
        public let who, conditions, documents, steps, delays, fees, intervenes: LocalizedText
    }

    public struct AttachmentRule: Sendable {
        public let field: String
        public let types: [String]
        public let countMax: Int
        public let bytesMax: Int64
    }

    /// Where an answer holds a document's bytes, and where the outcome says what it is.
    public struct DocumentRule: Sendable {
        /// The outcome's member with `type`, `size` and `digest`.
        public let field: String
        /// JSON Pointer to the base64 text in an answer's body.
        public let content: String
    }

    public struct FormField: Sendable {
        public let field: String
        public let label: LocalizedText
        public let hint: LocalizedText?
    }

    /// - Throws: ``SettingsError`` naming file and place.
    ///
    /// - Parameter isDesk: whether all that its agency does is done at a desk.
    init(folder: String, isDesk isAgencysDesk: (ParticipantID) -> Bool) throws {
        self.folder = folder
        let settings = try Settings(file: folder + "/service.yaml")
        guard let id = ServiceID(try settings.requiredString("service")), let agency = id.agency else {
            throw settings.error("service", "expected a service's identifier")
        }
        self.id = id
        self.agency = agency
        guard let version = try settings.integer("version", in: 1...9999) else { throw settings.error("version", "missing") }
        self.version = version
        names = try settings.requiredTexts("names")
        guard let effect = try settings.word("effect", EffectClass.self) else { throw settings.error("effect", "missing") }
        self.effect = effect
        guard let level = ServiceLevel(text: try settings.requiredString("level"), elapsed: { Duration(text: $0) }) else {
            throw settings.error("level", "expected a number and a unit, such as `30 s`, `2 min` or `10 working days`")
        }
        self.level = level
        expiry = try settings.duration("expiry") ?? .seconds(86_400)
        retention = try settings.duration("retention") ?? .seconds(400 * 86_400)
        amountField = try settings.group("payment")?.requiredString("amount")
        isProposed = try settings.string("mark") == "proposed"
        approval = try Service.approval(settings)
        guidance = try Service.guidance(settings)
        attachments = try Service.attachments(settings)
        isDesk = try settings.word("style", Style.self) == .desk || isAgencysDesk(agency)
        document = try settings.group("document").map { group in
            let content = try group.requiredString("content")
            guard content.hasPrefix("/") else { throw group.error("content", "expected a JSON Pointer, such as /attestation/contenu") }
            return DocumentRule(field: try group.requiredString("field"), content: content)
        }
        form = try Service.form(settings, "form")
        answerForm = try Service.form(settings, "answer-form")
        guard isDesk != answerForm.isEmpty else {
            throw settings.error(
                "answer-form", isDesk ? "missing: the desk's screen needs it" : "is for services with `style: desk`")
        }
        try settings.finish()
        request = try Service.schema(folder + "/request.schema.json")
        outcome = try Service.schema(folder + "/outcome.schema.json")
        var programs: [Program: String] = [:]
        for program in Program.allCases where !isDesk {
            if program == .lookup, effect != .queryable { continue }
            if program == .upload, attachments == nil { continue }
            let file = "\(folder)/\(program.rawValue).jq"
            guard let data = FileManager.default.contents(atPath: file) else {
                throw SettingsError(file: file, key: "", reason: "cannot be read")
            }
            programs[program] = String(decoding: data, as: UTF8.self)
        }
        self.programs = programs
    }

    private enum Style: String, CaseIterable { case desk }

    private static func form(_ settings: Settings, _ key: String) throws -> [FormField] {
        try settings.groups(key).map { group in
            FormField(
                field: try group.requiredString("field"), label: try group.requiredTexts("label"), hint: try group.texts("hint"))
        }
    }

    private static func approval(_ settings: Settings) throws -> Approval {
        guard let group = try settings.group("approval") else { throw settings.error("approval", "missing") }
        let date = try group.requiredString("date")
        guard Timestamp(date + "T00:00:00Z") != nil else { throw group.error("date", "expected a date, such as 2026-11-23") }
        guard let phase = try group.integer("phase", in: 1...99) else { throw group.error("phase", "missing") }
        return Approval(decision: try group.requiredString("decision"), date: date, phase: phase)
    }

    private static func guidance(_ settings: Settings) throws -> Guidance {
        guard let group = try settings.group("guidance") else { throw settings.error("guidance", "missing") }
        return Guidance(
            who: try group.requiredTexts("who"), conditions: try group.requiredTexts("conditions"),
            documents: try group.requiredTexts("documents"), steps: try group.requiredTexts("steps"),
            delays: try group.requiredTexts("delays"), fees: try group.requiredTexts("fees"),
            intervenes: try group.requiredTexts("intervenes"))
    }

    private static func attachments(_ settings: Settings) throws -> AttachmentRule? {
        if settings.value("attachments")?.string == "none" { return nil }
        guard let rule = try settings.groups("attachments").first else { throw settings.error("attachments", "expected `none` or a rule") }
        guard let countMax = try rule.integer("count-max", in: 1...50) else { throw rule.error("count-max", "missing") }
        guard let megabytes = try rule.integer("megabytes-max", in: 1...20) else { throw rule.error("megabytes-max", "missing") }
        return AttachmentRule(
            field: try rule.requiredString("field"), types: (rule.value("types")?.array ?? []).compactMap(\.string),
            countMax: Int(countMax), bytesMax: megabytes << 20)
    }

    private static func schema(_ file: String) throws -> Schema {
        var options = SchemaOptions()
        options.formats?.merge(NationalFormats.all) { own, _ in own }
        do { return try Schema(try json(file), options: options) } catch let error as SchemaError {
            throw SettingsError(file: file, key: error.location, reason: error.reason)
        }
    }

    static func json(_ file: String) throws -> JSON {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw SettingsError(file: file, key: "", reason: "cannot be read")
        }
        do { return try JSON.parse([UInt8](data)) } catch { throw SettingsError(file: file, key: "", reason: "\(error)") }
    }

    /// The name of one of its programs for the translator.
    public func programName(_ program: Program) -> String { "\(id)@\(version)/\(program.rawValue)" }
}
