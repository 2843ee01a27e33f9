import Foundation
import GRDB
import TestSupport
import Testing
import WaslModel
import WaslSeal

@testable import WaslJournal

@Suite struct JournalStoreTests {
    private let world: TestWorld
    private let path: String

    init() throws {
        world = try TestWorld()
        path = world.folder + "/journal.sqlite"
    }

    private func open(_ participant: String = "hydra", opening: Opening = .usual) throws -> JournalStore {
        try JournalStore(
            path: path, headPath: path + ".head", identity: world.identity(participant), opening: opening, migrations: { _ in })
    }

    private func refusal(_ participant: String = "hydra") -> JournalError? {
        do {
            _ = try open(participant)
            return nil
        } catch {
            return error as? JournalError
        }
    }

    private static let draft = Draft(type: .outcomeDelivered, data: ["outcomes": []])

    @Test func everyMessageHasTheNextNumberAndTheHashOfTheOneBefore() throws {
        var bodies: [[UInt8]] = []
        for _ in 0..<3 {
            let store = try open()
            for _ in 0..<4 { bodies += try store.transaction { try $0.append(Self.draft) }.appended.map(\.body) }
        }
        // The first message of a journal says that it was opened; the store sent it before we looked.
        var before: [UInt8]?
        for (index, body) in bodies.enumerated() {
            let lane = try #require(try Envelope(parsing: body).lane)
            #expect(lane.sequence == Int64(index + 2))
            if let before { #expect(lane.chain == digestText(before)) }
            before = body
        }
    }

    @Test func aStepThatThrowsLeavesNothing() throws {
        struct Stop: Error {}
        let store = try open()
        let number = store.number
        #expect(throws: Stop.self) {
            try store.transaction { transaction in
                try transaction.append(Self.draft)
                throw Stop()
            }
        }
        #expect(store.number == number)
        let (_, appended) = try store.transaction { try $0.append(Self.draft) }
        #expect(appended.map(\.token) == [number + 1])
        #expect(try store.read { try JournalStore.chainDamage($0, last: nil) } == nil)
    }

    @Test func commitsAreDurable() throws {
        let store = try open()
        #expect(try store.writer.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
        #expect(try store.writer.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
    }

    @Test func noTwoProcessesWriteOneJournal() throws {
        let store = try open()
        #expect(refusal()?.code == .locked)
        withExtendedLifetime(store) {}
    }

    @Test func anothersJournalIsRefused() throws {
        _ = try open()
        #expect(refusal("kerker")?.code == .foreign)
    }

