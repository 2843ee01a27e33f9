import ArgumentParser
import AsyncHTTPClient
import Foundation
import Synchronization
import WaslBroker
import WaslModel
import WaslSimulation

extension BenchCommand {
    struct HouseBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "house",
            abstract: "One house: start, latency of acceptance, memory, and how fast it drains after the broker was away.",
            discussion: "Example: wasl bench house --requests 100000 --out house.json")

        @Option(help: "The folder of the run; removed before.") var data = ".build/bench-house"
        @Option(help: "Orders that wait before the broker comes.") var requests = 100_000
        @Option(help: "Orders a second while latency is measured.") var rate = 200.0
        @Option(help: "How long latency is measured, in seconds.") var seconds = 30
        @Option(help: "Characters of remark in an order.") var note = 600
        @Option(help: "Where to write the figures.") var out: String?
        @Option(help: "The Schemas folder.") var schemas: String?

        func run() async throws {
            try? FileManager.default.removeItem(atPath: data)
            let stack = try DevStack(
                folder: data, schemas: try Program.schemas(schemas),
                options: DevStack.Options(houseCount: 1, seed: 7, faultRate: 0, logLevel: "warning"))
            let interrupts = Interrupts()
            let working = Task { try await measure(stack) }
            interrupts.onFirst { working.cancel() }
            defer { stack.stop() }
            try await working.value.finish(out)
        }

        private func measure(_ stack: DevStack) async throws -> BenchReport {
            var report = BenchReport("house")
            let house = stack.participants.houses[0].id
            let address = stack.address(house)
            report["startToReadyMs"] = try await starts(stack, house, address)
            say("measuring latency at \(Int(rate)) a second …")
            let counter = LatencyCounter(address: address, token: try stack.token, noteLength: note)
            await counter.place(count: Int(rate * Double(seconds)), rate: rate, concurrency: 64)
            let latencies = counter.milliseconds
            report["acceptMsP50P95P99"] = [latencies.quantile(0.5), latencies.quantile(0.95), latencies.quantile(0.99)].rounded3
            say("placing \(requests) orders while the broker is away …")
            let start = ContinuousClock.now
            await counter.place(count: max(0, requests - latencies.count), rate: nil, concurrency: 64)
            let placed = counter.milliseconds.count - latencies.count
            report["acceptedPerSecondFlatOut"] = .number(
                (Double(placed) / (Double((ContinuousClock.now - start).milliseconds) / 1000)).rounded())
            report["requests"] = JSON(counter.milliseconds.count)
            report["residentBytesAfterRequests"] = JSON(stack.residentMemory(house) ?? 0)
            try await drain(stack, house, address, &report)
            report["residentBytesAfterDrain"] = JSON(stack.residentMemory(house) ?? 0)
            return report
        }

        /// The house alone, three times.
        private func starts(_ stack: DevStack, _ house: String, _ address: String) async throws -> JSON {
            var times: [Double] = []
            for round in 0..<3 {
                let start = ContinuousClock.now
                try stack.startOnly(house)
                while (try? await Program.http("GET", address + "/readyz", timeout: .seconds(1)))?.status != 200 {
                    try await Task.sleep(for: .milliseconds(2))
                }
                times.append(Double((ContinuousClock.now - start).milliseconds))
                if round < 2 { stack.stopChildren() }
            }
            return times.rounded3
        }

        private func drain(_ stack: DevStack, _ house: String, _ address: String, _ report: inout BenchReport) async throws {
            func backlog() async throws -> Int64 {
                try await Program.http("GET", address + "/readyz").answer["backlog"]?.integer ?? 0
            }
            let waiting = try await backlog()
            report["waitingMessages"] = .integer(waiting)
            say("starting the broker; \(waiting) messages wait …")
            try await stack.startBroker()
            while try await backlog() == waiting { try await Task.sleep(for: .milliseconds(5)) }
            let first = waiting - (try await backlog())
            let start = ContinuousClock.now
            while try await backlog() > 0 { try await Task.sleep(for: .milliseconds(20)) }
            let seconds = Double((ContinuousClock.now - start).milliseconds) / 1000
            report["drainedPerSecond"] = .number((Double(waiting - first) / seconds).rounded())
        }
    }
}

/// Places orders and times each answer.
final class LatencyCounter: Sendable {
    private let address: String
    private let token: String
    private let traffic: SimulatedTraffic
    private let state = Mutex<(next: Int, milliseconds: [Double])>((0, []))

    init(address: String, token: String, noteLength: Int) {
        self.address = address
        self.token = token
        traffic = SimulatedTraffic(seed: 7, noteLength: noteLength)
    }

    var milliseconds: [Double] { state.withLock { $0.milliseconds } }

    func place(count: Int, rate: Double?, concurrency: Int) async {
        await Pace.run(count: count, rate: rate, concurrency: concurrency) { _ in await self.placeOne() }
    }

    private func placeOne() async {
        let index = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        let order = traffic.order(index)
        let start = ContinuousClock.now
        let answer = try? await Program.http(
            "POST", address + "/v1/requests", token: token, body: order, headers: [("idempotency-key", "bench-\(index)")])
        guard answer?.status == 201 else { return }
        let elapsed = (ContinuousClock.now - start).components
        state.withLock { $0.milliseconds.append(Double(elapsed.seconds) * 1000 + Double(elapsed.attoseconds) / 1e15) }
    }
}
