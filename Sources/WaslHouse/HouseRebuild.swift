import GRDB
package import WaslJournal
import WaslModel
package import WaslSeal

import struct Foundation.Data

/// Rebuilds a house's lost journal from what the ledger kept: the requests that left the house, and what became of them.
///
/// What the house had accepted and not published is not in there: the citizen's receipt is its only trace.
package struct HouseRebuild {
    let steps: HouseSteps
    let openingKeys: [OpeningKey]

    package init(steps: HouseSteps, openingKeys: [OpeningKey]) {
        self.steps = steps
        self.openingKeys = openingKeys
    }

    /// One step: all of it, or nothing.
    package func run(_ all: EvidenceOfParticipant, in transaction: JournalTransaction) throws {
        let evidence = all.messages
        for item in evidence where item.envelope.source.participant == steps.house {
            try transaction.recover(item)
            if item.envelope.type == .requestSubmitted { try steps.restore(item, in: transaction) }
        }
        // What the house had set aside, the ledger may have kept: what does not open is left out again, for no clerk could be shown it.
        let outcomes = evidence.filter {
            $0.envelope.recipient == steps.house && $0.envelope.source.role == .agency
                && (try? $0.envelope.checkOpens(with: openingKeys)) != nil
        }
        try steps.record(
            outcomes.map { item in
                CheckedDelivery.accepted(
                    item.envelope,
                    Delivery(
                        tag: DeliveryTag(generation: 0, number: 0), queue: "", exchange: Exchange.outcomes.rawValue, routingKey: "",
                        isRedelivered: true, messageID: item.envelope.id, contentType: Envelope.contentType,
                        signature: item.signature, body: item.body))
            }, in: transaction)
    }
}
