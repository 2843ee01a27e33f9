import CRabbitMQ
import Foundation
import WaslJournal
import WaslModel

/// One AMQP 0-9-1 connection with one channel, over librabbitmq. Not thread-safe: its ``ConnectionThread`` owns it.
final class AMQPConnection {
    private let state: amqp_connection_state_t
    private let user: String
    private let tls: BrokerConfiguration.TLS?
    /// Freed after the connection that writes to it.
    private let watch: TLSWatch?
    let descriptor: Int32

    /// Connects, shakes hands, logs in and opens the channel.
    ///
    /// - Throws: ``BrokerError``
    init(_ configuration: BrokerConfiguration, name: String) throws {
        if let fault = configuration.fault { throw BrokerError(.configuration, "\(fault.key): \(fault.reason)") }
        try configuration.checkFiles()
        guard let state = amqp_new_connection() else { throw BrokerError(.unreachable, "out of memory") }
        user = configuration.messageUser
        tls = configuration.tls
        let watch = configuration.tls.map { _ in TLSWatch() }
        do {
            try AMQPConnection.open(state, configuration, name: name, watch)
        } catch {
            amqp_destroy_connection(state)
            guard let watch, let tls = configuration.tls else { throw error }
            throw TLSRefusal(configuration: configuration, tls: tls).explain(watch) ?? error
        }
        self.watch = watch
        self.state = state
        descriptor = amqp_get_sockfd(state)
    }

    deinit { amqp_destroy_connection(state) }

    private static func open(
        _ state: amqp_connection_state_t, _ configuration: BrokerConfiguration, name: String, _ watch: TLSWatch?
    ) throws {
        var timeout = timeval(configuration.handshakeTimeout)
        amqp_set_handshake_timeout(state, &timeout)
        amqp_set_rpc_timeout(state, &timeout)
        let socket = try makeSocket(state, configuration, watch)
        let status = amqp_socket_open_noblock(socket, configuration.host, Int32(configuration.port), &timeout)
        guard status == AMQP_STATUS_OK.rawValue else {
            let address = "\(configuration.host):\(configuration.port)"
            if watch != nil, wasl_tls_peer_speaks_no_tls() {
                throw BrokerError(
                    .certificate, "\(address): no TLS is spoken there. Set `port` to the broker's TLS port, which is 5671 as a rule")
            }
            if let tls = configuration.tls, status == AMQP_STATUS_SSL_CONNECTION_FAILED.rawValue {
                watch?.askForReason(configuration, tls)
            }
            throw BrokerError(.unreachable, "\(address): \(String(cString: amqp_error_string2(status)))")
        }
        try logIn(state, configuration, name: name, watch)
        amqp_channel_open(state, 1)
        try check(amqp_get_rpc_reply(state), "channel.open")
    }

    private static func logIn(
        _ state: amqp_connection_state_t, _ configuration: BrokerConfiguration, name: String, _ watch: TLSWatch?
    ) throws {
        let reply = wasl_login(
            state, configuration.virtualHost, Int32(configuration.heartbeat.components.seconds),
            configuration.password == nil, configuration.user, configuration.password ?? "", name)
        let mechanism = configuration.password == nil ? "EXTERNAL" : "PLAIN"
        if wasl_reply_code(reply) == UInt16(AMQP_ACCESS_REFUSED) {
            let expected = configuration.password == nil ? "a user" : "a user with this password"
            throw BrokerError(
                .refused,
                "login: 403 \(string(wasl_reply_text(reply))) The broker needs \(expected) named `\(configuration.user)`: run `wasl topology apply`"
            )
        }
        if reply.library_error == AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD.rawValue {
            throw BrokerError(.refused, "login: the broker does not offer \(mechanism): add it to the broker's `auth_mechanisms`")
        }
        // What the end of a connection looks like depends on who was faster.
        let isBrokenOff = [
            AMQP_STATUS_SSL_ERROR.rawValue, AMQP_STATUS_CONNECTION_CLOSED.rawValue, AMQP_STATUS_SOCKET_ERROR.rawValue,
        ].contains(reply.library_error)
        if let tls = configuration.tls, isBrokenOff { watch?.askForReason(configuration, tls) }
        try check(reply, "login")
    }