    @Test(arguments: [0, 100, 8120]) func flippedBytesAreRefusedWithARemedy(_ offset: Int) throws {
        do {
            let store = try open()
            for _ in 0..<50 { _ = try store.transaction { try $0.append(Self.draft) } }
            try store.writer.close()
        }
        var bytes = [UInt8](try #require(FileManager.default.contents(atPath: path)))
        for index in offset..<(offset + 64) { bytes[index] ^= 0xFF }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let error = refusal()
        #expect(error?.code == .damaged)
        #expect(error?.remedy.contains("wasl journal check") == true)
        #expect(try JournalCheck.damage(path: path) != nil)
        #expect(FileManager.default.contents(atPath: path) == Data(bytes), "a check never changes the file")
    }

    @Test func aFlippedByteInsideAMessageIsSeenByItsHash() throws {
        do {
            let store = try open()
            for _ in 0..<5 { _ = try store.transaction { try $0.append(Self.draft) } }
            try store.writer.write { db in
                try db.execute(sql: "UPDATE outbox SET body = CAST(replace(body, 'outcomes', 'outcomez') AS BLOB) WHERE number = 4")
            }
        }
        #expect(refusal()?.reason.contains("message 4") == true)
    }

    @Test func aRestoredBackupIsRefusedUntilAPersonOpensANewEpoch() throws {
        do {
            let store = try open()
            _ = try store.transaction { try $0.append(Self.draft) }
            try store.writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        }
        let backup = try #require(FileManager.default.contents(atPath: path))
        let lost: LaneHead
        do {
            let store = try open()
            for _ in 0..<3 { _ = try store.transaction { try $0.append(Self.draft) } }
            lost = store.head
        }
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        try backup.write(to: URL(fileURLWithPath: path))
        let error = refusal()
        #expect(error?.code == .restored)
        #expect(error?.remedy.contains("wasl journal reopen") == true)

        let reopened = try open(opening: .reopened(reason: "test"))
        #expect(reopened.head.epoch != lost.epoch)
        let opened = try reopened.read { db in
            try JournalStore.messages(db, where: "number > 0 ORDER BY number DESC LIMIT 1", [])
        }
        let envelope = try Envelope(parsing: try #require(opened.first).body)
        #expect(envelope.type == .journalOpened)
        #expect(envelope.data["previous"]?.string == lost.epoch.text)
        #expect(envelope.lane?.sequence == 1)
    }

    @Test func aHeadFileBehindTheJournalIsTheTraceOfACrash() throws {
        var head: Data?
        do {
            let store = try open()
            head = FileManager.default.contents(atPath: path + ".head")
            for _ in 0..<3 { _ = try store.transaction { try $0.append(Self.draft) } }
        }
        try #require(head).write(to: URL(fileURLWithPath: path + ".head"))
        #expect(refusal() == nil)
    }

    @Test func aMissingHeadFileMeansThatTheJournalCameFromElsewhere() throws {
        do { _ = try open() }
        try FileManager.default.removeItem(atPath: path + ".head")
        #expect(refusal()?.code == .restored)
    }

    @Test func arrivalsAreKnownForEver() throws {
        let store = try open("steg")
        let envelope = try world.request("steg.bill.view", fields: [:])
        func arrive(_ body: [UInt8]) throws -> Arrival {
            try store.transaction { try $0.recordArrival(of: envelope, body: body) }.result
        }
        #expect(try arrive([1]) == .new)
        #expect(try arrive([1]) == .duplicate)
        #expect(try arrive([2]) == .conflicting)
    }

    @Test func whatIsSetAsideIsReportedOnceAndCountedEachTime() throws {
        let store = try open("steg")
        let delivery = try world.delivery(try world.request("steg.bill.view", fields: [:]))
        var reports: [OutboundMessage] = []
        for _ in 0..<3 {
            reports += try store.transaction { try $0.quarantine(delivery, reason: "test") }.appended
        }
        #expect(reports.count == 1)
        let report = try Envelope(parsing: try #require(reports.first).body)
        #expect(report.type == .messageRefused)
        #expect(report.data["digest"]?.string != digestText(delivery.body), "the digest is salted")
        #expect(try store.read { try Int.fetchOne($0, sql: "SELECT seen FROM quarantine") } == 3)
    }

    /// Found by thinking the simulation through: what was taken in moves no lane.
    @Test func aBackupIsRecognisedEvenWhereNoLaneHasMoved() throws {
        let disk = try MemoryDisk()
        let identity = world.identity("steg")
        func open() throws -> JournalStore {
            try JournalStore(disk: disk, identity: identity, environment: .system, migrations: { _ in })
        }
        var store: JournalStore? = try open()
        let backup = try disk.backUp()
        let request = try world.request("steg.bill.pay", fields: [:])
        _ = try store!.transaction { try $0.recordArrival(of: request, body: request.encoded()) }
        store = nil
        try disk.restore(backup)
        let error = #expect(throws: JournalError.self) { try open() }
        #expect(error?.code == .restored)
    }

    @Test func whatWasSetAsideForItsSignatureComesBackAndIsReleasedOnceAccepted() throws {
        let store = try open()
        let request = try world.request("steg.bill.pay", fields: [:])
        let delivery = try world.delivery(request, queue: "agency.steg")
        try store.transaction { transaction in
            try transaction.quarantine(delivery, reason: "wasl-signature: kid: not a signing key")
            try transaction.quarantine(try world.delivery(try world.request("tt.bill.pay", fields: [:])), reason: "service: not delegated")
        }
        let again = try store.transaction { try $0.setAside(for: .signature) }.result
        #expect(again.map(\.body) == [delivery.body])
        #expect(again[0].signature == delivery.signature)
        #expect(again[0].routingKey == delivery.routingKey)
        _ = try store.transaction { try $0.recordArrival(of: request, body: delivery.body) }
        #expect(try store.transaction { try $0.setAside(for: .signature) }.result.isEmpty)
        #expect(try store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM quarantine") } == 1)
    }

    @Test func aLookAtOneCauseDoesNotGoThroughWhatLiesThereForOthers() throws {
        let store = try open()
        let plan = try store.read {
            try Row.fetchAll($0, sql: "EXPLAIN QUERY PLAN " + JournalTransaction.setAsideQuery, arguments: ["time:", 0, 500])
                .map { $0["detail"] as String }
        }
        #expect(plan == ["SEARCH quarantine USING INDEX quarantine_cause (<expr>=? AND number>?)"])
    }

    @Test func aHeadFileOfTheFirstVersionIsRead() throws {
        var store: JournalStore? = try open()
        let head = store!.head
        store = nil
        let line = "\(head.epoch) \(LanePosition.sequenceText(head.sequence)) \(head.hash ?? "-") \n"
        try (line + String(repeating: " ", count: 128 - line.utf8.count)).write(toFile: path + ".head", atomically: true, encoding: .utf8)
        store = try open()
        #expect(store!.head == head)
    }

    @Test func aTornHeadFileLeavesTheHeadBefore() throws {
        var store: JournalStore? = try open()
        for _ in 0..<3 { try store!.transaction { try $0.append(Self.draft) } }
        store = nil
        var bytes = [UInt8](try #require(FileManager.default.contents(atPath: path + ".head")))
        let marks = bytes.indices.filter { bytes[$0] == UInt8(ascii: "#") }
        #expect(marks.count == 2)
        // Half of the newer place only.
        bytes[marks[1]] = 0x20
        try Data(bytes).write(to: URL(fileURLWithPath: path + ".head"))
        _ = try open()
    }

    private func mode(_ suffix: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path + suffix)
        return try #require((attributes[.posixPermissions] as? NSNumber)?.intValue)
    }

    @Test func aJournalAndAllBesideItIsItsOwnersAlone() throws {
        let store = try open()
        _ = try store.transaction { try $0.append(Self.draft) }
        for suffix in ["", "-wal", "-shm", ".head", ".lock"] { #expect(try mode(suffix) == 0o600, "\(suffix)") }
        withExtendedLifetime(store) {}
    }

    @Test func aJournalThatWasOpenToOthersIsNarrowedAndGoesOn() throws {
        do {
            let store = try open()
            _ = try store.transaction { try $0.append(Self.draft) }
        }
        for suffix in ["", ".head", ".lock"] { chmod(path + suffix, 0o644) }
        let store = try open()
        _ = try store.transaction { try $0.append(Self.draft) }
        for suffix in ["", "-wal", "-shm", ".head", ".lock"] { #expect(try mode(suffix) == 0o600, "\(suffix)") }
        withExtendedLifetime(store) {}
    }

    /// The file is made before SQLite writes its first page: a crash in between leaves an empty one.
    @Test func anEmptyFileBecomesAJournal() throws {
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        let store = try open()
        _ = try store.transaction { try $0.append(Self.draft) }
        #expect(store.head.sequence == 2)
    }
}
