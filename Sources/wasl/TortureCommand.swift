import ArgumentParser
import Foundation
import WaslModel
import WaslSimulation

struct TortureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "torture",
        abstract: "Real processes and a real broker, killed and starved while they work; then everything is counted.",
        discussion: """
            kill -9 at random and at every named point, full disks and I/O errors, a cut, stalled or slow network, SIGSTOP longer than a \
            heartbeat, queues purged, deleted and dead-lettered. In the end nothing may be lost, nothing done twice, and every journal \
            must hold. The agencies' own logs are the judge. What this machine cannot do is counted as not tried.

            Examples:
              wasl torture --requests 1500 --kills 40
              wasl torture --requests 20000 --kills 200 --json
            """)

    @Option(help: "The folder that holds everything.") var data = ".wasl-torture"
    @Option(help: "How many houses.") var houses = 8
    @Option(help: "Orders to place.") var requests = 1500
    @Option(help: "Orders a second.") var rate = 25.0
    @Option(help: "How many processes to kill while they are placed, and after if need be.") var kills = 40
    @Option(help: "Decides orders, faults and blows.") var seed: UInt64 = 1
    @Option(help: "Give up waiting for reconciliation after so many seconds.") var patience = 600
    @Flag(help: "Print one JSON object at the end.") var json = false
    @Option(help: "The Schemas folder.") var schemas: String?

    func run() async throws {
        guard (1...34).contains(houses), requests >= 1, kills >= 0, rate > 0 else {
            throw Failure.usage("--houses is 1 to 34, --requests at least 1, --kills at least 0, --rate above 0")
        }
        try? FileManager.default.removeItem(atPath: data)
        let torture = try Torture(
            folder: data, schemas: try Program.schemas(schemas), houses: houses, requests: requests, rate: rate, kills: kills,
            seed: seed, patience: .seconds(patience))
        let interrupted = Interrupts()
        let working = Task { try await torture.run() }
        interrupted.onFirst { working.cancel() }
        let result = await working.result
        torture.stop()
        let report = try result.get().merging(try torture.checkFiles())
        print(json ? report.json.text : report.text)
        guard report.isClean else { throw Failure.notAsItShouldBe("a promise was broken: see above; \(data) is kept, seed \(seed)") }
        try? FileManager.default.removeItem(atPath: data)
    }
}

/// What a torture came to.
struct TortureReport {
    var orders: JSON = [:]
    var isReconciled = false
    var lost = 0
    var duplicated = 0
    var wrong = 0
    var blows: [(name: String, count: Int)] = []
    var kills = 0
    var resends = 0
    /// Deliveries that came a second time.
    var redelivered = 0
    /// Findings by class, and how each was closed.
    var findings: [(kind: String, cause: String, count: Int)] = []
    var damaged: [String] = []
    var seconds = 0.0

    var isClean: Bool { isReconciled && lost == 0 && duplicated == 0 && wrong == 0 && damaged.isEmpty }

    func merging(_ files: (damaged: [String], resends: Int, redelivered: Int)) -> TortureReport {
        var report = self
        (report.damaged, report.resends, report.redelivered) = files
        return report
    }

    var text: String {
        var lines = [
            "\(kills) kills in \(Int(seconds)) s: \(lost) lost, \(duplicated) done twice, \(wrong) outcomes that are not what was done, \(damaged.count) journals damaged\(isReconciled ? "" : ", NOT RECONCILED")",
            "\(redelivered) deliveries came again, \(resends) resends asked", "blows:",
        ]
        lines += blows.map { "  \($0.name): \($0.count == 0 ? "not tried" : String($0.count))" }
        lines.append("findings:")
        lines += findings.map { "  \($0.kind): \($0.count), \($0.cause)" }
        lines += damaged
        return lines.joined(separator: "\n")
    }

    var json: JSON {
        [
            "orders": orders, "reconciled": .bool(isReconciled), "lost": JSON(lost), "duplicatedEffects": JSON(duplicated),
            "wrongEffects": JSON(wrong), "kills": JSON(kills), "resends": JSON(resends), "redelivered": JSON(redelivered),
            "blows": .object(JSONObject(blows.map { ($0.name, JSON($0.count)) })),
            "findings": .array(
                findings.map { ["class": .string($0.kind), "cause": .string($0.cause), "count": JSON($0.count)] }),
            "damaged": .array(damaged.map(JSON.string)), "seconds": .number(seconds.rounded()),
        ]
    }
}
