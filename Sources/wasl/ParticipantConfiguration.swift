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
    /// Outside `data`, and outside backups.
    let headFile: String
    let keys: KeyFile
    let registry: RegistryHolder
    let schemas: String
    let broker: BrokerConfiguration
    let monitor: Monitor?
    let http: HTTP
    let logLevel: Logger.Level
    /// The settings themselves, for keys that only one role knows; `finish()` is called after those.
    let settings: Settings

    /// How the ledger looks at the broker's queues and bindings.
    struct Monitor {
        let management: BrokerManagement
        let part: Topology.Part

        @Sendable func differences(_ registry: Registry) async throws -> [String] {
            let seen = try await management.queuesAndBindings()
            return Topology(registry, part: part).differences(queues: seen.queues, bindings: seen.bindings)
        }
    }

    struct HTTP {
        let host: String
        let port: Int
        let token: String
        /// What opens `/metrics` besides: who collects figures need not read requests.
        let metricsToken: String?
        let hosts: [String]
        let limits: ConnectionLimits
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
        headFile = try ParticipantConfiguration.headFile(settings, dataFolder)
        keys = try KeyFile(path: try settings.requiredString("keys"))
        let rootKeyFile = try settings.requiredString("root-key")
        guard let data = FileManager.default.contents(atPath: rootKeyFile) else {
            throw settings.error("root-key", "\(rootKeyFile) cannot be read")
        }
        registry = try RegistryHolder(
            path: try settings.requiredString("registry"), rootKey: try PublicJWK(JSON.parse([UInt8](data))))
        schemas = try settings.requiredString("schemas")
        guard let group = try settings.group("broker") else { throw settings.error("broker", "missing") }
        broker = try ParticipantConfiguration.broker(group, settings, participant)
        monitor = try participant == .ledger ? ParticipantConfiguration.monitor(group) : nil
        http = try ParticipantConfiguration.http(settings)
        let level = try settings.string("log-level") ?? "info"
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw settings.error("log-level", "expected one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.logLevel = logLevel
    }

    /// There is no default: a head file beside its journal goes into every backup of it, and comes back with it.
    private static func headFile(_ settings: Settings, _ dataFolder: String) throws -> String {
        guard let file = try settings.string("head-file") else {
            let old = dataFolder + "/journal.sqlite.head"
            let move = FileManager.default.fileExists(atPath: old) ? "; move \(old) there before the next start" : ""
            throw settings.error(
                "head-file",
                """
                missing: it notes how far the journal has come. Without it a journal that is put back from a backup goes on unnoticed: it \
                speaks with numbers that others have seen, and a worker does again what it has forgotten. Name a file outside `data` and \
                outside every backup, such as /var/lib/wasl-heads/NAME\(move)
                """)
        }
        let folder = (file as NSString).deletingLastPathComponent
        let isInside = {
            let (inner, outer) = (resolved(folder.isEmpty ? "." : folder), resolved(dataFolder))
            return inner == outer || inner.hasPrefix(outer + "/")
        }
        let refusal = settings.error(
            "head-file",
            """
            \(file) is inside `data`: a backup of \(dataFolder) brings it back together with the journal, and then nobody can tell that both \
            are old. Name a file outside `data` and outside every backup
            """)
        if isInside() { throw refusal }
        if !folder.isEmpty {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: NSNumber(value: 0o700)])
        }
        // Once more, now that every link on the way is there to be followed.
        if isInside() { throw refusal }
        return file
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return URL(fileURLWithPath: path).standardizedFileURL.path }
        defer { free(real) }
        return String(cString: real)
    }

    private static func monitor(_ group: Settings) throws -> Monitor? {
        let part = try group.word("part", Topology.Part.self) ?? .whole
        switch (try group.string("management"), try group.string("monitor-password-file")) {
        case (nil, nil): return nil
        case (_?, nil):
            throw group.error("monitor-password-file", "missing: the file with the password of the user \(Topology.monitorUser)")
        case (nil, _?): throw group.error("management", "missing: the address of the broker's management, such as http://127.0.0.1:15672")
        case (let address?, let file?):
            guard address.hasPrefix("http://") || address.hasPrefix("https://") else {
                throw group.error("management", "expected an address that begins with http:// or https://")
            }
            // Whether these are the right words was looked at with the broker's own password.
            if BrokerConfiguration.goesInTheClear(address), try group.string("plaintext") == nil {
                throw group.error(
                    "monitor-password-file",
                    "the password would go to \(address) in the clear: use https://, or write `plaintext: \(BrokerConfiguration.plaintextWords)`"
                )
            }
            return Monitor(
                management: BrokerManagement(
                    address: address, user: Topology.monitorUser, password: try secret(group, "monitor-password-file", file)), part: part)
        }
    }

    private static func broker(_ group: Settings, _ settings: Settings, _ participant: ParticipantID) throws -> BrokerConfiguration {
        let host = try group.requiredString("host")
        guard let port = try group.integer("port", in: 1...65535) else { throw group.error("port", "missing") }
        let tls = try group.group("tls").map(tls)
        var password: String?
        if let file = try group.string("password-file") {
            do { password = try readSecret(file) } catch { throw group.error("password-file", "\(error)") }
        }
        var configuration = BrokerConfiguration(host: host, port: Int(port), user: participant.text, password: password, tls: tls)
        if let words = try group.string("plaintext") {
            guard words == BrokerConfiguration.plaintextWords else {
                throw group.error("plaintext", "expected the words `\(BrokerConfiguration.plaintextWords)`, or not the key at all")
            }
            // The ledger's other password, for the management, may need the words where the broker's own has TLS.
            let isForManagement = try participant == .ledger && group.string("management").map(BrokerConfiguration.goesInTheClear) == true
            guard tls == nil || isForManagement else {
                throw group.error("plaintext", "stands beside `tls`, which is no plaintext: remove one of the two")
            }
            configuration.acceptsPlaintextPassword = true
        }
        if let fault = configuration.fault { throw group.error(fault.key, fault.reason) }
        do { try configuration.checkFiles() } catch { throw settings.error("broker", "\(error)") }
        return configuration
    }

    private static func tls(_ group: Settings) throws -> BrokerConfiguration.TLS {
        let certificate: BrokerConfiguration.TLS.Certificate?
        switch (try group.string("certificate"), try group.string("key")) {
        case (let file?, let key?): certificate = BrokerConfiguration.TLS.Certificate(file: file, keyFile: key)
        case (nil, nil): certificate = nil
        case (nil, _?): throw group.error("certificate", "missing: `key` is there, and is nothing without its certificate")
        case (_?, nil): throw group.error("key", "missing: `certificate` is there, and is nothing without its key")
        }
        return BrokerConfiguration.TLS(
            authorityFile: try group.requiredString("ca"), certificate: certificate, revocationFile: try group.string("crl"))
    }

    static func http(_ settings: Settings) throws -> HTTP {
        guard let group = try settings.group("http") else { throw settings.error("http", "missing") }
        guard let port = try group.integer("port", in: 1...65535) else { throw group.error("port", "missing") }
        let hosts = (group.value("hosts")?.array ?? []).compactMap(\.string)
        return HTTP(
            host: try group.string("host") ?? "127.0.0.1", port: Int(port),
            token: try secret(group, "token-file", try group.requiredString("token-file")),
            metricsToken: try group.string("metrics-token-file").map { try secret(group, "metrics-token-file", $0) }, hosts: hosts,
            limits: try limits(group))
    }

    private static func secret(_ group: Settings, _ key: String, _ file: String) throws -> String {
        do { return try readSecret(file) } catch { throw group.error(key, "\(error)") }
    }

    private static func limits(_ group: Settings) throws -> ConnectionLimits {
        var limits = ConnectionLimits()
        limits.connectionsMax = try group.integer("connections-max", in: 16...60_000).map(Int.init) ?? limits.connectionsMax
        limits.byAddressMax = try group.integer("connections-by-address-max", in: 1...60_000).map(Int.init) ?? limits.byAddressMax
        limits.head = try time(group, "head-timeout") ?? limits.head
        limits.body = try time(group, "body-timeout") ?? limits.body
        limits.idle = try time(group, "idle-timeout") ?? limits.idle
        return limits
    }

    private static func time(_ group: Settings, _ key: String) throws -> Duration? {
        guard let time = try group.duration(key) else { return nil }
        guard time > .zero else { throw group.error(key, "expected more than 0") }
        return time
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
