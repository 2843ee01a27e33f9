import Foundation
import GRDB
import Logging
import TestSupport
import Testing
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation

@testable import WaslLedger

/// `wasl ledger review list`, beside a ledger that goes on working.
@Suite struct ReviewListTests {
    private let world: TestWorld
    private var path: String { world.folder + "/ledger.sqlite" }

    init() throws { world = try TestWorld() }

    private func list(_ arguments: String..., fails status: Int32 = 0) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: TestWorld.executable)
        process.arguments = ["ledger", "review", "list"] + arguments
        let said = world.folder + "/said-\(UUID().uuidString)"
        try Data().write(to: URL(fileURLWithPath: said))
        let output = try #require(FileHandle(forWritingAtPath: said))
        process.standardOutput = output
        process.standardError = output
        try process.runToItsEnd()
        let text = try String(contentsOfFile: said, encoding: .utf8)
        #expect(process.terminationStatus == status, "\(arguments): \(text)")
        return text
    }

    @Test func whatARevokedKeySignedIsListedForPeopleAndPrograms() async throws {
        let holder = world.registry
        let ledger = try Ledger(
            Ledger.Parts(
                journalPath: path, headPath: path + ".head", keys: world.keys["ledger"]!, registry: holder,
                catalogue: CatalogueHolder(world.catalogue), times: LedgerTimes(), version: "test"), broker: SimulatedBroker(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        #expect(try list("--db", path).contains("Nothing waits"))

        let held = holder.registry
        let hydra = ParticipantID("hydra")!
        let participants = held.participants.values.map { participant in
            participant.id == hydra ? participant.with(keys: participant.keys.map { $0.revoked(from: TestWorld.start) }) : participant
        }
        try holder.replace(with: Registry(version: 6, issued: held.issued, expires: held.expires, participants: participants))
        let request = try world.request("steg.bill.pay", fields: ["reference": "123456789"])
        let handler = LedgerDeliveries(steps: ledger.steps, registry: holder, changes: ledger.changes)
        let prepared = handler.prepare([try world.delivery(request, queue: "ledger")])
        try await ledger.journal.commit { try handler.record(prepared, in: $0) }

        let epoch = try #require(request.lane?.epoch.text)
        let text = try list("--db", path)
        for part in ["/houses/hydra", epoch, "messages that wait: 1", "tn.wasl.request.submitted.v1 1", "1 to 1", request.time.description]
        {
            #expect(text.contains(part), "\(part) in \(text)")
        }
        let json = try JSON.parse(Array(try list("--db", path, "--json").utf8))
        #expect(json["lanes"]?.array?.first?["source"] == "/houses/hydra")
        #expect(!text.contains("123456789"), "what is sealed is not told")
    }

    @Test func whatIsNoLedgersFileIsNamed() throws {
        #expect(try list("--db", world.folder + "/nothing.sqlite", fails: 65).contains("no such file"))
        #expect(try list(fails: 64).contains("--ledger and --token-file"))
        _ = try JournalStore(
            path: world.folder + "/house.sqlite", headPath: world.folder + "/house.head", identity: world.identity("hydra"),
            migrations: { _ in })
        #expect(try list("--db", world.folder + "/house.sqlite", fails: 78).contains("not the file of a ledger"))
    }
}
