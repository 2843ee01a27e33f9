import ArgumentParser
import Foundation
import WaslLedger
import WaslModel
import WaslSeal
import WaslWeb

/// What a revoked key signed: who decides sees what waits, and two people sign what is to become of it.
struct ReviewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "review", abstract: "Decides, by the word of two people, about what a revoked key had signed.",
        discussion: """
            What a revoked key signed and was not logged before waits, whatever time it claims. One person looks, decides and signs; another \
            adds a signature to the same file; from there it goes into the registry, so that all judge alike:
              wasl ledger review list --db /var/lib/wasl/ledger/journal.sqlite
              wasl ledger review approve --participant hydra --epoch 01900000-0000-7000-8000-000000000001 --from 120 --through 131 \
                  --key amel.json --out review.json
              wasl ledger review sign --file review.json --key bechir.json
              wasl registry approve --folder registry --file review.json
              wasl registry sign --folder registry --key root.json --out registry.signed
            """, subcommands: [List.self, Approve.self, Reject.self, Sign.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists what waits: whose, which numbers, what kinds, which times it claims.",
            discussion: """
                Examples:
                  wasl ledger review list --db /var/lib/wasl/ledger/journal.sqlite
                  wasl ledger review list --ledger http://127.0.0.1:8100 --token-file token
                """)

        @Option(help: "The ledger's SQLite file.") var db: String?
        @Option(help: "The ledger's address, instead of its file.") var ledger: String?
        @Option(help: "The file with the ledger's token.") var tokenFile: String?
        @Flag(help: "Print one JSON object.") var json = false

        func run() async throws {
            let waiting = try await waiting()
            print(json ? waiting.text : ReviewText.lines(waiting).joined(separator: "\n"))
        }

        private func waiting() async throws -> JSON {
            switch (db, ledger, tokenFile) {
            case (let db?, nil, nil):
                guard FileManager.default.fileExists(atPath: db) else { throw Failure.badInput("--db \(db): no such file") }
                return try LedgerReview.list(path: db)
            case (nil, let ledger?, let tokenFile?):
                let (status, answer) = try await Program.http("GET", ledger + "/v1/review", token: try readSecret(tokenFile))
                guard status == 200 else {
                    throw Failure.unavailable("\(ledger): \(status) \(answer["detail"]?.string ?? "the ledger did not answer as one")")
                }
                return answer
            default: throw Failure.usage("name the ledger by --db, or by --ledger and --token-file")
            }
        }
    }

    /// The numbers that are decided about.
    struct Numbers: ParsableArguments {
        @Option(help: "Whose lane it is.") var participant: String
        @Option(help: "The epoch's UUID.") var epoch: String
        @Option(help: "The first number.") var from: Int64
        @Option(help: "The last number.") var through: Int64
        @Option(help: "The person's key file.") var key: String
        @Option(help: "Where to write the decision for the second person.") var out: String

        func state(_ decision: Registry.Approval.Decision) throws {
            guard let participant = ParticipantID(participant) else { throw Failure.usage("--participant: expected an identifier") }
            guard let epoch = EpochID(epoch) else { throw Failure.usage("--epoch: expected a UUID in lower case") }
            guard from >= 1, from <= through else {
                throw Failure.usage("--from, --through: expected numbers from 1, the last no smaller than the first")
            }
            guard !FileManager.default.fileExists(atPath: out) else {
                throw Failure.badInput("\(out) is there already: sign that one with `wasl ledger review sign`, or name another file")
            }
            let review = Registry.Review(
                participant: participant, epoch: epoch, range: from...through, decision: decision, at: Program.now)
            try ReviewFile(review: review, signatures: [review.signed(with: KeyFile(path: key).signing)]).write(to: out)
            print("Written to \(out): give it to the second person.")
        }
    }

    struct Approve: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "States that these numbers count, signed by the first person.")

        @OptionGroup var numbers: Numbers

        func run() throws { try numbers.state(.approved) }
    }

    struct Reject: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "States that these numbers never count, signed by the first person.")

        @OptionGroup var numbers: Numbers

        func run() throws { try numbers.state(.rejected) }
    }

    struct Sign: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Adds the second person's signature.")

        @Option(help: "The decision that the first person wrote.") var file: String
        @Option(help: "The second person's key file.") var key: String

        func run() throws {
            let first = try ReviewFile(path: file)
            guard let signature = first.signatures.first, first.signatures.count == 1 else {
                throw Failure.badInput("\(file): expected a decision with one signature, found \(first.signatures.count)")
            }
            let signing = try KeyFile(path: key).signing
            guard try DetachedSignature.keyID(signature, as: .review) != signing.id else {
                throw Failure.badInput("\(key): the same key has signed already; a second person decides too")
            }
            let review = first.review
            say(
                "You sign that \(review.range.lowerBound) to \(review.range.upperBound) of \(review.participant), epoch \(review.epoch), are \(review.decision.rawValue)."
            )
            try ReviewFile(review: review, signatures: [signature, review.signed(with: signing)]).write(to: file)
            print("Signed: `wasl registry approve --file \(file)` puts it into the registry's folder.")
        }
    }
}

