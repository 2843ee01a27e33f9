public import WaslModel

/// An order tried on paper: what the agency would get, with nothing sent.
public struct CatalogueTrial {
    private let service: Service
    private let form: WireForm
    private let fields: JSONObject
    /// Why the order would not be taken; empty where it would.
    public let violations: [String]

    /// - Parameter fields: the bytes of a JSON object.
    /// - Throws: ``SettingsError`` or `JSONParseError` where they are none.
    public init(service: Service, catalogue: Catalogue, fields: [UInt8]) throws {
        guard let agency = catalogue.agencies[service.agency] else {
            throw SettingsError(file: service.folder, key: "service", reason: "no agency \(service.agency) is described")
        }
        let json = try JSON.parse(fields)
        self.service = service
        form = agency.style
        self.fields = json.object ?? [:]
        violations = (json.object.map { service.violations(in: $0) } ?? service.request.validate(json)).map {
            "\($0.instanceLocation.isEmpty ? "/" : $0.instanceLocation): \($0.message.en)"
        }
    }

    /// The orders of a service's examples.
    public static func orders(of service: Service) throws -> [JSONObject] { try Example.all(of: service).map(\.request) }

    /// What a program sees of an order, with the reference, house and time of every example.
    public static func input(_ fields: JSONObject, of service: Service) -> JSON { Example.input(fields, of: service, for: .call) }

    /// The call, and the lookup and a paper's upload where there are such, as they go over the wire.
    public func calls(_ translator: Translator) async throws -> [String] {
        var texts: [String] = []
        for program in [Service.Program.upload, .call, .lookup] where service.programs[program] != nil {
            let value = try await translator.run(service.programName(program), Example.input(fields, of: service, for: program))
            texts.append("# \(program.rawValue)\n" + (try AgencyCall(value).text(form)))
        }
        return texts
    }
}
