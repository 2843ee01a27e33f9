import Foundation
import WaslBroker
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslWeb

/// Where everything of a `wasl dev` is: one folder, ports included, so that a second start finds the first one's state.
struct DevLayout {
    let folder: String

    init(folder: String) {
        self.folder = folder.hasPrefix("/") ? folder : FileManager.default.currentDirectoryPath + "/" + folder
    }

    var brokerFolder: String { folder + "/broker" }
    var registryFile: String { folder + "/registry.signed" }
    var rootKeyFile: String { folder + "/keys/root.json" }
    var rootPublicFile: String { folder + "/keys/root.jwk.json" }
    var tokenFile: String { folder + "/keys/token" }
    var passwordsFolder: String { folder + "/keys/passwords" }
    var monitorPasswordFile: String { "\(passwordsFolder)/\(Topology.monitorUser).password" }
    func secretFile(_ agency: String) -> String { "\(passwordsFolder)/\(agency).secret" }
    func staffFile(_ id: String) -> String { "\(folder)/keys/staff-\(id).json" }
    func staffPasswordFile(_ id: String) -> String { "\(passwordsFolder)/\(id).desk" }
    var effectsFolder: String { folder + "/effects" }
    var tlsFolder: String { folder + "/tls" }
    var logsFolder: String { folder + "/logs" }

    func keyFile(_ id: String) -> String { "\(folder)/keys/\(id).json" }
    func personFile(_ agency: String, _ number: Int) -> String { "\(folder)/keys/person-\(agency)-\(number).json" }
    func configFile(_ id: String) -> String { "\(folder)/config/\(id).yaml" }
    func dataFolder(_ id: String) -> String { "\(folder)/participants/\(id)" }
    /// Beside the participants' folders, as if no backup took it along; its name has the journal's in it, so that faults of a disk that is
    /// under test strike both.
    func headFile(_ id: String) -> String { "\(folder)/heads/\(id).journal.sqlite.head" }
    func effectsLog(_ agency: String) -> String { "\(effectsFolder)/\(agency).jsonl" }

    func makeFolders() throws {
        for path in [
            folder, folder + "/keys", passwordsFolder, folder + "/config", effectsFolder, logsFolder, folder + "/participants",
            folder + "/heads",
        ] {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: NSNumber(value: 0o700)])
        }
    }

    private var portsFile: String { folder + "/ports.json" }

    func ports() throws -> JSONObject {
        guard let data = FileManager.default.contents(atPath: portsFile), case .object(let ports) = try JSON.parse([UInt8](data))
        else { throw Failure.badInput("\(portsFile): cannot be read; is this the folder of a `wasl dev`?") }
        return ports
    }

    func address(_ name: String) throws -> String {
        guard let port = try ports()[name]?.integer else { throw Failure.badInput("\(portsFile): no port of \(name)") }
        return "http://127.0.0.1:\(port)"
    }

    /// Ports for every name: those of an earlier start again, else free ones.
    func allotPorts(_ names: [String]) throws -> [String: Int] {
        var kept = (try? ports()) ?? [:]
        let missing = names.filter { kept[$0] == nil }
        for (name, port) in zip(missing, try PrivateNode.freePorts(missing.count)) { kept[name] = JSON(port) }
        try writePrivateFile(Array(JSON.object(kept).prettyText.utf8), to: portsFile)
        var ports: [String: Int] = [:]
        for name in names { ports[name] = Int(kept[name]?.integer ?? 0) }
        for (name, port) in ports.sorted(by: { $0.key < $1.key }) where !PrivateNode.isFree(port) {
            throw Failure.unavailable(
                "port \(port) (\(name)) is taken by another program. Stop it, or remove \(portsFile) to let other ports be chosen")
        }
        return ports
    }
}

/// A house or agency of the facts files.
struct FactRow {
    let id: String
    let names: LocalizedText
    let governorate: String?
    /// Proposed, not known from a public source.
    let isPlaceholder: Bool

    /// Reads a facts file; its first line names the columns.
    static func read(_ path: String) throws -> [FactRow] {
        let text = String(decoding: try Program.read(path), as: UTF8.self)
        let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        guard let head = lines.first else { throw Failure.badInput("\(path): empty") }
        return try lines.dropFirst().map { cells in
            func cell(_ name: String) -> String? {
                head.firstIndex(of: name).flatMap { $0 < cells.count ? cells[$0] : nil }
            }
            guard let id = cell("id"), ParticipantID(id) != nil, let fr = cell("fr"), let ar = cell("ar") else {
                throw Failure.badInput("\(path): expected the columns id, fr and ar")
            }
            return FactRow(
                id: id, names: LocalizedText(ar: ar, fr: fr, en: cell("en") ?? fr), governorate: cell("governorate"),
                isPlaceholder: cell("mark") == "P")
        }
    }
}
