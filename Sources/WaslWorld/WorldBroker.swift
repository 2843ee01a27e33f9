import WaslJournal
import WaslModel
import WaslSeal

/// The broker in virtual time: durable queues, confirms, one consumer a queue, and everything that goes wrong between two hosts.
final class WorldBroker {
    fileprivate struct Stored {
        let message: OutboundMessage
        let exchange: String
        var isRedelivered = false
    }

    private final class Queue {
        let name: String
        var ready: [Stored] = []
        weak var consumer: WorldConsumer?
        init(_ name: String) { self.name = name }
    }

    /// A process's connections: none of an earlier generation is heard any more.
    final class WorldConsumer {
        unowned let process: WorldProcess
        let queues: [String]
        let prefetch: Int
        var generation = 0
        var isUp = false
        var lastNumber: UInt64 = 0
        /// When the last delivery reaches the process: one connection delivers in order.
        var lastArrival: Int64 = 0
        fileprivate var unacknowledged: [(number: UInt64, queue: String, stored: Stored)] = []

        init(_ process: WorldProcess, queues: [String], prefetch: Int) {
            self.process = process
            self.queues = queues
            self.prefetch = prefetch
        }
    }

    private unowned let world: World
    private var queues: [String: Queue] = [:]
    private var isUp = true
    /// Messages on some wire: what a rebuilder waits for.
    private(set) var inTransit = 0
    /// Each participant's last beat, for an operator who plays it again.
    private(set) var beats: [ParticipantID: OutboundMessage] = [:]
    /// When something that was not said before last went to the ledger, by participant.
    private(set) var lastRouted: [ParticipantID: Int64] = [:]
    private var toDrop: [String: Int] = [:]
    private var toMisroute: [String: (count: Int, to: String)] = [:]
    /// What an adversary has kept.
    private var kept: [OutboundMessage] = []

    init(_ world: World) { self.world = world }

    func declare(_ name: String) { queues[name] = Queue(name) }

    /// Nothing waits anywhere for the ledger.
    var isLedgerCaughtUp: Bool {
        guard let queue = queues["ledger"], inTransit == 0 else { return false }
        return queue.ready.isEmpty && queue.consumer?.unacknowledged.isEmpty != false
    }

    /// Nothing waits anywhere.
    var isEmpty: Bool {
        inTransit == 0 && queues.values.allSatisfy { $0.ready.isEmpty && $0.consumer?.unacknowledged.isEmpty != false }
    }

    /// What waits where, for whoever reads a failure.
    var contents: String {
        queues.values.sorted { $0.name < $1.name }.filter { !$0.ready.isEmpty || $0.consumer?.unacknowledged.isEmpty == false }
            .map { "\($0.name): \($0.ready.count) ready, \($0.consumer.map { "\($0.unacknowledged.count) held" } ?? "no consumer")" }
            .joined(separator: ", ") + ", \(inTransit) on the way"
    }

    // MARK: Connections

    func mayConnect(_ process: WorldProcess) -> Bool { isUp && !process.isCut }

    func attach(_ consumer: WorldConsumer) {
        consumer.generation += 1
        consumer.isUp = true
        consumer.lastNumber = 0
        for name in consumer.queues {
            queues[name]?.consumer = consumer
            if let queue = queues[name] { pump(queue) }
        }
    }

    func detach(_ consumer: WorldConsumer) {
        consumer.isUp = false
        consumer.generation += 1
        for held in consumer.unacknowledged.reversed() {
            var stored = held.stored
            stored.isRedelivered = true
            queues[held.queue]?.ready.insert(stored, at: 0)
        }
        consumer.unacknowledged = []
        for name in consumer.queues where queues[name]?.consumer === consumer { queues[name]?.consumer = nil }
    }

    func restart(downFor milliseconds: Int64) {
        isUp = false
        world.disturb(until: milliseconds + 60_000, nil)
        for process in world.processes { process.linkLost("the broker restarts") }
        world.agenda.after(milliseconds) { [self] in
            isUp = true
            for process in world.processes { process.connectSoon() }
        }
    }

    // MARK: Publishing

    /// - Parameter settled: hears what became of each, while the publisher's connection lives.
    func publish(_ messages: [OutboundMessage], from process: WorldProcess, settled: @escaping ([Settlement]) -> Void) {
        inTransit += messages.count
        // What is on the wire arrives even if its sender dies.
        world.agenda.after(world.random.number(1...30)) { [self] in
            inTransit -= messages.count
            guard isUp else { return }
            var settlements: [Settlement] = []
            for message in messages {
                let about = process.id.text
                if world.strikes(.nack, 0.001, about: about) {
                    settlements.append(Settlement(token: message.token, result: .nacked))
                    continue
                }
                take(message)
                if !world.strikes(.lostConfirm, 0.001, about: about) {
                    settlements.append(Settlement(token: message.token, result: .confirmed))
                }
            }
            world.agenda.after(world.random.number(1...30)) { settled(settlements) }
        }
    }

    /// Routes a genuine message, and what the network adds to it.
    private func take(_ message: OutboundMessage) {
        let subject = world.tap(message, isForged: false)
        if message.routingKey.hasSuffix(".presence"), let participant = ParticipantID(String(message.routingKey.dropLast(9))) {
            beats[participant] = message
        }
        if world.strikes(.late, 0.002, about: subject) {
            // A federation link that was down: confirmed here, and elsewhere hours later.
            let delay = world.random.spread(60_000...20_000_000)
            world.disturb(until: delay + 60_000, nil)
            inTransit += 1
            world.agenda.after(delay) { [self] in
                inTransit -= 1
                route(message)
            }
            return
        }
        route(message)
        if world.strikes(.duplicate, 0.005, about: subject) { route(message) }
        if message.exchange != .receipts, world.random.happens(0.02), kept.count < 200 { kept.append(message) }
    }

