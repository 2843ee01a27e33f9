import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslLedger

/// What a participant's clock, its beats and its registry may claim.
@Suite struct PresenceTests {
    private let bench: LedgerBench
    private let subject = TestWorld.uuid()

    init() throws { bench = try LedgerBench() }

    // MARK: Times

    @Test(arguments: [(31_536_000, true), (700, true), (500, false), (0, false)])
    func aTimeAheadIsNamed(_ seconds: Int, _ isNamed: Bool) async throws {
        var request = bench.submitted(subject)
        request.time = bench.clock.now.advanced(by: .seconds(seconds))
        try await bench.record(request)
        #expect(try bench.named() == (isNamed ? [named("implausible-time", "hydra")] : []))
    }

    @Test func aTimeBeforeWhatItsHouseHadNotTakenYetIsNamed() async throws {
        try await bench.record(bench.submitted(TestWorld.uuid()))
        try await bench.record(bench.beat(1, of: "hydra", sequence: 1))
        bench.clock.advance(.seconds(3_600))
        try await bench.record(bench.beat(2, of: "hydra", sequence: 1))
        var request = bench.submitted(subject)
        request.time = bench.clock.now.advanced(by: .seconds(-1_800))
        try await bench.record(request)
        #expect(try bench.named() == [named("implausible-time", "hydra")])
    }

    @Test func whatAHouseTookInTheDarkKeepsItsTime() async throws {
        try await bench.record(bench.submitted(TestWorld.uuid()))
        try await bench.record(bench.beat(1, of: "hydra", sequence: 1))
        bench.clock.advance(.seconds(3 * 86_400))
        var request = bench.submitted(subject)
        request.time = bench.clock.now.advanced(by: .seconds(-2 * 86_400))
        try await bench.record(request)
        #expect(try bench.named() == [])
    }

    @Test func aTimeThatFallsAlongItsLaneIsNamed() async throws {
        try await bench.record(bench.submitted(TestWorld.uuid()))
        var request = bench.submitted(subject)
        request.time = bench.clock.now.advanced(by: .seconds(-86_400))
        try await bench.record(request)
        #expect(try bench.named() == [named("implausible-time", "hydra")])
    }

    // MARK: Presence

    @Test func anOldBeatPlayedAgainNeitherHidesSilenceNorCounts() async throws {
        try await bench.record(bench.submitted(subject))
        let beat = bench.beat(7, of: "hydra", sequence: 1)
        try await bench.record(beat)
        for _ in 0..<8 {
            try bench.sweep(after: 10)
            try await bench.record(beat)
        }
        let silent = try bench.store.read {
            try String.fetchAll($0, sql: "SELECT participant FROM finding WHERE class = 'silent-participant' AND cleared IS NULL")
        }
        #expect(silent.contains("hydra"))
        #expect(try bench.store.read { try Int.fetchOne($0, sql: "SELECT old_beats FROM participant WHERE id = 'hydra'") } == 8)
    }

    @Test func anOldBeatDoesNotTakeBackWhatANewerOneNamed() async throws {
        try await bench.record(bench.submitted(subject))
        try await bench.record(bench.beat(9, of: "hydra", sequence: 4))
        try await bench.record(bench.beat(8, of: "hydra", sequence: 1))
        let asked = try bench.sweep(after: 6)
        #expect(asked.map { $0.data["through"]?.string.flatMap { Int64($0) } } == [4])
    }

    @Test func aClockThatIsAheadIsNamedAndOneThatIsBehindTwice() async throws {
        try await bench.record(bench.submitted(subject))
        try await bench.record(bench.beat(1, of: "hydra", sequence: 1, at: bench.clock.now.advanced(by: .seconds(3_600))))
        #expect(try bench.named() == [named("clock-skew", "hydra")])
        try await bench.record(bench.beat(2, of: "hydra", sequence: 1))
        #expect(try bench.named() == [])
        try await bench.record(bench.beat(3, of: "hydra", sequence: 1, at: bench.clock.now.advanced(by: .seconds(-3_600))))
        #expect(try bench.named() == [], "one that was long on its way is no wrong clock")
        try await bench.record(bench.beat(4, of: "hydra", sequence: 1, at: bench.clock.now.advanced(by: .seconds(-3_600))))
        #expect(try bench.named() == [named("clock-skew", "hydra")])
    }

    @Test func whoHoldsAnOldRegistryForLongIsNamed() async throws {
        try await bench.record(bench.opening(of: "hydra"), bench.beat(1, of: "hydra", sequence: 1, registry: 4))
        try bench.sweep(after: 10)
        #expect(try bench.named() == [])
        try bench.sweep(after: 3_700)
        #expect(try bench.named() == [named("stale-registry", "hydra")])
        try await bench.record(bench.beat(2, of: "hydra", sequence: 1, registry: 5))
        try bench.sweep(after: 1)
        #expect(try bench.named() == [])
    }

    @Test func aRegistryThatHasRunOutIsNamedAndStopsNothing() async throws {
        try bench.sweep(after: 400 * 86_400)
        #expect(try bench.named() == [named("stale-registry", nil)])
        try await bench.record(bench.submitted(subject))
        #expect(try bench.request(subject) != nil)
    }

    @Test(arguments: ["backlog", "oldestms", "registry", "beat", "circuit", "clock", "version", "sequence", "epoch"])
    func aPresenceWithAWrongMemberIsNamedAndBelievedInNothing(_ member: String) async throws {
        try await bench.record(bench.submitted(subject))
        var beat = bench.beat(1, of: "hydra", sequence: 1)
        beat.data[member] = member == "circuit" || member == "version" ? 5 : .number(9.2e18)
        try await bench.record(beat)
        #expect(try bench.named() == [named("refused-message", "hydra")])
        let evidence = try bench.store.read { try String.fetchOne($0, sql: "SELECT evidence FROM finding") }
        #expect(evidence?.contains("data.\(member)") == true)
        try await bench.record(bench.beat(2, of: "hydra", sequence: 1))
        #expect(try bench.named() == [], "the next right one puts it straight")
    }
}
