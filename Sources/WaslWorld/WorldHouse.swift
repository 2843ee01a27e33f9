import GRDB
import WaslCatalogue
import WaslHouse
import WaslJournal
import WaslModel
import WaslSeal

/// A house in the world: its daemon, and the clerk at its counter.
final class WorldHouse: WorldProcess {
    private var steps: HouseSteps { HouseSteps(house: id, key: keys.signing) }
    private var intake: HouseIntake { HouseIntake(steps: steps, registry: registry, openingKeys: keys.opening) }

    override var queues: [String] { ["house.\(id)", "control.\(id)"] }
    override func migrations(_ migrator: inout DatabaseMigrator) { HouseSchema.register(in: &migrator) }

    override func record(_ batch: [Delivery]) throws -> () -> Void {
        let intake = intake
        let prepared = intake.prepare(batch)
        try commit { try intake.record(prepared, in: $0) }
        for case .refused(let delivery, let reason) in prepared { traceRefusal(delivery, reason) }
        return { [self] in
            for case .accepted(let envelope, _) in prepared {
                if let command = try? ControlCommand(envelope) { perform(command) }
            }
        }
    }

    /// A citizen stands at the counter. The clerk tries with one key until there is a receipt to hand over.
    func serve(_ order: JSON, key: String) {
        guard isUp else { return tryAgain(order, key) }
        later(world.random.number(0...20)) { [self] in
            do {
                let known = try HouseOrder(order, house: id, catalogue: world.catalogue, registry: registry.registry)
                let prepared = try known.prepared(
                    idempotencyKey: key, body: order.bytes, registry: registry.registry, environment)
                if world.options.bug == .receiptBeforeCommit {
                    return commitAfterShowing(prepared, order, key)
                }
                let receipt = try commit { try steps.accept(prepared, in: $0) }
                later(world.random.number(0...30)) { [self] in show(receipt.request.text, receipt.text, order, key) }
            } catch {
                // A full disk, or no key to seal to at this hour: the answer is 503, and the clerk waits.
            }
        }
        tryAgain(order, key)
    }

    private func commitAfterShowing(_ prepared: PreparedOrder, _ order: JSON, _ key: String) {
        let text: JSON = ["request": .string(prepared.id.text), "house": .string(id.text)]
        show(prepared.id.text, text.text, order, key)
        later(world.random.number(0...200)) { [self] in _ = try? commit { try steps.accept(prepared, in: $0) } }
    }

    private func tryAgain(_ order: JSON, _ key: String) {
        world.agenda.after(world.random.number(5_000...30_000)) { [self] in
            if !world.isShown(key) { serve(order, key: key) }
        }
    }

    private func show(_ request: String, _ text: String, _ order: JSON, _ key: String) {
        world.showReceipt(request, text: text, house: id, order: order, key: key)
    }

    /// What the house shows of its requests.
    func states() throws -> [(request: String, state: String)] {
        try read { try Row.fetchAll($0, sql: "SELECT id, state FROM request").map { ($0[0], $0[1]) } } ?? []
    }

    func rebuild(from evidence: EvidenceOfParticipant, previous: LaneHead?, reason: String) throws {
        let rebuild = HouseRebuild(steps: steps)
        try self.rebuild(reason: reason, previous: previous) { try rebuild.run(evidence, in: $0) }
    }
}
