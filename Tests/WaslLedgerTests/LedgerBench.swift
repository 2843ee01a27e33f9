import GRDB
import TestSupport
import Testing
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslLedger

/// A ledger's steps over a journal in memory, with a clock that the test holds.
final class LedgerBench {
    let world: TestWorld
    let store: JournalStore
    let handler: LedgerDeliveries
    let clock: TestTime
    let start: Timestamp
    private(set) var lanes: [String: (epoch: EpochID, sequence: Int64, chain: String?)] = [:]

    init() throws {
        world = try TestWorld()
        let clock = TestTime(TestClock.shared.now)
        self.clock = clock
        start = clock.now
        store = try JournalStore(
            path: nil, headPath: nil, identity: world.identity("ledger"),
            environment: JournalEnvironment(now: { clock.now }, makeUUID: { UUIDv7(at: $0) }), migrations: LedgerSchema.register)
        handler = LedgerDeliveries(
            steps: LedgerSteps(catalogue: CatalogueHolder(world.catalogue), times: LedgerTimes()), registry: world.registry,
            changes: ChangeSignal())
    }

    /// A message with the next place in its source's lane.
    func next(
        _ type: MessageType, from source: String, subject: RequestID? = nil, to recipient: String? = nil,
        service: String? = "steg.bill.pay", data: JSONObject = [:], at time: Timestamp? = nil
    ) -> Envelope {
        let role: Role = ["hydra", "kerker"].contains(source) ? .house : .agency
        var lane = lanes[source] ?? (EpochID(TestWorld.uuid().text)!, 0, nil)
        lane.sequence += 1
        let envelope = Envelope(
            id: TestWorld.uuid().text, type: type, source: Source(role: role, participant: ParticipantID(source)!), time: time ?? clock.now,
            subject: subject, lane: LanePosition(epoch: lane.epoch, sequence: lane.sequence, chain: lane.chain),
            recipient: recipient.flatMap { ParticipantID($0) }, service: service.flatMap { ServiceID($0) }, contract: 1,
            expiry: clock.now.advanced(by: .seconds(86_400)), data: data)
        lane.chain = digestText(envelope.encoded())
        lanes[source] = lane
        return envelope
    }

    /// A message under any epoch and number that its source likes to claim.
    func claiming(
        _ epoch: EpochID, _ sequence: Int64, _ type: MessageType, from source: String, subject: RequestID? = nil, data: JSONObject = [:]
    ) -> Envelope {
        var envelope = next(type, from: source, subject: subject, service: nil, data: data)
        lanes[source]?.sequence -= 1
        envelope.lane = LanePosition(epoch: epoch, sequence: sequence, chain: sequence == 1 ? nil : String(repeating: "c", count: 43))
        return envelope
    }

    /// A journal's first word, under a new epoch.
    func opening(of source: String, previous: EpochID? = nil, at time: Timestamp? = nil) -> Envelope {
        let epoch = EpochID(TestWorld.uuid().text)!
        lanes[source] = (epoch, 0, nil)
        var data: JSONObject = ["epoch": .string(epoch.text), "reason": "a new disk"]
        data["previous"] = JSON(previous?.text)
        if previous != nil { data["previoussequence"] = "00000000000000000001" }
        return next(.journalOpened, from: source, service: nil, data: data, at: time)
    }

    func beat(_ number: Int64, of source: String, sequence: Int64, at time: Timestamp? = nil, registry: Int64 = 5) -> Envelope {
        let time = time ?? clock.now
        return Envelope(
            id: TestWorld.uuid().text, type: .presence, source: Source(role: .house, participant: ParticipantID(source)!), time: time,
            data: [
                "epoch": JSON(lanes[source]?.epoch.text), "sequence": .string(LanePosition.sequenceText(sequence)), "backlog": 0,
                "beat": .integer(number), "clock": .string(time.description), "registry": .integer(registry),
            ])
    }

    func submitted(_ subject: RequestID, from house: String = "hydra", at time: Timestamp? = nil) -> Envelope {
        next(.requestSubmitted, from: house, subject: subject, to: "steg", data: ["sealed": "x", "millimes": 5], at: time)
    }

    /// A request with a paper in so many pieces, and those pieces.
    func submitted(_ subject: RequestID, pieces: Int) -> [Envelope] {
        let notice = AttachmentNotice(id: AttachmentID(TestWorld.uuid().text)!, pieces: pieces, digest: String(repeating: "d", count: 43))
        let request = next(
            .requestSubmitted, from: "hydra", subject: subject, to: "steg", data: ["sealed": "x", "attachments": [notice.json]])
        return [request]
            + (1...pieces).map { number in
                var data = AttachmentPiece(id: notice.id, number: number, pieces: pieces).data
                data["sealed"] = "x"
                return next(.attachmentChunk, from: "hydra", subject: subject, to: "steg", data: data)
            }
    }

    func outcome(_ subject: RequestID, _ status: String, revision: Int64 = 1, from agency: String = "steg") -> Envelope {
        next(.outcome, from: agency, subject: subject, to: "hydra", data: ["status": .string(status), "revision": .integer(revision)])
    }

