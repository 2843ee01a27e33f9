import Foundation
import GRDB
import Logging
import WaslAgency
import WaslCatalogue
import WaslHouse
import WaslJournal
import WaslLedger
import WaslModel
import WaslSeal

/// A short run of one role's own steps on a real file. It tells each acknowledgement when its commit is durable, so that whoever
/// breaks the disk under it can compare. Run again after a crash, it goes on where the journal ends.
struct RoleExercise {
    static let roles: [Role] = [.house, .agency, .ledger]
    private static let orders = 4

    private let role: Role
    private let journal: Journal
    private let registry: Registry
    private let catalogue: Catalogue
    private let keys: [String: KeyFile]
    /// Called after each commit: table, column, value of what must be there from now on.
    private let acknowledge: (String, String, String) -> Void

    init(role: Role, path: String, catalogue: Catalogue, acknowledge: @escaping (String, String, String) -> Void) throws {
        self.role = role
        self.catalogue = catalogue
        self.acknowledge = acknowledge
        var keys: [String: KeyFile] = [:]
        for (index, id) in ["hydra", "steg", "ledger"].enumerated() {
            let seed = { (salt: UInt8) in [UInt8](repeating: UInt8(index) * 16 + salt, count: 32) }
            keys[id] = KeyFile(signing: try SigningKey(seed: seed(1)), opening: [try OpeningKey(seed: seed(2))])
        }
        self.keys = keys
        registry = try Registry(
            version: 1, issued: RoleExercise.start, expires: RoleExercise.start.advanced(by: .seconds(86_400 * 3650)),
            participants: try [("hydra", Role.house), ("steg", .agency), ("ledger", .ledger)].map { id, role in
                guard let participant = ParticipantID(id), let own = keys[id] else { throw Failure.badInput(id) }
                return Registry.Participant(
                    id: participant, role: role, names: LocalizedText(ar: id, fr: id, en: id),
                    keys: [
                        Registry.Key(jwk: own.signing.jwk, use: .signing, from: RoleExercise.start),
                        Registry.Key(jwk: own.opening[0].jwk, use: .sealing, from: RoleExercise.start),
                    ],
                    services: role == .house
                        ? Dictionary(uniqueKeysWithValues: Set(catalogue.all.map(\.id)).map { ($0, "exercise") }) : [:])
            })
        let id = role == .house ? "hydra" : role == .agency ? "steg" : "ledger"
        guard let own = keys[id], let participant = ParticipantID(id) else { throw Failure.badInput(id) }
        journal = Journal(
            try JournalStore(
                path: path, headPath: path + ".head",
                identity: JournalIdentity(source: Source(role: role, participant: participant), key: own.signing),
                migrations: role == .house
                    ? HouseSchema.register : role == .agency ? AgencySchema.register : LedgerSchema.register),
            logger: Logger(label: "exercise", factory: { StreamLogHandler.standardError(label: $0) }))
    }

    private static let start = Timestamp(milliseconds: 1_767_225_600_000)

    func run() async throws {
        for index in 0..<RoleExercise.orders {
            switch role {
            case .house: try await house(index)
            case .agency: try await agency(index)
            case .ledger: try await ledger(index)
            }
        }
        journal.close()
    }

    // MARK: The same messages in every run

    private func id(_ index: Int, _ kind: Int) -> String {
        "019cad21-cf00-7000-8000-" + String(format: "%012d", index * 100 + kind)
    }

    private func order(_ index: Int) -> JSON {
        ["service": "steg.bill.pay", "fields": ["reference": "123456789", "amount": JSON(1000 + index), "payment": "cash"]]
    }

    /// What the house says of an order, and what the agency answers.
    private func messages(_ index: Int) throws -> (submitted: Envelope, outcome: Envelope, delivered: Envelope) {
        guard let house = Source("/houses/hydra"), let agency = Source("/agencies/steg"), let subject = RequestID(id(index, 0)),
            let service = ServiceID("steg.bill.pay"), let houseLane = EpochID(id(0, 90)), let agencyLane = EpochID(id(0, 91)),
            let key = keys["steg"]?.opening[0].jwk
        else { throw Failure.badInput("exercise") }
        let time = RoleExercise.start.advanced(by: .seconds(index))
        let expiry = time.advanced(by: .seconds(86_400 * 3650))
        // Chance would make other bytes under the same identifiers in the next run.
        let sealed = try SealedContent(
            id: id(index, 1), subject: subject, source: house, recipient: agency.participant, service: service, expiry: expiry,
            fields: order(index)["fields"]?.object ?? [:]
        ).sealed(to: key, entropy: { [UInt8](repeating: 7, count: $0) })
        func lane(_ epoch: EpochID, _ sequence: Int64) -> LanePosition {
            LanePosition(epoch: epoch, sequence: sequence, chain: sequence == 1 ? nil : digestText([UInt8(truncatingIfNeeded: sequence)]))
        }
        let submitted = Envelope(
            id: id(index, 1), type: .requestSubmitted, source: house, time: time, subject: subject,
            lane: lane(houseLane, Int64(2 * index) + 1), recipient: agency.participant, service: service, contract: 1, expiry: expiry,
            data: ["sealed": .string(sealed)])
        let outcome = Envelope(
            id: id(index, 2), type: .outcome, source: agency, time: time, subject: subject,
            lane: lane(agencyLane, Int64(index) + 1), recipient: house.participant, service: service, contract: 1,
            causationID: submitted.id, data: ["status": "completed", "revision": 1])
        let delivered = Envelope(
            id: id(index, 3), type: .outcomeDelivered, source: house, time: time, lane: lane(houseLane, Int64(2 * index) + 2),
            data: ["outcomes": [["id": .string(outcome.id), "subject": .string(subject.text)]]])
        return (submitted, outcome, delivered)
    }

