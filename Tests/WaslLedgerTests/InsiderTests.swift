import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslLedger

/// What one participant's key is enough for: its own affairs.
@Suite struct InsiderTests {
    private let bench: LedgerBench
    private let subject = TestWorld.uuid()

    init() throws { bench = try LedgerBench() }

    // MARK: A request is house and number

    @Test func aSecondHousesRequestUnderOneNumberIsAnotherRequestAndIsNamed() async throws {
        try await bench.record(bench.submitted(subject))
        let other = bench.next(
            .requestSubmitted, from: "kerker", subject: subject, to: "tt", service: "tt.bill.view", data: ["sealed": "x"])
        try await bench.record(other)
        let first = try #require(try bench.request(subject))
        #expect(first["agency"] == "steg" && first["millimes"] == 5)
        #expect(try bench.request(subject, of: "kerker")?["agency"] == "tt")
        #expect(try bench.named() == [named("subject-collision", nil)], "nobody proves who copied whom")
        let outcome = bench.outcome(subject, "completed")
        try await bench.record(outcome)
        #expect(try bench.request(subject)?["status"] == "completed")
        #expect(try bench.request(subject, of: "kerker")?["status"] as String? == nil)
    }

    @Test func aSecondRequestOfOneHouseUnderOneNumberGoesNowhere() async throws {
        try await bench.record(bench.submitted(subject))
        let second = bench.next(
            .requestSubmitted, from: "hydra", subject: subject, to: "tt", service: "tt.bill.view", data: ["sealed": "x"])
        try await bench.record(second)
        #expect(try bench.request(subject)?["agency"] == "steg")
        #expect(try bench.request(subject)?["millimes"] == 5)
        #expect(try bench.named() == [named("contradicting-requests", "hydra")])
    }

    @Test(arguments: [true, false]) func whoAnswersASecondRequestIsNotToBlame(_ answerFirst: Bool) async throws {
        try await bench.record(bench.submitted(subject))
        let second = bench.next(
            .requestSubmitted, from: "hydra", subject: subject, to: "tt", service: "tt.bill.view", data: ["sealed": "x"])
        var answer = bench.outcome(subject, "completed", from: "tt")
        answer.causationID = second.id
        for envelope in answerFirst ? [answer, second] : [second, answer] {
            try await bench.record(envelope)
            try bench.sweep(after: 11)
        }
        #expect(try bench.named() == [named("contradicting-requests", "hydra")])
        #expect(try bench.request(subject)?["status"] as String? == nil)
    }

    // MARK: Words count only from whom they are about

    @Test func anotherHouseCannotSayThatAnOutcomeWasDelivered() async throws {
        let outcome = bench.outcome(subject, "completed")
        try await bench.record(bench.submitted(subject), outcome)
        try bench.sweep(after: 40)
        #expect(try bench.named() == [named("undelivered-outcome", "hydra")])
        try await bench.record(bench.delivered(outcome, by: "kerker"))
        try bench.sweep(after: 11)
        #expect(try bench.named() == [named("undelivered-outcome", "hydra"), named("foreign-word", "kerker")])
        #expect(try bench.request(subject)?["delivered"] as Int64? == nil)
    }

    @Test func anInventedOutcomeOfItsOwnDoesNotCountAsDelivered() async throws {
        var invented = bench.outcome(subject, "completed")
        try await bench.record(bench.submitted(subject), invented)
        invented.id = TestWorld.uuid().text
        try bench.sweep(after: 40)
        try await bench.record(bench.delivered(invented))
        #expect(try bench.named() == [named("undelivered-outcome", "hydra")])
    }