    func delivered(_ outcome: Envelope, by house: String = "hydra") -> Envelope {
        next(
            .outcomeDelivered, from: house, service: nil,
            data: ["outcomes": [["id": .string(outcome.id), "subject": JSON(outcome.subject?.text)]]])
    }

    func record(all envelopes: [Envelope]) async throws {
        let prepared = handler.prepare(try envelopes.map { try world.delivery($0, queue: "ledger") })
        _ = try store.transaction { try self.handler.record(prepared, in: $0) }
    }

    @discardableResult
    func record(
        _ envelopes: Envelope..., queue: String = "ledger", exchange: String? = nil, signedBy: String? = nil
    ) async throws -> [Envelope] {
        let deliveries = try envelopes.map { try world.delivery($0, signedBy: signedBy, queue: queue, exchange: exchange) }
        let prepared = handler.prepare(deliveries)
        return try store.transaction { try self.handler.record(prepared, in: $0) }.appended.map { try Envelope(parsing: $0.body) }
    }

    /// - Returns: what the sweep asked for.
    @discardableResult
    func sweep(after seconds: Int) throws -> [Envelope] {
        clock.advance(.seconds(seconds))
        return try store.transaction { try handler.steps.sweep(world.registry.registry, startedAt: start, in: $0) }.appended
            .map { try Envelope(parsing: $0.body) }
    }

    // MARK: The registry's changes

    /// The next registry: hydra's key is revoked, and it has eid's in its place; eid is gone.
    func revokeHydrasKey(at time: Timestamp? = nil, _ approvals: [Registry.Approval] = []) throws {
        let held = world.registry.registry
        let participants = held.participants.values.filter { $0.id.text != "eid" }.map { participant in
            guard participant.id.text == "hydra" else { return participant }
            let new = Registry.Key(jwk: world.keys["eid"]!.signing.jwk, use: .signing, from: TestWorld.start)
            return participant.with(
                keys: participant.keys.filter { $0.jwk != new.jwk }.map { $0.revoked(from: time ?? clock.now) } + [new])
        }
        try world.registry.replace(
            with: Registry(
                version: held.version + 1, issued: held.issued, expires: held.expires, participants: participants,
                approvals: held.approvals + approvals))
    }

    /// What two people decided about numbers of hydra's lane.
    func decided(_ decision: Registry.Approval.Decision, _ range: ClosedRange<Int64>) throws -> Registry.Approval {
        try Registry.Approval(
            participant: ParticipantID("hydra")!, epoch: lanes["hydra"]!.epoch, range: range, decision: decision,
            reviewers: ["amel", "bechir"], at: clock.now)
    }

    /// What the ledger does under a newer registry with what it had set aside.
    func reexamine() throws {
        let deliveries = try store.transaction { try $0.setAside(for: .signature) }.result
        let prepared = handler.prepare(deliveries)
        _ = try store.transaction { try handler.record(prepared, in: $0) }
    }

    /// - Returns: what the ledger says, one sweep's worth.
    @discardableResult
    func publish(_ signed: RegistryFile? = nil) throws -> [Envelope] {
        let held = world.registry.registryAndText
        return try store.transaction { try handler.steps.publish(held.registry, signed ?? held.signed, in: $0) }.appended
            .map { try Envelope(parsing: $0.body) }
    }

    /// The open findings of a class, by key.
    func findings(_ kind: FindingClass) throws -> [String: JSON] {
        try store.read { db in
            Dictionary(
                uniqueKeysWithValues: try Row.fetchAll(
                    db, sql: "SELECT key, evidence FROM finding WHERE cleared IS NULL AND class = ?", arguments: [kind.rawValue]
                ).map { ($0[0] as String, try JSON.parse(Array(($0[1] as String).utf8))) })
        }
    }

    func count(of table: String) throws -> Int? { try store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM \(table)") } }

    struct Named: Hashable {
        let kind: String
        let participant: String?
    }

    /// What is open, and about whom; silence left aside.
    func named() throws -> Set<Named> {
        try store.read { db in
            Set(
                try Row.fetchAll(
                    db, sql: "SELECT class, participant FROM finding WHERE cleared IS NULL AND class <> 'silent-participant'"
                ).map { Named(kind: $0["class"], participant: $0["participant"]) })
        }
    }

    func request(_ subject: RequestID, of house: String = "hydra") throws -> Row? {
        try store.read {
            try Row.fetchOne($0, sql: "SELECT * FROM request WHERE house = ? AND subject = ?", arguments: [house, subject.text])
        }
    }

    func open() throws -> [String] {
        try store.read { try String.fetchAll($0, sql: "SELECT class FROM finding WHERE cleared IS NULL ORDER BY class") }
            .filter { $0 != "silent-participant" }
    }
}

/// A finding that ought to be open, and whom it names.
func named(_ kind: String, _ participant: String?) -> LedgerBench.Named { LedgerBench.Named(kind: kind, participant: participant) }
