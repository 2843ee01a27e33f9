import CRabbitMQ
import Foundation
import WaslJournal
import WaslModel

/// One AMQP 0-9-1 connection with one channel, over librabbitmq. Not thread-safe: its ``ConnectionThread`` owns it.
final class AMQPConnection {
    private let state: amqp_connection_state_t
    private let user: String
    let descriptor: Int32

    /// Connects, shakes hands, logs in and opens the channel.
    ///
    /// - Throws: ``BrokerError``
    init(_ configuration: BrokerConfiguration, name: String) throws {
        guard let state = amqp_new_connection() else { throw BrokerError(.unreachable, "out of memory") }
        user = configuration.messageUser
        do {
            try AMQPConnection.open(state, configuration, name: name)
        } catch {
            amqp_destroy_connection(state)
            throw error
        }
        self.state = state
        descriptor = amqp_get_sockfd(state)
    }

    deinit { amqp_destroy_connection(state) }

    private static func open(
        _ state: amqp_connection_state_t, _ configuration: BrokerConfiguration, name: String
    ) throws {
        var timeout = timeval(configuration.handshakeTimeout)
        amqp_set_handshake_timeout(state, &timeout)
        amqp_set_rpc_timeout(state, &timeout)
        let socket = try makeSocket(state, configuration.tls)
        let status = amqp_socket_open_noblock(socket, configuration.host, Int32(configuration.port), &timeout)
        guard status == AMQP_STATUS_OK.rawValue else {
            throw BrokerError(
                .unreachable, "\(configuration.host):\(configuration.port): \(String(cString: amqp_error_string2(status)))")
        }
        try check(
            wasl_login(
                state, configuration.virtualHost, Int32(configuration.heartbeat.components.seconds),
                configuration.tls != nil, configuration.user, configuration.password, name), "login")
        amqp_channel_open(state, 1)
        try check(amqp_get_rpc_reply(state), "channel.open")
    }

    private static func makeSocket(
        _ state: amqp_connection_state_t, _ tls: BrokerConfiguration.TLS?
    ) throws -> OpaquePointer {
        guard let tls else {
            guard let socket = amqp_tcp_socket_new(state) else { throw BrokerError(.unreachable, "no socket") }
            return socket
        }
        guard let socket = amqp_ssl_socket_new(state) else { throw BrokerError(.unreachable, "no TLS socket") }
        amqp_ssl_socket_set_verify_peer(socket, 1)
        amqp_ssl_socket_set_verify_hostname(socket, tls.verifiesHostName ? 1 : 0)
        guard amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) == 0,
            amqp_ssl_socket_set_cacert(socket, tls.caFile) == 0
        else { throw BrokerError(.configuration, "tls.ca: \(tls.caFile) cannot be read") }
        guard amqp_ssl_socket_set_key(socket, tls.certificateFile, tls.keyFile) == 0 else {
            throw BrokerError(.configuration, "tls.certificate, tls.key: \(tls.certificateFile) cannot be read")
        }
        return socket
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
