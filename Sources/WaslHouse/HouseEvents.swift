import GRDB
import Hummingbird
import WaslJournal
import WaslModel
import WaslWeb

/// The live event stream: server-sent events, each a request's new state, resumable by `Last-Event-ID`.
extension House {
    func events(_ request: Request) -> Response {
        let resumed = request.header("Last-Event-ID").flatMap { Int64($0) }
        let asked = request.uri.queryParameters["after"].flatMap { Int64($0) }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { [self] writer in
                var last: Int64
                if let known = resumed ?? asked { last = known } else { last = try await lastEventNumber() }
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