    private func delivery(_ envelope: Envelope) throws -> Delivery {
        let body = envelope.encoded()
        guard let own = keys[envelope.source.participant.text], let route = Route(envelope) else { throw Failure.badInput("exercise") }
        return Delivery(
            tag: DeliveryTag(generation: 1, number: 1), queue: "", exchange: route.exchange.rawValue, routingKey: route.key,
            isRedelivered: false, messageID: envelope.id, contentType: Envelope.contentType,
            signature: try DetachedSignature.sign(body, as: .message, with: own.signing), body: body)
    }

    // MARK: The roles' steps

    private func house(_ index: Int) async throws {
        guard let own = keys["hydra"], let id = ParticipantID("hydra") else { return }
        let steps = HouseSteps(house: id, key: own.signing)
        let order = order(index)
        let prepared = try HouseOrder(order, house: id, catalogue: catalogue, registry: registry)
            .prepared(idempotencyKey: "exercise-\(index)", body: order.bytes, registry: registry, journal.environment)
        let receipt = try await journal.commit { try steps.accept(prepared, in: $0) }
        acknowledge("request", "id", receipt.request.text)
        guard let outcome = try outcome(of: receipt.request, index) else { return }
        let checked = HouseIntake(steps: steps, registry: RegistryHolder(inMemory: registry), openingKeys: own.opening)
            .prepare([try delivery(outcome)])
        try await journal.commit { try steps.record(checked, in: $0) }
        acknowledge("outcome", "id", outcome.id)
    }

    private func outcome(of request: RequestID, _ index: Int) throws -> Envelope? {
        var outcome = try messages(index).outcome
        outcome.subject = request
        return outcome
    }

    private func agency(_ index: Int) async throws {
        guard let own = keys["steg"], let agency = catalogue.agencies.values.first(where: { $0.id.text == "steg" }) else { return }
        let steps = AgencySteps(agency: agency.id)
        let holder = RegistryHolder(inMemory: registry)
        let desk = JobDesk(agency: agency, catalogue: CatalogueHolder(catalogue), openingKeys: own.opening, registry: holder)
        let request = try messages(index).submitted
        let intake = AgencyIntake(steps: steps, registry: holder, openingKeys: own.opening)
        let prepared = intake.prepare([try delivery(request)])
        _ = try await journal.commit { try intake.record(prepared, in: $0) }
        acknowledge("job", "message", request.id)
        guard let job = try await journal.read({ try Job.fetch($0, number: Int64(index) + 1) }) else {
            throw Failure.notAsItShouldBe("job \(index + 1) was taken and is not there")
        }
        if job.state == .calling {
            let conclusion = JobRun(job, fields: nil, desk: desk, jitter: 0).interrupted(at: journal.now)
            try await conclude(conclusion, desk, steps)
        } else if job.state == .ready {
            let intended = try await journal.commit { try steps.intend(job, phase: .call, announces: false, in: $0) }.job
            acknowledge("attempt", "job", String(intended.number))
            let run = JobRun(intended, fields: nil, desk: desk, jitter: 0)
            try await conclude(run.interrupted(at: journal.now), desk, steps)
        }
        try await journal.commit { try steps.sayTaken(olderThan: .seconds(-10), in: $0) }
    }

    private func conclude(_ conclusion: Conclusion, _ desk: JobDesk, _ steps: AgencySteps) async throws {
        let outcome = try desk.outcome(of: conclusion, journal.environment)
        _ = try await journal.commit { try steps.conclude(conclusion, outcome: outcome, in: $0) }
        if let outcome { acknowledge("outbox", "id", outcome.id) }
    }

    private func ledger(_ index: Int) async throws {
        let handler = LedgerDeliveries(
            steps: LedgerSteps(catalogue: CatalogueHolder(catalogue), times: LedgerTimes()), registry: RegistryHolder(inMemory: registry),
            changes: ChangeSignal())
        let all = try messages(index)
        for envelope in [all.submitted, all.outcome, all.delivered] {
            let prepared = handler.prepare([try delivery(envelope)])
            try await journal.commit { try handler.record(prepared, in: $0) }
            acknowledge("entry", "id", envelope.id)
        }
    }
}
