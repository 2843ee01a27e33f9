import Foundation
import WaslAgency
import WaslCatalogue
import WaslHouse
import WaslModel
import WaslSeal

/// What is fuzzed: each takes any bytes, as they may come from outside, and must neither crash nor contradict itself.
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// A message's body.
    case envelope
    /// A detached JWS over a fixed text.
    case signature
    /// A JWE.
    case sealed
    /// The directorate's registry.
    case registry
    /// A SOAP agency's answer.
    case soap
    /// A daemon's configuration.
    case configuration
    /// The body of `POST /v1/requests`.
    case order

    /// - Returns: what contradicts itself; `nil` when nothing does.
    public func run(_ bytes: [UInt8]) -> String? {
        switch self {
        case .envelope: return FuzzTarget.envelope(bytes)
        case .sealed:
            guard let opened = try? FuzzTarget.open(bytes) else { return nil }
            return opened == Array("a citizen's fields".utf8) ? nil : "a text opened that was never sealed"
        case .registry:
            guard let registry = try? Registry(try JSON.parse(bytes)) else { return nil }
            guard let again = try? Registry(try JSON.parse(registry.json.bytes)), again.json == registry.json else {
                return "a registry that was read is not read again from what it writes"
            }
            return nil
        case .signature, .soap, .configuration, .order:
            _ = takes(bytes)
            return nil
        }
    }

    /// Whether an input is what the target reads: an example that is refused at the door exercises nothing behind it.
    public func takes(_ bytes: [UInt8]) -> Bool {
        do {
            switch self {
            case .envelope: _ = try Envelope(parsing: bytes)
            case .signature:
                try DetachedSignature.verify(String(decoding: bytes, as: UTF8.self), over: [1, 2, 3], as: .message) {
                    _ throws(SealError) in
                    FuzzTarget.verification
                }
            case .sealed: _ = try FuzzTarget.open(bytes)
            case .registry: _ = try Registry(try JSON.parse(bytes))
            case .soap: _ = try XMLTree.parse(bytes)
            case .configuration:
                let settings = try Settings(yaml: String(decoding: bytes, as: UTF8.self), file: "fuzz")
                _ = try settings.requiredString("house")
                _ = try settings.duration("timeout")
                let broker = try settings.group("broker")
                _ = try broker?.string("host")
                _ = try broker?.integer("port", in: 1...65535)
                _ = settings.value("hosts")
                try settings.finish()
            case .order:
                _ = try HouseOrder(
                    try JSON.parse(bytes), house: FuzzTarget.house, catalogue: FuzzTarget.catalogue, registry: FuzzTarget.registryForOrders)
            }
            return true
        } catch {
            return false
        }
    }

    private static func open(_ bytes: [UInt8]) throws -> [UInt8] {
        try SealedText.open(String(decoding: bytes, as: UTF8.self), with: [opening], sender: house, recipient: agency)
    }

    private static func envelope(_ bytes: [UInt8]) -> String? {
        guard let envelope = try? Envelope(parsing: bytes) else { return nil }
        guard let again = try? Envelope(parsing: envelope.encoded()) else { return "an envelope that was read is not read again" }
        return again.encoded() == envelope.encoded() ? nil : "an envelope changes when it is read and written"
    }

    // Fixed, so that a corpus keeps its meaning.
    private static let house = ParticipantID("hydra")!
    private static let agency = ParticipantID("steg")!
    static let signing = key { try SigningKey(seed: [UInt8](repeating: 3, count: 32)) }
    static let opening = key { try OpeningKey(seed: [UInt8](repeating: 5, count: 32)) }
    private static let verification = key { try VerificationKey(signing.jwk) }
    private static let catalogue = key { try Catalogue(folder: folder + "/Schemas") }
    private static let registryForOrders = key {
        try Registry(
            version: 1, issued: Timestamp(milliseconds: 0), expires: Timestamp(milliseconds: 1),
            participants: [
                Registry.Participant(
                    id: house, role: .house, names: LocalizedText(ar: "", fr: "", en: ""), keys: [],
                    services: Dictionary(uniqueKeysWithValues: Set(catalogue.all.map(\.id)).map { ($0, "fuzz") }))
            ])
    }

    /// The project's own folder, found from this file.
    public static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    private static func key<Value>(_ make: () throws -> Value) -> Value {
        do { return try make() } catch { preconditionFailure("the fuzz targets' own fixtures: \(error)") }
    }
}

extension FuzzTarget {
    /// Where inputs that have shown something are kept.
    public var corpusFolder: String { "\(FuzzTarget.folder)/Tests/FuzzCorpus/\(rawValue)" }

    /// A well-formed input, from which mutations start.
    public var example: [UInt8] {
        switch self {
        case .envelope:
            return Array(
                #"{"specversion":"1.0","id":"019cad21-cf00-7000-8000-000000000001","type":"tn.wasl.request.submitted.v1","source":"/houses/hydra","subject":"019cad21-cf00-7000-8000-000000000002","time":"2026-03-02T06:00:00.000Z","journal":"019cad21-cf00-7000-8000-000000000003","sequence":"00000000000000000001","recipient":"steg","service":"steg.bill.pay","contract":"1","expirytime":"2026-03-03T06:00:00.000Z","datacontenttype":"application/json","data":{"sealed":"x","millimes":5}}"#
                    .utf8)
        case .signature:
            return Array(((try? DetachedSignature.sign([1, 2, 3], as: .message, with: FuzzTarget.signing)) ?? "").utf8)
        case .sealed:
            return Array(
                ((try? SealedText.seal(
                    Array("a citizen's fields".utf8), to: FuzzTarget.opening.jwk, sender: FuzzTarget.house, recipient: FuzzTarget.agency,
                    entropy: { [UInt8](repeating: 9, count: $0) })) ?? "").utf8)
        case .registry:
            let registry = try? Registry(
                version: 3, issued: Timestamp(milliseconds: 1_767_225_600_000), expires: Timestamp(milliseconds: 1_798_761_600_000),
                participants: [
                    Registry.Participant(
                        id: FuzzTarget.house, role: .house, names: LocalizedText(ar: "حيدرة", fr: "Haïdra", en: "Haidra"),
                        governorate: "42",
                        keys: [Registry.Key(jwk: FuzzTarget.signing.jwk, use: .signing, from: Timestamp(milliseconds: 1_767_225_600_000))])
                ])
            return registry?.json.bytes ?? []
        case .soap:
            return Array(
                #"<?xml version="1.0"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><r:PayerFactureReponse xmlns:r="urn:sonede:paiement"><r:NumeroQuittance>SONEDE-1</r:NumeroQuittance></r:PayerFactureReponse></S:Body></S:Envelope>"#
                    .utf8)
        case .configuration: return Array("house: hydra\ntimeout: 4 s\nbroker:\n  host: 127.0.0.1\n  port: 5672\nhosts: [a, b]\n".utf8)
        case .order:
            return Array(
                #"{"service":"steg.bill.pay","contract":1,"fields":{"reference":"123456789","amount":41500,"payment":"cash","note":"ملاحظة"}}"#
                    .utf8)
        }
    }
}
