import Foundation
import GRDB
import Hummingbird
import HummingbirdTesting
import Logging
import NIOEmbedded
import TestSupport
import Testing
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation

@testable import WaslHouse
@testable import WaslWeb

@Suite struct HouseAPITests {
    private let world: TestWorld
    private let broker = SimulatedBroker()
    private let house: House
    private let application: any ApplicationProtocol
    private static let token = "a token of sixteen characters"

    init() throws {
        world = try TestWorld()
        broker.declare(queue: "agency.steg")
        broker.declare(queue: "ledger")
        broker.bind(.requests, "agency.steg", "steg.#")
        broker.bind(.receipts, "ledger", "#")
        house = try House(
            House.Parts(
                id: ParticipantID("hydra")!, journalPath: world.folder + "/journal.sqlite", headPath: world.folder + "/journal.head",
                keys: world.keys["hydra"]!,
                registry: world.registry, catalogue: CatalogueHolder(world.catalogue), version: "test"), broker: broker,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        house.start()
        application = Application(router: house.router(token: Self.token, hosts: [], description: "{}"))
    }

    private static let order = #"{"service":"steg.bill.pay","fields":{"reference":"123456789","amount":45500,"payment":"cash"}}"#

    private func call(
        _ method: HTTPRequest.Method, _ path: String, body: String? = nil, key: String? = "k1", token: String? = Self.token,
        bytes: [UInt8]? = nil, type: String = "application/json"
    ) async throws -> (status: Int, json: JSON, headers: HTTPFields) {
        var headers: HTTPFields = [.contentType: type]
        if let token { headers[.authorization] = "Bearer \(token)" }
        if let key { headers[.init("Idempotency-Key")!] = key }
        let buffer = bytes.map { ByteBuffer(bytes: $0) } ?? body.map { ByteBuffer(string: $0) }
        return try await application.test(.live) { [headers] client in
            try await client.execute(uri: path, method: method, headers: headers, body: buffer) { response in
                (Int(response.status.code), (try? JSON.parse(Array(response.body.readableBytesView))) ?? .null, response.headers)
            }
        }
    }

    @Test func anOrderIsAcceptedDurablySealedAndSent() async throws {
        let answer = try await call(.post, "/v1/requests", body: Self.order)
        #expect(answer.status == 201)
        let id = try #require(answer.json["id"]?.string)
        #expect(answer.headers[.location] == "/v1/requests/\(id)")
        let receipt = try #require(answer.json["receipt"]?.string)
        try DetachedSignature.verify(try #require(answer.json["signature"]?.string), over: Array(receipt.utf8), as: .receipt) {
            keyID throws(SealError) in
            try world.registry.registry.verificationKey(keyID, of: ParticipantID("hydra")!, at: TestClock.shared.now)
        }
        _ = try await waiting(for: "message 2 to be confirmed") { [house] in await house.publishing.awaitConfirmation(of: 2) }
        let shown = try await call(.get, "/v1/requests/\(id)")
        #expect(shown.json["state"] == "accepted")
        #expect(shown.json["sent"] == true)
        #expect(try world.files("journal", holding: id).isEmpty == false, "the search finds what is there")
        #expect(try world.files("journal", holding: "123456789") == [], "no citizen's data")
    }

    @Test func acceptsWhileTheBrokerIsAway() async throws {
        broker.cut()
        for number in 0..<20 {
            #expect(try await call(.post, "/v1/requests", body: Self.order, key: "away-\(number)").status == 201)
        }
        #expect(house.publishing.backlog == 21)
        #expect(try await call(.get, "/readyz").status == 200)
        broker.restore()
        _ = try await waiting(for: "message 21 to be confirmed") { [house] in await house.publishing.awaitConfirmation(of: 21) }
        #expect(broker.depth(of: "agency.steg") == 20)
    }

    @Test func theSameKeyAndOrderGiveTheSameReceiptAndNoSecondRequest() async throws {
        let first = try await call(.post, "/v1/requests", body: Self.order, key: "\"same\"")
        let second = try await call(.post, "/v1/requests", body: Self.order, key: "same")
        #expect(first.status == 201 && second.status == 200)
        #expect(first.json == second.json)
        #expect(try await call(.get, "/v1/requests").json["requests"]?.array?.count == 1)
    }

    @Test func theSameKeyWithAnotherOrderIsRefused() async throws {
        _ = try await call(.post, "/v1/requests", body: Self.order)
        let other = try await call(.post, "/v1/requests", body: Self.order.replacingOccurrences(of: "45500", with: "1"))
        #expect(other.status == 422)
        #expect(other.json["type"] == "urn:wasl:problem:idempotency-key-reused")
    }

    @Test(arguments: [
        ("{", 400, "not-json", ""), (#"{"service":"steg.bill.pay"}"#, 422, "invalid-order", "/fields"),
        (#"{"service":7,"fields":{}}"#, 422, "invalid-order", "/service"),
        (#"{"service":"steg.bill.burn","fields":{}}"#, 422, "unknown-service", ""),
        (#"{"service":"steg.bill.pay","contract":9,"fields":{}}"#, 422, "unknown-service", ""),
        (#"{"service":"steg.bill.pay","contract":"1","fields":{}}"#, 422, "invalid-order", "/contract"),
        (#"{"service":"steg.bill.pay","fields":{"reference":"123456789","payment":"cash"}}"#, 422, "invalid-order", "/fields/amount"),
        (
            #"{"service":"steg.bill.pay","fields":{"reference":"123456789","amount":"5","payment":"cash"}}"#, 422, "invalid-order",
            "/fields/amount"
        ), (#"{"service":"steg.bill.pay","fields":{},"extra":1}"#, 422, "invalid-order", "/extra"),
        (#"{"service":"a","service":"b","fields":{}}"#, 400, "not-json", ""), ("[]", 422, "invalid-order", ""),
    ])
    func aWrongOrderIsAProblemThatNamesTheField(_ body: String, _ status: Int, _ kind: String, _ pointer: String) async throws {
        let answer = try await call(.post, "/v1/requests", body: body)
        #expect(answer.status == status)
        #expect(answer.json["type"]?.string == "urn:wasl:problem:\(kind)")
        #expect(answer.headers[.contentType] == "application/problem+json")
        #expect(answer.json["titles"]?["ar"]?.string?.isEmpty == false)
        if kind == "invalid-order" {
            #expect(answer.json["errors"]?.array?.contains { $0["pointer"]?.string == pointer } == true, "\(answer.json.text)")
        }
        #expect(try await call(.get, "/v1/requests").json["requests"] == [])
    }

    @Test func aHouseThatIsSuspendedHandsOutNoReceipt() async throws {
        let held = world.registry.registry
        let participants = held.participants.values.map { $0.id.text == "hydra" ? $0.with(state: .suspended) : $0 }
        let registry = try Registry(
            version: held.version + 1, issued: held.issued, expires: held.expires, participants: participants)
        let file = try RegistryFile(body: registry.body, as: .registry, signedBy: [world.root])
        try world.registry.update(file.body, signature: file.signatures)
        let answer = try await call(.post, "/v1/requests", body: Self.order)
        #expect(answer.status == 403)
        #expect(answer.json["type"] == "urn:wasl:problem:suspended")
        #expect(answer.json["titles"]?["ar"]?.string?.isEmpty == false)
        #expect(try await call(.get, "/v1/requests").json["requests"] == [])
    }

    private static func order(note: String) -> String {
        let order: JSON = [
            "service": "steg.bill.pay", "fields": ["reference": "123456789", "amount": 45_500, "payment": "cash", "note": .string(note)],
        ]
        return order.text
    }

    @Test(arguments: ["\u{0}", "\u{7}", "\u{1B}[2J", "\u{7F}", "\u{9B}", "\u{202E}txt", "\u{2066}", "a\rb", "\u{FFFF}"])
    func aControlCharacterIsRefusedAtTheCounterAndItsFieldNamed(_ note: String) async throws {
        let answer = try await call(.post, "/v1/requests", body: Self.order(note: "ملاحظة" + note))
        #expect(answer.status == 422 && answer.json["type"] == "urn:wasl:problem:invalid-order")
        let error = try #require(answer.json["errors"]?.array?.first)
        #expect(error["pointer"] == "/fields/note" && error["detail"]?.string?.contains("U+") == true)
        #expect(error["details"]?["ar"]?.string?.contains("U+") == true && error["details"]?["fr"]?.string?.contains("U+") == true)
        #expect(try await call(.get, "/v1/requests").json["requests"] == [])
    }

    @Test func whatPeopleWriteWithIsTaken() async throws {
        let note = "سطر أول\r\nسطر\tثان\n\u{200F}(STEG)\u{200E} می\u{200C}خواهم \u{61C} é ⵣ 😀\u{200D}"
        #expect(try await call(.post, "/v1/requests", body: Self.order(note: note)).status == 201)
    }

    private static let paper = TestWorld.paper(bytes: 200_000)
    private static let paperPath = "/v1/attachments/" + hexText(sha256(paper))

    @Test func aPaperIsLaidDownOnceHoweverOftenItIsSent() async throws {
        for _ in 0..<2 {
            let answer = try await call(.put, Self.paperPath, bytes: Self.paper, type: "application/pdf")
            #expect(answer.status == 201)
            #expect(answer.json["size"] == 200_000)
        }
        let (papers, pieces) = try await house.journal.read { db in
            (
                try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM outgoing") ?? 0,
                try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM outgoing_piece") ?? 0
            )
        }
        #expect(papers == 1 && pieces == 2)
        #expect(try world.files("journal", holding: "application/pdf").isEmpty == false, "the search finds what is there")
        #expect(try world.files("journal", holding: "%PDF-1.4") == [], "no paper in the clear")
    }

    @Test(arguments: [
        ("/v1/attachments/abc", "application/pdf", 0, 400, "digest"),
        (paperPath.uppercased().replacing("/V1/ATTACHMENTS", with: "/v1/attachments"), "application/pdf", 0, 400, "digest"),
        (paperPath, "text/html", 0, 415, "media-type"), (paperPath, "image/png", 0, 422, "not-that-type"),
        (paperPath, "application/pdf", 1, 422, "digest-differs"), (paperPath, "application/pdf", 20 << 20, 413, "too-large"),
    ])
    func aPaperThatIsNotWhatItIsSaidToBeIsRefused(
        _ path: String, _ type: String, _ extra: Int, _ status: Int, _ kind: String
    ) async throws {
        let answer = try await call(.put, path, bytes: Self.paper + [UInt8](repeating: 0, count: extra), type: type)
        #expect(answer.status == status)
        #expect(answer.json["type"]?.string == "urn:wasl:problem:\(kind)")
        #expect(try await house.journal.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM outgoing") } == 0)
    }

    @Test func onePaperTwiceInAnOrderIsNamed() async throws {
        _ = try await call(.put, Self.paperPath, bytes: Self.paper, type: "application/pdf")
        let entry = #"{"name":"a","type":"application/pdf","size":200000,"digest":"\#(hexText(sha256(Self.paper)))"}"#
        let fields =
            #"{"insured_id":"1234567890","rib":"07040005810111129653","care_date":"2026-11-02","attachments":[\#(entry),\#(entry)]}"#
        let answer = try await call(.post, "/v1/requests", body: #"{"service":"cnam.claim.submit","fields":\#(fields)}"#)
        #expect(answer.status == 422 && answer.json["errors"]?.array?.first?["pointer"] == "/fields/attachments/1")
    }

    @Test func anUnknownDocumentIsNotFound() async throws {
        let request = try await call(.post, "/v1/requests", body: Self.order).json["id"]?.string ?? ""
        for path in ["/v1/requests/\(request)/documents/\(TestWorld.uuid())", "/v1/requests/x/documents/y"] {
            #expect(try await call(.get, path).status == 404)
        }
    }

    @Test func invalidUTF8AndHugeBodiesAreRefused() async throws {
        var bytes = Array(Self.order.utf8)
        bytes[12] = 0xFF
        #expect(try await call(.post, "/v1/requests", bytes: bytes).status == 400)
        let huge = try await call(.post, "/v1/requests", bytes: [UInt8](repeating: 0x20, count: 10 << 20))
        #expect(huge.status == 413)
        #expect(try await call(.post, "/v1/requests", body: Self.order, type: "text/plain").status == 415)
    }

    @Test(arguments: [nil, "", "two words", String(repeating: "k", count: 129), "é"] as [String?])
    func aMissingOrMalformedKeyIsRefused(_ key: String?) async throws {
        #expect(try await call(.post, "/v1/requests", body: Self.order, key: key).status == 400)
    }

    @Test func tokenAndHostGuardEvenOnLoopback() async throws {
        for token in [nil, "wrong", Self.token + "x"] as [String?] {
            #expect(try await call(.get, "/v1/requests", token: token).status == 401)
        }
        #expect(try await call(.get, "/livez", token: nil).status == 200)
    }

    @Test(arguments: [
        ("localhost", true), ("127.0.0.1:8101", true), ("[::1]:8101", true), ("wasl.example:80", true), ("evil.example", false),
        ("", false), ("localhost.evil.example", false), ("[::2]", false),
    ])
    func onlyOurOwnNamesAreAnswered(_ authority: String, _ isKnown: Bool) {
        let guarded = LocalGuard(
            token: Self.token, metricsToken: nil, hosts: ["wasl.example"], table: RouteTable(), explain: { _ in nil })
        #expect(guarded.isKnown(authority: authority) == isKnown)
    }

    @Test func metricsAreInThePrometheusFormat() async throws {
        _ = try await call(.post, "/v1/requests", body: Self.order)
        let text = try await application.test(.live) { client in
            try await client.execute(uri: "/metrics", method: .get, headers: [.authorization: "Bearer \(Self.token)"]) {
                String(buffer: $0.body)
            }
        }
        #expect(text.contains("# TYPE wasl_house_requests gauge\nwasl_house_requests{state=\"accepted\"} 1\n"))
    }

    @Test func aPageIsFollowedByTheNext() async throws {
        for number in 0..<5 { _ = try await call(.post, "/v1/requests", body: Self.order, key: "page-\(number)") }
        let first = try await call(.get, "/v1/requests?limit=3")
        let next = try #require(first.json["next"]?.string)
        let second = try await call(.get, "/v1/requests?limit=3&before=\(next)")
        #expect(first.json["requests"]?.array?.count == 3 && second.json["requests"]?.array?.count == 2)
        #expect(second.json["next"] == .null)
        #expect(try await call(.get, "/v1/requests?limit=0").status == 400)
        #expect(try await call(.get, "/v1/requests/unknown").status == 404)
    }

    /// One reading of the stream, up to its first event, or the problem that came instead.
    private func stream(_ path: String, lastEventID: String? = nil) async throws -> (status: Int, text: String) {
        var headers: HTTPFields = [.authorization: "Bearer \(Self.token)"]
        if let lastEventID { headers[.init("Last-Event-ID")!] = lastEventID }
        let router = house.router(token: Self.token, hosts: [], description: "{}").buildResponder()
        let request = Request(
            head: HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: path, headerFields: headers),
            body: RequestBody(buffer: ByteBuffer()))
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let context = BasicRequestContext(source: ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: logger))
        let response = try await router.respond(to: request, context: context)
        let written = FirstEvent()
        do { try await response.body.write(written) } catch is FirstEvent.Seen {}
        return (Int(response.status.code), written.text)
    }

    @Test func aStreamGoesOnBehindTheLastEvent() async throws {
        for number in 0..<2 { _ = try await call(.post, "/v1/requests", body: Self.order, key: "event-\(number)") }
        let all = try await stream("/v1/events?after=0")
        #expect(all.status == 200 && all.text.contains("id: 1\n") && all.text.contains("id: 2\n"))
        let rest = try await stream("/v1/events?after=0", lastEventID: "1")
        #expect(!rest.text.contains("id: 1\n") && rest.text.contains("id: 2\n"), "the header goes before the query")
    }

    @Test(arguments: ["", "x", "-1", "1.0", "0x1", "3", "99999999999999999999"])
    func aLastEventThatThisHouseNeverSentIsNamed(_ last: String) async throws {
        for number in 0..<2 { _ = try await call(.post, "/v1/requests", body: Self.order, key: "event-\(number)") }
        let answer = try await stream("/v1/events", lastEventID: last)
        #expect(answer.status == 400 && answer.text.contains("`Last-Event-ID`") && answer.text.contains("from 0 to 2"), "\(answer.text)")
    }
}

/// Takes what is written until an event or an end comes.
private final class FirstEvent: ResponseBodyWriter {
    struct Seen: Error {}

    private(set) var text = ""

    func write(_ buffer: ByteBuffer) async throws {
        text += String(buffer: buffer)
        if text.contains("event: state") { throw Seen() }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
