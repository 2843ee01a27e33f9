import Foundation
import TestSupport
import WaslBroker
import WaslModel

/// Joins a regional node to the center with the configuration that `Deploy/federation/` holds.
enum Federation {
    static func join(
        regional: BrokerManagement, center: BrokerManagement, regionalNode: PrivateNode, centerNode: PrivateNode
    ) async throws {
        try await apply("center.json", to: center, upstream: regionalNode)
        try await apply("regional.json", to: regional, upstream: centerNode)
    }

    /// The file's place-holder is the other node's address; an operator writes it in by hand.
    private static func apply(_ file: String, to management: BrokerManagement, upstream: PrivateNode) async throws {
        let path = TestWorld.project + "/Deploy/federation/" + file
        let address = "amqp://\(PrivateNode.adminUser):\(upstream.adminPassword)@127.0.0.1:\(upstream.amqpPort)/wasl"
        let text = try String(contentsOfFile: path, encoding: .utf8).replacingOccurrences(of: "UPSTREAM_URI", with: address)
        try await management.apply(try JSON.parse(text))
        for _ in 0..<200 {
            let links = try await management.call(.get, "/api/federation-links/wasl")
            if let links = links.array, !links.isEmpty, links.allSatisfy({ $0["status"]?.string == "running" }) { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw BrokerError(.node, "the federation links of \(file) did not come up")
    }
}
