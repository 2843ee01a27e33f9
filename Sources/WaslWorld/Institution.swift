import WaslAgency
import WaslModel
import WaslSeal

import struct Foundation.Data

/// An agency as the world's oracle: what it did is what happened. Shares no rule with the worker that calls it.
final class Institution {
    struct Effect {
        let at: Timestamp
        let receipt: String
        let millimes: Int64?
    }

    private unowned let world: World
    let id: String
    private let timeout: Int64
    /// How long it remembers an operation's key, and how long an effect may stay hidden from a question.
    private let retention: Int64
    private let settle: Int64
    private(set) var effects: [String: [Effect]] = [:]
    /// Digests of the papers that it holds, by reference.
    private(set) var papers: [String: Set<String>] = [:]
    private var darkUntil: Int64 = 0
    private var counter = 0

    init(_ world: World, id: String, timeout: Duration, retention: Duration, settle: Duration) {
        self.world = world
        self.id = id
        self.timeout = timeout.milliseconds
        self.retention = retention.milliseconds
        self.settle = settle.milliseconds
    }

    func goDark(for milliseconds: Int64) { darkUntil = max(darkUntil, world.agenda.now + milliseconds) }
    func light() { darkUntil = 0 }

    /// Answers a call after its latency.
    ///
    /// - Parameter answer: gets what came back over the network; the body is what the translation of the agency's answer yields.
    func call(_ body: JSON, answer: @escaping (Transport) -> Void) {
        let agenda = world.agenda
        let latency = world.random.number(15...400)
        let reference = body["reference"]?.string ?? ""
        let phase = body["phase"]?.string ?? ""
        func later(_ milliseconds: Int64, _ transport: Transport) { agenda.after(milliseconds) { answer(transport) } }
        if world.options.bug == .oneThreadForAllAgencies,
            let other = world.institutions.first(where: { $0 !== self && agenda.now < $0.darkUntil })
        {
            return agenda.after(other.darkUntil - agenda.now + 1) { [self] in call(body, answer: answer) }
        }
        if agenda.now < darkUntil {
            return world.random.happens(0.5)
                ? later(latency, .notSent("no route")) : later(timeout, .unknown("timed out"))
        }
        if world.strikes(.refusedConnection, 0.01, about: reference) { return later(latency, .notSent("connection refused")) }
        if world.strikes(.maintenance, 0.01, about: reference) {
            return later(latency, .translated(["result": "definite-no", "after": .integer(world.random.number(1...120))]))
        }
        if world.strikes(.errorBeforeActing, 0.015, about: reference) {
            return later(latency, .translated(["result": "doubt", "why": "status 500"]))
        }
        if phase == "lookup" { return later(latency, lookUp(reference, body["service"]?.string ?? "")) }
        perform(body, reference, latency, later)
    }

    /// Takes a paper. Bringing it again changes nothing.
    func upload(_ body: JSON, _ content: [UInt8], answer: @escaping (Transport) -> Void) {
        let reference = body["reference"]?.string ?? ""
        let latency = world.random.number(15...400)
        func later(_ transport: Transport) { world.agenda.after(latency) { answer(transport) } }
        if world.agenda.now < darkUntil { return later(.unknown("timed out")) }
        if world.strikes(.lostConnection, 0.015, about: reference) { return later(.unknown("connection lost")) }
        papers[reference, default: []].insert(hexText(sha256(content)))
        later(.translated(["result": "uploaded"]))
    }

    private func lookUp(_ reference: String, _ service: String) -> Transport {
        guard let effect = effects[reference]?.first else { return .translated(["result": "absent"]) }
        // A case is studied for a while.
        if service == Institution.claim, world.agenda.time.since(effect.at) < .seconds(3_000) {
            let note: JSON = ["code": "studied", "ar": "قيد الدرس", "fr": "à l'étude", "en": "being studied"]
            return .translated(["result": "progress", "progress": note, "after": 1_200])
        }
        return completed(service, effect.receipt)
    }

    private static let claim = "cnam.claim.submit"
    private static let certificate = "cnam.coverage.certificate"
    private static let remembering: Set = ["sonede.bill.pay", certificate]

    /// The certificate of a number: the same bytes each time.
    private func certificate(_ receipt: String) -> [UInt8] {
        Array("%PDF-1.4\n\(World.mark) \(receipt)\n".utf8) + [UInt8](repeating: 0x20, count: receipt.hasSuffix("7") ? 140_000 : 900)
    }

