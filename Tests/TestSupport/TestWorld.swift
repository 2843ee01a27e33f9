import Foundation
import Synchronization
public import WaslCatalogue
public import WaslJournal
public import WaslModel
public import WaslSeal

/// A small world for tests: two houses, three agencies, the ledger, with keys and a signed registry in a folder of its own.
public final class TestWorld: Sendable {
    public let folder: String
    public let keys: [String: KeyFile]
    public let persons: [SigningKey]
    public let root = SigningKey()
    public let registry: RegistryHolder
    public let catalogue: Catalogue

    public static let start = Timestamp("2026-01-01T00:00:00Z")!

    /// The project's own folder, found from this file.
    public static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// The project's own catalogue, read once for all tests.
    public static let published = Result { try Catalogue(folder: TestWorld.project + "/Schemas") }

    public init() throws {
        folder = try TestWorld.makeFolder()
        let houses = ["hydra", "kerker"]
        let agencies = ["steg", "sonede", "tt", "cnss", "cnam", "eid"]
        var keys: [String: KeyFile] = [:]
        for id in houses + agencies + ["ledger"] { keys[id] = KeyFile() }
        self.keys = keys
        let persons = [SigningKey(), SigningKey(), SigningKey()]
        self.persons = persons
        let catalogue = try TestWorld.published.get()
        self.catalogue = catalogue
        let services = Dictionary(uniqueKeysWithValues: catalogue.all.map { ($0.id, "test") })
        func participant(_ id: String, _ role: Role) -> Registry.Participant {
            var all = [
                Registry.Key(jwk: keys[id]!.signing.jwk, use: .signing, from: TestWorld.start),
                Registry.Key(jwk: keys[id]!.opening[0].jwk, use: .sealing, from: TestWorld.start),
            ]
            if id == "tt" {
                // The third key is the second person's too.
                for (index, key) in persons.enumerated() {
                    all.append(
                        Registry.Key(jwk: key.jwk, use: .person, holder: "agent-\(min(index, 1))", from: TestWorld.start))
                }
            }
            return Registry.Participant(
                id: ParticipantID(id)!, role: role, names: LocalizedText(ar: id, fr: id, en: id), keys: all,
                services: role == .house ? services : [:])
        }
        let registry = try Registry(
            version: 5, issued: TestWorld.start, expires: TestWorld.start.advanced(by: .seconds(365 * 86_400)),
            participants: houses.map { participant($0, .house) } + agencies.map { participant($0, .agency) }
                + [participant("ledger", .ledger)])
        try RegistryHolder.write(registry, to: folder + "/registry.signed", rootKey: root)
        self.registry = try RegistryHolder(path: folder + "/registry.signed", rootKey: root.jwk)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    public static func makeFolder() throws -> String {
        let folder = NSTemporaryDirectory() + "/wasl-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    /// The files whose names begin so, in which a text stands as it is.
    public func files(_ prefix: String, holding text: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix(prefix) }.filter { name in
            guard let bytes = FileManager.default.contents(atPath: folder + "/" + name) else { throw CocoaError(.fileReadUnknown) }
            return bytes.range(of: Data(text.utf8)) != nil
        }.sorted()
    }

    public func identity(_ id: String) -> JournalIdentity {
        let role: Role = id == "ledger" ? .ledger : ["hydra", "kerker"].contains(id) ? .house : .agency
        return JournalIdentity(source: Source(role: role, participant: ParticipantID(id)!), key: keys[id]!.signing)
    }

    /// A message as the broker would hand it over.
    public func delivery(
        _ envelope: Envelope, number: UInt64 = 1, signedBy signer: String? = nil, queue: String = "", exchange: String? = nil,
        key: String? = nil
    ) throws -> Delivery {
        let body = envelope.encoded()
        let route = Route(envelope)
        let signature = try DetachedSignature.sign(
            body, as: .message, with: keys[signer ?? envelope.source.participant.text]!.signing)
        return Delivery(
            tag: DeliveryTag(generation: 1, number: number), queue: queue, exchange: exchange ?? route?.exchange.rawValue ?? "",
            routingKey: key ?? route?.key ?? "", isRedelivered: false, messageID: envelope.id,
            contentType: Envelope.contentType, signature: signature, body: body)
    }

    /// A paper as a scanner makes it: so many bytes that begin as a PDF does.
    public static func paper(bytes count: Int, seed: UInt8 = 7) -> [UInt8] {
        var state = UInt64(seed) | 1
        return Array("%PDF-1.4\n".utf8)
            + (9..<max(10, count)).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 33)
            }
    }

    /// A request from a house to an agency, sealed.
    public func request(
        _ service: String, fields: JSONObject, house: String = "hydra", lane: LanePosition? = nil,
        subject: RequestID = TestWorld.uuid(), id: String = TestWorld.uuid().text, time: Timestamp = TestClock.shared.now,
        papers: [AttachmentNotice] = []
    ) throws -> Envelope {
        let service = ServiceID(service)!
        let source = Source(role: .house, participant: ParticipantID(house)!)
        let expiry = time.advanced(by: .seconds(86_400))
        let sealed = try SealedContent(
            id: id, subject: subject, source: source, recipient: service.agency!, service: service, expiry: expiry,
            fields: fields
        ).sealed(to: keys[service.agency!.text]!.opening[0].jwk)
        return Envelope(
            id: id, type: .requestSubmitted, source: source, time: time, subject: subject,
            lane: lane ?? LanePosition(epoch: EpochID(UUIDv7(at: time)), sequence: 1, chain: nil), recipient: service.agency,
            service: service, contract: 1, expiry: expiry,
            data: papers.isEmpty ? ["sealed": .string(sealed)] : ["sealed": .string(sealed), "attachments": .array(papers.map(\.json))])
    }

    /// One piece of a paper that goes with a request.
    public func piece(
        _ number: Int, of notice: AttachmentNotice, _ content: [UInt8], for request: Envelope, id: String = TestWorld.uuid().text
    ) throws -> Envelope {
        let sealed = try SealedContent(
            id: id, subject: request.subject!, source: request.source, recipient: request.recipient!, service: request.service!,
            expiry: nil, fields: ["content": .string(Base64URL.encode(content))]
        ).sealed(to: keys[request.recipient!.text]!.opening[0].jwk)
        var data = AttachmentPiece(id: notice.id, number: number, pieces: notice.pieces).data
        data["sealed"] = .string(sealed)
        return Envelope(
            id: id, type: .attachmentChunk, source: request.source, time: request.time, subject: request.subject,
            lane: LanePosition(epoch: EpochID(UUIDv7(at: request.time)), sequence: 1, chain: nil), recipient: request.recipient,
            service: request.service, contract: 1, causationID: request.id, data: data)
    }

    public static func uuid() -> RequestID { RequestID(UUIDv7(at: TestClock.shared.now)) }
}

