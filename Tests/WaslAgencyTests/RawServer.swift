import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// An agency's server that does to each request exactly what a test says, down to the bytes.
final class RawServer: Sendable {
    struct Answer: Sendable {
        enum End: Sendable { case keep, close, reset }

        var text = ""
        var end = End.keep

        /// Nothing is said, and the connection stays.
        static let silence = Answer()

        static func ok(_ body: String = "{}", end: End = .keep) -> Answer {
            Answer(text: "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)", end: end)
        }
    }

    private let channel: any Channel
    private let counts: Counts

    fileprivate final class Counts: Sendable {
        let connections = Mutex(0)
        let requests = Mutex(0)
    }

    /// - Parameters:
    ///   - isReading: otherwise what comes stays in the kernel's buffers.
    ///   - closesAtOnce: before anything is read.
    ///   - answer: to the so many-th request on the so many-th connection, counted from 1.
    init(
        tls: TLSConfiguration? = nil, isReading: Bool = true, closesAtOnce: Bool = false,
        answer: @escaping @Sendable (_ connection: Int, _ request: Int) -> Answer = { _, _ in .ok() }
    ) async throws {
        let counts = Counts()
        self.counts = counts
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        var bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: isReading)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = counts.connections.withLock {
                        $0 += 1
                        return $0
                    }
                    let pipeline = channel.pipeline.syncOperations
                    if let context { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
                    try pipeline.addHandler(
                        Conversation(connection: connection, counts: counts, closesAtOnce: closesAtOnce, answer: answer))
                }
            }
        if !isReading { bootstrap = bootstrap.serverChannelOption(.socketOption(.so_rcvbuf), value: 4_096) }
        channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
    }

    var port: Int { channel.localAddress?.port ?? 0 }
    var connections: Int { counts.connections.withLock { $0 } }
    var requests: Int { counts.requests.withLock { $0 } }

    func close() async { try? await channel.close() }
}

/// One connection: whole requests in, what the test says out.
private final class Conversation: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: Int
    private let counts: RawServer.Counts
    private let closesAtOnce: Bool
    private let answer: (Int, Int) -> RawServer.Answer
    private var received: [UInt8] = []
    private var requests = 0

    init(connection: Int, counts: RawServer.Counts, closesAtOnce: Bool, answer: @escaping @Sendable (Int, Int) -> RawServer.Answer) {
        self.connection = connection
        self.counts = counts
        self.closesAtOnce = closesAtOnce
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        if closesAtOnce { context.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += Array(unwrapInboundIn(data).readableBytesView)
        while let length = Conversation.requestLength(received), received.count >= length {
            received.removeFirst(length)
            requests += 1
            counts.requests.withLock { $0 += 1 }
            give(answer(connection, requests), context)
        }
    }

    /// A client that refuses our certificate, or goes away, is part of the tests.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func give(_ answer: RawServer.Answer, _ context: ChannelHandlerContext) {
        if answer.end == .reset, let options = context.channel as? any SocketOptionProvider {
            // A close that drops what is unsent and says RST.
            _ = options.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer.text)), promise: written)
        guard answer.end != .keep else { return }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
    }

    /// Head and body, as far as the head is there.
    private static func requestLength(_ bytes: [UInt8]) -> Int? {
        let text = String(decoding: bytes.prefix(8_192), as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let head = text[..<end.lowerBound]
        let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.split(separator: ":")[1].trimmingCharacters(in: .whitespaces)) }
        return head.utf8.count + 4 + (length ?? 0)
    }
}

/// A port that is taken and at which nobody listens: whoever connects is refused.
final class RefusingPort: Sendable {
    private let descriptor: Int32
    let port: Int

    init() throws {
        (descriptor, port) = try boundSocket()
    }

    deinit { close(descriptor) }
}

/// A port whose backlog is full: the kernel answers nobody any more.
final class DeafPort: Sendable {
    private let descriptors: [Int32]
    let port: Int

    init() throws {
        let (listener, port) = try boundSocket()
        guard listen(listener, 0) == 0 else { throw POSIXError(.EIO) }
        self.port = port
        descriptors =
            [listener]
            + (0..<4).map { _ in
                let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
                var address = loopback(port)
                _ = withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
                }
                return client
            }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }
}

private func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    return address
}

private func boundSocket() throws -> (descriptor: Int32, port: Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopback(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, size) == 0 ? getsockname(descriptor, pointer, &size) : -1
        }
    }
    guard status == 0 else { throw POSIXError(.EIO) }
    return (descriptor, Int(in_port_t(bigEndian: address.sin_port)))
}
