import Foundation
import GRDB
import Hummingbird
import Logging
import TestSupport
import Testing
import WaslBroker
import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation
import WaslWeb

@testable import WaslAgency

/// A daemon as a process of its own, what it says, and how it ended.
private final class RunningDaemon: Sendable {
    private let processID: Int32
    private let said = Recorder<String>()
    private let ended = Recorder<Int32>()

    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: TestWorld.executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (said, ended) = (said, ended)
        let pipe = Pipe()
        pipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil } else { said.append(String(decoding: data, as: UTF8.self)) }
        }
        process.standardError = pipe
        process.standardOutput = FileHandle.nullDevice
        process.terminationHandler = { ended.append($0.terminationStatus) }
        try process.run()
        processID = process.processIdentifier
    }

    var text: String { said.elements.joined() }
    func signal(_ number: Int32) { kill(processID, number) }
    func says(_ words: String) async { await said.wait { $0.joined().contains(words) } }

    func end() async -> Int32? {
        await ended.wait { !$0.isEmpty }
        return ended.elements.first
    }
}

/// What another process writes into a folder's files (inotify(7)).
private final class FolderChanges: Sendable {
    private let descriptor: Int32

    /// From here on nothing is missed, however late ``next()`` is called.
    init(_ folder: String) throws {
        descriptor = inotify_init1(Int32(IN_CLOEXEC))
        guard descriptor >= 0, inotify_add_watch(descriptor, folder, UInt32(IN_MODIFY)) >= 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
    }

    deinit { close(descriptor) }

    /// Returns once something has been written since the last time.
    func next() throws {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        guard read(descriptor, &buffer, buffer.count) > 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }
}

/// Notes each call as it arrives, before anything is done with it.
private struct Arrivals: RouterMiddleware {
    typealias Context = BasicRequestContext

    let seen = Recorder<String>()

    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
        seen.append(request.uri.path)
        return try await next(request, context)
    }
}

/// A worker with one request in its journal, before a slow agency and without a broker.
private final class SlowRoad: Sendable {
    let world: TestWorld
    let arrivals = Arrivals()
    let daemon: RunningDaemon
    private let server: Task<Void, any Error>
    private let journalPath: String

    init(agency id: String, service: String, fields: JSONObject, latency: Int64) async throws {
        let world = try TestWorld()
        self.world = world
        // Enough time for a busy machine: nobody waits so long unless something is wrong.
        try FileManager.default.copyItem(atPath: TestWorld.project + "/Schemas", toPath: world.folder + "/Schemas")
        let agencyFile = world.folder + "/Schemas/agencies/\(id)/agency.yaml"
        try String(contentsOfFile: agencyFile, encoding: .utf8).replacing("timeout: 4 s", with: "timeout: 60 s")
            .write(toFile: agencyFile, atomically: true, encoding: .utf8)

        let office = try SimulatedOffice(
            agency: id, logPath: world.folder + "/effects.jsonl", plan: FaultPlan(seed: 1, rate: 0, latency: latency...latency))
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: arrivals)
        let make = try #require(simulatedAgencies[id])
        make(office).addRoutes(to: router)
        let listening = Recorder<Int>()
        let ports = try PrivateNode.freePorts(2)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        server = Task { try await Server.run(router, host: "127.0.0.1", port: ports[0], logger: logger) { listening.append($0) } }
        await listening.wait { !$0.isEmpty }

        for folder in ["/data", "/heads"] {
            try FileManager.default.createDirectory(atPath: world.folder + folder, withIntermediateDirectories: true)
        }
        journalPath = world.folder + "/data/journal.sqlite"
        try SlowRoad.take(try world.request(service, fields: fields), world, id, journalPath)
        let configuration = try world.configure(
            id, as: .agency, schemas: world.folder + "/Schemas", port: ports[1], more: "endpoint: http://127.0.0.1:\(ports[0])")
        daemon = try RunningDaemon(["agency", "run", "--config", configuration])
    }

    /// As a worker does, before its process is there.
    private static func take(_ request: Envelope, _ world: TestWorld, _ id: String, _ path: String) throws {
        let store = try JournalStore(
            path: path, headPath: world.folder + "/heads/\(id)", identity: world.identity(id), migrations: AgencySchema.register)
        let steps = AgencySteps(agency: ParticipantID(id)!)
        let delivery = try world.delivery(request)
        let jobs = try store.transaction { try steps.take([.accepted(request, delivery)], in: $0) }.result
        #expect(jobs.count == 1)
    }

    /// The only job, as it is on disk.
    func job() throws -> (state: String, isDoubted: Bool, outcomes: [String]) {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(20)
        return try DatabaseQueue(path: journalPath, configuration: configuration).read { db in
            let row = try #require(try Row.fetchOne(db, sql: "SELECT state, doubted FROM job"))
            let bodies = try Data.fetchAll(db, sql: "SELECT body FROM outbox WHERE type LIKE '%outcome%' ORDER BY number")
            let outcomes = try bodies.map { try Envelope(parsing: [UInt8]($0)).data["status"]?.string ?? "" }
            return (row["state"], row["doubted"], outcomes)
        }
    }

    /// Waits until the job stands so on disk, looking again each time that the journal's folder changes.
    func jobIs(_ state: String) async throws {
        let changes = try FolderChanges(world.folder + "/data")
        try await waiting(for: "the job to be \(state)") {
            while try self.job().state != state { try changes.next() }
        }
    }

    func end() async {
        daemon.signal(SIGKILL)
        server.cancel()
        _ = try? await server.value
    }
}

