import Foundation
import Logging
import WaslBroker
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslWeb

/// What every daemon is told: from a YAML file, overridden by `WASL_…` variables. Secrets come from files only.
struct ParticipantConfiguration {
    let participant: ParticipantID
    let dataFolder: String
    let headFile: String?
    let keys: KeyFile
    let registry: RegistryHolder
    let schemas: String
    let broker: BrokerConfiguration
    let http: HTTP
    let logLevel: Logger.Level
    /// The settings themselves, for keys that only one role knows; `finish()` is called after those.
    let settings: Settings

    struct HTTP {
        let host: String
        let port: Int
        let token: String
        let hosts: [String]
    }

    /// - Parameter roleKey: the key that names the participant: `house` or `agency`; `nil` for the ledger.
    init(file: String, roleKey: String?) throws {
        let settings = try Settings(file: file, environment: ProcessInfo.processInfo.environment)
        self.settings = settings
        if let roleKey {
            guard let id = ParticipantID(try settings.requiredString(roleKey)) else {
                throw settings.error(roleKey, "expected a participant's identifier: lower-case letters, digits and `-`")
            }
            participant = id
        } else {
            participant = .ledger
        }
        dataFolder = try settings.requiredString("data")
        try FileManager.default.createDirectory(
            atPath: dataFolder, withIntermediateDirectories: true, attributes: [.posixPermissions: NSNumber(value: 0o700)])
        // One that was made by hand. Where it is not ours to narrow, the files inside still are.
        chmod(dataFolder, 0o700)
        headFile = try settings.string("head-file")
        keys = try KeyFile(path: try settings.requiredString("keys"))
        let rootKeyFile = try settings.requiredString("root-key")
        guard let data = FileManager.default.contents(atPath: rootKeyFile) else {
            throw settings.error("root-key", "\(rootKeyFile) cannot be read")
        }
        registry = try RegistryHolder(
            path: try settings.requiredString("registry"), rootKey: try PublicJWK(JSON.parse([UInt8](data))))
        schemas = try settings.requiredString("schemas")
        broker = try ParticipantConfiguration.broker(settings, participant)
        http = try ParticipantConfiguration.http(settings)
        let level = try settings.string("log-level") ?? "info"
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw settings.error("log-level", "expected one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.logLevel = logLevel
    }

    private static func broker(_ settings: Settings, _ participant: ParticipantID) throws -> BrokerConfiguration {
        guard let group = try settings.group("broker") else { throw settings.error("broker", "missing") }
        let host = try group.requiredString("host")
        guard let port = try group.integer("port", in: 1...65535) else { throw group.error("port", "missing") }
        var tls: BrokerConfiguration.TLS?
        if let secure = try group.group("tls") {
            tls = BrokerConfiguration.TLS(
                caFile: try secure.requiredString("ca"), certificateFile: try secure.requiredString("certificate"),
                keyFile: try secure.requiredString("key"))
            if let file = tls?.keyFile {
                do { try SecretFile.check(file) } catch { throw secure.error("key", "\(error)") }
            }
        }
        var password = ""
        if let file = try group.string("password-file") {
            do { password = try readSecret(file) } catch { throw group.error("password-file", "\(error)") }
        } else if tls == nil {
            throw group.error("password-file", "missing: a password's file, or `tls` with a certificate")
        }
        return BrokerConfiguration(host: host, port: Int(port), user: participant.text, password: password, tls: tls)
    }

    private static func http(_ settings: Settings) throws -> HTTP {
        guard let group = try settings.group("http") else { throw settings.error("http", "missing") }
        guard let port = try group.integer("port", in: 1...65535) else { throw group.error("port", "missing") }
        let file = try group.requiredString("token-file")
        let token: String
        do { token = try readSecret(file) } catch { throw group.error("token-file", "\(error)") }
        let hosts = (group.value("hosts")?.array ?? []).compactMap(\.string)
        return HTTP(host: try group.string("host") ?? "127.0.0.1", port: Int(port), token: token, hosts: hosts)
    }

    var journalPath: String { dataFolder + "/journal.sqlite" }

    func logger(_ label: String) -> Logger {
        var logger = Logger(label: label, factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = logLevel
        return logger
    }

    /// The OpenAPI document of a role.
    func description(_ role: String) throws -> String {
        let file = "\(schemas)/openapi/\(role).json"
        guard let data = FileManager.default.contents(atPath: file) else {
            throw SettingsError(file: file, key: "", reason: "cannot be read")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
