import ArgumentParser
import Dispatch
import Foundation
import WaslModel
import WaslSimulation

struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev", abstract: "Everything in one command: broker, ledger, houses, agencies, traffic.",
        discussion: """
            Starts a private RabbitMQ node on loopback, the ledger, every agency of the catalogue with a simulated API behind it, and the \
            34 houses, each a process of its own; then steady traffic, until ctrl-C. Kill any of the processes: it is started again.

            Examples:
              wasl dev
              wasl dev --houses 2 --absent bir-mcherga
              wasl dev --requests 2000 --until-reconciled --json
              wasl dev --tls
            """)

    @Option(help: "The folder that holds everything; nothing is left outside it.") var data = ".wasl-dev"
    @Option(help: "How many houses of the facts take part.") var houses = 34
    @Option(help: "Orders to place; without it traffic goes on until ctrl-C.") var requests: Int?
    @Option(help: "Orders a second; default 5, with --requests 100.") var rate: Double?
    @Flag(help: "End when the ledger has reconciled all orders.") var untilReconciled = false
    @Flag(help: "Print one JSON object at the end.") var json = false
    @Option(help: "Decides orders and faults.") var seed: UInt64 = 1
    @Option(help: "How often agencies fail: 1 is about 7 calls in 100, 0 never.") var faults = 1.0
    @Option(help: "How many seconds of each two minutes each agency answers nobody.") var darkSeconds: Int64 = 0
    @Option(help: "The Schemas folder.") var schemas: String?
    @Option(help: "How much the processes log: notice, info, debug.") var logLevel = "notice"
    @Option(help: "Only orders for this service; may be repeated. Without it, all services of the catalogue in turn.") var service:
        [String] = []
    @Option(help: "Leave out this agency's worker or this house: one of your own takes its place. May be repeated.") var absent: [String] =
        []
    @Flag(
        help: "TLS everywhere: to the broker by certificate (agencies by password besides), to the agencies' APIs with a pinned authority.")
    var tls = false
    @Option(help: "Give up waiting for reconciliation after so many seconds.") var patience = 300

    func run() async throws {
        guard (1...34).contains(houses), faults >= 0, faults <= 10, requests ?? 1 > 0, rate ?? 1 > 0 else {
            throw Failure.usage("--houses is 1 to 34, --faults 0 to 10; --requests and --rate are above 0")
        }
        let stack = try DevStack(
            folder: data, schemas: try Program.schemas(schemas),
            options: DevStack.Options(
                houseCount: houses, seed: seed, faultRate: faults, logLevel: logLevel, darkSeconds: darkSeconds, isTLS: tls,
                absent: Set(absent)))
        guard requests == nil || !stack.runningHouses.isEmpty else {
            throw Failure.usage("--requests: with every house --absent there is nobody to place orders; raise --houses")
        }
        let interrupted = Interrupts()
        let working = Task { try await work(stack) }
        interrupted.onFirst { working.cancel() }
        defer {
            say("stopping …")
            stack.stop()
        }
        do { try await working.value } catch is CancellationError {}
    }

    private func work(_ stack: DevStack) async throws {
        try await stack.start()
        let house = stack.runningHouses.first.map { "\($0.id)    \(stack.address($0.id))/openapi.json" } ?? "no house of its own"
        say(
            """
            ready:
              ledger   \(stack.address("ledger"))/?lang=ar   (also fr, en; \(signIn("ledger", stack)))
            \(stack.participants.deskAgencies.map { "  desk     \(stack.address($0))/desk?lang=ar   (\(signIn($0, stack)))" }.joined(separator: "\n"))
              \(house)
              token    \(stack.layout.tokenFile)
              logs     \(stack.layout.logsFolder)
            """)
        let token = try stack.token
        let orders = try DevOrders(stack.participants.catalogue, seed: seed, only: service)
        let traffic = DevTraffic(
            houses: stack.runningHouses.map { ($0.id, stack.address($0.id)) }, token: token, seed: seed, orders: orders)
        let desks = try stack.desks()
        let background = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await traffic.watch() }
                group.addTask { await supervise(stack) }
                group.addTask { await progress(traffic, stack) }
                for staff in desks { group.addTask { await staff.work() } }
            }
        }
        defer { background.cancel() }
        try await drive(traffic, orders, stack, token)
    }

    private func signIn(_ id: String, _ stack: DevStack) -> String {
        "sign in as \(DevStaff.name), password in \(stack.layout.staffPasswordFile(id))"
    }

    private func supervise(_ stack: DevStack) async {
        while !Task.isCancelled {
            stack.restartEnded()
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func progress(_ traffic: DevTraffic, _ stack: DevStack) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(5))
            if Task.isCancelled { return }
            let overview = try? await Program.http("GET", stack.address("ledger") + "/v1/overview", token: stack.token)
            let findings = overview?.answer["openFindings"]
            say("accepted \(traffic.acceptedCount), concluded \(traffic.settledCount), open findings \(findings?.text ?? "?")")
        }
    }

    private func drive(_ traffic: DevTraffic, _ orders: DevOrders, _ stack: DevStack, _ token: String) async throws {
        let start = ContinuousClock.now
        guard let requests else {
            // With every house absent nobody places orders, and the rest of the stack stands until ctrl-C.
            while stack.runningHouses.isEmpty { try await Task.sleep(for: .seconds(3_600)) }
            await traffic.place(first: 0, count: Int.max, rate: rate ?? 5, concurrency: 64)
            return
        }
        await traffic.place(first: 0, count: requests, rate: rate ?? 100, concurrency: 256)
        if untilReconciled { try await awaitReconciliation(traffic, stack, token) }
        let findings = try await Reconciliation.openFindings(stack.address("ledger"), token)
        let logs = try stack.participants.agencies.flatMap { try EffectsLog.read(path: stack.layout.effectsLog($0.id)) }
        let report = DevReport(
            accepted: traffic.acceptedIDs, reads: orders.reads, requests: traffic.accepted, logs: logs, findings: findings,
            seconds: Double((ContinuousClock.now - start).milliseconds) / 1000)
        for problem in traffic.problems.prefix(10) { say(problem) }
        for finding in report.openFindings.prefix(20) { say("open: \(finding)") }
        print(json ? report.json.text : report.json.prettyText)
        if traffic.acceptedCount != requests || (untilReconciled && !report.isClean) {
            throw Failure.notAsItShouldBe("not everything is as it should be: see above")
        }
    }

    private func awaitReconciliation(_ traffic: DevTraffic, _ stack: DevStack, _ token: String) async throws {
        let end = ContinuousClock.now + .seconds(patience)
        while ContinuousClock.now < end {
            try Task.checkCancellation()
            if traffic.settledCount == traffic.acceptedCount,
                try await Reconciliation.isReconciled(stack.address("ledger"), token, accepted: traffic.acceptedCount)
            {
                return
            }
            try await Task.sleep(for: .milliseconds(250))
        }
        say("not reconciled within \(patience) s")
    }
}