/// A decision on its way from the first person to the registry's folder.
struct ReviewFile {
    let review: Registry.Review
    let signatures: [String]

    init(review: Registry.Review, signatures: [String]) {
        self.review = review
        self.signatures = signatures
    }

    /// - Throws: ``Failure`` naming the file and the member.
    init(path: String) throws {
        func fail(_ member: String, _ expected: String) -> Failure {
            .badInput("\(path): `\(member)`: expected \(expected); `wasl ledger review approve` or `reject` writes this file")
        }
        let json: JSON
        do { json = try JSON.parse(try Program.read(path)) } catch let error as JSONParseError { throw fail("", "JSON (\(error))") }
        guard let stated = json["review"] else { throw fail("review", "an object") }
        guard let participant = stated["participant"]?.string.flatMap({ ParticipantID($0) }) else {
            throw fail("review.participant", "an identifier")
        }
        guard let epoch = stated["epoch"]?.string.flatMap({ EpochID($0) }) else { throw fail("review.epoch", "a UUID in lower case") }
        guard let from = stated["from"]?.integer, let through = stated["through"]?.integer, from >= 1, from <= through else {
            throw fail("review.from", "`from` and `through`, whole numbers from 1")
        }
        guard let decision = stated["decision"]?.string.flatMap(Registry.Approval.Decision.init(rawValue:)) else {
            throw fail("review.decision", "approved or rejected")
        }
        guard let at = stated["at"]?.string.flatMap({ Timestamp($0) }) else { throw fail("review.at", "RFC 3339 in UTC") }
        guard let list = json["signatures"]?.array, case let texts = list.compactMap(\.string), texts.count == list.count,
            (1...2).contains(texts.count)
        else { throw fail("signatures", "one signature or two") }
        self.init(
            review: Registry.Review(participant: participant, epoch: epoch, range: from...through, decision: decision, at: at),
            signatures: texts)
    }

    func write(to path: String) throws {
        let stated: JSON = [
            "participant": .string(review.participant.text), "epoch": .string(review.epoch.text),
            "from": .integer(review.range.lowerBound), "through": .integer(review.range.upperBound),
            "decision": .string(review.decision.rawValue), "at": .string(review.at.description),
        ]
        let json: JSON = ["review": stated, "signatures": .array(signatures.map(JSON.string))]
        try writePrivateFile(Array(json.prettyText.utf8), to: path)
    }
}

/// What waits, for people.
enum ReviewText {
    static func lines(_ waiting: JSON) -> [String] {
        let lanes = waiting["lanes"]?.array ?? []
        if lanes.isEmpty { return ["Nothing waits for a decision."] }
        return lanes.flatMap { lane -> [String] in
            let types = (lane["types"]?.object?.members ?? []).map { "\($0.key) \($0.value.integer ?? 0)" }.joined(separator: ", ")
            return [
                "\(text(lane, "source")), epoch \(text(lane, "epoch")): messages that wait: \(number(lane, "count"))", "  kinds: \(types)",
            ] + (lane["ranges"]?.array ?? []).map(range)
        }
    }

    private static func range(_ range: JSON) -> String {
        let contradicting = number(range, "contradicting")
        let warning = contradicting == 0 ? "" : "; \(contradicting) numbers were given twice: one of the two is not the participant's"
        return
            "  \(number(range, "from")) to \(number(range, "through")): \(number(range, "count")) messages that claim \(text(range, "claimedFrom")) to \(text(range, "claimedThrough")), came \(text(range, "receivedFrom")) to \(text(range, "receivedThrough"))\(warning)"
    }

    private static func text(_ json: JSON, _ key: String) -> String { json[key]?.string ?? "?" }
    private static func number(_ json: JSON, _ key: String) -> Int64 { json[key]?.integer ?? 0 }
}
