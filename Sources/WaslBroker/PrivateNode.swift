import Foundation
import WaslSeal

/// A RabbitMQ node of one's own: any user, any folder, loopback only, its own epmd; nothing is left outside the folder.
public final class PrivateNode: Sendable {
    public let amqpPort: Int
    public let managementPort: Int
    public let adminPassword: String
    public static let adminUser = "wasl-admin"
    let folder: String
    let tls: TLSListener?
    let plugins: [String]
    private let epmdPort: Int
    private let distributionPort: Int
    private let nodeName: String
    private let process = ProcessSlot()

    /// Debian keeps the broker's real start script here; the one on the path switches users.
    static let script = "/usr/lib/rabbitmq/bin/rabbitmq-server"

    public var management: BrokerManagement {
        BrokerManagement(
            address: "http://127.0.0.1:\(managementPort)", user: PrivateNode.adminUser, password: adminPassword)
    }

    /// Prepares a node in a folder; ports that are not given are free ones. A folder used before keeps its ports and secrets.
    ///
    /// - Parameter tls: with it `amqpPort` speaks TLS and nothing else.
    /// - Throws: ``BrokerError`` that says what to do when RabbitMQ is missing or a port is taken.
    public init(folder: String, name: String = "wasl", amqpPort: Int? = nil, plugins: [String] = [], tls: TLSListener? = nil) throws {
        guard FileManager.default.isExecutableFile(atPath: PrivateNode.script) else {
            throw BrokerError(
                .node, "RabbitMQ is not installed (\(PrivateNode.script)). Run Deploy/setup.sh once, as root")
        }
        self.folder = folder
        self.tls = tls
        self.plugins = ["rabbitmq_management"] + (tls == nil ? [] : ["rabbitmq_auth_mechanism_ssl"]) + plugins
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: NSNumber(value: 0o700)])
        let kept = folder + "/node.ports"
        let numbers = (try? String(contentsOfFile: kept, encoding: .utf8))?.split(separator: " ").compactMap { Int($0) }
        var ports = numbers?.count == 4 ? numbers! : try PrivateNode.freePorts(4)
        if let amqpPort { ports[0] = amqpPort }
        (self.amqpPort, managementPort, epmdPort, distributionPort) = (ports[0], ports[1], ports[2], ports[3])
        try ports.map(String.init).joined(separator: " ").write(toFile: kept, atomically: true, encoding: .utf8)
        let secret = folder + "/admin.password"
        if let password = try? String(contentsOfFile: secret, encoding: .utf8) {
            adminPassword = password
        } else {
            adminPassword = digestText(randomBytes(32))
            try writePrivateFile(Array(adminPassword.utf8), to: secret)
        }
        nodeName = "\(name)-\(ports[0])@localhost"
    }

    /// Starts the node and waits until it serves.
    public func start(timeout: Duration = .seconds(90)) async throws {
        stopLeftover()
        for port in [amqpPort, managementPort] where !PrivateNode.isFree(port) {
            throw BrokerError(
                .node,
                "port \(port) is taken by another program. Stop it, or remove \(folder)/node.ports to let other ports be chosen")
        }
        try writeConfiguration()
        let log = folder + "/node.log"
        let child = try ChildProcess(PrivateNode.script, [], environment: environment, output: log)
        process.set(child)
        try String(child.processID).write(toFile: folder + "/node.pid", atomically: true, encoding: .utf8)
        let end = ContinuousClock.now + timeout
        while ContinuousClock.now < end {
            if child.reap() != nil {
                process.set(nil)
                throw BrokerError(.node, "RabbitMQ ended while starting; see \(log)")
            }
            if let definitions = try? await management.definitions(),
                definitions["vhosts"]?.array?.contains(where: { $0["name"]?.string == Topology.virtualHost }) == true,
                !PrivateNode.isFree(amqpPort)
            {
                return
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        stop()
        throw BrokerError(.node, "RabbitMQ was not ready within \(timeout); see \(log)")
    }

    /// The start script's process, whose session the node runs in.
    public var processID: Int32? { process.processID }

    /// Whether the node's process has ended by itself.
    public var hasEnded: Bool { process.hasEnded }

    /// As a power cut would.
    public func kill() {
        process.take()?.stop(grace: .zero)
    }

    public func stop() {
        process.take()?.stop(grace: .seconds(20))
        stopEPMD()
        try? FileManager.default.removeItem(atPath: folder + "/node.pid")
    }

    /// A node that a killed parent left behind would hold the folder's ports and files.
    private func stopLeftover() {
        guard let text = try? String(contentsOfFile: folder + "/node.pid", encoding: .utf8), let pid = pid_t(text),
            let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"),
            String(decoding: line, as: UTF8.self).contains("rabbitmq")
        else { return }
        Foundation.kill(-pid, SIGKILL)
        Thread.sleep(forTimeInterval: 0.5)
    }

    private func stopEPMD() {
        let epmd = Process()
        epmd.executableURL = URL(fileURLWithPath: "/usr/bin/epmd")
        epmd.arguments = ["-port", String(epmdPort), "-kill"]
        epmd.standardOutput = FileHandle.nullDevice
        epmd.standardError = FileHandle.nullDevice
        if (try? epmd.run()) != nil { epmd.waitUntilExit() }
    }

    private var environment: [String: String] {
        [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8", "HOSTNAME": "localhost",
            "RABBITMQ_NODENAME": nodeName, "RABBITMQ_MNESIA_BASE": folder + "/mnesia", "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_CONFIG_FILE": folder + "/rabbitmq.conf", "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ADVANCED_CONFIG_FILE": folder + "/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder + "/enabled_plugins",
            "RABBITMQ_DIST_PORT": String(distributionPort), "ERL_EPMD_PORT": String(epmdPort),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            // Without busy waiting the broker leaves the processor to the roles beside it.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
                // Erlang looks at certificates on disk every two minutes otherwise.
                + (tls == nil ? "" : " -ssl bypass_pem_cache true"),
        ]
    }

    /// Ports that nobody listens on now, on loopback, and that the kernel gives to no connection that goes out: a client that
    /// tries a dead node's port again and again could be given that very port as its own, and the node could not come back.
    public static func freePorts(_ count: Int) throws -> [Int] {
        let range = (try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)) ?? ""
        let firstOutgoing = range.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) } ?? 32_768
        let candidates = firstOutgoing > 12_000 ? Array((10_000..<firstOutgoing).shuffled().prefix(2_000)) : []
        var descriptors: [Int32] = []
        defer { descriptors.forEach { close($0) } }
        var ports: [Int] = []
        for candidate in candidates + Array(repeating: 0, count: count) where ports.count < count {
            guard let (descriptor, port) = bindLoopback(candidate) else { continue }
            descriptors.append(descriptor)
            ports.append(port)
        }
        guard ports.count == count else { throw BrokerError(.node, "no free port on loopback") }
        return ports
    }

    public static func isFree(_ port: Int) -> Bool {
        guard let (descriptor, _) = bindLoopback(port) else { return false }
        close(descriptor)
        return true
    }

    private static func bindLoopback(_ port: Int) -> (Int32, Int)? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard bound else {
            close(descriptor)
            return nil
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }
}

/// The node's running process, if any.
private final class ProcessSlot: @unchecked Sendable {
    // `lock` guards `child`.
    private let lock = NSLock()
    private var child: ChildProcess?

    func set(_ child: ChildProcess?) { lock.withLock { self.child = child } }

    func take() -> ChildProcess? {
        lock.withLock {
            defer { child = nil }
            return child
        }
    }

    var processID: Int32? { lock.withLock { child?.processID } }

    var hasEnded: Bool {
        lock.withLock {
            guard let running = child, running.reap() != nil else { return false }
            child = nil
            return true
        }
    }
}
