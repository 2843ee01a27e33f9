import ArgumentParser
import Foundation
import Hummingbird
import Logging
import WaslSimulation
import WaslWeb

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "A simulated world, or simulated agencies alone.",
        subcommands: [SimulateRun.self, SimulateBugs.self, SimulateSystemCalls.self, SimulateRole.self, Agencies.self])

    struct Agencies: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs simulated agencies as HTTP servers, each with its own log of what it did.",
            discussion: "Example: wasl simulate agencies --agency steg=8201 --agency sonede=8202 --agency tt=8203 --log effects")

        @Option(help: "An agency and its port, such as steg=8201; may be repeated.") var agency: [String]
        @Option(help: "The folder of the effects logs.") var log: String
        @Option(help: "Decides the faults.") var seed: UInt64 = 1
        @Option(help: "How often calls fail: 1 is about 7 in 100, 0 never.") var faultRate = 1.0
        @Option(help: "The longest usual latency in milliseconds.") var latencyMax: Int64 = 15
        @Option(help: "How many seconds of each two minutes each agency answers nobody.") var darkSeconds: Int64 = 0
        @Option(help: "A folder with <agency>.secret files, for agencies that ask for credentials.") var secrets: String?
        @OptionGroup var tls: SimulatedTLS
        @Flag(help: .hidden) var followParent = false

        func run() async throws {
            if followParent { Daemon.endWithStandardInput() }
            let secure = try tls.configuration()
            let plan = FaultPlan(seed: seed, rate: faultRate, latency: 0...max(0, latencyMax), darkSeconds: darkSeconds)
            try FileManager.default.createDirectory(atPath: log, withIntermediateDirectories: true)
            var logger = Logger(label: "simulated", factory: { StreamLogHandler.standardError(label: $0) })
            logger.logLevel = .critical
            try await withThrowingDiscardingTaskGroup { [logger] group in
                for text in agency {
                    let parts = text.split(separator: "=").map(String.init)
                    guard parts.count == 2, let port = Int(parts[1]), let make = simulatedAgencies[parts[0]] else {
                        throw Failure.usage(
                            "--agency \(text): expected NAME=PORT with one of \(simulatedAgencies.keys.sorted().joined(separator: ", "))")
                    }
                    let file = secrets.map { "\($0)/\(parts[0]).secret" }
                    let secret = try file.flatMap { FileManager.default.fileExists(atPath: $0) ? try readSecret($0) : nil }
                    let office = try SimulatedOffice(agency: parts[0], logPath: "\(log)/\(parts[0]).jsonl", plan: plan, secret: secret)
                    let router = Router(context: BasicRequestContext.self)
                    make(office).addRoutes(to: router)
                    SimulationPage.addRoutes(to: router, agency: parts[0], office: office)
                    group.addTask {
                        if let secure { return try await SimulatedTLS.run(router, port: port, secure, logger: logger) }
                        try await Server.run(router, host: "127.0.0.1", port: port, logger: logger) { _ in }
                    }
                }
            }
        }

    }
}