    /// Digests of the certificates that were given, by reference.
    var certificates: [String: String] {
        guard id == "cnam" else { return [:] }
        return effects.compactMapValues { $0.first.map { hexText(sha256(certificate($0.receipt))) } }
    }

    private func perform(_ body: JSON, _ reference: String, _ latency: Int64, _ later: (Int64, Transport) -> Void) {
        let service = body["service"]?.string ?? ""
        let fields = body["fields"] ?? [:]
        if service.hasSuffix(".view") {
            return later(
                latency,
                .translated([
                    "result": "completed", "fields": ["amount": 41_500, "due_date": "2026-12-12", "status": "due"],
                ]))
        }
        // By the order, so that every repetition gets the same no.
        if let amount = fields["amount"]?.integer, amount % 33 == 0 {
            return later(
                latency,
                .translated(["result": "refused", "reason": ["code": "amount-refused", "ar": "لا", "fr": "non", "en": "no"]]))
        }
        if let known = remembered(service, reference) { return later(latency, completed(service, known)) }
        if service == Institution.claim {
            // Nothing is filed before its papers are here, byte for byte.
            let named = (fields["attachments"]?.array ?? []).compactMap { $0["digest"]?.string }
            guard !named.isEmpty, papers[reference].map({ $0.isSuperset(of: named) }) == true else {
                return later(latency, .translated(["result": "definite-no", "why": "papers missing", "after": 5]))
            }
        }
        if world.strikes(.actedLate, 0.01, about: reference) {
            // The call is given up, and acted upon all the same, within the time that the agency's contract names.
            let delay = timeout + world.random.number(0...max(0, settle - 50))
            world.agenda.after(delay) { [self] in
                if remembered(service, reference) == nil { _ = act(reference, fields) }
            }
            return later(timeout, .unknown("timed out"))
        }
        let receipt = act(reference, fields)
        if world.strikes(.actedThenTimedOut, 0.015, about: reference) { return later(timeout, .unknown("timed out")) }
        if world.strikes(.lostConnection, 0.015, about: reference) { return later(latency, .unknown("connection lost")) }
        if world.strikes(.errorAfterActing, 0.015, about: reference) {
            return later(latency, .translated(["result": "doubt", "why": "status 500"]))
        }
        if world.strikes(.malformedAnswer, 0.01, about: reference) {
            return later(latency, .translated(["result": "completed", "fields": ["nonsense": true]]))
        }
        if service == Institution.claim { return later(latency, lookUp(reference, service)) }
        later(latency, completed(service, receipt))
    }

    /// The receipt of an operation whose key this agency still knows; others remember no keys.
    private func remembered(_ service: String, _ reference: String) -> String? {
        guard Institution.remembering.contains(service), let known = effects[reference]?.last,
            world.agenda.now - known.at.milliseconds < retention
        else { return nil }
        return known.receipt
    }

    private func completed(_ service: String, _ receipt: String) -> Transport {
        switch service {
        case Institution.claim: return .translated(["result": "completed", "fields": ["case_number": .string(receipt)]])
        case Institution.certificate:
            let bytes = certificate(receipt)
            let document: JSON = [
                "number": .string(receipt), "type": "application/pdf", "size": JSON(bytes.count), "digest": .string(hexText(sha256(bytes))),
            ]
            return .translated([
                "result": "completed", "fields": ["document": document],
                "attestation": ["contenu": .string(Data(bytes).base64EncodedString())],
            ])
        default: return .translated(["result": "completed", "fields": ["receipt_number": .string(receipt)]])
        }
    }

    private func act(_ reference: String, _ fields: JSON) -> String {
        counter += 1
        let receipt = "\(id.uppercased())-\(counter)"
        let millimes = fields["amount"]?.integer
        effects[reference, default: []].append(Effect(at: world.agenda.time, receipt: receipt, millimes: millimes))
        world.observe(.effect(at: world.agenda.time, agency: id, reference: reference, millimes: millimes))
        world.trace(world.subjects[reference], id, "acts: receipt \(receipt)")
        return receipt
    }
}

extension Transport {
    /// An answer whose translation is this.
    static func translated(_ json: JSON) -> Transport { .answered(status: 200, headers: [:], body: json, raw: []) }
}
