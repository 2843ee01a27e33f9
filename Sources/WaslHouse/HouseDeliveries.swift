import Logging
package import WaslJournal
import WaslModel
package import WaslSeal

/// Takes in what arrives at a house: outcomes for its citizens, and what the ledger asks of it.
package struct HouseIntake: Sendable {
    let steps: HouseSteps
    let registry: RegistryHolder
    let openingKeys: [OpeningKey]

    package init(steps: HouseSteps, registry: RegistryHolder, openingKeys: [OpeningKey]) {
        self.steps = steps
        self.registry = registry
        self.openingKeys = openingKeys
    }

    package func prepare(_ deliveries: [Delivery]) -> [CheckedDelivery] {
        let check = DeliveryCheck(registry: registry.registry, recipient: steps.house)
        return deliveries.map { delivery in
            let checked = check.check(delivery)
            guard case .accepted(let envelope, _) = checked else { return checked }
            do {
                try envelope.checkOpens(with: openingKeys)
                _ = try ControlCommand(envelope)
            } catch {
                return .refused(delivery, reason: "\(error)")
            }
            return checked
        }
    }

    package func record(_ prepared: [CheckedDelivery], in transaction: JournalTransaction) throws {
        try steps.record(prepared, in: transaction)
    }
}

extension Envelope {
    /// Opened once to see that it opens, kept sealed: the journal holds no citizen's data in the clear.
    func checkOpens(with openingKeys: [OpeningKey]) throws {
        try checkDocuments(with: openingKeys)
        if type != .attachmentChunk, let sealed = data["sealed"]?.string {
            _ = try SealedContent.open(sealed, in: self, with: openingKeys)
        }
    }
}

/// A house's deliveries, between its pumps.
struct HouseDeliveries: DeliveryHandler {
    let intake: HouseIntake
    let pump: PublishingPump
    let changes: ChangeSignal
    let logger: Logger

    func prepare(_ deliveries: [Delivery]) -> [CheckedDelivery] { intake.prepare(deliveries) }

    func record(_ prepared: [CheckedDelivery], in transaction: JournalTransaction) throws {
        try intake.record(prepared, in: transaction)
    }

    func committed(_ prepared: [CheckedDelivery], _: Void) async {
        changes.notify()
        for case .accepted(let envelope, _) in prepared {
            guard let command = try? ControlCommand(envelope) else { continue }
            if let failure = await pump.perform(command, registry: intake.registry) {
                logger.warning("a command of the ledger was not carried out", metadata: ["reason": "\(failure)"])
            }
        }
    }
}
