import ArgumentParser
import Foundation
import WaslModel
import WaslWeb

struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Prints one request's whole story, with times.",
        discussion: """
            A number that several houses have needs --house.
            Example: wasl trace 019a… --house hydra --ledger http://127.0.0.1:8100 --token-file token
            """)

    @Argument(help: "The request's number.") var id: String
    @Option(help: "The house that sent the request.") var house: String?
    @Option(help: "The ledger's address.") var ledger: String?
    @Option(help: "The file with the ledger's token.") var tokenFile: String?
    @Option(help: "The data folder of a `wasl dev`, instead of address and token.") var data: String?
    @Flag(help: "Print one JSON object.") var json = false

    func run() async throws {
        guard RequestID(id) != nil else { throw Failure.badInput("\(id): expected a request's UUID in lower case") }
        if let house, ParticipantID(house) == nil { throw Failure.badInput("--house \(house): expected an identifier such as hydra") }
        let (address, token): (String, String)
        if let data {
            let layout = DevLayout(folder: data)
            (address, token) = (try layout.address("ledger"), try readSecret(layout.tokenFile))
        } else if let ledger, let tokenFile {
            (address, token) = (ledger, try readSecret(tokenFile))
        } else {
            throw Failure.usage("name the ledger: --ledger and --token-file, or --data of a `wasl dev`")
        }
        let path = house.map { "\($0)/\(id)" } ?? id
        let (status, story) = try await Program.http("GET", "\(address)/v1/requests/\(path)", token: token)
        let houses = (story["errors"]?.array ?? []).compactMap { $0["house"]?.string }
        if status == 409, !houses.isEmpty {
            throw Failure.badInput("\(id): \(houses.joined(separator: ", ")) each have a request of this number; name one with --house")
        }
        guard status == 200 else { throw Failure.badInput(story["detail"]?.string ?? "the ledger answered with \(status)") }
        print(json ? story.text : TraceCommand.text(story))
    }

    /// One line a word that was said: when, how long after the order, who, what.
    static func text(_ story: JSON) -> String {
        func time(_ json: JSON?, _ key: String) -> Timestamp? { json?[key]?.string.flatMap { Timestamp($0) } }
        let start = time(story, "submitted")
        var lines = [
            "\(story["subject"]?.string ?? "")  \(story["service"]?.string ?? "?")  \(story["house"]?.string ?? "?") -> \(story["agency"]?.string ?? "?")"
        ]
        for entry in story["entries"]?.array ?? [] {
            let at = time(entry, "time")
            let after = start.flatMap { start in at.map { "+\($0.since(start).milliseconds) ms" } } ?? ""
            let logged = time(entry, "logged").flatMap { logged in at.map { "logged +\(logged.since($0).milliseconds) ms" } } ?? ""
            let what = (entry["type"]?.string ?? "").replacingOccurrences(of: "tn.wasl.", with: "")
            let status = entry["status"]?.string.map { " \($0) (revision \(entry["revision"]?.integer ?? 0))" } ?? ""
            lines.append(
                "  \(at?.description ?? "?")  \(after.padding(toLength: 12, withPad: " ", startingAt: 0)) \(entry["source"]?.string ?? "")  \(what)\(status)  [\(logged), entry \(entry["entry"]?.integer ?? 0)]"
            )
        }
        if let delivered = time(story, "delivered") { lines.append("  \(delivered)  the house has the outcome (ledger's time)") }
        for finding in story["findings"]?.array ?? [] {
            let closer = finding["closedBy"]?.string.map { " by \($0)" } ?? ""
            let end = finding["cleared"]?.string.map { "cleared \($0)\(closer): \(finding["cause"]?.string ?? "")" } ?? "OPEN"
            lines.append(
                "  finding \(finding["number"]?.integer ?? 0) \(finding["class"]?.string ?? "")  opened \(finding["opened"]?.string ?? "")  \(end)"
            )
        }
        lines.append("  state: \(story["status"]?.string ?? "no outcome yet")")
        return lines.joined(separator: "\n")
    }
}
