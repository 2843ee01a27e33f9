import Foundation
import GRDB
import Synchronization
import WaslBroker
import WaslJournal
import WaslLedger
import WaslModel
import WaslSimulation

/// One torture: a stack under load, blows that a seed chooses, then the count.
final class Torture: Sendable {
    /// What is done to the processes and between them.
    enum Blow: String, CaseIterable {
        case killHouse = "kill-house"
        case killWorker = "kill-worker"
        case killLedger = "kill-ledger"
        case killBroker = "kill-broker"
        case killSimulators = "kill-simulators"
        case dieAtPoint = "die-at-named-point"
        case diskFull = "disk-full"
        case diskError = "disk-error"
        case cutNetwork = "cut-network"
        case stallNetwork = "stall-network"
        case slowNetwork = "slow-network"
        case stopLongerThanHeartbeat = "stop-longer-than-heartbeat"
        case purgeQueue = "purge-queue"
        case deleteQueue = "delete-queue"
        case deadLetter = "dead-letter"

        var isKill: Bool {
            switch self {
            case .killHouse, .killWorker, .killLedger, .killBroker, .killSimulators, .dieAtPoint: true
            default: false
            }
        }

        /// Of a hundred blows about so many.
        var weight: Int {
            switch self {
            case .killHouse: 26
            case .killWorker: 22
            case .killLedger: 11
            case .killBroker: 3
            case .killSimulators: 4
            case .dieAtPoint: 16
            case .diskFull, .diskError, .cutNetwork, .stallNetwork, .slowNetwork: 3
            case .stopLongerThanHeartbeat, .purgeQueue, .deadLetter: 2
            case .deleteQueue: 1
            }
        }
    }

    private struct State {
        var random: SeededRandom
        var blows: [Blow: Int] = [:]
        var points: [(name: String, point: CrashPoint)] = []
    }

    private let stack: DevStack
    private let proxy: SocketProxy
    private let orders: DevOrders
    private let requests: Int
    private let rate: Double
    private let kills: Int
    private let seed: UInt64
    private let patience: Duration
    private let state: Mutex<State>
    private let faultLibrary: String?

    init(
        folder: String, schemas: String, houses: Int, requests: Int, rate: Double, kills: Int, seed: UInt64, patience: Duration
    ) throws {
        let node = try PrivateNode(folder: DevLayout(folder: folder).brokerFolder)
        proxy = try SocketProxy(to: node.amqpPort)
        stack = try DevStack(
            folder: folder, schemas: schemas,
            options: DevStack.Options(houseCount: houses, seed: seed, faultRate: 1, houseBrokerPort: proxy.port), isQuiet: true)
        orders = try DevOrders(stack.participants.catalogue, seed: seed)
        (self.requests, self.rate, self.kills, self.seed, self.patience) = (requests, rate, kills, seed, patience)
        let library = URL(fileURLWithPath: Program.path).deletingLastPathComponent().appendingPathComponent("libwaslfaults.so").path
        faultLibrary = FileManager.default.fileExists(atPath: library) ? library : nil
        // Every named point once, in a process that passes it, before chance decides.
        let house = stack.participants.houses[0].id
        let agency = stack.participants.agencies[0].id
        let points: [(String, CrashPoint)] = CrashPoint.allCases.flatMap { point -> [(String, CrashPoint)] in
            switch point {
            case .houseBeforeAnswer: [(house, point)]
            case .agencyBeforeCall, .agencyAfterCall: [(agency, point)]
            default: [(house, point), (agency, point), ("ledger", point)]
            }
        }
        state = Mutex(State(random: SeededRandom(seed: seed), points: points.map { (name: $0.0, point: $0.1) }))
    }

