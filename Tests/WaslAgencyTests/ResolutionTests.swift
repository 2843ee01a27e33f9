import Foundation
import TestSupport
import Testing
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
                agency: agency, request: TestWorld.uuid(), status: .completed, note: "seen in the list", evidence: [1, 2],
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
        #expect(try Resolution(text: text).fields["receipt_number"] == "R")
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
}
