import Foundation
import Synchronization
import WaslBroker
import WaslModel
import WaslWeb

/// A broker, a ledger, workers, simulated agencies and houses as child processes, watched and started again when they end.
final class DevStack: Sendable {
    struct Options {
        var houseCount = 34
        var seed: UInt64 = 1
        var faultRate = 1.0
        var logLevel = "notice"
        var latencyMax: Int64 = 15
        var darkSeconds: Int64 = 0
        /// Nothing but TLS, to the broker and to the agencies, with certificates made on the spot.
        var isTLS = false
        /// Agencies and houses that somebody else runs: they have keys, a broker user and a configuration, but no process.
        var absent: Set<String> = []
        /// Where houses find the broker, if not at its own port: a proxy that cuts and slows.
        var houseBrokerPort: Int?
    }

    private struct Child {
        let name: String
        let arguments: [String]
        var process: ChildProcess?
        /// What the next life of it gets besides: a point to die at, a library to preload. Forgotten by the one after.
        var extra: [String: String] = [:]
    }

    let layout: DevLayout
    let participants: DevParticipants
    let node: PrivateNode
    let ports: [String: Int]
    private let options: Options
    private let children: Mutex<[Child]>
    private let isStopping = Mutex(false)
    private let isBrokerStarting = Mutex(false)
    /// Says nothing of each end and start.
    let isQuiet: Bool
    /// Children hold the reading end as standard input: when this process ends, however it ends, they see it.
    private let lifeline: Pipe

    init(folder: String, schemas: String, options: Options, isQuiet: Bool = false) throws {
        self.isQuiet = isQuiet
        self.options = options
        layout = DevLayout(folder: folder)
        participants = try DevParticipants(layout: layout, schemas: schemas, houseCount: options.houseCount, isTLS: options.isTLS)
        // Before anything is made: a mistake in the command line leaves no folder behind.
        try participants.check(absent: options.absent)
        try participants.make()
        node = try PrivateNode(folder: layout.brokerFolder, tls: participants.certificates?.listener)
        let names = participants.participantIDs + participants.agencies.map { "simulated-\($0.id)" }
        ports = try layout.allotPorts(names)
        lifeline = Pipe()
        children = Mutex([])
    }

    var token: String {
        get throws { try readSecret(layout.tokenFile) }
    }

    func address(_ name: String) -> String { "http://127.0.0.1:\(ports[name] ?? 0)" }

    private func simulatedAddress(_ agency: String) -> String {
        "\(options.isTLS ? "https" : "http")://127.0.0.1:\(ports["simulated-\(agency)"] ?? 0)"
    }

    /// Starts everything and waits until every part is ready.
    func start() async throws {
        try await startBroker()
        try await startRoles()
    }

    func startBroker() async throws {
        say("starting RabbitMQ on 127.0.0.1:\(node.amqpPort) …")
        try await node.start()
        try await applyTopology()
    }

    func startRoles() async throws {
        let agencyCount = participants.agencies.count { !options.absent.contains($0.id) }
        say("starting the ledger, \(agencyCount) agencies and \(runningHouses.count) houses …")
        try startChildren()
        try await untilReady(timeout: .seconds(120))
    }

    private func applyTopology() async throws {
        let topology = Topology(try participants.holder().registry)
        var passwords: [String: String] = [:]
        let agencies = Set(participants.agencies.map(\.id))
        for id in participants.participantIDs where !options.isTLS || DevCertificates.saysPassword(agencies.contains(id) ? .agency : .house)
        {
            passwords[id] = try readSecret("\(layout.passwordsFolder)/\(id).password")
        }
        passwords[Topology.monitorUser] = try readSecret(layout.monitorPasswordFile)
        try await node.management.apply(topology, passwords: passwords)
    }

    private func startChildren() throws {
        var list: [Child] = []
        let simulated = participants.agencies.flatMap { ["--agency", "\($0.id)=\(ports["simulated-\($0.id)"] ?? 0)"] }
        list.append(
            Child(
                name: DevStack.simulators,
                arguments: [
                    "simulate", "agencies", "--log", layout.effectsFolder, "--seed", String(options.seed), "--fault-rate",
                    String(options.faultRate), "--latency-max", String(options.latencyMax), "--dark-seconds", String(options.darkSeconds),
                    "--secrets", layout.passwordsFolder, "--follow-parent",
                ] + (participants.certificates?.simulatedAgencies ?? []) + simulated))
        func add(_ id: String, _ role: Role, endpoint: String? = nil) throws {
            try participants.writeConfiguration(
                id, role: role, port: ports[id] ?? 0,
                brokerPort: role == .house ? options.houseBrokerPort ?? node.amqpPort : node.amqpPort,
                managementPort: node.managementPort, endpoint: endpoint, logLevel: options.logLevel)
            // The configuration of an absent one is there all the same, for whoever runs it.
            if options.absent.contains(id) { return }
            list.append(
                Child(name: id, arguments: [role.rawValue, "run", "--config", layout.configFile(id), "--follow-parent"]))
        }
        try add("ledger", .ledger)
        for agency in participants.agencies {
            try add(agency.id, .agency, endpoint: simulatedAddress(agency.id))
        }
        for house in participants.houses { try add(house.id, .house) }
        for index in list.indices { list[index].process = try spawn(list[index].name, list[index].arguments) }
        children.withLock { $0 = list }
    }

    /// Houses that are processes of this stack: orders are placed with these.
    var runningHouses: [FactRow] { participants.houses.filter { !options.absent.contains($0.id) } }

