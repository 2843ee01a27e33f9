import Foundation
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslWeb

/// Keys, passwords, registry and configurations of a `wasl dev`, made at its first start and kept.
struct DevParticipants {
    let layout: DevLayout
    let schemas: String
    let houses: [FactRow]
    let agencies: [FactRow]
    let catalogue: Catalogue
    /// Only where everything speaks TLS.
    let certificates: DevCertificates?

    init(layout: DevLayout, schemas: String, houseCount: Int, isTLS: Bool = false) throws {
        self.layout = layout
        self.schemas = schemas
        let catalogue = try Catalogue(folder: schemas)
        self.catalogue = catalogue
        certificates = isTLS ? DevCertificates(layout: layout, schemas: schemas) : nil
        houses = Array(try FactRow.read(schemas + "/facts/houses.csv").prefix(houseCount))
        agencies = try FactRow.read(schemas + "/facts/agencies.csv").filter { row in
            ParticipantID(row.id).map { catalogue.agencies[$0] != nil } ?? false
        }
    }

    /// Agencies whose staff answers at a desk.
    var deskAgencies: [String] {
        Set(catalogue.all.filter(\.isDesk).map(\.agency.text)).intersection(agencies.map(\.id)).sorted()
    }

    /// Whoever has pages that people sign in to.
    var withPages: [String] { deskAgencies + ["ledger"] }

    var participantIDs: [String] { houses.map(\.id) + agencies.map(\.id) + ["ledger"] }

    /// Whoever is left out has to be somebody: a misspelt name would leave out nobody, in silence.
    ///
    /// - Throws: ``Failure`` that names who there is.
    func check(absent: Set<String>) throws {
        let known = agencies.map(\.id) + houses.map(\.id)
        guard let unknown = absent.subtracting(known).min() else { return }
        throw Failure.usage(
            "--absent \(unknown): no agency or house of this stack. Agencies: \(agencies.map(\.id).joined(separator: ", ")); "
                + "houses: \(houses.map(\.id).joined(separator: ", ")) (--houses decides how many)")
    }

    func make() throws {
        try layout.makeFolders()
        let root = try keys(layout.rootKeyFile)
        try writePrivateFile(Array(root.signing.jwk.json.text.utf8), to: layout.rootPublicFile)
        if !FileManager.default.fileExists(atPath: layout.tokenFile) {
            try writePrivateFile(Array(digestText(randomBytes(32)).utf8), to: layout.tokenFile)
        }
        for file in participantIDs.map({ "\(layout.passwordsFolder)/\($0).password" }) + [layout.monitorPasswordFile] {
            if !FileManager.default.fileExists(atPath: file) {
                try writePrivateFile(Array(digestText(randomBytes(32)).utf8), to: file)
            }
        }
        for agency in catalogue.agencies.values where agency.credentials != nil {
            let file = layout.secretFile(agency.id.text)
            if !FileManager.default.fileExists(atPath: file) { try writePrivateFile(Array(digestText(randomBytes(32)).utf8), to: file) }
        }
        for id in withPages where !FileManager.default.fileExists(atPath: layout.staffFile(id)) {
            let password = digestText(randomBytes(16))
            try writePrivateFile(Array(password.utf8), to: layout.staffPasswordFile(id))
            var accounts = Accounts()
            try accounts.set(DevStaff.name, password: password)
            try writePrivateFile(Array(accounts.text.utf8), to: layout.staffFile(id))
        }
        try certificates?.make(participants: participantIDs, agencies: agencies.map(\.id))
        // A folder of an earlier version may know fewer agencies or services: a newer registry adds them, and changes nothing else.
        let held = FileManager.default.fileExists(atPath: layout.registryFile) ? try holder().registry : nil
        let wanted = try registry(after: held)
        if held?.participants.mapValues(\.services) != wanted.participants.mapValues(\.services) {
            try RegistryHolder.write(wanted, to: layout.registryFile, rootKey: root.signing)
        }
    }

    func holder() throws -> RegistryHolder {
        try RegistryHolder(path: layout.registryFile, rootKey: try keys(layout.rootKeyFile).signing.jwk)
    }

