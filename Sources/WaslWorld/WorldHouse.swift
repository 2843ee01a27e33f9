import GRDB
import WaslCatalogue
import WaslHouse
import WaslJournal
import WaslModel
import WaslSeal

import struct Foundation.Data

/// A house in the world: its daemon, and the clerk at its counter.
final class WorldHouse: WorldProcess {
    private var steps: HouseSteps {
        HouseSteps(house: id, key: keys.signing, believesAnyAgency: world.options.bug == .houseBelievesAnyAgency)
    }
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
    ///
    /// - Parameter papers: laid down before the order, and again with each try: the same bytes are the same paper.
    func serve(_ order: JSON, papers: [[UInt8]] = [], key: String) {
        guard isUp else { return tryAgain(order, papers, key) }
        later(world.random.number(0...20)) { [self] in
            do {
                for paper in papers { try layDown(paper) }
                let known = try HouseOrder(order, house: id, catalogue: world.catalogue, registry: registry.registry)
                let prepared = try known.prepared(
                    idempotencyKey: key, body: order.bytes, registry: registry.registry, environment)
                if world.options.bug == .receiptBeforeCommit {
                    return commitAfterShowing(prepared, order, key)
                }
                let receipt = try commit { try steps.accept(prepared, in: $0) }
                if !papers.isEmpty { mintSoon() }
                later(world.random.number(0...30)) { [self] in show(receipt.request.text, receipt.text, order, key) }
            } catch {
                // A full disk, or no key to seal to at this hour: the answer is 503, and the clerk waits.
            }
        }
        tryAgain(order, papers, key)
    }

    private func layDown(_ paper: [UInt8]) throws {
        var writer = LaidDownDocument.Writer(own: id, key: keys.opening[0].jwk, entropy: environment.entropy)
        try writer.write(paper)
        let document = try writer.finish(id: AttachmentID(entropy.uuid(clock.now)), type: "application/pdf")
        try commit { try $0.layDown(document) }
    }

    private func commitAfterShowing(_ prepared: PreparedOrder, _ order: JSON, _ key: String) {
        let text: JSON = ["request": .string(prepared.id.text), "house": .string(id.text)]
        show(prepared.id.text, text.text, order, key)
        later(world.random.number(0...200)) { [self] in _ = try? commit { try steps.accept(prepared, in: $0) } }
    }

    private func tryAgain(_ order: JSON, _ papers: [[UInt8]], _ key: String) {
        world.agenda.after(world.random.number(5_000...30_000)) { [self] in
            if !world.isShown(key) { serve(order, papers: papers, key: key) }
        }
    }

    private func show(_ request: String, _ text: String, _ order: JSON, _ key: String) {
        world.showReceipt(request, text: text, house: id, order: order, key: key)
    }

    /// What the house shows of its requests.
    func states() throws -> [(request: RequestKey, state: String)] {
        try read { [id] in
            try Row.fetchAll($0, sql: "SELECT id, state FROM request").compactMap { row in
                RequestID(row["id"]).map { (RequestKey(house: id, subject: $0), row["state"]) }
            }
        } ?? []
    }

    /// The documents that a clerk can print, by request: their digests.
    func documents() throws -> [(request: RequestKey, digest: String)] {
        let rows =
            try read {
                try Row.fetchAll(
                    $0,
                    sql: """
                        SELECT i.subject, i.attachment, o.body FROM incoming i
                        JOIN outcome o ON o.request = i.subject AND o.id = i.cause JOIN request r ON r.id = i.subject
                        WHERE r.state = 'completed'
                        """)
            } ?? []
        return try rows.compactMap { row in
            let body: Data = row[2]
            let envelope = try Envelope(parsing: [UInt8](body))
            let fields = try SealedContent.open(envelope.data["sealed"]?.string ?? "", in: envelope, with: keys.opening)
            guard let attachment = AttachmentID(row[1]), let claim = DocumentClaim(fields["document"] ?? .null) else { return nil }
            let bytes = try? read {
                try JournalStore.document($0, attachment, from: envelope.source, to: id, claim: claim, with: keys.opening)
            }
            guard let bytes, let subject = RequestID(row[0]) else { return nil }
            return (RequestKey(house: id, subject: subject), hexText(sha256(bytes)))
        }
    }

    func rebuild(from evidence: EvidenceOfParticipant, previous: LaneHead?, reason: String) throws {
        let rebuild = HouseRebuild(steps: steps, openingKeys: keys.opening)
        try self.rebuild(reason: reason, previous: previous) { try rebuild.run(evidence, in: $0) }
    }
}
