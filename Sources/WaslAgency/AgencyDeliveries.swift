import Logging
import WaslJournal
import WaslModel
import WaslSeal

/// What arrives at an agency's worker: citizens' requests, and what the ledger asks of it.
struct AgencyDeliveries: DeliveryHandler {
    /// The checked deliveries, and the opened fields by subject: in memory only, so that a job need not be opened again at once.
    struct Prepared: Sendable {
        let checked: [CheckedDelivery]
        let fields: [RequestID: JSONObject]
    }

    let steps: AgencySteps
    let registry: RegistryHolder
    let openingKeys: [OpeningKey]
    let pump: PublishingPump
    let taken: @Sendable ([Job], [RequestID: JSONObject]) async -> Void
    let logger: Logger
    private let newJobs = NewJobs()

    init(
        steps: AgencySteps, registry: RegistryHolder, openingKeys: [OpeningKey], pump: PublishingPump, logger: Logger,
        taken: @escaping @Sendable ([Job], [RequestID: JSONObject]) async -> Void
    ) {
        self.steps = steps
        self.registry = registry
        self.openingKeys = openingKeys
        self.pump = pump
        self.logger = logger
        self.taken = taken
    }

    func prepare(_ deliveries: [Delivery]) async -> Prepared {
        let registry = registry.registry
        let check = DeliveryCheck(registry: registry, recipient: steps.agency)
        var fields: [RequestID: JSONObject] = [:]
        let checked = deliveries.map { delivery -> CheckedDelivery in
            let checked = check.check(delivery)
            guard case .accepted(let envelope, _) = checked else { return checked }
            do {
                if envelope.type == .requestSubmitted {
                    guard let subject = envelope.subject else {
                        throw EnvelopeError(attribute: "subject", reason: "missing on a request")
                    }
                    fields[subject] = try open(envelope, registry)
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

    private func open(_ envelope: Envelope, _ registry: Registry) throws -> JSONObject {
        guard let service = envelope.service, service.agency == steps.agency else {
            throw EnvelopeError(attribute: "service", reason: "not a service of \(steps.agency)")
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

    func apply(_ prepared: Prepared, in transaction: JournalTransaction) throws {
        newJobs.set(try steps.take(prepared.checked, in: transaction))
    }

    func committed(_ prepared: Prepared) async {
        await taken(newJobs.take(), prepared.fields)
        for case .accepted(let envelope, _) in prepared.checked {
            guard let command = try? ControlCommand(envelope) else { continue }
            if let failure = await pump.perform(command, registry: registry) {
                logger.warning("a command of the ledger was not carried out", metadata: ["reason": "\(failure)"])
            }
        }
    }
}

/// Carries the jobs of one batch from its commit to the scheduler; a batch that is tried again overwrites them.
private final class NewJobs: @unchecked Sendable {
    // The pump applies a batch, waits for its commit, then calls `committed`: the two never run at once.
    private var jobs: [Job] = []

    func set(_ jobs: [Job]) { self.jobs = jobs }

    func take() -> [Job] {
        defer { jobs = [] }
        return jobs
    }
}
