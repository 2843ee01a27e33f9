import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslLedger

/// What a lost journal is rebuilt from: all that was verified, and a doubt only where the participant itself may have said more.
@Suite struct EvidenceTests {
    private let bench: LedgerBench
    private let hydra = ParticipantID("hydra")!
    private let steg = ParticipantID("steg")!

    init() throws { bench = try LedgerBench() }

    @Test func oneAlteredSignatureNeitherStopsTheExportNorTheRebuild() async throws {
        let all = (0..<4).map { _ in bench.submitted(TestWorld.uuid()) }
        var deliveries = try all.map { try bench.world.delivery($0, queue: "ledger") }
        let altered = deliveries[1]
        deliveries[1] = Delivery(
            tag: altered.tag, queue: "ledger", exchange: altered.exchange, routingKey: altered.routingKey, isRedelivered: false,
            messageID: altered.messageID, contentType: altered.contentType, signature: deliveries[0].signature, body: altered.body)
        let prepared = bench.handler.prepare(deliveries)
        _ = try bench.store.transaction { try bench.handler.record(prepared, in: $0) }
        let checked = try bench.store.read { try Bool.fetchAll($0, sql: "SELECT is_checked FROM evidence ORDER BY number") }
        #expect(checked == [false, false, false, true], "the run's end vouches for it")
        let text = EvidenceFile.text(try bench.store.read { try LedgerQueries.evidence($0, of: hydra) })
        let registry = bench.world.registry.registry
        let read = try EvidenceFile.read(Array(text.utf8), of: hydra) {
            try registry.verify($0.envelope, body: $0.body, signature: $0.signature)
        }
        #expect(read.messages.count == 4 && read.isWhole)
        // Without the message after it, nothing speaks for it: it is left out, and named.
        let torn = text.split(separator: "\n").enumerated().filter { $0.offset != 2 }.map { String($0.element) }.joined(separator: "\n")
            .replacing("\"messages\":4", with: "\"messages\":3")
        let rest = try EvidenceFile.read(Array(torn.utf8), of: hydra) {
            try registry.verify($0.envelope, body: $0.body, signature: $0.signature)
        }
        #expect(rest.messages.count == 2 && !rest.isWhole && rest.leftOut.count == 1)
        #expect(rest.leftOut.first?.contains(all[1].id) == true)
    }

    @Test func whatAnotherSaysInItsNameLeavesNoDoubt() async throws {
        try await bench.record(bench.opening(of: "steg"))
        try setAside(bench.outcome(TestWorld.uuid(), "completed"), by: "kerker", signedBy: nil)
        try setAside(bench.outcome(TestWorld.uuid(), "completed"), by: "kerker", signedBy: "kerker")
        try setAside(bench.outcome(TestWorld.uuid(), "completed"), by: nil, signedBy: nil, key: "kerker.outcome-delivered")
        // A request to it that nobody can verify is no word of its own either.
        try setAside(bench.submitted(TestWorld.uuid()), by: "hydra", signedBy: "kerker")
        let judged = try evidence(of: steg)
        #expect(judged.isWhole)
        #expect(judged.messages.map(\.envelope.type) == [.journalOpened])
        let count = try bench.store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM quarantine") }
        #expect(count == 4, "each was set aside and none was heard")
    }

    @Test(arguments: ["steg", nil]) func itsOwnWordThatWasSetAsideIsADoubtUntilItsNumberIsHeard(_ user: String?) async throws {
        let request = bench.submitted(TestWorld.uuid())
        try await bench.record(request, bench.opening(of: "steg"))
        let outcome = bench.outcome(try #require(request.subject), "completed")
        // A neighbour may have had it before: that hides nothing.
        try setAside(outcome, by: "kerker", signedBy: nil)
        #expect(try evidence(of: steg).isWhole)
        // By its user, or under a routing key that only its user may use.
        try setAside(outcome, by: user, signedBy: nil)
        #expect(try !evidence(of: steg).isWhole)
        try await bench.record(outcome)
        #expect(try evidence(of: steg).isWhole)
    }

    @Test func itsOwnWordUnderAKeyThatNobodyKnowsIsADoubt() async throws {
        try await bench.record(bench.opening(of: "steg"))
        try setAside(bench.outcome(TestWorld.uuid(), "completed"), by: "steg", signedBy: "kerker")
        let judged = try evidence(of: steg)
        #expect(!judged.isWhole && judged.leftOut.count == 1)
    }

    private func evidence(of participant: ParticipantID) throws -> EvidenceOfParticipant {
        let registry = bench.world.registry.registry
        return try bench.store.read { try LedgerQueries.evidence($0, of: participant) }
            .judged(of: participant) { try $0.verify(under: registry) }
    }

    /// Puts before the ledger what it sets aside: without a signature, or with one of another's.
    ///
    /// - Parameter key: of the exchange of receipts; without one it goes where such a message goes.
    private func setAside(_ envelope: Envelope, by user: String?, signedBy signer: String?, key: String? = nil) throws {
        let made = try bench.world.delivery(
            envelope, signedBy: signer, queue: "ledger", exchange: key.map { _ in Exchange.receipts.rawValue }, key: key)
        let delivery = Delivery(
            tag: made.tag, queue: made.queue, exchange: made.exchange, routingKey: made.routingKey, isRedelivered: false,
            messageID: made.messageID, contentType: made.contentType, userID: user, signature: signer == nil ? nil : made.signature,
            body: made.body)
        let prepared = bench.handler.prepare([delivery])
        _ = try bench.store.transaction { try bench.handler.record(prepared, in: $0) }
    }
}
