import GRDB
import Hummingbird
import WaslJournal
import WaslModel
import WaslWeb

/// The live event stream: server-sent events, each a request's new state, resumable by `Last-Event-ID`.
extension House {
    func events(_ request: Request, _ streams: Slots) async throws -> Response {
        let newest = try await lastEventNumber()
        let start = try House.start(request, newest: newest) ?? newest
        guard let slot = streams.take() else { throw Problem.tooManyStreams }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { [self] writer in
                // Held as long as anybody reads.
                defer { withExtendedLifetime(slot) {} }
                var last = start
                try await writer.write(ByteBuffer(string: ": wasl\n\n"))
                while !Task.isCancelled {
                    let version = changes.version
                    let (text, newest) = try await events(after: last)
                    if newest > last {
                        last = newest
                        try await writer.write(ByteBuffer(string: text))
                    } else {
                        // Notified at least at every beat, so a reader that has gone is noticed.
                        await changes.wait(past: version)
                        try await writer.write(ByteBuffer(string: ":\n\n"))
                    }
                }
                try await writer.finish(nil)
            })
    }

    /// Where the reader wants to go on. A number that this journal has not reached is of another one: to wait for it would be to say nothing
    /// of all that happens until then.
    private static func start(_ request: Request, newest: Int64) throws -> Int64? {
        let asked = try request.query.number("after", in: 0...newest)
        guard let text = request.header("Last-Event-ID") else { return asked }
        guard let number = wholeNumber(text), number <= newest else {
            throw Problem.header(
                "Last-Event-ID",
                "expected the `id` of an event that this house has sent, from 0 to \(newest); leave it out to begin with what comes next")
        }
        return number
    }

    private func lastEventNumber() async throws -> Int64 {
        try await journal.read { try Int64.fetchOne($0, sql: "SELECT MAX(number) FROM event") ?? 0 }
    }

    private func events(after last: Int64) async throws -> (text: String, newest: Int64) {
        try await journal.read { db in
            let rows = try Row.fetchCursor(
                db.cachedStatement(sql: "SELECT * FROM event WHERE number > ? ORDER BY number LIMIT 500"),
                arguments: [last])
            var text = ""
            var newest = last
            while let row = try rows.next() {
                newest = row["number"]
                let data: JSON = [
                    "request": .string(row["request"]), "service": .string(row["service"]),
                    "state": .string(row["state"]), "at": .string(Timestamp(milliseconds: row["at"]).description),
                    "accepted": .string(Timestamp(milliseconds: row["accepted"]).description),
                ]
                text += "id: \(newest)\nevent: state\ndata: \(data.text)\n\n"
            }
            return (text, newest)
        }
    }
}

extension Problem {
    fileprivate static let tooManyStreams = Problem(
        .serviceUnavailable, "too-many-streams",
        LocalizedText(ar: "متابعون كثيرون", fr: "Trop d'abonnés aux événements", en: "Too many event streams"),
        detail: "As many event streams as this house holds are open; close one, or try again in a minute.", retryAfterSeconds: 60)
}
