import Foundation
import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslAgency

@Suite struct ResolutionTests {
    private let world: TestWorld
    private let text: String
    private let agency = ParticipantID("tt")!

    init() throws {
        world = try TestWorld()
        text =
            Resolution(
                agency: agency, request: RequestKey(house: ParticipantID("hydra")!, subject: TestWorld.uuid()), status: .completed,
                note: "seen in the list", evidence: [1, 2],
                time: TestClock.shared.now, fields: ["receipt_number": "R"]
            ).text
    }

    private func sign(_ keys: SigningKey...) throws -> [String] {
        try keys.map { try DetachedSignature.sign(Array(text.utf8), as: .resolution, with: $0) }
    }

    private func verify(_ signatures: [String], text: String? = nil) throws -> [String] {
        try Resolution.verifySignatures(
            signatures, over: text ?? self.text, of: agency, registry: world.registry.registry, at: TestClock.shared.now)
    }

    @Test func twoPeopleResolve() throws {
        #expect(try verify(sign(world.persons[0], world.persons[1])) == ["agent-0", "agent-1"])
        let read = try Resolution(text: text)
        #expect(read.fields["receipt_number"] == "R" && read.text == text)
    }

    @Test func whatTwoPeopleSignNamesTheHouse() throws {
        let signatures = try sign(world.persons[0], world.persons[1])
        let other = text.replacingOccurrences(of: #""house":"hydra""#, with: #""house":"kerker""#)
        #expect(other != text)
        #expect(try Resolution(text: other).request.house.text == "kerker")
        #expect(throws: ResolutionError.self) { try verify(signatures, text: other) }
        let without = text.replacingOccurrences(of: #""house":"hydra","#, with: "")
        let error = #expect(throws: ResolutionError.self) { try Resolution(text: without) }
        #expect(error?.description.hasPrefix("house: missing") == true)
    }

    @Test func onePersonWithTwoKeysIsOnePerson() throws {
        let error = #expect(throws: ResolutionError.self) { try verify(sign(world.persons[1], world.persons[2])) }
        #expect(error?.description.contains("two people") == true)
    }

    @Test func oneSignatureOrAStrangersIsNotEnough() throws {
        #expect(throws: ResolutionError.self) { try verify(sign(world.persons[0])) }
        #expect(throws: ResolutionError.self) { try verify(sign(world.persons[0], SigningKey())) }
        #expect(throws: ResolutionError.self) { try verify(sign(world.persons[0], world.keys["tt"]!.signing)) }
    }

    @Test func aSignatureOverAnotherTextDoesNotCount() throws {
        let signatures = try sign(world.persons[0], world.persons[1])
        #expect(throws: ResolutionError.self) { try verify(signatures, text: text.replacingOccurrences(of: "completed", with: "refused")) }
    }

    @Test(arguments: ["", "{}", #"{"agency":"tt","request":"x"}"#]) func whatIsNotAResolutionIsNamed(_ text: String) {
        #expect(throws: ResolutionError.self) { try Resolution(text: text) }
    }

    /// A journal of an earlier version, in which two resolutions stand in the clear.
    private func openOld(_ seal: OwnSeal) throws -> JournalStore {
        do {
            let store = try JournalStore(
                path: world.folder + "/old.sqlite", headPath: world.folder + "/old.head", identity: world.identity("tt"),
                migrations: AgencySchema.register)
            _ = try store.transaction { transaction in
                for number in 1...2 {
                    try transaction.db.execute(
                        sql: "INSERT INTO unsealed_resolution (job, at, text, signatures, holders, evidence) VALUES (?, ?, ?, ?, ?, ?)",
                        arguments: [
                            number, 1_000 * number, "noted of Ben Salah \(number)", "s1\ns2", "agent-0\nagent-1",
                            Data(String(repeating: "statement of Ben Salah \(number). ", count: 5_000).utf8),
                        ])
                }
            }
        }
        #expect(try !world.files("old", holding: "Ben Salah").isEmpty, "the search finds what is there")
        let store = try JournalStore(
            path: world.folder + "/old.sqlite", headPath: world.folder + "/old.head", identity: world.identity("tt"),
            migrations: AgencySchema.register)
        try store.sealOldResolutions(with: seal)
        return store
    }

    @Test func whatAnEarlierVersionKeptInTheClearIsSealedAndLeavesNoTrace() throws {
        let seal = OwnSeal(own: agency, keys: world.keys["tt"]!.opening)
        let store = try openOld(seal)
        #expect(try world.files("old", holding: "Ben Salah") == [], "neither in the file nor in its log")
        for number in 1...2 {
            let kept = try #require(try store.read { try KeptResolution.fetch($0, of: Int64(number)) })
            #expect(try seal.open(kept.text) == Array("noted of Ben Salah \(number)".utf8))
            #expect(try seal.open(kept.evidence).count == String("statement of Ben Salah \(number). ").utf8.count * 5_000)
            #expect(
                kept.at.milliseconds == Int64(1_000 * number) && kept.holders == ["agent-0", "agent-1"] && kept.signatures == ["s1", "s2"])
            #expect(kept.json(with: seal)["text"]?.string == "noted of Ben Salah \(number)")
        }
        #expect(try store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM unsealed_resolution") } == 0)
        let number = try store.read { try Int64.fetchOne($0, sql: "SELECT commits FROM journal") }
        try store.sealOldResolutions(with: seal)
        #expect(
            try store.read { try Int64.fetchOne($0, sql: "SELECT commits FROM journal") } == number, "a second time there is nothing to do")
    }

    @Test func aSealedResolutionIsShownToNobodyElse() throws {
        let seal = OwnSeal(own: agency, keys: world.keys["tt"]!.opening)
        let other = OwnSeal(own: agency, keys: [OpeningKey()])
        let kept = try #require(try openOld(seal).read { try KeptResolution.fetch($0, of: 1) })
        #expect(kept.json(with: other)["text"] == .null && kept.json(with: other)["evidenceBytes"] == .null)
        #expect(throws: SealError.self) { try other.open(kept.text) }
    }
}
