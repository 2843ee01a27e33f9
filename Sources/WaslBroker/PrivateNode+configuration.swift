import Foundation
import WaslSeal

extension PrivateNode {
    /// How a node speaks TLS: every participant shows a certificate, and its common name may be its user.
    public struct TLSListener: Sendable {
        public var authorityFile: String
        public var certificateFile: String
        public var keyFile: String
        /// Revocation lists under their issuers' hashes (`<hash>.r0`), read at every handshake; without one nothing is looked up.
        public var revocationsFolder: String?
        /// Otherwise one that shows none may still come with a password.
        public var requiresCertificate = true

        public init(authorityFile: String, certificateFile: String, keyFile: String, revocationsFolder: String? = nil) {
            self.authorityFile = authorityFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.revocationsFolder = revocationsFolder
        }
    }

    func writeConfiguration() throws {
        let listener =
            tls == nil
            ? "listeners.tcp.1 = 127.0.0.1:\(amqpPort)"
            : """
            listeners.tcp = none
            listeners.ssl.1 = 127.0.0.1:\(amqpPort)
            auth_mechanisms.1 = EXTERNAL
            auth_mechanisms.2 = PLAIN
            ssl_cert_login_from = common_name
            """
        let configuration = """
            \(listener)
            management.tcp.ip = 127.0.0.1
            management.tcp.port = \(managementPort)
            management_agent.disable_metrics_collector = true
            default_vhost = \(Topology.virtualHost)
            default_user = \(PrivateNode.adminUser)
            default_pass = \(adminPassword)
            default_permissions.configure = .*
            default_permissions.read = .*
            default_permissions.write = .*
            loopback_users = none
            heartbeat = 10
            max_message_size = 1048576
            raft.wal_max_size_bytes = 64000000
            disk_free_limit.absolute = 64MB
            log.file.level = warning
            log.console = false

            """
        try writePrivateFile(Array(configuration.utf8), to: folder + "/rabbitmq.conf")
        try writePrivateFile(Array(advancedConfiguration.utf8), to: folder + "/advanced.config")
        try writePrivateFile(Array("[\(plugins.joined(separator: ","))].\n".utf8), to: folder + "/enabled_plugins")
    }

    /// Erlang terms, for what `rabbitmq.conf` of version 3.10 has no words for: revocation lists.
    private var advancedConfiguration: String {
        guard let tls else { return "[].\n" }
        var options = [
            "{cacertfile, \(quoted(tls.authorityFile))}", "{certfile, \(quoted(tls.certificateFile))}",
            "{keyfile, \(quoted(tls.keyFile))}", "{versions, ['tlsv1.3', 'tlsv1.2']}", "{verify, verify_peer}",
            "{fail_if_no_peer_cert, \(tls.requiresCertificate)}",
            // A session taken up again would not be looked up in the list.
            "{reuse_sessions, false}",
        ]
        if let folder = tls.revocationsFolder {
            options += ["{crl_check, true}", "{crl_cache, {ssl_crl_hash_dir, {internal, [{dir, \(quoted(folder))}]}}}"]
        }
        return "[{rabbit, [{ssl_options, [\n  \(options.joined(separator: ",\n  "))\n]}]}].\n"
    }

    private func quoted(_ text: String) -> String {
        "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }
}