    private func keys(_ path: String) throws -> KeyFile {
        if !FileManager.default.fileExists(atPath: path) { try KeyFile().write(to: path) }
        return try KeyFile(path: path)
    }

    private func registry(after held: Registry?) throws -> Registry {
        let now = Program.now
        // A day of slack, so that a clock that is put right does not make today's keys not yet valid.
        let from = now.advanced(by: .seconds(-86_400))
        let services = Dictionary(
            uniqueKeysWithValues: Set(catalogue.all.map(\.id)).map { ($0, "simulated delegation, not a legal one") })
        func participant(_ row: FactRow, _ role: Role) throws -> Registry.Participant {
            let own = try keys(layout.keyFile(row.id))
            var all = [
                Registry.Key(jwk: own.signing.jwk, use: .signing, from: from),
                Registry.Key(jwk: own.opening[0].jwk, use: .sealing, from: from),
            ]
            if role == .agency {
                for number in 1...2 {
                    let person = try keys(layout.personFile(row.id, number))
                    all.append(
                        Registry.Key(jwk: person.signing.jwk, use: .person, holder: "\(row.id)-agent-\(number)", from: from))
                }
            }
            guard let id = ParticipantID(row.id) else { throw Failure.badInput("\(row.id): not a participant's identifier") }
            return Registry.Participant(
                id: id, role: role, names: row.names, governorate: row.governorate, isPlaceholder: row.isPlaceholder,
                keys: held?.participants[id]?.keys ?? all, services: role == .house ? services : services.filter { $0.key.agency == id })
        }
        let ledger = FactRow(
            id: "ledger", names: LocalizedText(ar: "الدفتر المركزي", fr: "Registre central", en: "Central ledger"),
            governorate: nil, isPlaceholder: false)
        return try Registry(
            version: (held?.version ?? 0) + 1, issued: now, expires: now.advanced(by: .seconds(365 * 86_400)),
            participants: try houses.map { try participant($0, .house) } + agencies.map { try participant($0, .agency) }
                + [try participant(ledger, .ledger)]
                + (held?.participants.values.filter { !participantIDs.contains($0.id.text) } ?? []))
    }

    /// Writes a participant's configuration file.
    func writeConfiguration(
        _ id: String, role: Role, port: Int, brokerPort: Int, managementPort: Int, endpoint: String?, logLevel: String
    ) throws {
        // Where a `wasl dev` of before had it.
        let old = layout.dataFolder(id) + "/journal.sqlite.head"
        if FileManager.default.fileExists(atPath: old) { try FileManager.default.moveItem(atPath: old, toPath: layout.headFile(id)) }
        var lines = [
            "data: \(layout.dataFolder(id))", "head-file: \(layout.headFile(id))", "keys: \(layout.keyFile(id))",
            "registry: \(layout.registryFile)", "root-key: \(layout.rootPublicFile)",
            "schemas: \(role == .agency ? certificates?.schemasFolder ?? schemas : schemas)", "log-level: \(logLevel)",
            "http:", "  port: \(port)", "  token-file: \(layout.tokenFile)", "broker:",
            "  host: 127.0.0.1", "  port: \(brokerPort)",
        ]
        if certificates == nil || DevCertificates.saysPassword(role) {
            lines.append("  password-file: \(layout.passwordsFolder)/\(id).password")
        }
        if role == .ledger {
            lines += ["  management: http://127.0.0.1:\(managementPort)", "  monitor-password-file: \(layout.monitorPasswordFile)"]
        }
        lines += certificates?.configuration(id) ?? []
        if role != .ledger { lines.insert("\(role.rawValue): \(id)", at: 0) }
        if let endpoint { lines.append("endpoint: \(endpoint)") }
        if let id = ParticipantID(id), catalogue.agencies[id]?.credentials != nil {
            lines.append("credentials-file: \(layout.secretFile(id.text))")
        }
        if withPages.contains(id) { lines.append("staff-file: \(layout.staffFile(id))") }
        try writePrivateFile(Array((lines.joined(separator: "\n") + "\n").utf8), to: layout.configFile(id))
    }
}
