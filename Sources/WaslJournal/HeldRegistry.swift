public import WaslSeal

/// The journal keeps the highest version of the registry that was held, so that nobody is led back to an older one: to a key that was
/// revoked since, or a participant that was suspended.
extension JournalTransaction {
    /// Notes that a registry is held; a lower version than the one noted changes nothing.
    public func hold(registry version: Int64) throws {
        try db.cachedStatement(sql: "UPDATE journal SET registry = ?1 WHERE registry < ?1").execute(arguments: [version])
    }
}

extension JournalStore {
    /// Begins with a registry that is no older than any that was held before.
    ///
    /// - Throws: ``SealError`` with `stale`, naming the file and what to do.
    public func begin(with registry: RegistryHolder) throws {
        try registry.requireAtLeast(read { try Int64.fetchOne($0, sql: "SELECT registry FROM journal") ?? 0 })
        let version = registry.registry.version
        _ = try transaction { try $0.hold(registry: version) }
    }
}

extension RegistryHolder {
    /// Takes a newer registry: onto the disk, into the journal, and only then does anybody go by it. In this order, because a journal that
    /// knows of a version which no file has would refuse every restart.
    public func update(_ body: [UInt8], signature: String, in journal: Journal) async throws {
        guard let accepted = try accept(body, signature: signature) else { return }
        try await goBy(accepted, in: journal)
    }

    /// Reads the files again, as an operator asks by SIGHUP.
    public func reload(in journal: Journal) async throws { try await goBy(acceptFromDisk(), in: journal) }

    private func goBy(_ accepted: Accepted, in journal: Journal) async throws {
        try await journal.commit { try $0.hold(registry: accepted.version) }
        goBy(accepted)
    }
}
