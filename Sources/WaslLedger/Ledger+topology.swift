import Hummingbird
import WaslJournal
import WaslModel
public import WaslSeal
import WaslWeb

extension Ledger {
    /// What the broker has otherwise than a registry asks, one line a difference: asked of the broker's management.
    public typealias TopologyDifferences = @Sendable (Registry) async throws -> [String]

    private static let lookPause: Duration = .seconds(60)
    /// While something differs, so that what was mended is known soon.
    private static let lookAgainPause: Duration = .seconds(10)

    /// Looks at the broker each minute until cancelled.
    func lookAtTopology(_ differences: TopologyDifferences) async {
        var failingSince: Timestamp?
        while !Task.isCancelled {
            var pause = Ledger.lookPause
            do {
                let found = try await differences(parts.registry.registry)
                failingSince = nil
                if !found.isEmpty {
                    pause = Ledger.lookAgainPause
                    logger.warning("the broker is not as the registry asks", metadata: ["differences": "\(found.count)"])
                }
                try await journal.commit { [steps] in try steps.record(found, by: .ledger, in: $0) }
                changes.notify()
            } catch _ where Task.isCancelled {
                return
            } catch {
                logger.warning("the broker's queues cannot be looked at", metadata: ["error": "\(error)"])
                let since = failingSince ?? journal.now
                failingSince = since
                let reason = "\(error)"
                _ = try? await journal.commit { [steps] in try steps.record(lookFailed: reason, since: since, in: $0) }
            }
            try? await Task.sleep(for: pause)
        }
    }

    private static let reportBytesMax = 1 << 20

    /// Takes what `wasl topology check` found, permissions included.
    func topologyReport(_ request: Request) async throws -> Response {
        let (json, _) = try await request.json(bytesMax: Ledger.reportBytesMax)
        guard let list = json["differences"]?.array, case let differences = list.compactMap(\.string), differences.count == list.count
        else { throw Ledger.reportRefused("`differences`: expected a list of texts; empty where nothing differs.") }
        // No space in it, so that no broker's findings are taken for another's.
        guard let broker = json["broker"]?.string, (1...200).contains(broker.utf8.count),
            broker.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw Ledger.reportRefused("`broker`: expected the address of the broker's management.") }
        try await journal.commit { [steps] in try steps.record(differences, by: .check(broker: broker), in: $0) }
        changes.notify()
        return .json(["differences": JSON(differences.count)])
    }

    private static func reportRefused(_ detail: String) -> Problem {
        Problem(
            .unprocessableContent, "report-refused",
            LocalizedText(ar: "التقرير مرفوض", fr: "Rapport refusé", en: "The report is refused"),
            detail: detail + " `wasl topology check --report` sends it so.")
    }
}
