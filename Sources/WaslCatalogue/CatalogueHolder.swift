import Synchronization

/// The catalogue that a daemon goes by; read again when an operator asks, and never so that a request on its way loses its contract.
public final class CatalogueHolder: Sendable {
    private let current: Mutex<Catalogue>
    private let folder: String?

    /// - Throws: ``SettingsError`` naming the first file that is not right.
    public init(folder: String) throws {
        self.folder = folder
        current = Mutex(try Catalogue(folder: folder))
    }

    /// One that stays as it is.
    public init(_ catalogue: Catalogue) {
        folder = nil
        current = Mutex(catalogue)
    }

    public var catalogue: Catalogue { current.withLock { $0 } }

    /// Reads the folder again, and goes by it from now on.
    ///
    /// - Parameter prepare: what else must succeed before the change, such as compiling the programs.
    /// - Throws: ``SettingsError`` where the folder cannot be read, or lacks what requests on their way need; the old one stays.
    @discardableResult
    public func reload(_ prepare: (Catalogue) throws -> Void = { _ in }) throws -> Catalogue {
        guard let folder else { return catalogue }
        let fresh = try Catalogue(folder: folder)
        for service in catalogue.all {
            guard let same = fresh.service(service.id, version: service.version) else {
                throw SettingsError(
                    file: service.folder, key: "",
                    reason:
                        "is gone, and requests may be on their way that were written under it; a version stays, a new one comes beside it")
            }
            guard same.isDesk == service.isDesk else {
                throw SettingsError(
                    file: same.folder + "/service.yaml", key: "style",
                    reason: "between a desk and a machine a request does not change; make a new version")
            }
            guard same.effect == service.effect else {
                throw SettingsError(
                    file: same.folder + "/service.yaml", key: "effect",
                    reason: "was \(service.effect.rawValue): what may be repeated does not change under a request; make a new version")
            }
        }
        for agency in catalogue.agencies.keys where fresh.agencies[agency] == nil {
            throw SettingsError(file: "\(folder)/agencies/\(agency)", key: "", reason: "is gone")
        }
        try prepare(fresh)
        current.withLock { $0 = fresh }
        return fresh
    }
}
