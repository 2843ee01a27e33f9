import Logging
package import WaslJournal
package import WaslModel
package import WaslSeal

/// Takes in what arrives at an agency's worker: citizens' requests, and what the ledger asks of it.
package struct AgencyIntake: Sendable {
    /// The checked deliveries, and the opened fields by request: in memory only, so that a job need not be opened again at once.
    package struct Prepared: Sendable {
        package let checked: [CheckedDelivery]
        package let fields: [RequestKey: JSONObject]

        package init(checked: [CheckedDelivery], fields: [RequestKey: JSONObject]) {
            self.checked = checked
            self.fields = fields
        }
    }

    let steps: AgencySteps
    let registry: RegistryHolder
    let openingKeys: [OpeningKey]

    package init(steps: AgencySteps, registry: RegistryHolder, openingKeys: [OpeningKey]) {
        self.steps = steps
        self.registry = registry
        self.openingKeys = openingKeys
    }

    package func prepare(_ deliveries: [Delivery]) -> Prepared {
        let registry = registry.registry
        let check = DeliveryCheck(registry: registry, recipient: steps.agency)
        var fields: [RequestKey: JSONObject] = [:]
        let checked = deliveries.map { delivery -> CheckedDelivery in
            let checked = check.check(delivery)
            guard case .accepted(let envelope, _) = checked else { return checked }
            do {
                try envelope.checkDocuments(with: openingKeys)
                if envelope.type == .requestSubmitted {
                    guard let request = envelope.request else {
                        throw EnvelopeError(attribute: "subject", reason: "missing on a request")
                    }
                    fields[request] = try AgencyIntake.open(envelope, at: steps.agency, registry, openingKeys)
                } else {
                    _ = try ControlCommand(envelope)
                }
            } catch {
                return .refused(delivery, reason: "\(error)")
            }
            return checked
        }
        return Prepared(checked: checked, fields: fields)
    }

    /// The order's fields, where its house may give this order to this agency.
    ///
    /// - Throws: ``EnvelopeError`` or ``SealError`` naming what is wrong.
    static func open(
        _ envelope: Envelope, at agency: ParticipantID, _ registry: Registry, _ openingKeys: [OpeningKey]
    ) throws -> JSONObject {
        guard let service = envelope.service, service.agency == agency else {
            throw EnvelopeError(attribute: "service", reason: "not a service of \(agency)")
        }
        guard registry.participants[envelope.source.participant]?.services[service] != nil else {
            throw EnvelopeError(attribute: "service", reason: "not delegated to \(envelope.source) by the registry")
        }
        guard envelope.contract != nil, envelope.expiry != nil else {
            throw EnvelopeError(attribute: "contract", reason: "contract and expirytime are needed on a request")
        }
        guard let sealed = envelope.data["sealed"]?.string else {
            throw EnvelopeError(attribute: "data.sealed", reason: "missing")
        }
        return try SealedContent.open(sealed, in: envelope, with: openingKeys)
    }

    package func record(_ prepared: Prepared, in transaction: JournalTransaction) throws -> [Job] {
        try steps.take(prepared.checked, in: transaction)
    }
}

/// A worker's deliveries, between its pumps.
struct AgencyDeliveries: DeliveryHandler {
    let intake: AgencyIntake
    let pump: PublishingPump
    let logger: Logger
    let taken: @Sendable ([Job], [RequestKey: JSONObject]) async -> Void

    func prepare(_ deliveries: [Delivery]) -> AgencyIntake.Prepared { intake.prepare(deliveries) }

    func record(_ prepared: AgencyIntake.Prepared, in transaction: JournalTransaction) throws -> [Job] {
        try intake.record(prepared, in: transaction)
    }

    func committed(_ prepared: AgencyIntake.Prepared, _ jobs: [Job]) async {
        await taken(jobs, prepared.fields)
        for case .accepted(let envelope, _) in prepared.checked {
            guard let command = try? ControlCommand(envelope) else { continue }
            if let failure = await pump.perform(command, registry: intake.registry) {
                logger.warning("a command of the ledger was not carried out", metadata: ["reason": "\(failure)"])
            }
        }
    }
}