    func run() async throws -> TortureReport {
        let start = ContinuousClock.now
        try await stack.start()
        say("ready: \(requests) orders, at least \(kills) kills, seed \(seed)")
        if faultLibrary == nil { say("disk-full and disk-error are not tried: libwaslfaults.so is not beside the program") }
        let traffic = DevTraffic(
            houses: stack.participants.houses.map { ($0.id, stack.address($0.id)) }, token: try stack.token, seed: seed, orders: orders)
        let desks = try stack.desks()
        let background = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await traffic.watch() }
                group.addTask { await self.supervise() }
                group.addTask { await self.progress(traffic) }
                for staff in desks { group.addTask { await staff.work() } }
            }
        }
        defer { background.cancel() }
        async let placed: Void = traffic.place(first: 0, count: requests, rate: rate, concurrency: 128)
        try await strike(while: { traffic.acceptedCount < self.requests })
        await placed
        try await mend()
        let isReconciled = try await reconciled(traffic)
        return try await report(traffic, isReconciled, seconds: Double((ContinuousClock.now - start).milliseconds) / 1000)
    }

    func stop() { stack.stop() }

    private func supervise() async {
        while !Task.isCancelled {
            stack.restartEnded()
            try? await Task.sleep(for: .milliseconds(150))
        }
    }

    private func progress(_ traffic: DevTraffic) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(10))
            let blows = state.withLock { $0.blows.values.reduce(0, +) }
            if !Task.isCancelled {
                say("accepted \(traffic.acceptedCount), concluded \(traffic.settledCount), \(killCount) kills of \(blows) blows")
            }
        }
    }

    private var killCount: Int { state.withLock { state in state.blows.filter { $0.key.isKill }.values.reduce(0, +) } }

    private func strike(while isLoaded: @Sendable () -> Bool) async throws {
        while isLoaded() || killCount < kills {
            try Task.checkCancellation()
            let (pause, blow) = state.withLock { state -> (Int64, Blow) in
                let pause = state.random.number(100...1_000)
                if !state.points.isEmpty, state.random.happens(0.5) { return (pause, .dieAtPoint) }
                // Each blow once before any comes by its weight.
                if let untried = Blow.allCases.first(where: { state.blows[$0] == nil }) { return (pause, untried) }
                var roll = state.random.number(0...Int64(Blow.allCases.map(\.weight).reduce(0, +)) - 1)
                for blow in Blow.allCases {
                    roll -= Int64(blow.weight)
                    if roll < 0 { return (pause, blow) }
                }
                return (pause, .killHouse)
            }
            try await Task.sleep(for: .milliseconds(pause))
            if try await strike(blow) {
                state.withLock { $0.blows[blow, default: 0] += 1 }
            } else {
                state.withLock { $0.blows[blow] = $0.blows[blow] ?? 0 }
            }
        }
    }

    private func any(_ names: [String]) -> String {
        state.withLock { names[Int($0.random.number(0...Int64(names.count - 1)))] }
    }

    private var houseNames: [String] { stack.participants.houses.map(\.id) }
    private var workerNames: [String] { stack.participants.agencies.map(\.id) }

    /// - Returns: whether it was done.
    private func strike(_ blow: Blow) async throws -> Bool {
        switch blow {
        case .killHouse: stack.kill(any(houseNames))
        case .killWorker: stack.kill(any(workerNames))
        case .killLedger: stack.kill("ledger")
        case .killSimulators: stack.kill("simulated-agencies")
        case .killBroker:
            // The whole session, as a power cut would; whoever supervises sees it ended.
            if let id = stack.node.processID { kill(-id, SIGKILL) }
        case .dieAtPoint:
            let (name, point) = state.withLock { state -> (String, CrashPoint) in
                if let first = state.points.first {
                    state.points.removeFirst()
                    return first
                }
                let point = CrashPoint.allCases[Int(state.random.number(0...Int64(CrashPoint.allCases.count - 1)))]
                let names =
                    point == .houseBeforeAnswer
                    ? houseNames : point.rawValue.hasPrefix("agency") ? workerNames : houseNames + workerNames + ["ledger"]
                return (names[Int(state.random.number(0...Int64(names.count - 1)))], point)
            }
            let passage = state.withLock { $0.random.number(1...12) }
            stack.kill(name, thenWith: [CrashPoint.variable: "\(point.rawValue):\(passage)"])
        case .diskFull, .diskError: return await breakDisk(blow == .diskFull ? "ENOSPC" : "EIO")
        case .cutNetwork: await network(.cut, for: 3_000)
        case .stallNetwork: await network(.stall, for: 8_000)
        case .slowNetwork: await network(.slow(20_000), for: 5_000)
        case .stopLongerThanHeartbeat:
            let name = any(houseNames + workerNames + ["ledger"])
            stack.signal(name, SIGSTOP)
            // Twice the heartbeat and a little more: the broker has given the connection up.
            Task { [stack] in
                try? await Task.sleep(for: .seconds(24))
                stack.signal(name, SIGCONT)
            }
        case .purgeQueue:
            return await manage(
                .delete, "/api/queues/wasl/\(any(["ledger", "agency.\(any(workerNames))", "house.\(any(houseNames))"]))/contents")
        case .deleteQueue:
            let isDone = await manage(.delete, "/api/queues/wasl/\(any(["agency.\(any(workerNames))", "house.\(any(houseNames))"]))")
            try? await Task.sleep(for: .seconds(1))
            try? await stack.mendTopology()
            return isDone
        case .deadLetter: return await deadLetter()
        }
        return true
    }

    private func network(_ mode: SocketProxy.Mode, for milliseconds: Int) async {
        proxy.set(mode)
        try? await Task.sleep(for: .milliseconds(milliseconds))
        proxy.set(.pass)
    }

    /// One process gets the fault library in its next life, and its journal's writes fail for some seconds.
    private func breakDisk(_ error: String) async -> Bool {
        guard let faultLibrary else { return false }
        let name = any(houseNames + workerNames)
        let trigger = stack.layout.dataFolder(name) + "/disk-fails"
        stack.kill(
            name,
            thenWith: [
                "LD_PRELOAD": faultLibrary, "WASL_FAULT_PATH": "journal.sqlite", "WASL_FAULT_CALL": "any", "WASL_FAULT_WHILE": trigger,
                "WASL_FAULT_DO": error,
            ])
        try? await Task.sleep(for: .seconds(1))
        guard FileManager.default.createFile(atPath: trigger, contents: nil) else { return false }
        try? await Task.sleep(for: .seconds(2))
        try? FileManager.default.removeItem(atPath: trigger)
        return true
    }

    /// For a moment a queue's messages expire while nobody takes them.
    private func deadLetter() async -> Bool {
        let agency = any(workerNames)
        let policy = "/api/policies/wasl/torture"
        stack.signal(agency, SIGSTOP)
        let isSet = await manage(
            .put, policy,
            ["pattern": .string("^agency\\.\(agency)$"), "definition": ["message-ttl": 1], "priority": 100, "apply-to": "queues"])
        try? await Task.sleep(for: .seconds(3))
        _ = await manage(.delete, policy)
        stack.signal(agency, SIGCONT)
        return isSet
    }

    private func manage(_ method: BrokerManagement.Method, _ path: String, _ body: JSON? = nil) async -> Bool {
        (try? await stack.node.management.call(method, path, body: body)) != nil
    }

    // MARK: The end

    private func mend() async throws {
        proxy.set(.pass)
        for name in houseNames + workerNames + ["ledger"] { stack.signal(name, SIGCONT) }
        say("all placed, \(killCount) kills: mending, then waiting until the ledger has reconciled")
        let end = ContinuousClock.now + .seconds(90)
        while ContinuousClock.now < end {
            do {
                try await stack.mendTopology()
                return
            } catch { try await Task.sleep(for: .seconds(1)) }
        }
    }

    private func reconciled(_ traffic: DevTraffic) async throws -> Bool {
        let end = ContinuousClock.now + patience
        while ContinuousClock.now < end {
            try Task.checkCancellation()
            if traffic.settledCount == traffic.acceptedCount,
                try await Reconciliation.isReconciled(stack.address("ledger"), try stack.token, accepted: traffic.acceptedCount)
            {
                return true
            }
            try await Task.sleep(for: .milliseconds(500))
        }
        let overview = try? await Program.http("GET", stack.address("ledger") + "/v1/overview", token: stack.token)
        say("not reconciled: \(traffic.settledCount) of \(traffic.acceptedCount) settled; \(overview?.answer.text ?? "no ledger")")
        return false
    }

    private func report(_ traffic: DevTraffic, _ isReconciled: Bool, seconds: Double) async throws -> TortureReport {
        let logs = try stack.participants.agencies.flatMap { try EffectsLog.read(path: stack.layout.effectsLog($0.id)) }
        let counted = DevReport(
            accepted: traffic.acceptedIDs, reads: orders.reads, requests: traffic.accepted, logs: logs, findings: [], seconds: seconds
        )
        for problem in traffic.problems.prefix(10) { say(problem) }
        let findings = try await Reconciliation.findings(stack.address("ledger"), try stack.token, state: "all")
        var closed: [String: (kind: String, cause: String, count: Int)] = [:]
        for finding in findings {
            let kind = finding["class"]?.string ?? ""
            let cause = finding["cause"]?.string ?? "open"
            closed["\(kind) \(cause)", default: (kind, cause, 0)].count += 1
        }
        return state.withLock { state in
            TortureReport(
                orders: counted.json, isReconciled: isReconciled, lost: counted.lost, duplicated: counted.duplicatedEffects,
                wrong: counted.wrongEffects, blows: Blow.allCases.map { ($0.rawValue, state.blows[$0] ?? 0) },
                kills: state.blows.filter { $0.key.isKill }.values.reduce(0, +),
                findings: closed.sorted { $0.key < $1.key }.map(\.value), seconds: seconds)
        }
    }

    /// After the end: every journal holds, and the ledger's every digest; how often it had asked for something again, and what the broker
    /// delivered more than once.
    func checkFiles() throws -> (damaged: [String], resends: Int, redelivered: Int) {
        var damaged: [String] = []
        var redelivered = 0
        for name in houseNames + workerNames + ["ledger"] {
            let path = stack.layout.dataFolder(name) + "/journal.sqlite"
            if let damage = try JournalCheck.damage(path: path) { damaged.append("\(name): \(damage)") }
            redelivered += try DatabaseQueue(path: path).read { try Int.fetchOne($0, sql: "SELECT redelivered FROM journal") } ?? 0
        }
        damaged += try LedgerVerification(path: stack.layout.dataFolder("ledger") + "/journal.sqlite").problems.map { "ledger: \($0)" }
        let ledger = try DatabaseQueue(path: stack.layout.dataFolder("ledger") + "/journal.sqlite")
        let resends = try ledger.read {
            try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM outbox WHERE type = ?", arguments: [MessageType.resend.rawValue])
        }
        return (damaged, resends ?? 0, redelivered)
    }
}
