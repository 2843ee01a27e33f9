import Crypto
import GRDB
import WaslCatalogue
import WaslJournal
import WaslLedger
import WaslModel
import WaslSeal
import WaslSimulation

/// A whole world in one thread: houses, workers, the ledger, the broker, agencies, clocks and an adversary, driven by one seed.
final class World {
    /// What a citizen says; no checker may ever find it in sight.
    static let mark = "ZZ-CITIZEN-ZZ"
    static let start = Timestamp("2026-03-02T06:00:00Z")!

    let options: WorldOptions
    let catalogue: Catalogue
    let holder: CatalogueHolder
    let templates: [Role: DatabaseQueue]
    let agenda: Agenda
    var random: SeededRandom
    private(set) var broker: WorldBroker!
    private(set) var houses: [WorldHouse] = []
    private(set) var workers: [WorldWorker] = []
    private(set) var ledger: WorldLedger!
    private(set) var institutions: [Institution] = []
    let span: Int64
    let presenceInterval: Int64
    let sweepInterval: Int64
    let ledgerTimes: LedgerTimes

    private var checkers: Checkers
    private var shownKeys: [String: String] = [:]
    /// By the reference that agencies are given.
    private(set) var subjects: [String: String] = [:]
    private(set) var ordered = 0
    var faults: [Fault: Int] = [:]
    var recognisedCount = 0
    var rebuiltCount = 0
    var story: [String] = []
    var isHealed = false
    var liars: [Liar] = []
    var lies: [Lie: Int] = [:]
    /// How many requests an agency waits for that are not its own.
    var ambushes = 0
    /// Requests that a liar has spoken of: each serves for one lie.
    var claimed: Set<RequestKey> = []
    private(set) var seenRequests: [SeenRequest] = []
    /// Where each source's newest epoch stands, by what is on the wire.
    private(set) var seenLanes: [Source: LanePosition] = [:]
    private var healedAt: Int64 = 0
    var ledgerRestoredAt: Int64 = 0
    private var liarsOrders: Set<RequestKey> = []
    private var liesTold: Set<String> = []
    private var digest = SHA256()
    var registryVersion: Int64 = 1
    var participants: [Registry.Participant] = []
    private let reads: Set<String>

    /// - Parameter templates: each role's empty journal, made once for many worlds.
    init(_ options: WorldOptions, catalogue: Catalogue, templates: [Role: DatabaseQueue]) throws {
        self.templates = templates
        self.options = options
        self.catalogue = catalogue
        holder = CatalogueHolder(catalogue)
        var random = SeededRandom(seed: options.seed)
        agenda = Agenda(start: World.start)
        let span = options.span?.milliseconds ?? random.spread(7_200_000...864_000_000)
        self.span = span
        self.random = random
        let presenceInterval = min(max(span / 40, 60_000), 3_600_000)
        self.presenceInterval = presenceInterval
        sweepInterval = presenceInterval / 4
        var times = LedgerTimes()
        times.silent = .milliseconds(4 * presenceInterval)
        ledgerTimes = times
        reads = Set(catalogue.all.filter { $0.effect == .read }.map(\.id.text))
        checkers = Checkers(
            reads: reads, unrepeatable: Set(catalogue.all.filter { $0.effect == .neither }.map(\.id.text)))
        broker = WorldBroker(self)
        try populate()
    }

    var processes: [WorldProcess] { houses as [WorldProcess] + workers as [WorldProcess] + [ledger] }

    // MARK: Who takes part

    private func populate() throws {
        let suite: KeySuite = options.realCryptography ? .curves : .keyedHash
        var keys: [ParticipantID: KeyFile] = [:]
        func makeKeys() throws -> KeyFile {
            KeyFile(
                signing: try SigningKey(seed: random.bytes(32), suite: suite),
                opening: [try OpeningKey(seed: random.bytes(32), suite: suite)])
        }
        let houseIDs = (1...options.houses).map { ParticipantID("house-\($0)")! }
        let agencies = catalogue.agencies.values.filter { SimulatedTraffic.agencies.contains($0.id.text) || $0.id.text == "cnam" }.sorted {
            $0.id < $1.id
        }
        let services = Dictionary(uniqueKeysWithValues: Set(catalogue.all.map(\.id)).map { ($0, "simulated") })
        func add(_ id: ParticipantID, _ role: Role) throws {
            let own = try makeKeys()
            keys[id] = own
            participants.append(
                Registry.Participant(
                    id: id, role: role, names: LocalizedText(ar: id.text, fr: id.text, en: id.text),
                    keys: registryKeys(own, from: agenda.time), services: role == .house ? services : [:]))
        }
        for id in houseIDs { try add(id, .house) }
        for agency in agencies { try add(agency.id, .agency) }
        try add(.ledger, .ledger)
        let registry = try makeRegistry()
        for participant in participants {
            let id = participant.id
            guard let own = keys[id] else { continue }
            switch participant.role {
            case .house: houses.append(try WorldHouse(self, id: id, role: .house, keys: own, registry: registry))
            case .ledger: ledger = try WorldLedger(self, id: id, role: .ledger, keys: own, registry: registry)
            case .agency:
                guard let agency = catalogue.agencies[id] else { continue }
                let institution = Institution(
                    self, id: id.text, timeout: agency.timeout, retention: agency.retention, settle: agency.settle)
                institutions.append(institution)
                workers.append(
                    try WorldWorker(self, agency: agency, institution: institution, keys: own, registry: registry))
            }
        }
        for process in processes { for queue in process.queues { broker.declare(queue) } }
    }