    @Test(arguments: [MessageType.outcome, .requestTaken, .attemptIntended, .attachmentChunk])
    func anotherAgencyCannotSpeakOfARequest(_ type: MessageType) async throws {
        try await bench.record(bench.submitted(subject))
        var data: JSONObject = ["status": "completed", "revision": 1, "attempt": 1]
        if type == .attachmentChunk { data = AttachmentPiece(id: AttachmentID(TestWorld.uuid().text)!, number: 1, pieces: 1).data }
        try await bench.record(bench.next(type, from: "tt", subject: subject, to: "hydra", data: data))
        let request = try #require(try bench.request(subject))
        #expect(request["status"] as String? == nil && request["taken"] as Int64? == nil)
        #expect(try bench.named() == [named("foreign-word", "tt")])
        #expect(try bench.store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM attachment") } == 0)
    }

    @Test func whatComesBeforeItsRequestWaitsUntilTheRequestTellsWhoWasEntitled() async throws {
        let (lie, truth) = (bench.outcome(subject, "refused", from: "tt"), bench.outcome(subject, "completed"))
        let submitted = bench.submitted(subject)
        try await bench.record(lie, truth)
        #expect(try bench.request(subject) == nil, "nothing is made of words whose request has not come")
        try bench.sweep(after: 11)
        #expect(try bench.named().contains(named("orphan-outcome", "tt")))
        try await bench.record(submitted)
        #expect(try bench.request(subject)?["status"] == "completed")
        #expect(try bench.named() == [named("foreign-word", "tt")])
    }

    @Test func soManyWordsWaitOfOneSourceAtMost() async throws {
        for _ in 0..<3 {
            let flood = (0..<2_000).map { _ in bench.outcome(TestWorld.uuid(), "completed", from: "tt") }
            try await bench.record(all: flood)
        }
        #expect(try bench.store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM waiting") } == LedgerSteps.waitingMax)
        try bench.sweep(after: 11)
        #expect(try Set(bench.named()) == [named("orphan-outcome", "tt")])
        try await bench.record(bench.outcome(subject, "completed"), bench.submitted(subject))
        #expect(try bench.request(subject)?["status"] == "completed", "nobody else's words are held up")
    }

    @Test func aFloodOfLiesIsCountedAndNotListed() async throws {
        let requests = (0..<Findings.openMax + 50).map { _ in TestWorld.uuid() }
        for part in [requests.prefix(300), requests.dropFirst(300)] {
            try await bench.record(all: part.map { bench.submitted($0) })
            try await bench.record(all: part.map { bench.outcome($0, "completed", from: "tt") })
        }
        let count = try bench.store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM finding WHERE class = 'foreign-word'") }
        #expect(count == Findings.openMax + 1)
    }

    @Test func aFloodWithoutSignaturesIsCountedAndNotListed() async throws {
        let unsigned = try (0..<Findings.openMax + 50).map { _ in
            let message = try bench.world.delivery(bench.submitted(TestWorld.uuid()), queue: "ledger")
            return Delivery(
                tag: message.tag, queue: message.queue, exchange: message.exchange, routingKey: message.routingKey, isRedelivered: false,
                messageID: message.messageID, contentType: message.contentType, signature: nil, body: message.body)
        }
        let prepared = bench.handler.prepare(unsigned)
        _ = try bench.store.transaction { try bench.handler.record(prepared, in: $0) }
        let count = try bench.store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM finding WHERE class = 'refused-message'") }
        #expect(count == Findings.openMax + 1)
        let kept = try bench.store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM quarantine") }
        #expect(kept == unsigned.count, "each can be looked at all the same")
    }

    // MARK: Lanes

    @Test func aNumberUnderAnothersEpochIsNotTheOwners() async throws {
        let opening = bench.opening(of: "steg")
        try await bench.record(opening)
        let epoch = try #require(opening.lane?.epoch)
        let squat = bench.claiming(epoch, 2, .messageRefused, from: "kerker", data: ["reason": "x", "digest": "d", "bytes": 1])
        try await bench.record(squat)
        #expect(try bench.named() == [named("foreign-lane", "kerker")])
        try await bench.record(bench.submitted(subject), bench.outcome(subject, "completed"))
        #expect(try bench.request(subject)?["status"] == "completed", "the owner's second message is taken")
        #expect(try bench.named() == [named("foreign-lane", "kerker")])
        try bench.sweep(after: 20)
        #expect(try !bench.named().contains { $0.kind == "gap" }, "nothing is missing of a lane that is nobody's")
    }

