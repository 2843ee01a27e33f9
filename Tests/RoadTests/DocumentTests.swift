import Foundation
import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation
import WaslWeb

@testable import WaslAgency
@testable import WaslHouse

/// Papers and documents over the whole road: through the house's HTTP, the journals, a broker that loses its links, a real HTTP server.
@Suite struct DocumentTests {
    private static let claim: JSONObject = [
        "insured_id": "1234567890", "rib": "07040005810111129653", "care_date": "2026-11-02",
    ]

    private func entry(_ paper: [UInt8], _ type: String = "application/pdf") -> JSON {
        ["name": "ordonnance", "type": .string(type), "size": JSON(paper.count), "digest": .string(hexText(sha256(paper)))]
    }

    private func layDown(_ paper: [UInt8], _ road: Road) async throws {
        let key = road.world.keys["hydra"]!.opening[0].jwk
        var writer = LaidDownDocument.Writer(own: ParticipantID("hydra")!, key: key, entropy: randomBytes)
        // In parts of an odd size, as they come over a network.
        for start in stride(from: 0, to: paper.count, by: 50_001) {
            try writer.write(paper[start..<min(start + 50_001, paper.count)])
        }
        let document = try writer.finish(id: AttachmentID(TestWorld.uuid().text)!, type: "application/pdf")
        try await road.house.journal.commit { try $0.layDown(document) }
    }

    @Test func papersGoInPiecesThroughALostLinkAndAreBroughtBeforeTheClaim() async throws {
        let road = try await Road(agency: "cnam") { broker in
            broker.declare(queue: "tap")
            broker.bind(.requests, "tap", "#")
        }
        let papers = [TestWorld.paper(bytes: 300_000), TestWorld.paper(bytes: Attachments.pieceBytes, seed: 3)]
        for paper in papers { try await layDown(paper, road) }
        road.broker.cut()
        var fields = Self.claim
        fields["attachments"] = .array(papers.map { entry($0) })
        let request = try await road.order("cnam.claim.submit", fields)
        road.broker.restore()
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        let effects = try road.effects()
        #expect(effects.map(\.reference) == [road.reference(request)])
        // The request, three pieces of the first paper, one of the second.
        #expect(road.broker.depth(of: "tap") >= 5)
        let left = try await road.house.journal.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM outgoing_piece") }
        #expect(left == 0, "what is minted is kept once")
        let kept = try await road.worker.journal.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM incoming_piece") }
        #expect(kept == 0, "a worker lets go of papers that it has brought")
        try await road.end()
    }

    @Test func aPaperThatIsNotLaidDownIsNamed() async throws {
        let road = try await Road(agency: "cnam")
        var fields = Self.claim
        let paper = TestWorld.paper(bytes: 10_000)
        try await layDown(paper, road)
        fields["attachments"] = [entry(paper), entry(TestWorld.paper(bytes: 10_000, seed: 9))]
        do {
            _ = try await road.order("cnam.claim.submit", fields)
            Issue.record("accepted without its second paper")
        } catch let problem as Problem {
            #expect(problem.kind == "paper-missing")
            #expect(problem.errors.first?["pointer"] == "/fields/attachments/1")
        }
        // The paper that was there waits for the order to come again.
        fields["attachments"] = [entry(paper)]
        let request = try await road.order("cnam.claim.submit", fields)
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        try await road.end()
    }

    @Test func aDocumentComesBackSealedAndIsTheVeryOne() async throws {
        let road = try await Road(agency: "cnss") { broker in
            broker.declare(queue: "everything")
            broker.bind(.outcomes, "everything", "#")
        }
        let request = try await road.order("cnss.career.statement", ["cin": "01234567", "social_security_number": "1234567890"])
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        let (id, fields) = try await road.house.journal.read { [keys = road.world.keys["hydra"]!.opening] db -> (String, JSONObject) in
            let body: Data = try Data.fetchOne(db, sql: "SELECT body FROM outcome WHERE request = ?", arguments: [request]) ?? Data()
            let envelope = try Envelope(parsing: [UInt8](body))
            return (
                try AttachmentNotice.all(in: envelope.data).first?.id.text ?? "",
                try SealedContent.open(envelope.data["sealed"]?.string ?? "", in: envelope, with: keys)
            )
        }
        let (type, bytes) = try await road.house.documentContent(request, id)
        #expect(type == "application/pdf" && bytes.starts(with: Array("%PDF-".utf8)))
        #expect(hexText(sha256(bytes)) == fields["document"]?["digest"]?.string)
        for owner in ["house.sqlite", "worker.sqlite"] {
            #expect(try road.world.files(owner, holding: request).isEmpty == false, "the search finds what is there")
            #expect(try road.world.files(owner, holding: "%PDF-") == [], "no document in the clear")
        }
        try await road.end()
    }

    @Test func aPaperOfManyPiecesPassesEveryJoint() async throws {
        let road = try await Road(agency: "cnam")
        let paper = TestWorld.paper(bytes: 600_000)
        try await layDown(paper, road)
        var fields = Self.claim
        fields["attachments"] = [entry(paper)]
        let request = try await road.order("cnam.claim.submit", fields)
        #expect(try await road.state(of: request) { OutcomeStatus(rawValue: $0)?.isTerminal == true } == "completed")
        #expect(try road.effects().count == 1)
        try await road.end()
    }
}