    /// Two days of overlap on either side, so that a clock that is a day wrong signs with a key that is valid.
    func registryKeys(_ own: KeyFile, from: Timestamp) -> [Registry.Key] {
        let slack = from.advanced(by: .seconds(-2 * 86_400))
        return [
            Registry.Key(jwk: own.signing.jwk, use: .signing, from: slack),
            Registry.Key(jwk: own.opening[0].jwk, use: .sealing, from: slack),
        ]
    }

    func makeRegistry() throws -> Registry {
        try Registry(
            version: registryVersion, issued: agenda.time, expires: agenda.time.advanced(by: .seconds(400 * 86_400)),
            participants: participants)
    }

    // MARK: A run

    /// Orders and faults over the span, then everything is put right, then as long as it takes.
    func run() throws -> WorldReport {
        defer { agenda.clear() }
        for process in processes { process.start() }
        scheduleOrders()
        scheduleFaults()
        scheduleLies()
        agenda.run(until: World.start.milliseconds + span)
        heal()
        let end = agenda.now + 12 * 86_400_000
        // An odd step, so that no beat falls on every look.
        while agenda.now < end, !isQuiet { agenda.run(until: agenda.now + 47_317) }
        let isSettled = isQuiet
        var word = try ledger.word()
        for house in houses { for (request, state) in try house.states() { word.houses[request] = state } }
        var violations = checkers.conclude(word)
        violations += try documentViolations()
        if !isSettled {
            violations.append(
                Violation(
                    invariant: "every receipt ends", subject: nil, reason: "not at rest twelve days after the last fault: \(restless)"))
        }
        return WorldReport(
            seed: options.seed, requests: ordered, effects: institutions.reduce(0) { $0 + $1.effects.count }, lies: lies, faults: faults,
            violations: violations, digest: Base64URL.encode(Array(digest.finalize())),
            simulated: .milliseconds(agenda.now - World.start.milliseconds),
            recognised: recognisedCount, rebuilt: rebuiltCount, parked: word.ledger.values.count { $0.status == "parked" },
            findings: word.findings.count(where: \.isOpen), story: story)
    }

    private func scheduleOrders() {
        let traffic = SimulatedTraffic(seed: options.seed, noteLength: 24)
        for index in 0..<options.requests {
            agenda.after(random.number(60_000...max(60_001, span))) { [self] in
                let house = houses[Int(random.number(0...Int64(houses.count - 1)))]
                if index % 12 == 5 { return house.serve(World.certificateOrder, key: "key-\(index)") }
                if index % 12 == 11 {
                    let papers = self.papers()
                    return house.serve(World.claimOrder(papers), papers: papers, key: "key-\(index)")
                }
                guard case .object(var order) = traffic.order(index), case .object(var fields)? = order["fields"] else { return }
                fields["note"] = .string("\(World.mark) \(index)")
                order["fields"] = .object(fields)
                house.serve(.object(order), key: "key-\(index)")
            }
        }
        ordered = options.requests
    }

    private var isQuiet: Bool {
        // Everybody has been heard since the last trouble: a beat tells what of a lane's end is missing.
        guard agenda.now > quietAfter else { return false }
        guard shownKeys.count == ordered, broker.isEmpty, processes.allSatisfy({ $0.isUp && $0.isConnected && $0.backlog == 0 }) else {
            return false
        }
        // What was set aside under an older registry is looked at again under the newest.
        guard processes.allSatisfy({ $0.registry.registry.version == registryVersion }) else { return false }
        return (try? ledger.read { try LedgerQueries.unrest($0, except: liarsMarks) })?.isEmpty == true
    }

