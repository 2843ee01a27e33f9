import Foundation
import GRDB
import Logging
import Synchronization
import TestSupport
import Testing
import WaslModel
import WaslSeal
import WaslSimulation

@testable import WaslJournal

/// The journal remembers which registry was held.
@Suite struct HeldRegistryTests {
    private let world: TestWorld
    private let path: String

    init() throws {
        world = try TestWorld()
        path = world.folder + "/journal.sqlite"
    }

    private var file: String { world.folder + "/registry.signed" }

    private func store() throws -> JournalStore {
        try JournalStore(path: path, headPath: path + ".head", identity: world.identity("hydra"), migrations: { _ in })
    }

    private func version(in store: JournalStore) throws -> Int64? {
        try store.read { try Int64.fetchOne($0, sql: "SELECT registry FROM journal") }
    }

    /// What the directorate signs after the world's first registry, which is version 5.
    private func next(_ version: Int64, root: PublicJWK? = nil, rotations: [RootRotation] = []) throws -> Registry {
        let held = world.registry.registry
        return try Registry(
            version: version, issued: held.issued, expires: held.expires, participants: Array(held.participants.values), root: root,
            rotations: rotations)
    }

    private func holder() throws -> RegistryHolder { try RegistryHolder(path: file, rootKey: world.root.jwk) }

    @Test func aRestartWithAnOlderFileIsRefusedAndNamesFileVersionsAndRemedy() throws {
        try RegistryHolder.write(next(6), to: file, rootKey: world.root)
        do {
            let store = try store()
            try store.begin(with: holder())
            #expect(try version(in: store) == 6)
        }
        try RegistryHolder.write(next(5), to: file, rootKey: world.root)
        do {
            let store = try store()
            let error = try #require(throws: SealError.self) { try store.begin(with: holder()) }
            #expect(error.code == .stale)
            for part in [file, "version 5", "6", "put the newest registry"] { #expect(error.reason.contains(part), "\(part) in \(error)") }
            #expect(try version(in: store) == 6)
        }
        try RegistryHolder.write(next(7), to: file, rootKey: world.root)
        let store = try store()
        try store.begin(with: holder())
        #expect(try version(in: store) == 7)
    }

    @Test func theSameRegistryAtARestartChangesNothing() throws {
        let store = try store()
        try store.begin(with: world.registry)
        func commits() throws -> Int64? { try store.read { try Int64.fetchOne($0, sql: "SELECT commits FROM journal") } }
        let before = try commits()
        try store.begin(with: world.registry)
        #expect(try commits() == before)
    }

    @Test func aRebuiltJournalBeginsWithTheVersionHeld() throws {
        try JournalRebuild.run(
            path: path, headPath: path + ".head", identity: world.identity("hydra"), registry: 9, evidence: [], reason: "a new disk",
            migrations: { _ in }, steps: { _ in })
        let store = try store()
        #expect(try version(in: store) == 9)
        #expect(throws: SealError.self) { try store.begin(with: world.registry) }
    }

    @Test func aRegistryOfTheLedgersWithTwoSignaturesIsOnTheDiskAndInTheJournalOnceItIsHeld() async throws {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let store = try store()
        try store.begin(with: world.registry)
        let journal = Journal(store, logger: logger)
        let pump = PublishingPump(journal, link: SimulatedBroker().publisher(name: "test"), logger: logger)
        let newRoot = SigningKey()
        let rotation = try RootRotation(from: world.root, to: newRoot, at: TestWorld.start)
        let newer = try next(6, root: newRoot.jwk, rotations: [rotation])
        let signed = try RegistryFile(body: newer.body, as: .registry, signedBy: [world.root, newRoot])
        let envelope = Envelope(
            id: TestWorld.uuid().text, type: .registry, source: Source(role: .ledger, participant: .ledger), time: TestClock.shared.now,
            recipient: ParticipantID("hydra"),
            data: ["registry": .string(String(decoding: signed.body, as: UTF8.self)), "signature": .string(signed.signatures)])
        let command = try #require(try ControlCommand(Envelope(parsing: envelope.encoded())))
        #expect(await pump.perform(command, registry: world.registry) == nil)
        #expect(world.registry.registry.version == 6)
        #expect(world.registry.rootKey == newRoot.jwk)
        #expect(try await journal.read { try Int64.fetchOne($0, sql: "SELECT registry FROM journal") } == 6)
        #expect(try holder().registry.version == 6)

        // The old one comes once more, late.
        let old = try RegistryFile(body: next(5).body, as: .registry, signedBy: [world.root, newRoot])
        let late = ControlCommand.registry(text: String(decoding: old.body, as: UTF8.self), signature: old.signatures)
        #expect(await pump.perform(late, registry: world.registry)?.contains("not newer") == true)
        #expect(world.registry.registry.version == 6)
        #expect(try holder().registry.version == 6)
        journal.close()
    }

    @Test func whatTheJournalCouldNotNoteIsNotGoneByAndIsTakenWhenItComesAgain() async throws {
        let store = try store()
        try store.begin(with: world.registry)
        let journal = Journal(store, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        journal.close()
        let signed = try RegistryFile(body: next(6).body, as: .registry, signedBy: [world.root])
        await #expect(throws: JournalError.self) {
            try await world.registry.update(signed.body, signature: signed.signatures, in: journal)
        }
        #expect(world.registry.registry.version == 5)
        try world.registry.update(signed.body, signature: signed.signatures)
        #expect(world.registry.registry.version == 6)
    }

    @Test func whatWasTakenInOnceIsNotSetAsideWhenItComesAgainUnderARevokedKey() throws {
        let store = try store()
        let taken = try world.request("steg.bill.pay", fields: [:])
        let other = try world.request("steg.bill.pay", fields: [:])
        let (first, second) = (try world.delivery(taken), try world.delivery(other))
        try store.transaction { transaction in
            _ = try transaction.recordArrival(of: taken, body: first.body)
            for delivery in [first, second] { try transaction.quarantine(delivery, reason: "wasl-signature: revoked: kid: it waits") }
        }
        #expect(try store.transaction { try $0.setAside(for: .signature) }.result.map(\.messageID) == [other.id])
    }
}