    private static func makeSocket(
        _ state: amqp_connection_state_t, _ configuration: BrokerConfiguration, _ watch: TLSWatch?
    ) throws -> OpaquePointer {
        guard let tls = configuration.tls, let watch else {
            guard let socket = amqp_tcp_socket_new(state) else { throw BrokerError(.unreachable, "no socket") }
            return socket
        }
        guard let socket = amqp_ssl_socket_new(state) else { throw BrokerError(.unreachable, "no TLS socket") }
        // OpenSSL itself compares the name, and addresses too, which librabbitmq cannot.
        amqp_ssl_socket_set_verify_peer(socket, 1)
        amqp_ssl_socket_set_verify_hostname(socket, 0)
        try watch.prepare(socket, host: configuration.host, tls)
        return socket
    }

    /// Certificates that end within the next days, ours and the broker's, a line each.
    func endingSoon(at now: Date) -> [String] {
        func line(_ whose: String, _ certificate: Certificate?) -> String? {
            guard let certificate, let days = certificate.daysLeft(at: now) else { return nil }
            return "\(whose) (\(certificate.subject)) ends on \(Certificate.time(certificate.until)), in \(days) days: have it renewed"
        }
        return [
            line("our certificate \(tls?.certificate?.file ?? "")", tls?.certificate.flatMap { Certificate(file: $0.file) }),
            line("the broker's certificate, or its authority's,", watch?.soonest),
        ].compactMap(\.self)
    }

    private static func check(_ reply: amqp_rpc_reply_t, _ what: String) throws {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            throw BrokerError(.refused, "\(what): \(wasl_reply_code(reply)) \(string(wasl_reply_text(reply)))")
        default:
            throw BrokerError(.unreachable, "\(what): \(String(cString: amqp_error_string2(reply.library_error)))")
        }
    }

    func selectConfirms() throws {
        amqp_confirm_select(state, 1)
        try AMQPConnection.check(amqp_get_rpc_reply(state), "confirm.select")
    }

    func consume(_ queues: [String], prefetch: Int) throws {
        // Per consumer: quorum queues know no limit for a whole channel.
        amqp_basic_qos(state, 1, 0, UInt16(clamping: prefetch), 0)
        try AMQPConnection.check(amqp_get_rpc_reply(state), "basic.qos")
        for queue in queues { try AMQPConnection.check(wasl_consume(state, queue), "basic.consume \(queue)") }
    }

    func publish(_ message: OutboundMessage) throws {
        let status = message.body.withUnsafeBytes { body in
            wasl_publish(
                state, message.exchange.rawValue, message.routingKey, message.exchange.isMandatory, message.messageID,
                user, Envelope.contentType, UInt64(message.time.seconds), "wasl-signature", message.signature, nil, nil,
                body.baseAddress, body.count)
        }
        guard status == AMQP_STATUS_OK.rawValue else {
            throw BrokerError(.closed, "basic.publish: \(String(cString: amqp_error_string2(status)))")
        }
    }

    func acknowledge(through tag: UInt64) throws {
        let status = amqp_basic_ack(state, 1, tag, 1)
        guard status == AMQP_STATUS_OK.rawValue else {
            throw BrokerError(.closed, "basic.ack: \(String(cString: amqp_error_string2(status)))")
        }
    }

    /// One frame if there is one now. Heartbeats are sent and watched in here, so it is called often.
    func nextFrame() throws -> wasl_frame? {
        var frame = wasl_frame()
        let status = wasl_next_frame(state, 0, &frame)
        if status == AMQP_STATUS_OK.rawValue { return frame }
        if status == AMQP_STATUS_TIMEOUT.rawValue { return nil }
        throw BrokerError(.closed, String(cString: amqp_error_string2(status)))
    }

    /// Frees what frames held; everything needed was copied before.
    func releaseBuffers() { amqp_maybe_release_buffers(state) }

    func close() {
        amqp_connection_close(state, 200)
    }
}

extension timeval {
    init(_ duration: Duration) {
        self.init(
            tv_sec: Int(duration.components.seconds),
            tv_usec: Int(duration.components.attoseconds / 1_000_000_000_000))
    }
}

func string(_ bytes: amqp_bytes_t) -> String {
    guard let base = bytes.bytes, bytes.len > 0 else { return "" }
    return String(decoding: UnsafeRawBufferPointer(start: base, count: bytes.len), as: UTF8.self)
}

func array(_ bytes: amqp_bytes_t) -> [UInt8] {
    guard let base = bytes.bytes, bytes.len > 0 else { return [] }
    return Array(UnsafeRawBufferPointer(start: base, count: bytes.len))
}