/// What the ledger says of a run.
enum Reconciliation {
    /// Every order known, every outcome delivered, every lane whole; what is open is parked or about to be named.
    static func isReconciled(_ ledger: String, _ token: String, accepted: Int) async throws -> Bool {
        guard let (status, overview) = try? await Program.http("GET", ledger + "/v1/overview", token: token), status == 200 else {
            return false
        }
        let parked = overview["byStatus"]?["parked"]?.integer ?? 0
        let terminal = overview["terminal"]?.integer ?? 0
        guard terminal + parked >= Int64(accepted), overview["delivered"]?.integer == terminal, overview["brokenLanes"] == 0,
            overview["attachments"]?["open"] == 0
        else { return false }
        let transient = [
            "gap", "not-taken", "in-doubt", "undelivered-outcome", "orphan-outcome", "silent-participant", "attachment-incomplete",
            "topology-changed",
        ]
        return transient.allSatisfy { (overview["openFindings"]?[$0]?.integer ?? 0) == 0 }
    }

    static func openFindings(_ ledger: String, _ token: String) async throws -> [JSON] {
        try await findings(ledger, token, state: "open")
    }

    /// - Parameter state: `open`, `cleared` or `all`.
    static func findings(_ ledger: String, _ token: String, state: String) async throws -> [JSON] {
        var all: [JSON] = []
        var after: Int64 = 0
        while true {
            let (status, page) = try await Program.http(
                "GET", "\(ledger)/v1/findings?state=\(state)&limit=1000&after=\(after)", token: token)
            guard status == 200 else { throw Failure.unavailable("the ledger answered with \(status)") }
            all += page["findings"]?.array ?? []
            guard let next = page["next"]?.integer else { return all }
            after = next
        }
    }
}

/// Ctrl-C and SIGTERM: the first asks for an orderly end, the third ends at once.
final class Interrupts: @unchecked Sendable {
    // Touched on `queue` only, after `onFirst`.
    private let queue = DispatchQueue(label: "interrupts")
    private var sources: [any DispatchSourceSignal] = []
    private var count = 0

    func onFirst(_ action: @escaping @Sendable () -> Void) {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { [self] in
                count += 1
                if count == 1 { action() }
                if count == 3 { _exit(130) }
            }
            source.resume()
            sources.append(source)
        }
    }
}
