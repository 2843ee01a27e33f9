import Foundation
import WaslModel
import WaslSeal

/// What was measured, where, and with what.
struct BenchReport {
    private var members: JSONObject

    init(_ bench: String) {
        members = [
            "bench": .string(bench), "at": .string(Program.now.description), "version": .string(Wasl.version),
            "build": .string(BenchReport.build), "machine": BenchReport.machine,
        ]
    }

    subscript(key: String) -> JSON? {
        get { members[key] }
        set { members[key] = newValue }
    }

    func finish(_ out: String?) throws {
        let text = JSON.object(members).prettyText
        print(text)
        if let out { try writePrivateFile(Array((text + "\n").utf8), to: out) }
    }

    private static var build: String {
        #if DEBUG
            "debug: these figures promise nothing"
        #else
            "release"
        #endif
    }

    private static var machine: JSON {
        func file(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
        let model = file("/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("model name") }?
            .split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
        return [
            "processor": JSON(model), "cores": JSON(ProcessInfo.processInfo.activeProcessorCount),
            "memoryBytes": JSON(ProcessInfo.processInfo.physicalMemory),
            "kernel": .string(file("/proc/sys/kernel/osrelease").trimmingCharacters(in: .whitespacesAndNewlines)),
        ]
    }
}

extension [Double] {
    func quantile(_ quantile: Double) -> Double {
        isEmpty ? 0 : sorted()[Swift.min(count - 1, Int(Double(count) * quantile))]
    }

    var rounded3: JSON { .array(map { .number(($0 * 1000).rounded() / 1000) }) }
}