/// Lines of a log that would call a person.
private func complaints(_ text: Substring) -> [Substring] {
    text.split(separator: "\n").filter { line in [" warning ", " error ", " critical "].contains { line.contains($0) } }
}

/// How real daemons stop when they are asked to.
@Suite(.serialized, .timeLimit(.minutes(2))) struct StopTests {
    private static let payment: JSONObject = ["police_number": "1234567", "amount": 45_500, "payment": "cash"]

    @Test func aCallInFlightEndsAndItsOutcomeIsRecorded() async throws {
        let road = try await SlowRoad(agency: "sonede", service: "sonede.bill.pay", fields: Self.payment, latency: 2_000)
        await road.arrivals.seen.wait { !$0.isEmpty }
        let before = road.daemon.text
        road.daemon.signal(SIGTERM)
        #expect(await road.daemon.end() == 0)
        await road.daemon.says("stopped")
        let job = try road.job()
        #expect(job.state == "done" && !job.isDoubted)
        #expect(job.outcomes == ["completed"])
        #expect(road.arrivals.seen.elements.count == 1)
        let complaints = complaints(road.daemon.text.dropFirst(before.count))
        #expect(complaints.isEmpty, "an orderly stop is no news: \(complaints)")
        await road.end()
    }

    @Test func theSecondSignalEndsItAtOnce() async throws {
        let road = try await SlowRoad(agency: "sonede", service: "sonede.bill.pay", fields: Self.payment, latency: 50_000)
        await road.arrivals.seen.wait { !$0.isEmpty }
        road.daemon.signal(SIGTERM)
        await road.daemon.says("calls in flight may end")
        road.daemon.signal(SIGTERM)
        #expect(await road.daemon.end() == 0)
        let job = try road.job()
        #expect(job.state == "calling" && job.outcomes.isEmpty, "the next start finds the attempt without a result, and calls it doubt")
        await road.end()
    }

    @Test func aCallThatWasOnlyAnnouncedLeavesNoDoubt() async throws {
        let road = try await SlowRoad(
            agency: "tt", service: "tt.bill.pay", fields: ["line": "71234567", "amount": 45_500, "payment": "cash"], latency: 0)
        // Intended, and waiting for a broker that is not there.
        try await road.jobIs("calling")
        road.daemon.signal(SIGTERM)
        #expect(await road.daemon.end() == 0)
        let job = try road.job()
        #expect(job.state == "ready" && !job.isDoubted && job.outcomes.isEmpty)
        #expect(road.arrivals.seen.elements.isEmpty)
        await road.end()
    }
}

/// systemd's end of the talk: a datagram socket with a name in the file system, or an abstract one.
private final class NotifySocket: Sendable {
    let name: String
    private let descriptor: Int32

    init(_ name: String) throws {
        self.name = name
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = name.hasPrefix("@") ? [0] + Array(name.utf8.dropFirst()) : Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let size = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        guard status == 0 else { throw POSIXError(.EADDRINUSE) }
    }

    deinit { close(descriptor) }

    /// The next datagram's lines; none where nothing comes in time.
    func next() -> [String] {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

/// What a daemon tells systemd.
@Suite(.timeLimit(.minutes(3))) struct SystemdTests {
    private let world: TestWorld

    init() throws { world = try TestWorld() }

    @Test(arguments: [true, false]) func itSaysWhenItIsReadyWhenItReadsAgainAndWhenItStops(_ isAbstract: Bool) async throws {
        let socket = try NotifySocket(isAbstract ? "@wasl-test-\(UUID().uuidString)" : world.folder + "/notify")
        let port = try PrivateNode.freePorts(1)[0]
        let configuration = try world.configure(port: port)
        let daemon = try RunningDaemon(
            ["house", "run", "--config", configuration], environment: ["NOTIFY_SOCKET": socket.name])
        #expect(socket.next().contains("READY=1"))
        daemon.signal(SIGHUP)
        let reloading = socket.next()
        #expect(reloading.contains("RELOADING=1"))
        #expect(reloading.contains { $0.hasPrefix("MONOTONIC_USEC=") && Int64($0.dropFirst(15)) != nil }, "\(reloading)")
        #expect(socket.next().contains("READY=1"))
        daemon.signal(SIGTERM)
        let stopping = socket.next()
        #expect(stopping.contains("STOPPING=1"))
        #expect(stopping.contains("EXTEND_TIMEOUT_USEC=12000000"), "\(stopping)")
        #expect(await daemon.end() == 0)
    }
}
