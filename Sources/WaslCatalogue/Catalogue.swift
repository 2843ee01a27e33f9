import Foundation
public import WaslModel

/// Every service and agency that data describes.
public struct Catalogue: Sendable {
    public struct Key: Sendable, Hashable {
        public let service: ServiceID
        public let version: Int64
    }

    public let agencies: [ParticipantID: Agency]
    public let calendar: WorkingCalendar
    private let services: [Key: Service]
    private let newest: [ServiceID: Int64]

    /// Loads a `Schemas/` folder.
    ///
    /// - Throws: ``SettingsError`` naming the first file that is not right.
    public init(folder: String) throws {
        calendar = try WorkingCalendar(file: folder + "/facts/calendar.yaml")
        var agencies: [ParticipantID: Agency] = [:]
        for name in try Catalogue.folders(in: folder + "/agencies") {
            let agency = try Agency(file: "\(folder)/agencies/\(name)/agency.yaml")
            guard agency.id.text == name else {
                throw SettingsError(
                    file: "\(folder)/agencies/\(name)/agency.yaml", key: "agency", reason: "the folder is called \(name)")
            }
            agencies[agency.id] = agency
        }
        var services: [Key: Service] = [:]
        var newest: [ServiceID: Int64] = [:]
        for agency in try Catalogue.folders(in: folder + "/services") {
            for name in try Catalogue.folders(in: "\(folder)/services/\(agency)") {
                for version in try Catalogue.folders(in: "\(folder)/services/\(agency)/\(name)") {
                    let path = "\(folder)/services/\(agency)/\(name)/\(version)"
                    let service = try Service(folder: path) { agencies[$0]?.style == .desk }
                    guard service.id.text == "\(agency).\(name)", String(service.version) == version else {
                        throw SettingsError(
                            file: path + "/service.yaml", key: "service",
                            reason: "the folder says \(agency).\(name) version \(version)")
                    }
                    guard agencies[service.agency] != nil else {
                        throw SettingsError(
                            file: path + "/service.yaml", key: "service", reason: "no agency \(service.agency) is described")
                    }
                    services[Key(service: service.id, version: service.version)] = service
                    newest[service.id] = max(newest[service.id] ?? 0, service.version)
                }
            }
        }
        self.agencies = agencies
        self.services = services
        self.newest = newest
    }

    private static func folders(in folder: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }.sorted()
        } catch {
            throw SettingsError(file: folder, key: "", reason: "cannot be read: is this a Schemas folder?")
        }
    }

    /// A service in a given version, or in its newest one.
    public func service(_ id: ServiceID, version: Int64? = nil) -> Service? {
        guard let version = version ?? newest[id] else { return nil }
        return services[Key(service: id, version: version)]
    }

    /// All services in all versions, by identifier.
    public var all: [Service] { services.values.sorted { ($0.id, $0.version) < ($1.id, $1.version) } }

    /// The programs of one agency's services.
    public func programs(of agency: ParticipantID) -> [String: String] { programs.filter { $0.key.hasPrefix("\(agency).") } }

    /// Every program by its name.
    public var programs: [String: String] {
        Dictionary(
            uniqueKeysWithValues: services.values.flatMap { service in
                service.programs.map { (service.programName($0.key), $0.value) }
            })
    }
}
