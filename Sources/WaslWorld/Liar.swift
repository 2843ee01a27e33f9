import WaslJournal
import WaslModel
import WaslSeal

/// Somebody with a participant's key: what they say stands in a lane of their own, beside the participant's.
final class Liar {
    struct Lane {
        let epoch: EpochID
        let began: Timestamp
        /// Of all that was said in it, in order.
        var digests: [String] = []
    }

    unowned let process: WorldProcess
    private(set) var lane: Lane?
    private unowned let world: World

    init(_ process: WorldProcess, in world: World) {
        self.process = process
        self.world = world
    }

    var id: ParticipantID { process.id }
    var source: Source { Source(role: process.role, participant: process.id) }
    var hasBegun: Bool { lane != nil }

    /// Begins a journal.
    ///
    /// - Parameters:
    ///   - previous: where the one before ended; `nil` does not say what came before.
    ///   - time: when it claims to have begun.
    func begin(after previous: LanePosition? = nil, time: Timestamp? = nil) -> OutboundMessage? {
        var data: JSONObject = ["epoch": .string(newLane().text), "reason": "a new beginning"]
        if let previous {
            data["previous"] = .string(previous.epoch.text)
            data["previoussequence"] = .string(LanePosition.sequenceText(previous.sequence))
        }
        return say(.journalOpened, time: time, data: data)
    }

    /// Begins a journal whose first message is one like any other.
    func beginSilently() -> OutboundMessage? {
        _ = newLane()
        return say(.outcomeDelivered, data: ["outcomes": []])
    }

    private func newLane() -> EpochID {
        let epoch = EpochID(UUIDv7(at: world.agenda.time, using: &world.random))
        lane = Lane(epoch: epoch, began: world.agenda.time)
        return epoch
    }

    /// A message in the liar's own lane, signed with the participant's key.
    ///
    /// - Parameters:
    ///   - claimed: another lane to stand in.
    ///   - neighbour: another source to speak as; the routing key stays the liar's own, which the broker sees to.
    ///   - id: fixed where a sealed text repeats it.
    func say(
        _ type: MessageType, subject: RequestID? = nil, to recipient: ParticipantID? = nil, service: ServiceID? = nil,
        answering cause: String? = nil, expiry: Timestamp? = nil, time: Timestamp? = nil, id: String? = nil, data: JSONObject,
        claimed: LanePosition? = nil, neighbour: Source? = nil, isSigned: Bool = true
    ) -> OutboundMessage? {
        guard let own = lane else { return nil }
        let place = claimed ?? LanePosition(epoch: own.epoch, sequence: Int64(own.digests.count) + 1, chain: own.digests.last)
        let envelope = Envelope(
            id: id ?? UUIDv7(at: world.agenda.time, using: &world.random).text, type: type, source: neighbour ?? source,
            time: time ?? world.agenda.time, subject: subject, lane: place, recipient: recipient, service: service,
            contract: service == nil ? nil : 1, causationID: cause, expiry: expiry, data: data)
        guard let message = addressed(envelope, isSigned: isSigned) else { return nil }
        if claimed == nil, neighbour == nil { lane?.digests.append(digestText(message.body)) }
        return message
    }

    /// A beat that names a place in whosever epoch.
    func beat(naming place: LanePosition) -> OutboundMessage? {
        let time = world.agenda.time
        return addressed(
            Envelope(
                id: UUIDv7(at: time, using: &world.random).text, type: .presence, source: source, time: time,
                data: [
                    "beat": .integer(time.milliseconds), "epoch": .string(place.epoch.text),
                    "sequence": .string(LanePosition.sequenceText(place.sequence)), "backlog": 0, "oldestms": 0,
                    "clock": .string(time.description), "version": "simulated", "registry": .integer(process.registry.registry.version),
                ]))
    }

    /// Signed with the participant's key, by its own routing key, whatever the envelope says of its source.
    private func addressed(_ envelope: Envelope, isSigned: Bool = true) -> OutboundMessage? {
        let body = envelope.encoded()
        guard
            let route = Route(
                type: envelope.type, from: id, role: process.role, to: envelope.recipient, service: envelope.service),
            let signature = try? isSigned ? DetachedSignature.sign(body, as: .message, with: process.keys.signing) : ""
        else { return nil }
        return OutboundMessage(
            token: 0, exchange: route.exchange, routingKey: route.key, messageID: envelope.id, time: envelope.time, body: body,
            signature: signature)
    }

    /// An order of the liar's own, sealed as any house seals.
    func order(
        _ service: String, _ fields: JSONObject, subject: RequestID, time: Timestamp? = nil
    ) -> OutboundMessage? {
        let time = time ?? world.agenda.time
        let id = UUIDv7(at: world.agenda.time, using: &world.random).text
        let expiry = time.advanced(by: .seconds(86_400))
        guard let service = ServiceID(service), let agency = service.agency,
            let key = try? process.registry.registry.sealingKey(of: agency, at: world.agenda.time),
            let sealed = try? SealedContent(
                id: id, subject: subject, source: source, recipient: agency, service: service, expiry: expiry, fields: fields
            ).sealed(to: key, entropy: { [entropy = process.entropy] in entropy.bytes($0) })
        else { return nil }
        var data: JSONObject = ["sealed": .string(sealed)]
        if let amount = fields["amount"] { data["millimes"] = amount }
        return say(.requestSubmitted, subject: subject, to: agency, service: service, expiry: expiry, time: time, id: id, data: data)
    }
}
