import Foundation

/// Where the broker is, and as whom to speak.
public struct BrokerConfiguration: Sendable {
    /// Files in PEM form. Every connection reads them anew, so that what is renewed on disk needs no restart.
    public struct TLS: Sendable, Hashable {
        /// Who we say we are in the handshake.
        public struct Certificate: Sendable, Hashable {
            public var file: String
            public var keyFile: String

            public init(file: String, keyFile: String) {
                self.file = file
                self.keyFile = keyFile
            }
        }

        /// The only authorities whose word about the broker counts.
        public var authorityFile: String
        public var certificate: Certificate?
        /// The authority's list of certificates that it has revoked; the broker's is looked up there.
        public var revocationFile: String?

        public init(authorityFile: String, certificate: Certificate? = nil, revocationFile: String? = nil) {
            self.authorityFile = authorityFile
            self.certificate = certificate
            self.revocationFile = revocationFile
        }
    }

    public var host: String
    public var port: Int
    public var virtualHost = "wasl"
    /// The participant's identifier, with which it logs in.
    public var user: String
    /// `user_id` of every message: the participant's identifier too, which the broker checks.
    public var messageUser: String
    /// Said to the broker where there is one (SASL PLAIN); else the certificate names the user (SASL EXTERNAL).
    public var password: String?
    public var tls: TLS?
    /// Somebody wrote ``plaintextWords`` into the configuration.
    public var acceptsPlaintextPassword = false
    public var heartbeat: Duration = .seconds(10)
    public var handshakeTimeout: Duration = .seconds(10)
    /// A confirm that has not come by then never will (a partition): reconnect and send again.
    public var confirmTimeout: Duration = .seconds(30)
    /// A publish that has blocked for this long means a dead peer: the watchdog shuts the socket.
    public var publishStallMax: Duration = .seconds(30)
    public var reconnectPauseMax: Duration = .seconds(30)

    public init(host: String, port: Int, user: String, password: String? = nil, tls: TLS? = nil) {
        self.host = host
        self.port = port
        self.user = user
        messageUser = user
        self.password = password
        self.tls = tls
    }
}

extension BrokerConfiguration {
    /// What a person has to write for a password to go over the network in the clear.
    public static let plaintextWords = "anyone on the way may read the password"

    /// A setting that cannot stand with the others, by its key below `broker`.
    public struct Fault: Sendable, Hashable {
        public let key: String
        public let reason: String
    }

    /// The first thing that is wrong with how we would log in; files are not looked at.
    public var fault: Fault? {
        if password == nil, tls == nil {
            return Fault(
                key: "password-file", reason: "missing: a password's file, or `tls` with `certificate` and `key`, to log in with")
        }
        if password == nil, tls?.certificate == nil {
            return Fault(
                key: "tls",
                reason: "nothing to log in with: `tls.certificate` and `tls.key` (SASL EXTERNAL), or `password-file` (SASL PLAIN)")
        }
        if password != nil, tls == nil, !BrokerConfiguration.isLoopback(host), !acceptsPlaintextPassword {
            return Fault(
                key: "password-file",
                reason:
                    "the password would go to \(host) in the clear: set `tls.ca`, or write `plaintext: \(BrokerConfiguration.plaintextWords)`"
            )
        }
        return nil
    }

    /// Whether what is said to this address of the management can be read on its way to another host.
    public static func goesInTheClear(_ address: String) -> Bool {
        guard address.hasPrefix("http://") else { return false }
        return !isLoopback((URL(string: address)?.host ?? "").trimmingCharacters(in: CharacterSet(charactersIn: "[]")))
    }

    /// Whether the host is this machine by its very writing; what a name resolves to may be another one tomorrow.
    public static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" { return true }
        var four = in_addr()
        if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
        var six = in6_addr()
        guard inet_pton(AF_INET6, host, &six) == 1 else { return false }
        return withUnsafeBytes(of: six) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
    }
}