    @Test func whoComesBeforeTheOwnerIsNamedWhenTheOwnerOpens() async throws {
        let opening = bench.opening(of: "steg")
        let epoch = try #require(opening.lane?.epoch)
        let squat = bench.claiming(epoch, 2, .messageRefused, from: "kerker", data: ["reason": "x", "digest": "d", "bytes": 1])
        try await bench.record(squat)
        let outcome = bench.outcome(subject, "completed")
        try await bench.record(bench.submitted(subject), outcome)
        #expect(try bench.request(subject)?["status"] == "completed", "the owner's second message is taken although its first is late")
        try await bench.record(opening)
        #expect(try bench.named().filter { $0.kind == "foreign-lane" } == [named("foreign-lane", "kerker")])
    }

    @Test func twoOpeningsOfOneEpochBlameNobody() async throws {
        let opening = bench.opening(of: "steg")
        let epoch = try #require(opening.lane?.epoch)
        let copied = bench.claiming(epoch, 1, .journalOpened, from: "kerker", data: ["epoch": .string(epoch.text), "reason": "mine"])
        try await bench.record(copied)
        let outcome = bench.outcome(subject, "completed")
        try await bench.record(bench.submitted(subject), outcome)
        try await bench.record(opening)
        #expect(try bench.named() == [named("foreign-lane", nil)])
        // What was set aside meanwhile comes once more: the number is missing.
        try await bench.record(outcome)
        #expect(try bench.request(subject)?["status"] == "completed")
    }

    // MARK: Blame

    @Test func aMessageWithoutSignatureBlamesNobody() async throws {
        let forged = try bench.world.delivery(bench.submitted(subject))
        let unsigned = Delivery(
            tag: forged.tag, queue: "ledger", exchange: forged.exchange, routingKey: "steg.steg-bill-pay.kerker", isRedelivered: false,
            messageID: forged.messageID, contentType: forged.contentType, signature: nil, body: forged.body)
        let prepared = bench.handler.prepare([unsigned])
        _ = try bench.store.transaction { try bench.handler.record(prepared, in: $0) }
        #expect(try bench.named() == [named("refused-message", nil)])
        let evidence = try bench.store.read { try String.fetchOne($0, sql: "SELECT evidence FROM finding") }
        let json = try JSON.parse(evidence ?? "")
        #expect(json["says"] == "/houses/hydra" && json["broker"] == "kerker", "what it says, and whose user the broker had it from")
    }

    @Test func aSignedMessageInANeighboursNameBlamesItsSigner() async throws {
        try await bench.record(bench.submitted(subject), signedBy: "kerker")
        #expect(try bench.named() == [named("refused-message", "kerker")])
    }

    @Test(arguments: [MessageType.outcome, .resend])
    func whatAHouseWasSentAndPutsBeforeTheLedgerAgainBlamesNobody(_ type: MessageType) async throws {
        var message = bench.outcome(subject, "completed")
        if type == .resend {
            message = bench.next(type, from: "ledger", subject: subject, to: "kerker", service: nil)
            message.source = Source(role: .ledger, participant: .ledger)
        }
        let kept = try bench.world.delivery(message)
        let again = Delivery(
            tag: kept.tag, queue: "ledger", exchange: Exchange.receipts.rawValue, routingKey: "kerker.outcome-delivered",
            isRedelivered: false, messageID: kept.messageID, contentType: kept.contentType, signature: kept.signature, body: kept.body)
        let prepared = bench.handler.prepare([again])
        _ = try bench.store.transaction { try bench.handler.record(prepared, in: $0) }
        #expect(try bench.named() == [named("refused-message", nil)])
        let evidence = try bench.store.read { try String.fetchOne($0, sql: "SELECT evidence FROM finding") }
        #expect(try JSON.parse(evidence ?? "")["broker"] == "kerker", "whose user the broker had it from")
    }