    /// The people behind the desks.
    func desks() throws -> [DevStaff] {
        try participants.deskAgencies.filter { !options.absent.contains($0) }.map { agency in
            try DevStaff(
                agency: agency, address: address(agency), password: try readSecret(layout.staffPasswordFile(agency)),
                logPath: layout.effectsLog(agency))
        }
    }

    /// One participant alone, without a broker.
    func startOnly(_ id: String) throws {
        let role: Role = id == "ledger" ? .ledger : participants.houses.contains { $0.id == id } ? .house : .agency
        try participants.writeConfiguration(
            id, role: role, port: ports[id] ?? 0, brokerPort: node.amqpPort, managementPort: node.managementPort, endpoint: nil,
            logLevel: options.logLevel)
        var child = Child(name: id, arguments: [role.rawValue, "run", "--config", layout.configFile(id), "--follow-parent"])
        child.process = try spawn(child.name, child.arguments)
        children.withLock { $0 = [child] }
    }

    private func spawn(_ name: String, _ arguments: [String], extra: [String: String] = [:]) throws -> ChildProcess {
        try ChildProcess(
            Program.path, arguments, environment: DevStack.environment(home: layout.folder).merging(extra) { $1 },
            output: "\(layout.logsFolder)/\(name).log", input: lifeline.fileHandleForReading.fileDescriptor)
    }

    /// A daemon has a dozen threads and little to allocate: two heaps, instead of one for each thread, keep it small.
    private static func environment(home: String) -> [String: String] {
        ["PATH": "/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"]
    }

    private func untilReady(timeout: Duration) async throws {
        let end = ContinuousClock.now + timeout
        for id in participants.participantIDs where !options.absent.contains(id) {
            while true {
                if let (status, _) = try? await Program.http("GET", address(id) + "/readyz", timeout: .seconds(2)), status == 200 {
                    break
                }
                restartEnded()
                guard ContinuousClock.now < end else {
                    throw Failure.unavailable("\(id) was not ready within \(timeout); see \(layout.logsFolder)/\(id).log")
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    /// Ends a child at once; its next life gets `extra` besides its environment.
    func kill(_ name: String, thenWith extra: [String: String] = [:]) {
        children.withLock { children in
            guard let index = children.firstIndex(where: { $0.name == name }) else { return }
            children[index].extra = extra
            children[index].process?.signal(SIGKILL)
        }
    }

    func signal(_ name: String, _ number: Int32) {
        children.withLock { $0.first { $0.name == name }?.process?.signal(number) }
    }

    /// Makes exchanges, queues and permissions as they should be.
    func mendTopology() async throws { try await applyTopology() }

    /// Starts again what has ended; a person may have killed it to see what happens.
    func restartEnded() {
        guard !isStopping.withLock({ $0 }) else { return }
        let isBrokerDown = isBrokerStarting.withLock { isStarting in
            guard !isStarting, node.hasEnded else { return false }
            isStarting = true
            return true
        }
        if isBrokerDown {
            if !isQuiet { say("the broker has ended: starting it again") }
            Task { await restartBroker() }
        }
        children.withLock { children in
            for index in children.indices {
                guard let status = children[index].process?.reap() else { continue }
                if !isQuiet { say("\(children[index].name) has ended (status \(status)): starting it again") }
                children[index].process = try? spawn(
                    children[index].name, children[index].arguments, extra: children[index].extra)
                children[index].extra = [:]
            }
        }
    }

    /// Tries until it runs: what held it up, a port or a file, may pass.
    private func restartBroker() async {
        defer { isBrokerStarting.withLock { $0 = false } }
        while !isStopping.withLock({ $0 }) {
            do {
                try await node.start()
                if isStopping.withLock({ $0 }) { node.stop() }
                return
            } catch {
                say("the broker does not start, trying again: \(error)")
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// The resident memory of a child, in bytes.
    func residentMemory(_ name: String) -> Int64? {
        guard let id = processID(name), let text = try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int64($0) })
        else { return nil }
        return kilobytes * 1024
    }

    /// The processor time of a process and everything in its session, in seconds: the broker is several processes.
    func sessionSeconds(_ session: Int32) -> Double {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int32($0) } ?? []
        return all.filter { getsid($0) == session }.reduce(0) { $0 + processorSeconds($1) }
    }

    /// The processor time that a process has used, in seconds.
    func processorSeconds(_ processID: Int32) -> Double {
        guard let text = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8), let end = text.lastIndex(of: ")")
        else { return 0 }
        let cells = text[text.index(after: end)...].split(separator: " ")
        guard cells.count > 12, let user = Double(cells[11]), let system = Double(cells[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Every child by its name, and the broker.
    var processes: [(name: String, id: Int32)] {
        children.withLock { $0.compactMap { child in child.process.map { (child.name, $0.processID) } } }
            + (node.processID.map { [("broker", $0)] } ?? [])
    }

    func processID(_ name: String) -> Int32? { children.withLock { $0.first { $0.name == name }?.process?.processID } }
    var brokerProcessID: Int32? { node.processID }

    /// Stops everything, children first, then the broker and its name server.
    func stop() {
        isStopping.withLock { $0 = true }
        stopChildren()
        node.stop()
    }

    /// Agencies last: a worker lets its calls in flight end.
    func stopChildren() {
        let running = children.withLock { children in
            defer { for index in children.indices { children[index].process = nil } }
            return children.compactMap { child in child.process.map { (child.name == DevStack.simulators, $0) } }
        }
        for areSimulators in [false, true] {
            let processes = running.filter { $0.0 == areSimulators }.map(\.1)
            for process in processes { process.signal(SIGTERM) }
            for process in processes { process.stop(grace: .seconds(30), asks: false) }
        }
    }

    private static let simulators = "simulated-agencies"
}