    /// What stays open because a liar made it so.
    private var liarsMarks: [String] {
        liarsOrders.map { "request \($0.subject) of \($0.house) " } + liars.flatMap { ["lane \($0.source) ", "of \($0.id) has not come"] }
    }

    /// Why the world is not at rest, for whoever reads a failure.
    private var restless: String {
        var reasons: [String] = []
        if shownKeys.count < ordered { reasons.append("\(ordered - shownKeys.count) citizens wait for a receipt") }
        if !broker.isEmpty { reasons.append("the broker holds messages (\(broker.contents))") }
        for process in processes
        where !process.isUp || !process.isConnected || process.backlog > 0 || process.registry.registry.version != registryVersion {
            reasons.append(
                "\(process.id): registry \(process.registry.registry.version), up \(process.isUp), connected \(process.isConnected), backlog \(process.backlog)"
            )
        }
        reasons += (try? ledger.read { try LedgerQueries.unrest($0, except: liarsMarks) }) ?? []
        return reasons.joined(separator: "; ")
    }

    private var quietAfter: Int64 { max(healedAt, ledgerRestoredAt + 600_000) + presenceInterval + 2 * sweepInterval }

    private func heal() {
        isHealed = true
        healedAt = agenda.now
        for process in processes {
            process.isCut = false
            process.clock.skew = 0
            try? process.disk.setFull(false)
        }
        for institution in institutions { institution.light() }
        for process in processes {
            if process.isUp { process.connectSoon() } else { process.start() }
        }
    }

    // MARK: What is seen from outside

    func observe(_ observation: Observation) {
        if case .lied(let lie) = observation, let order = lie.order { liarsOrders.insert(order.request) }
        checkers.observe(observation)
    }

    /// - Returns: the request that the message is about, or its identifier.
    @discardableResult
    func tap(_ message: OutboundMessage, isForged: Bool) -> String {
        let bodyDigest = digestText(message.body)
        // A journal that was rebuilt holds what a thief of its key had said, and says it again when asked: it stays a lie.
        let isForged = isForged || liesTold.contains(bodyDigest)
        if isForged { liesTold.insert(bodyDigest) }
        digest.update(data: message.body)
        guard let envelope = try? Envelope(parsing: message.body) else { return message.messageID }
        observe(
            .routed(
                RoutedMessage(
                    at: agenda.time, envelope: envelope, digest: bodyDigest, isForged: isForged,
                    isReadable: World.holdsMark(message.body))))
        if !isForged { note(envelope) }
        let subject = envelope.subject?.text ?? message.messageID
        trace(
            subject, envelope.source.participant.text,
            "says \(envelope.type.routingWord) \(envelope.data["status"]?.string ?? "") as \(envelope.lane?.sequence ?? 0)")
        return subject
    }

    private func note(_ envelope: Envelope) {
        guard options.insiders else { return }
        if envelope.type == .requestSubmitted, let request = envelope.request, let agency = envelope.recipient,
            let service = envelope.service
        {
            let seen = SeenRequest(request: request, agency: agency, service: service, message: envelope.id)
            if seenRequests.contains(where: { $0.request == request }) { return }
            seenRequests.append(seen)
            ambush(seen)
        }
        if let lane = envelope.lane { seenLanes[envelope.source] = lane }
    }

    private static let markBytes = Array(mark.utf8)

    private static func holdsMark(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while let at = rest.firstIndex(of: markBytes[0]) {
                if rest[at...].starts(with: markBytes) { return true }
                rest = rest[(at + 1)...]
            }
            return false
        }
    }

    func isShown(_ key: String) -> Bool { shownKeys[key] != nil }

    func showReceipt(_ request: String, text: String, house: ParticipantID, order: JSON, key: String) {
        guard shownKeys[key] == nil else { return }
        shownKeys[key] = request
        let service = order["service"]?.string ?? ""
        guard let subject = RequestID(request) else { return }
        let named = RequestKey(house: house, subject: subject)
        subjects[AgencyReference(of: named).text] = request
        observe(
            .shown(
                ShownReceipt(
                    at: agenda.time, request: named, service: service,
                    agency: String(service.prefix { $0 != "." }), isRead: reads.contains(service),
                    millimes: order["fields"]?["amount"]?.integer, text: text)))
        trace(request, house.text, "shows the receipt for \(service)")
    }

    func trace(_ subject: String?, _ who: String, _ text: String) {
        guard let traced = options.traced, subject == nil || traced.contains(subject ?? "") else { return }
        story.append("\(agenda.time) \(who) \(text)" + (subject.map { " [\($0.suffix(6))]" } ?? ""))
    }
}
