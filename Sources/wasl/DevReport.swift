import WaslModel
import WaslSeal
import WaslSimulation

/// What a run came to: the houses' word, the simulated agencies' own logs, and the ledger's findings, set against each other.
struct DevReport {
    var submitted = 0
    var byState: [String: Int] = [:]
    var lost = 0
    var duplicatedEffects = 0
    /// Completed without an effect, or ended otherwise with one.
    var wrongEffects = 0
    var plannedFindings = 0
    var openFindings: [String] = []
    var seconds = 0.0
    var latencies: [Int64] = []

    /// - Parameters:
    ///   - reads: services that change nothing.
    ///   - logs: every line of the simulated agencies' logs.
    ///   - findings: the ledger's open findings.
    init(
        accepted: Set<String>, reads: Set<String>, requests: [String: DevTraffic.Request], logs: [EffectsLog.Line], findings: [JSON],
        seconds: Double
    ) {
        submitted = accepted.count
        self.seconds = seconds
        var effects: [String: Int] = [:]
        var faulted: Set<String> = []
        for line in logs {
            if line.receipt != nil { effects[line.reference, default: 0] += 1 }
            if line.fault != nil { faulted.insert(line.reference) }
        }
        duplicatedEffects = effects.values.count { $0 > 1 }
        // Agencies know a request by its reference; a desk's register names it by house and number, as its page does.
        func names(_ house: String, _ id: String) -> [String] {
            guard let request = RequestKey(house: house, subject: id) else { return [] }
            return [request.description, AgencyReference(of: request).text]
        }
        for id in accepted {
            guard let request = requests[id], DevTraffic.isSettled(request.state) else {
                lost += 1
                continue
            }
            byState[request.state, default: 0] += 1
            if let milliseconds = request.milliseconds { latencies.append(milliseconds) }
            let count = names(request.house, id).reduce(0) { $0 + (effects[$1] ?? 0) }
            let isRead = reads.contains(request.service)
            switch request.state {
            case "completed": if count != (isRead ? 0 : 1) { wrongEffects += 1 }
            case "refused", "failed", "expired": if count != 0 { wrongEffects += 1 }
            default: break
            }
        }
        // A parked request is planned where the seed made its agency leave doubt; everything else that is open is not.
        for finding in findings {
            let subject = finding["subject"]?.string ?? ""
            if finding["class"]?.string == "parked" || finding["class"]?.string == "overdue",
                !faulted.isDisjoint(with: names(finding["house"]?.string ?? "", subject))
            {
                plannedFindings += 1
            } else {
                openFindings.append(
                    "\(finding["class"]?.string ?? "?") \(finding["participant"]?.string ?? "") \(subject)")
            }
        }
        latencies.sort()
    }

    func latency(_ quantile: Double) -> Int64 {
        latencies.isEmpty ? 0 : latencies[min(latencies.count - 1, Int(Double(latencies.count) * quantile))]
    }

    /// Nothing lost, nothing twice, no unplanned finding.
    var isClean: Bool { lost == 0 && duplicatedEffects == 0 && wrongEffects == 0 && openFindings.isEmpty }

    var json: JSON {
        func count(_ state: String) -> JSON { JSON(byState[state] ?? 0) }
        return [
            "submitted": JSON(submitted), "completed": count("completed"), "refused": count("refused"),
            "failed": count("failed"), "expired": count("expired"), "inDoubt": count("in-doubt"), "parked": count("parked"),
            "lost": JSON(lost), "duplicatedEffects": JSON(duplicatedEffects), "wrongEffects": JSON(wrongEffects),
            "plannedFindings": JSON(plannedFindings), "openFindings": JSON(openFindings.count),
            "seconds": .number((seconds * 1000).rounded() / 1000),
            "requestsPerSecond": .number((Double(submitted) / max(seconds, 0.001) * 10).rounded() / 10),
            "latencyMs": [
                "p50": .integer(latency(0.5)), "p95": .integer(latency(0.95)), "p99": .integer(latency(0.99)),
            ],
        ]
    }
}
