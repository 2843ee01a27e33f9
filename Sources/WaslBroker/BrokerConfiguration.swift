/// Where the broker is, and as whom to speak.
public struct BrokerConfiguration: Sendable {
    /// Mutual TLS: with it the certificate names the user (SASL EXTERNAL) and no password is sent.
    public struct TLS: Sendable {
        public var caFile: String
        public var certificateFile: String
        public var keyFile: String
        public var verifiesHostName = true

        public init(caFile: String, certificateFile: String, keyFile: String, verifiesHostName: Bool = true) {
            self.caFile = caFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.verifiesHostName = verifiesHostName
        }
    }

    public var host: String
    public var port: Int
    public var virtualHost = "wasl"
    /// The participant's identifier, with which it logs in.
    public var user: String
    /// `user_id` of every message: the participant's identifier too, which the broker checks.
    public var messageUser: String
    public var password: String
    public var tls: TLS?
    public var heartbeat: Duration = .seconds(10)
    public var handshakeTimeout: Duration = .seconds(10)
    /// A confirm that has not come by then never will (a partition): reconnect and send again.
    public var confirmTimeout: Duration = .seconds(30)
    /// A publish that has blocked for this long means a dead peer: the watchdog shuts the socket.
    public var publishStallMax: Duration = .seconds(30)
    public var reconnectPauseMax: Duration = .seconds(30)

    public init(host: String, port: Int, user: String, password: String, tls: TLS? = nil) {
        self.host = host
        self.port = port
        self.user = user
        messageUser = user
        self.password = password
        self.tls = tls
    }
}
