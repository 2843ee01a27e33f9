import Foundation

/// Tells systemd how a service stands: lines in a datagram to the socket that it names (sd_notify(3)). Elsewhere nobody listens.
struct SystemdNotices: Sendable {
    /// The socket's name as the kernel wants it: an abstract one begins with a zero.
    private let name: [UInt8]?

    init(socket: String? = ProcessInfo.processInfo.environment["NOTIFY_SOCKET"]) {
        guard let socket, socket.hasPrefix("/") || socket.hasPrefix("@"),
            socket.utf8.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path)
        else {
            name = nil
            return
        }
        name = socket.hasPrefix("@") ? [0] + Array(socket.utf8.dropFirst()) : Array(socket.utf8)
    }

    func ready() { say("READY=1", "STATUS=ready") }

    /// Between this and the next ``ready()`` configuration is read again.
    func reloading() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        say("RELOADING=1", "MONOTONIC_USEC=\(Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)")
    }

    /// - Parameter limit: how long the stop may take: systemd kills nobody before.
    func stopping(within limit: Duration) {
        say(
            "STOPPING=1", "STATUS=letting calls in flight end, for \(limit.components.seconds) s at most",
            "EXTEND_TIMEOUT_USEC=\(limit.components.seconds * 1_000_000)")
    }

    /// What cannot be delivered is dropped: a service runs as well where nobody watches it.
    private func say(_ lines: String...) {
        guard let name else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let size = socklen_t(MemoryLayout.offset(of: \sockaddr_un.sun_path)! + name.count)
        let text = Array(lines.joined(separator: "\n").utf8)
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), $0, size)
            }
        }
    }
}
