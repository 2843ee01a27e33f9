import AsyncHTTPClient
import Foundation
import NIOCore
import Synchronization
import WaslModel
import WaslSeal
import WaslSimulation

/// Simulated counters: place orders over HTTP as a clerk's screen would, and watch the houses' event streams for what becomes of them.
final class DevTraffic: Sendable {
    struct Request: Sendable {
        var house: String
        var state: String
        var service: String
        /// From acceptance to the terminal outcome in the house's journal, in milliseconds.
        var milliseconds: Int64?
    }

    private struct State {
        var requests: [String: Request] = [:]
        var accepted: Set<String> = []
        var retries = 0
        var problems: [String] = []
    }

    private let houses: [(id: String, address: String)]
    private let token: String
    private let traffic: SimulatedTraffic
    /// Orders over a whole catalogue; without them the four services that the effect classes are shown by.
    private let orders: DevOrders?
    private let run: String
    private let state = Mutex(State())

    init(houses: [(id: String, address: String)], token: String, seed: UInt64, noteLength: Int = 40, orders: DevOrders? = nil) {
        self.orders = orders
        self.houses = houses
        self.token = token
        traffic = SimulatedTraffic(seed: seed, noteLength: noteLength)
        run = String(UInt64.random(in: 0...UInt64.max), radix: 36)
    }

    var acceptedCount: Int { state.withLock { $0.accepted.count } }
    var retries: Int { state.withLock { $0.retries } }
    var problems: [String] { state.withLock { $0.problems } }

    /// The accepted requests as the houses last said of them.
    var accepted: [String: Request] {
        state.withLock { state in state.requests.filter { state.accepted.contains($0.key) } }
    }

    var acceptedIDs: Set<String> { state.withLock { $0.accepted } }

    /// Requests that came to an end or wait for two people.
    var settledCount: Int {
        state.withLock { state in
            state.accepted.count { id in state.requests[id].map { DevTraffic.isSettled($0.state) } ?? false }
        }
    }

    static func isSettled(_ state: String) -> Bool {
        state == "parked" || (OutcomeStatus(rawValue: state)?.isTerminal ?? false)
    }

    /// Watches every house until cancelled.
    func watch() async {
        await withDiscardingTaskGroup { group in
            for house in houses { group.addTask { await self.watch(house.id, house.address) } }
        }
    }

    /// One house's stream, resumed where it broke off.
    private func watch(_ house: String, _ address: String) async {
        var last = "0"
        while !Task.isCancelled {
            var request = HTTPClientRequest(url: address + "/v1/events")
            request.headers.add(name: "authorization", value: "Bearer \(token)")
            request.headers.add(name: "last-event-id", value: last)
            do {
                let response = try await HTTPClient.shared.execute(request, deadline: .now() + .hours(24))
                // A house that began a new journal knows none of the old one's numbers.
                if response.status == .badRequest { last = "0" }
                var buffer = ""
                for try await part in response.body {
                    buffer += String(buffer: part)
                    while let end = buffer.range(of: "\n\n") {
                        if let id = take(buffer[..<end.lowerBound], of: house) { last = id }
                        buffer = String(buffer[end.upperBound...])
                    }
                }
            } catch {}
            try? await Task.sleep(for: .milliseconds(300))
        }
    }

    /// - Returns: the event's number.
    private func take(_ event: Substring, of house: String) -> String? {
        var id: String?
        for line in event.split(separator: "\n") {
            if line.hasPrefix("id: ") { id = String(line.dropFirst(4)) }
            guard line.hasPrefix("data: "), let json = try? JSON.parse(String(line.dropFirst(6))),
                let request = json["request"]?.string, let newState = json["state"]?.string
            else { continue }
            var milliseconds: Int64?
            if OutcomeStatus(rawValue: newState)?.isTerminal == true, let at = json["at"]?.string.flatMap({ Timestamp($0) }),
                let accepted = json["accepted"]?.string.flatMap({ Timestamp($0) })
            {
                milliseconds = at.since(accepted).milliseconds
            }
            state.withLock {
                $0.requests[request] = Request(
                    house: house, state: newState, service: json["service"]?.string ?? "", milliseconds: milliseconds)
            }
        }
        return id
    }

    /// Places orders from `first` on, so many a second, until `count` are accepted or the task is cancelled.
    ///
    /// - Parameter rate: orders a second; `nil` for as many as `concurrency` counters place.
    func place(first: Int, count: Int, rate: Double?, concurrency: Int) async {
        await Pace.run(count: count, rate: rate, concurrency: concurrency) { offset in await self.place(first + offset) }
    }

    func layDown(_ paper: (type: String, bytes: [UInt8]), _ house: String) async throws {
        var request = HTTPClientRequest(url: "\(house)/v1/attachments/\(hexText(sha256(paper.bytes)))")
        request.method = .PUT
        request.headers.add(name: "authorization", value: "Bearer \(token)")
        request.headers.add(name: "content-type", value: paper.type)
        request.body = .bytes(paper.bytes)
        let response = try await HTTPClient.shared.execute(request, deadline: .now() + .seconds(60))
        _ = try await response.body.collect(upTo: 1 << 20)
        guard response.status == .created else { throw Failure.unavailable("\(house): a paper is not taken (\(response.status.code))") }
    }

    /// One order, tried under the same key until it is accepted: a counter does not give up on a citizen.
    private func place(_ index: Int) async {
        let house = houses[traffic.house(index, of: houses.count)]
        let order = orders?.order(index) ?? DevOrders.Order(json: traffic.order(index), papers: [])
        while !Task.isCancelled {
            do {
                for paper in order.papers { try await layDown(paper, house.address) }
                let (status, answer) = try await Program.http(
                    "POST", house.address + "/v1/requests", token: token, body: order.json,
                    headers: [("idempotency-key", "\"\(run)-\(index)\"")])
                if status == 201 || status == 200, let id = answer["id"]?.string {
                    state.withLock { _ = $0.accepted.insert(id) }
                    return
                }
                if status != 503 {
                    state.withLock { $0.problems.append("order \(index): \(status) \(answer["detail"]?.string ?? "")") }
                    return
                }
            } catch {}
            state.withLock { $0.retries += 1 }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }
}