    @Test func whatParticipantsSetAsideIsTheirWordAndBlamesNobody() async throws {
        try await bench.record(
            bench.next(.messageRefused, from: "steg", service: nil, data: ["reason": "id: …", "digest": "d", "bytes": 1]))
        #expect(try bench.named() == [named("refused-message", nil)])
    }

    // MARK: Epochs

    @Test func aJournalThatBeginsAnewWithoutSayingWhyIsNamed() async throws {
        let first = bench.opening(of: "hydra")
        try await bench.record(first)
        try await bench.record(bench.opening(of: "hydra", previous: first.lane?.epoch))
        #expect(try bench.named() == [])
        try await bench.record(bench.opening(of: "hydra"))
        #expect(try bench.named() == [named("epoch-changed", "hydra")])
    }

    // MARK: People

    @Test func aPersonClosesAFindingWithAReason() async throws {
        try await bench.record(bench.submitted(subject), signedBy: "kerker")
        let (kind, again) = try bench.store.transaction { transaction in
            let findings = Findings(transaction: transaction)
            return (
                try findings.close(1, by: "amina", reason: "the key was replaced"), try findings.close(1, by: "amina", reason: "twice")
            )
        }.result
        #expect(kind == "refused-message" && again == nil)
        #expect(try bench.named() == [])
    }
}

@Suite struct LedgerMigrationTests {
    @Test func aLedgerOfAnEarlierVersionKeepsItsRequestsAndWhatWaits() throws {
        let queue = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        LedgerSchema.register(in: &migrator)
        try migrator.migrate(queue, upTo: "ledger-3")
        let (known, orphan) = (TestWorld.uuid().text, TestWorld.uuid().text)
        try queue.write { db in
            for (number, source, sequence, type, subject) in [
                (1, "/houses/hydra", 1, "request.submitted", known), (2, "/agencies/steg", 1, "outcome", orphan),
            ] {
                try db.execute(
                    sql: "INSERT INTO entry VALUES (?, 5, ?, ?, ?, NULL, ?, ?, ?, 4, 'd')",
                    arguments: [number, source, "epoch-\(number)", sequence, "id-\(number)", "tn.wasl.\(type).v1", subject])
                try db.execute(
                    sql: "INSERT INTO evidence VALUES (?, 's', CAST(? AS BLOB))",
                    arguments: [number, number == 1 ? #"{"recipient":"steg"}"# : #"{"recipient":"kerker"}"#])
                try db.execute(
                    sql: "INSERT INTO lane VALUES (?, ?, 1, 1, 0, NULL, 0, 0)", arguments: ["epoch-\(number)", source])
            }
            try db.execute(
                sql: """
                    INSERT INTO request (subject, house, agency, service, first_seen, submitted) VALUES (?, 'hydra', 'steg', 'steg.bill.pay', 5, 4);
                    """, arguments: [known])
            try db.execute(sql: "INSERT INTO request (subject, first_seen, status) VALUES (?, 5, 'completed')", arguments: [orphan])
            try db.execute(
                sql: "INSERT INTO finding (class, key, severity, subject, opened, evidence) VALUES ('overdue', ?1, 'warning', ?1, 5, '{}')",
                arguments: [known])
        }
        try migrator.migrate(queue)
        try queue.read { db in
            let requests = try Row.fetchAll(db, sql: "SELECT house, subject, message FROM request")
            #expect(requests.count == 1 && requests[0]["house"] == "hydra" && requests[0]["message"] == "id-1")
            let waiting = try Row.fetchAll(db, sql: "SELECT house, subject, entry FROM waiting")
            #expect(waiting.count == 1 && waiting[0]["house"] == "kerker" && waiting[0]["subject"] == orphan && waiting[0]["entry"] == 2)
            #expect(try String.fetchOne(db, sql: "SELECT key FROM finding") == "hydra \(known)")
            #expect(try String.fetchAll(db, sql: "SELECT house FROM entry ORDER BY number") == ["hydra", "kerker"])
        }
    }
}
