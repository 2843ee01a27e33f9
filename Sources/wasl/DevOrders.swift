import Foundation
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslSimulation

/// Citizens' orders over every service of a catalogue: each a service's own example, with numbers of its own, decided by a seed.
struct DevOrders: Sendable {
    struct Order {
        let json: JSON
        /// Papers to be laid down before it.
        let papers: [(type: String, bytes: [UInt8])]
    }

    private let kinds: [(service: Service, fields: JSONObject, schema: JSON)]
    private let seed: UInt64

    /// - Parameter only: these services; empty for all.
    init(_ catalogue: Catalogue, seed: UInt64, only: [String] = []) throws {
        self.seed = seed
        let chosen = catalogue.all.filter { only.isEmpty || only.contains($0.id.text) }
        kinds = try chosen.compactMap { service in
            guard let fields = try CatalogueTrial.orders(of: service).first else { return nil }
            return (service, fields, try JSON.parse(try Program.read(service.folder + "/request.schema.json")))
        }
        if let unknown = only.first(where: { name in !kinds.contains { $0.service.id.text == name } }) {
            throw Failure.badInput("\(unknown): the catalogue holds no such service; `wasl catalogue show` lists them")
        }
    }

    /// Services that change nothing, by name.
    var reads: Set<String> { Set(kinds.filter { $0.service.effect == .read }.map(\.service.id.text)) }

    func order(_ index: Int) -> Order {
        let (service, example, schema) = kinds[index % kinds.count]
        var random = SeededRandom(seed: seed &* 1_000_003 &+ UInt64(index))
        var fields = example
        for (name, rule) in schema["properties"]?.object?.members ?? [] where fields[name] != nil {
            if let value = DevOrders.value(rule, &random) { fields[name] = value }
        }
        if let amount = service.amountField, fields[amount] != nil { fields[amount] = .integer(1_000 + random.number(0...200_000)) }
        var papers: [(type: String, bytes: [UInt8])] = []
        if let rule = service.attachments {
            papers = (0..<Int(random.number(1...2))).map { _ in
                ("application/pdf", Array("%PDF-1.4\n".utf8) + random.bytes(Int(random.number(2_000...400_000))))
            }
            fields[rule.field] = .array(
                papers.enumerated().map { number, paper in
                    [
                        "name": .string("piece-\(number + 1)"), "type": .string(paper.type), "size": JSON(paper.bytes.count),
                        "digest": .string(hexText(sha256(paper.bytes))),
                    ]
                })
        }
        return Order(json: ["service": .string(service.id.text), "fields": .object(fields)], papers: papers)
    }

    /// Another value that a rule allows, where its form is plain: so many digits.
    private static func value(_ rule: JSON, _ random: inout SeededRandom) -> JSON? {
        var count: Int?
        if rule["format"] == "cin" { count = 8 }
        if let pattern = rule["pattern"]?.string, let match = pattern.wholeMatch(of: #/\^\[0-9\]\{(\d+)\}\$/#) {
            count = Int(match.output.1)
        }
        guard let count else { return nil }
        // Not all zeros at the end: that is how an unknown number looks.
        return .string((0..<count).map { _ in String(random.number(1...9)) }.joined())
    }
}
