import Logging
import WaslJournal
import WaslModel
import WaslSeal

/// What arrives at a house: outcomes for its citizens, and what the ledger asks of it.
struct HouseDeliveries: DeliveryHandler {
    let steps: HouseSteps
    let registry: RegistryHolder
    let openingKeys: [OpeningKey]
    let pump: PublishingPump
    let changes: ChangeSignal
    let logger: Logger

    func prepare(_ deliveries: [Delivery]) async -> [CheckedDelivery] {
        let check = DeliveryCheck(registry: registry.registry, recipient: steps.house)
        return deliveries.map { delivery in
            let checked = check.check(delivery)
            guard case .accepted(let envelope, _) = checked else { return checked }
            do {
                // Opened once to see that it opens, kept sealed: the journal holds no citizen's data in the clear.
                if let sealed = envelope.data["sealed"]?.string {
                    _ = try SealedContent.open(sealed, in: envelope, with: openingKeys)
                }
                _ = try ControlCommand(envelope)
            } catch {
                return .refused(delivery, reason: "\(error)")
            }
            return checked
        }
    }

    func apply(_ prepared: [CheckedDelivery], in transaction: JournalTransaction) throws {
        try steps.record(prepared, in: transaction)
    }

    func committed(_ prepared: [CheckedDelivery]) async {
        changes.notify()
        for case .accepted(let envelope, _) in prepared {
            guard let command = try? ControlCommand(envelope) else { continue }
            if let failure = await pump.perform(command, registry: registry) {
                logger.warning("a command of the ledger was not carried out", metadata: ["reason": "\(failure)"])
            }
        }
    }
}
