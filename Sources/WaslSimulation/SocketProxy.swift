import Foundation
import Synchronization

/// A small TCP proxy on loopback that a plain user can run: it cuts, stalls and slows what passes.
public final class SocketProxy: Sendable {
    public enum Mode: Sendable, Hashable {
        case pass
        /// Every connection is reset, and no new one is let through.
        case cut
        /// Connections stay, and nothing moves.
        case stall
        /// So many bytes a second and direction.
        case slow(Int)
    }

    public let port: Int
    private let target: Int
    private let listener: Int32
    private let mode = Mutex(Mode.pass)
    private let open = Mutex<Set<Int32>>([])

    /// - Parameter target: a port on loopback.
    public init(to target: Int) throws {
        self.target = target
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = SocketProxy.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw EffectsLogError(description: "no port for the proxy: \(String(cString: strerror(errno)))") }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in accept() }
    }

    public func set(_ mode: Mode) {
        self.mode.withLock { $0 = mode }
        guard mode == .cut else { return }
        for descriptor in open.withLock({ $0 }) { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { continue }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = SocketProxy.loopback(target)
            let isConnected =
                mode.withLock { $0 } != .cut
                && withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                    }
                }
            guard isConnected else {
                close(client)
                close(server)
                continue
            }
            open.withLock { $0.formUnion([client, server]) }
            let pair = PairOfEnds(client: client, server: server)
            Thread.detachNewThread { [self] in copy(client, server, pair) }
            Thread.detachNewThread { [self] in copy(server, client, pair) }
        }
    }

    private func copy(_ source: Int32, _ sink: Int32, _ pair: PairOfEnds) {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        copying: while true {
            let count = read(source, &buffer, buffer.count)
            guard count > 0 else { break }
            var sent = 0
            while sent < count {
                let part: Int
                switch mode.withLock({ $0 }) {
                case .cut: break copying
                case .stall:
                    poll(nil, 0, 50)
                    continue
                case .slow(let bytesPerSecond):
                    poll(nil, 0, 20)
                    part = max(1, bytesPerSecond / 50)
                case .pass: part = count - sent
                }
                let written = buffer.withUnsafeBytes { send(sink, $0.baseAddress! + sent, min(part, count - sent), Int32(MSG_NOSIGNAL)) }
                guard written > 0 else { break copying }
                sent += written
            }
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(sink, Int32(SHUT_RDWR))
        if pair.isLastToEnd {
            open.withLock { $0.subtract([pair.client, pair.server]) }
            close(pair.client)
            close(pair.server)
        }
    }
}

/// Two descriptors that are closed when both directions have ended: before that another connection must not get their numbers.
private final class PairOfEnds: Sendable {
    let client: Int32
    let server: Int32
    private let ends = Mutex(2)

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
    }

    var isLastToEnd: Bool {
        ends.withLock { ends in
            ends -= 1
            return ends == 0
        }
    }
}