/// The system's clock, for tests that need a plausible time.
public struct TestClock: Sendable {
    public static let shared = TestClock()
    public var now: Timestamp { JournalEnvironment.system.now() }
}

/// A clock that a test holds.
public final class TestTime: Sendable {
    private let time: Mutex<Timestamp>

    public init(_ start: Timestamp = TestClock.shared.now) { time = Mutex(start) }

    public var now: Timestamp { time.withLock { $0 } }
    public func advance(_ duration: Duration) { time.withLock { $0 = $0.advanced(by: duration) } }
}

extension TestWorld {
    /// The `wasl` program that was built beside the tests.
    public static var executable: String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("wasl").path
    }
}

extension TestWorld {
    /// Puts a participant's keys, secrets and configuration into the folder, for a daemon that finds no broker.
    ///
    /// - Parameters:
    ///   - broker: the lines under `broker:`; none for one that does not answer.
    ///   - port: where its own pages are served.
    ///   - more: further lines of the configuration.
    /// - Returns: the configuration's path.
    public func configure(
        _ id: String = "hydra", as role: Role = .house, schemas: String = TestWorld.project + "/Schemas", broker: [String] = [],
        port: Int = 1, more: String = ""
    ) throws -> String {
        try keys[id]!.write(to: folder + "/\(id).json")
        try root.jwk.json.text.write(toFile: folder + "/root.jwk.json", atomically: true, encoding: .utf8)
        for name in ["token", "password"] { try writePrivateFile(Array("a secret of sixteen".utf8), to: folder + "/" + name) }
        let broker = broker.isEmpty ? ["host: 127.0.0.1", "port: 1", "password-file: \(folder)/password"] : broker
        let path = folder + "/\(role.rawValue).yaml"
        try """
        \(role.rawValue): \(id)
        data: \(folder)/data
        head-file: \(folder)/heads/\(id)
        keys: \(folder)/\(id).json
        registry: \(folder)/registry.signed
        root-key: \(folder)/root.jwk.json
        schemas: \(schemas)
        broker:
        \(broker.map { "  " + $0 }.joined(separator: "\n"))
        http:
          port: \(port)
          token-file: \(folder)/token
        \(more)
        """.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }
}
