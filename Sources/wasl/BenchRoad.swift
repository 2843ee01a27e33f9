import ArgumentParser
import Foundation
import WaslBroker
import WaslJournal
import WaslModel
import WaslSimulation
import WaslWeb

extension BenchCommand {
    struct Road: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "road", abstract: "End to end: orders a second from houses to agencies and back, beside the raw broker.",
            discussion: "Example: wasl bench road --rate 1000 --seconds 60 --out road.json")

        @Option(help: "The folder of the run; removed before.") var data = ".build/bench-road"
        @Option(help: "Orders a second.") var rate = 1000.0
        @Option(help: "How long.") var seconds = 60
        @Option(help: "How many houses.") var houses = 34
        @Option(help: "Characters of remark in an order; 600 makes messages of about 2 KB.") var note = 600
        @Option(help: "Where to write the figures.") var out: String?
        @Option(help: "The Schemas folder.") var schemas: String?

        func run() async throws {
            try? FileManager.default.removeItem(atPath: data)
            var report = BenchReport("road")
            let stack = try DevStack(
                folder: data, schemas: try Program.schemas(schemas),
                options: DevStack.Options(houseCount: houses, seed: 7, faultRate: 0, logLevel: "warning", latencyMax: 5))
            let interrupts = Interrupts()
            let working = Task { () -> BenchReport in
                try await stack.startBroker()
                say("measuring the raw broker …")
                let ceiling = try await RawRoad(stack).run(seconds: 10)
                report["rawRequestsPerSecond"] = .number(ceiling.rounded())
                try await stack.startRoles()
                return try await measure(stack, report)
            }
            interrupts.onFirst { working.cancel() }
            defer { stack.stop() }
            try await working.value.finish(out)
        }

        private func measure(_ stack: DevStack, _ report: BenchReport) async throws -> BenchReport {
            var report = report
            let token = try stack.token
            let traffic = DevTraffic(
                houses: stack.participants.houses.map { ($0.id, stack.address($0.id)) }, token: token, seed: 7, noteLength: note)
            let count = Int(rate * Double(seconds))
            let before = Dictionary(uniqueKeysWithValues: stack.processes.map { ($0.name, stack.sessionSeconds($0.id)) })
            let ownBefore = stack.processorSeconds(getpid())
            say("placing \(count) orders at \(Int(rate)) a second …")
            let start = ContinuousClock.now
            await traffic.place(first: 0, count: count, rate: rate, concurrency: 512)
            let placed = Double((ContinuousClock.now - start).milliseconds) / 1000
            while try await !Reconciliation.isReconciled(stack.address("ledger"), token, accepted: traffic.acceptedCount),
                ContinuousClock.now - start < .seconds(seconds * 8)
            {
                try await Task.sleep(for: .milliseconds(100))
            }
            let reconciled = Double((ContinuousClock.now - start).milliseconds) / 1000
            report["cpuSecondsByProcess"] = cpu(stack, before, ownBefore)
            // Afterwards, so that reading the houses' event streams costs nothing while it counts.
            let watching = Task { await traffic.watch() }
            defer { watching.cancel() }
            while traffic.settledCount < traffic.acceptedCount, ContinuousClock.now - start < .seconds(seconds * 8 + 60) {
                try await Task.sleep(for: .milliseconds(100))
            }
            let latencies = traffic.accepted.values.compactMap { $0.milliseconds.map(Double.init) }
            report["requests"] = JSON(traffic.acceptedCount)
            report["askedPerSecond"] = .number(rate)
            report["acceptedPerSecond"] = .number((Double(traffic.acceptedCount) / placed).rounded())
            report["reconciledPerSecond"] = .number((Double(traffic.acceptedCount) / reconciled).rounded())
            report["latencyMsP50P95P99"] = [latencies.quantile(0.5), latencies.quantile(0.95), latencies.quantile(0.99)].rounded3
            report["retries"] = JSON(traffic.retries)
            let findings = try await Reconciliation.openFindings(stack.address("ledger"), token)
            report["openFindings"] = JSON(findings.count)
            return report
        }

        /// Processor time by role: what one request costs, and where.
        private func cpu(_ stack: DevStack, _ before: [String: Double], _ ownBefore: Double) -> JSON {
            let houses = Set(stack.participants.houses.map(\.id))
            var byRole: [String: Double] = ["load generator": stack.processorSeconds(getpid()) - ownBefore]
            for process in stack.processes {
                let role = houses.contains(process.name) ? "houses" : process.name
                byRole[role, default: 0] += stack.sessionSeconds(process.id) - (before[process.name] ?? 0)
            }
            return .object(
                JSONObject(byRole.sorted { $0.value > $1.value }.map { ($0.key, .number(($0.value * 10).rounded() / 10)) }))
        }
    }
}

/// Plain clients over the same exchanges and queues, with the same number of messages a request and every one confirmed, but without
/// journals, signatures, seals or HTTP: what the broker alone can do.
private struct RawRoad {
    private let stack: DevStack

    init(_ stack: DevStack) { self.stack = stack }

    /// - Returns: requests a second.
    func run(seconds: Int) async throws -> Double {
        let logger = ParticipantLogger.silent
        func broker(_ id: String) throws -> AMQPBroker {
            let password = try readSecret("\(stack.layout.passwordsFolder)/\(id).password")
            return AMQPBroker(
                BrokerConfiguration(host: "127.0.0.1", port: stack.node.amqpPort, user: id, password: password), logger: logger)
        }
        let house = stack.participants.houses[0].id
        let agency = stack.participants.agencies[0].id
        var consumers: [any ConsumerLink] = []
        for (user, queues) in [(house, ["house.\(house)"]), (agency, ["agency.\(agency)"]), ("ledger", ["ledger"])] {
            let consumer = try broker(user).consumer(name: "raw", queues: queues, prefetch: 2048)
            consumer.start { [weak consumer] event in
                if case .deliveries(let deliveries) = event, let last = deliveries.last { consumer?.acknowledge(through: last.tag) }
            }
            consumers.append(consumer)
        }
        // A request is two messages of the house (the order, and its share of a delivery note) and one and a quarter of the agency.
        let requests = RawPublisher(try broker(house).publisher(name: "raw"), .requests, "\(agency).raw.\(house)", 2000)
        let outcomes = RawPublisher(try broker(agency).publisher(name: "raw"), .outcomes, "\(house).\(agency).raw", 1200)
        let receipts = RawPublisher(try broker(agency).publisher(name: "raw receipts"), .receipts, "\(agency).raw", 500, every: 4)
        let publishers = [requests, outcomes, receipts]
        for publisher in publishers { publisher.start() }
        try await Task.sleep(for: .seconds(2))
        let before = min(requests.confirmed, outcomes.confirmed)
        let start = ContinuousClock.now
        try await Task.sleep(for: .seconds(seconds))
        let rate =
            Double(min(requests.confirmed, outcomes.confirmed) - before) / (Double((ContinuousClock.now - start).milliseconds) / 1000)
        for publisher in publishers { publisher.stop() }
        try await Task.sleep(for: .seconds(1))
        for consumer in consumers { consumer.close() }
        for queue in ["house.\(house)", "agency.\(agency)", "ledger"] {
            try await stack.node.management.call(.delete, "/api/queues/wasl/\(queue)/contents")
        }
        return rate
    }
}
