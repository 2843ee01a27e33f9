import Foundation

/// One connection byte by byte, as no HTTP client would make one. Every wait has a limit.
final class RawConnection: Sendable {
    struct Failure: Error, CustomStringConvertible { let description: String }

    let descriptor: Int32

    /// - Parameter source: the loopback address that it comes from.
    init(port: Int, from source: String = "127.0.0.1") throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(description: "socket: \(errno)") }
        var own = RawConnection.address(source, 0)
        var other = RawConnection.address("127.0.0.1", port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        func asAddress(_ address: inout sockaddr_in, _ call: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
            withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, call) }
        }
        guard asAddress(&own, { bind(descriptor, $0, size) }) == 0, asAddress(&other, { connect(descriptor, $0, size) }) == 0 else {
            throw Failure(description: "connect: \(errno)")
        }
    }

    deinit { close(descriptor) }

    private static func address(_ text: String, _ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        inet_pton(AF_INET, text, &address.sin_addr)
        return address
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Failure(description: "send: \(errno)") }
            sent += count
        }
    }

    /// What comes until it has this in it, or, without it, until the other side ends.
    func receive(until marker: String? = nil, within limit: Duration = .seconds(20)) throws -> String {
        let end = ContinuousClock.now + limit
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if let marker, text.contains(marker) { return text }
            guard RawConnection.isReadable(descriptor, until: end) else {
                throw Failure(description: "waited \(limit) for \(marker ?? "the end"), had: \(text)")
            }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            // Reset is an end too.
            guard count > 0 else {
                if let marker { throw Failure(description: "ended without \(marker), had: \(text)") }
                return text
            }
            bytes += buffer[..<count]
        }
    }

    private static func isReadable(_ descriptor: Int32, until end: ContinuousClock.Instant) -> Bool {
        var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&one, 1, RawConnection.milliseconds(until: end)) > 0
    }

    private static func milliseconds(until end: ContinuousClock.Instant) -> Int32 {
        let (seconds, attoseconds) = (end - ContinuousClock.now).components
        return Int32(max(0, seconds * 1_000 + attoseconds / 1_000_000_000_000_000))
    }

    /// One request and the whole answer, the connection closed behind it.
    func exchange(_ method: String, _ path: String, headers: [String] = [], body: String = "") throws -> RawAnswer {
        var lines = ["\(method) \(path) HTTP/1.1", "Connection: close"]
        if !headers.contains(where: { $0.hasPrefix("Host:") }) { lines.append("Host: localhost") }
        if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
        try send((lines + headers).joined(separator: "\r\n") + "\r\n\r\n" + body)
        return RawAnswer(try receive())
    }

    /// How many of these the other side has closed, once that many are.
    static func closed(of connections: [RawConnection], atLeast wanted: Int, within limit: Duration = .seconds(20)) throws -> Int {
        let end = ContinuousClock.now + limit
        var open = connections.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        while connections.count - open.count < wanted {
            guard poll(&open, UInt(open.count), milliseconds(until: end)) > 0 else {
                throw Failure(description: "waited \(limit) for \(wanted) to be closed, had \(connections.count - open.count)")
            }
            // Nothing is ever said to a silent one: whatever is readable is its end.
            open.removeAll { $0.revents != 0 }
        }
        return connections.count - open.count
    }
}

/// An answer as it stood on the wire.
struct RawAnswer {
    let text: String

    init(_ text: String) { self.text = text }

    var status: Int { Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var body: String { text.range(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? "" }

    func header(_ name: String) -> String? {
        let head = text.components(separatedBy: "\r\n\r\n")[0]
        return head.components(separatedBy: "\r\n").dropFirst().first { $0.lowercased().hasPrefix(name.lowercased() + ":") }.map {
            $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
        }
    }
}

/// Runs what blocks on a thread of its own: neither on the pool that the server under test runs on, nor behind what blocks elsewhere.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}
