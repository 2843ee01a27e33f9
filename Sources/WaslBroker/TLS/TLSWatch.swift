import CRabbitMQ

/// What OpenSSL was seen to do on one connection. It is written by callbacks on the thread that owns the connection, and must
/// outlive it.
final class TLSWatch {
    private let raw: UnsafeMutablePointer<wasl_tls_watch>

    init() {
        raw = .allocate(capacity: 1)
        wasl_tls_watch_begin(raw)
    }

    deinit { raw.deallocate() }

    /// Why the broker's certificate did not pass.
    struct Rejection {
        let verdict: wasl_tls_verdict
        /// OpenSSL's words.
        let text: String
        let certificate: Certificate
        /// Not the broker's own certificate but one of an authority above it.
        let isAuthority: Bool
    }

    /// Our own refusal of the broker.
    var rejection: Rejection? {
        let error = raw.pointee.verify_error
        guard error != 0 else { return nil }
        return Rejection(
            verdict: wasl_tls_verdict_of(error), text: String(cString: wasl_tls_verify_text(error)),
            certificate: Certificate(raw.pointee.faulty), isAuthority: raw.pointee.verify_depth > 0)
    }

    /// The fatal alert with which the broker refused us: RFC 8446, 6.2.
    var alert: Int32? { raw.pointee.alert >= 0 ? raw.pointee.alert : nil }

    /// The certificate of the broker's chain that ends first.
    var soonest: Certificate? { raw.pointee.has_peer ? Certificate(raw.pointee.soonest) : nil }

    /// Watches a connection that is about to be opened.
    ///
    /// - Throws: ``BrokerError`` that names the file that cannot be used.
    func prepare(_ socket: OpaquePointer, host: String, _ tls: BrokerConfiguration.TLS) throws {
        try tls.checkFiles { why, length in
            wasl_tls_configure(
                amqp_ssl_socket_get_context(socket), host, tls.authorityFile, tls.certificate?.file, tls.certificate?.keyFile,
                tls.revocationFile, raw, why, length)
        }
        wasl_tls_clear_errors()
    }

    /// Under TLS 1.3 the broker refuses a certificate after the handshake, and what we had sent by then can make its end of the
    /// connection throw the alert away, as one try in five showed. So one more handshake, that only listens, asks for the reason.
    func askForReason(_ configuration: BrokerConfiguration, _ tls: BrokerConfiguration.TLS) {
        guard alert == nil, rejection == nil else { return }
        wasl_tls_probe(
            configuration.host, Int32(configuration.port), tls.authorityFile, tls.certificate?.file, tls.certificate?.keyFile,
            tls.revocationFile, Int32(min(2_000, configuration.handshakeTimeout.milliseconds)), raw)
    }
}
