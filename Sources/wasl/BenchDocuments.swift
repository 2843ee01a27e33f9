import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import WaslModel
import WaslSeal
import WaslSimulation

extension BenchCommand {
    struct Documents: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "documents",
            abstract: "Papers of a claim, one after the other: from the counter to the agency, with bills beside them.",
            discussion: "Example: wasl bench documents --megabytes 20 --count 5")

        @Option(help: "The folder of the run; removed before.") var data = ".build/bench-documents"
        @Option(help: "Megabytes of each paper: 1 to 20.") var megabytes = 20
        @Option(help: "How many claims, each with one paper.") var count = 5
        @Option(help: "Where to write the figures.") var out: String?
        @Option(help: "The Schemas folder.") var schemas: String?

        func run() async throws {
            guard (1...20).contains(megabytes), count >= 1 else { throw Failure.usage("--megabytes is 1 to 20, --count above 0") }
            try? FileManager.default.removeItem(atPath: data)
            let stack = try DevStack(
                folder: data, schemas: try Program.schemas(schemas),
                options: DevStack.Options(houseCount: 1, seed: 7, faultRate: 0, logLevel: "warning", latencyMax: 5))
            let interrupts = Interrupts()
            let working = Task { () -> BenchReport in
                try await stack.start()
                return try await measure(stack)
            }
            interrupts.onFirst { working.cancel() }
            defer { stack.stop() }
            try await working.value.finish(out)
        }

        private func measure(_ stack: DevStack) async throws -> BenchReport {
            let house = stack.participants.houses[0].id
            let orders = try DevOrders(stack.participants.catalogue, seed: 7, only: ["steg.bill.view"])
            let traffic = DevTraffic(houses: [(house, stack.address(house))], token: try stack.token, seed: 7, orders: orders)
            // A bill every tenth of a second beside it: what a large paper does to the next citizen.
            let beside = Task {
                await withDiscardingTaskGroup { group in
                    group.addTask { await traffic.watch() }
                    group.addTask { await traffic.place(first: 0, count: Int.max, rate: 10, concurrency: 8) }
                }
            }
            defer { beside.cancel() }
            var random = SeededRandom(seed: 7)
            var (layDown, whole): ([Double], [Double]) = ([], [])
            for _ in 0..<count {
                let paper = Array("%PDF-1.4\n".utf8) + random.bytes((megabytes << 20) - 9)
                let start = ContinuousClock.now
                try await traffic.layDown(("application/pdf", paper), stack.address(house))
                layDown.append(seconds(since: start))
                try await concluded(paper, house, stack)
                whole.append(seconds(since: start))
            }
            let latencies = traffic.accepted.values.compactMap { $0.milliseconds.map(Double.init) }
            var report = BenchReport("documents")
            report["paperMegabytes"] = JSON(megabytes)
            report["claims"] = JSON(count)
            report["layDownSecondsMedian"] = .number((layDown.quantile(0.5) * 100).rounded() / 100)
            report["concludedSecondsMedian"] = .number((whole.quantile(0.5) * 100).rounded() / 100)
            report["megabytesPerSecond"] = .number((Double(megabytes) / whole.quantile(0.5) * 10).rounded() / 10)
            report["billLatencyMsP50P95P99"] = [latencies.quantile(0.5), latencies.quantile(0.95), latencies.quantile(0.99)].rounded3
            for (name, id) in [("house", house), ("agency", "cnam"), ("ledger", "ledger")] {
                report["\(name)ResidentMegabytes"] = JSON((stack.residentMemory(id) ?? 0) >> 20)
            }
            return report
        }

        private func seconds(since start: ContinuousClock.Instant) -> Double {
            Double((ContinuousClock.now - start).milliseconds) / 1000
        }

        private func concluded(_ paper: [UInt8], _ house: String, _ stack: DevStack) async throws {
            let entry: JSON = [
                "name": "scan", "type": "application/pdf", "size": JSON(paper.count), "digest": .string(hexText(sha256(paper))),
            ]
            let order: JSON = [
                "service": "cnam.claim.submit",
                "fields": [
                    "insured_id": "1234567891", "rib": "07040005810111129653", "care_date": "2026-11-02", "attachments": [entry],
                ],
            ]
            let (status, answer) = try await Program.http(
                "POST", stack.address(house) + "/v1/requests", token: try stack.token, body: order,
                headers: [("idempotency-key", "\"\(UUID().uuidString)\"")])
            guard status == 201, let id = answer["id"]?.string else {
                throw Failure.unavailable("the house answered with \(status): \(answer["detail"]?.string ?? "")")
            }
            while true {
                try Task.checkCancellation()
                let (_, shown) = try await Program.http("GET", stack.address(house) + "/v1/requests/\(id)", token: try stack.token)
                let state = shown["state"]?.string ?? ""
                if state == "completed" { return }
                if OutcomeStatus(rawValue: state)?.isTerminal == true { throw Failure.notAsItShouldBe("the claim ends as `\(state)`") }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