    private func route(_ message: OutboundMessage, isReplay: Bool = false) {
        if !isReplay, let source = try? Envelope(parsing: message.body).source { lastRouted[source.participant] = world.agenda.now }
        for destination in WorldBroker.destinations(message) {
            var name = destination
            if let left = toDrop[name], left > 0 {
                toDrop[name] = left - 1
                world.misused(.dropped, queue: name)
                if name == "ledger" { world.observe(.vanished(digest: digestText(message.body))) }
                continue
            }
            if let other = toMisroute[name], other.count > 0 {
                toMisroute[name] = (other.count - 1, other.to)
                world.misused(.rebound, queue: name)
                name = other.to
            }
            guard let queue = queues[name] else { continue }
            let stored = Stored(message: message, exchange: message.exchange.rawValue)
            if queue.ready.count > 1, world.strikes(.reordered, 0.02, about: "") {
                queue.ready.insert(stored, at: Int(world.random.number(0...Int64(queue.ready.count - 1))))
            } else {
                queue.ready.append(stored)
            }
            pump(queue)
        }
    }

    /// The bindings of the wire contract, section 2.
    private static func destinations(_ message: OutboundMessage) -> [String] {
        let first = message.routingKey.prefix { $0 != "." }
        switch message.exchange {
        case .requests: return ["agency.\(first)", "ledger"]
        case .outcomes: return ["house.\(first)", "ledger"]
        case .receipts: return ["ledger"]
        case .control: return ["control.\(first)"]
        case .unroutable, .dead: return []
        }
    }

    // MARK: Delivering

    private func pump(_ queue: Queue) {
        guard isUp, let consumer = queue.consumer, consumer.isUp else { return }
        let room = min(queue.ready.count, consumer.prefetch - consumer.unacknowledged.count)
        guard room > 0 else { return }
        var batch: [Delivery] = []
        for stored in queue.ready.prefix(room) {
            consumer.lastNumber += 1
            consumer.unacknowledged.append((consumer.lastNumber, queue.name, stored))
            batch.append(
                Delivery(
                    tag: DeliveryTag(generation: consumer.generation, number: consumer.lastNumber), queue: queue.name,
                    exchange: stored.exchange, routingKey: stored.message.routingKey, isRedelivered: stored.isRedelivered,
                    messageID: stored.message.messageID, contentType: Envelope.contentType,
                    signature: stored.message.signature, body: stored.message.body))
        }
        queue.ready.removeFirst(room)
        let generation = consumer.generation
        consumer.lastArrival = max(consumer.lastArrival, world.agenda.now + world.random.number(1...30))
        world.agenda.after(consumer.lastArrival - world.agenda.now) {
            if consumer.generation == generation { consumer.process.received(batch) }
        }
    }

    func acknowledge(through tag: DeliveryTag, _ consumer: WorldConsumer) {
        guard consumer.isUp, tag.generation == consumer.generation else { return }
        for held in consumer.unacknowledged where held.number <= tag.number {
            world.observe(
                .acknowledged(queue: held.queue, messageID: held.stored.message.messageID, clock: consumer.process.clock.now))
        }
        consumer.unacknowledged.removeAll { $0.number <= tag.number }
        for name in consumer.queues { if let queue = queues[name] { pump(queue) } }
    }

    // MARK: An adversary

    func inject(_ message: OutboundMessage, isReplay: Bool = false) { route(message, isReplay: isReplay) }

    // MARK: Its operator

    func dropNext(_ count: Int, of queue: String) { toDrop[queue, default: 0] += count }

    func misroute(_ count: Int, from queue: String, to other: String) { toMisroute[queue] = (count, other) }

    func purge(_ name: String) {
        guard let queue = queues[name], !queue.ready.isEmpty else { return }
        world.misused(.purged, queue: name)
        if name == "ledger" { for stored in queue.ready { world.observe(.vanished(digest: digestText(stored.message.body))) } }
        queue.ready = []
    }

    /// A message that was kept goes out once more, as it was.
    func replay() -> Bool {
        guard let message = kept.randomElement(using: &world.random) else { return false }
        route(message)
        return true
    }

    /// A message that was kept goes out once more, changed.
    func tamper() -> Bool {
        guard let message = kept.randomElement(using: &world.random) else { return false }
        var body = message.body
        if world.random.happens(0.5), let amount = body.firstRange(of: Array("\"millimes\":".utf8)) {
            // Still well-formed, and about another sum of money.
            body[amount.upperBound] = body[amount.upperBound] == 0x37 ? 0x38 : 0x37
        } else {
            body[Int(world.random.number(0...Int64(body.count - 1)))] ^= 1 << UInt8(world.random.number(0...6))
        }
        route(
            OutboundMessage(
                token: 0, exchange: message.exchange, routingKey: message.routingKey, messageID: message.messageID,
                time: message.time, body: body, signature: message.signature))
        return true
    }

    /// A house that has gone wrong signs another message under the same identifier.
    func contradict(_ sign: (Envelope) -> (body: [UInt8], signature: String)?) -> Bool {
        guard let message = kept.first(where: { $0.exchange == .requests }), var envelope = try? Envelope(parsing: message.body)
        else { return false }
        envelope.data["millimes"] = 77_777
        guard let signed = sign(envelope) else { return false }
        let forged = OutboundMessage(
            token: 0, exchange: message.exchange, routingKey: message.routingKey, messageID: message.messageID,
            time: message.time, body: signed.body, signature: signed.signature)
        world.tap(forged, isForged: true)
        route(forged)
        return true
    }
}
