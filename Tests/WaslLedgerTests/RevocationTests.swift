import GRDB
import TestSupport
import Testing
import WaslJournal
import WaslModel
import WaslSeal

@testable import WaslLedger

/// What a revoked key signed: what was logged stays, what was not waits for two people.
@Suite struct RevocationTests {
    private let bench: LedgerBench

    init() throws { bench = try LedgerBench() }

    private func requests(_ count: Int) -> [Envelope] { (0..<count).map { _ in bench.submitted(TestWorld.uuid()) } }

    private let waits = LedgerBench.Named(kind: "revoked-key", participant: "hydra")

    @Test func whatWasLoggedBeforeStaysAndItsCopiesAreNoNews() async throws {
        let request = requests(1)[0]
        try await bench.record(request)
        try bench.revokeHydrasKey()
        try await bench.record(request)
        try bench.sweep(after: 1)
        #expect(try bench.named() == [])
        #expect(try bench.count(of: "entry") == 1)
        #expect(try bench.count(of: "quarantine") == 0)
    }

    @Test(arguments: [-3600, 3600] as [Int64])
    func whatWasNotLoggedWaitsWhateverTimeItClaims(_ seconds: Int64) async throws {
        let all = requests(3)
        try await bench.record(all[0])
        try bench.revokeHydrasKey(at: bench.clock.now.advanced(by: .seconds(seconds)))
        try await bench.record(all[1], all[2])
        try bench.sweep(after: 1)
        #expect(try bench.named() == [waits], "nobody is blamed for what a thief may have said")
        let epoch = try #require(all[0].lane?.epoch.text)
        #expect(
            try bench.findings(.revokedKey) == [
                "/houses/hydra \(epoch)": ["epoch": .string(epoch), "from": 2, "through": 3, "count": 2]
            ])
        #expect(try bench.count(of: "entry") == 1)
    }

    @Test func theFindingSaysWhatWaitsNow() async throws {
        let all = requests(3)
        try bench.revokeHydrasKey()
        try await bench.record(all[0])
        try bench.sweep(after: 1)
        try await bench.record(all[2])
        try bench.sweep(after: 1)
        let evidence = try #require(try bench.findings(.revokedKey).values.first)
        #expect(evidence["from"] == 1 && evidence["through"] == 3 && evidence["count"] == 2)
    }

    @Test func anApprovalReleasesByItselfAndARejectionCloses() async throws {
        let all = requests(4)
        try await bench.record(all[0])
        try bench.revokeHydrasKey()
        for envelope in all[1...] { try await bench.record(envelope) }
        try bench.revokeHydrasKey([try bench.decided(.approved, 2...3)])
        try bench.reexamine()
        try bench.sweep(after: 1)
        #expect(try bench.count(of: "entry") == 3)
        #expect(try bench.findings(.revokedKey).values.first?["count"] == 1)
        try bench.revokeHydrasKey([try bench.decided(.rejected, 4...4)])
        try bench.reexamine()
        try bench.sweep(after: 1)
        #expect(try bench.named() == [])
        #expect(try bench.count(of: "entry") == 3)
        #expect(try bench.count(of: "quarantine") == 1, "what was rejected is kept and says nothing")
        // The lane goes on behind it, and nothing is missing of it.
        try await bench.record(bench.submitted(TestWorld.uuid()), signedBy: "eid")
        #expect(try bench.sweep(after: 6) == [])
        #expect(try bench.named() == [])
        // They think again: the last word stands.
        try bench.revokeHydrasKey([try bench.decided(.approved, 4...4)])
        try bench.reexamine()
        #expect(try bench.count(of: "entry") == 5)
        #expect(try bench.count(of: "quarantine") == 0)
        #expect(try bench.count(of: "review") == 0)
    }

    @Test func aGoodEndDoesNotCarryARevokedKeysWordIn() throws {
        let all = requests(2)
        try bench.revokeHydrasKey()
        let deliveries = [try bench.world.delivery(all[0]), try bench.world.delivery(all[1], signedBy: "eid")]
        let prepared = bench.handler.prepare(deliveries)
        #expect(prepared.verified.map(\.envelope.id) == [all[1].id])
        #expect(prepared.refused.map(\.delivery.messageID) == [all[0].id])
        #expect(prepared.refused.map(\.revoked) == [.waits])
    }

    @Test func aBadEndUnderTheSameKeyVouchesForNobodyBeforeIt() throws {
        let all = requests(3)
        var deliveries = try all.map { try bench.world.delivery($0) }
        let end = deliveries[2]
        deliveries[2] = Delivery(
            tag: end.tag, queue: end.queue, exchange: end.exchange, routingKey: end.routingKey, isRedelivered: false,
            messageID: end.messageID, contentType: end.contentType, signature: deliveries[1].signature, body: end.body)
        let prepared = bench.handler.prepare(deliveries)
        #expect(prepared.verified.map(\.isChecked) == [true, true])
        #expect(prepared.refused.map(\.delivery.messageID) == [all[2].id])
        #expect(prepared.refused.map(\.revoked) == [nil])
    }

    @Test func anApprovedEndVouchesForNobody() throws {
        let all = requests(3)
        try bench.revokeHydrasKey([try bench.decided(.approved, 3...3)])
        let prepared = bench.handler.prepare(try all.map { try bench.world.delivery($0) })
        #expect(prepared.verified.map(\.envelope.id) == [all[2].id])
        #expect(prepared.refused.count == 2)
        #expect(prepared.verified.map(\.isChecked) == [true])
    }

    @Test func theNewKeySpeaksAsBefore() async throws {
        let all = requests(2)
        try await bench.record(all[0])
        try bench.revokeHydrasKey()
        try await bench.record(all[1], signedBy: "eid")
        try bench.sweep(after: 1)
        #expect(try bench.named() == [])
        #expect(try bench.count(of: "entry") == 2)
    }

    @Test func presenceOfARevokedKeyIsIgnored() async throws {
        try await bench.record(bench.opening(of: "hydra"))
        try await bench.record(bench.beat(1, of: "hydra", sequence: 1))
        try bench.revokeHydrasKey()
        bench.clock.advance(.seconds(61))
        try await bench.record(bench.beat(2, of: "hydra", sequence: 9))
        let row = try #require(try bench.store.read { try Row.fetchOne($0, sql: "SELECT beat, announced FROM lane") })
        #expect(row["beat"] == 1 && row["announced"] == 1)
        #expect(try bench.count(of: "quarantine") == 0)
        try bench.sweep(after: 1)
        #expect(try bench.findings(.silentParticipant)["hydra"] != nil, "whoever has the key does not speak for the house")
    }

    @Test func aParticipantsWordThatItRefusedWhatWaitsHereNamesNothingBesides() async throws {
        let request = requests(1)[0]
        try bench.revokeHydrasKey()
        try await bench.record(request)
        func refused(_ id: String) -> Envelope {
            bench.next(
                .messageRefused, from: "steg", service: nil,
                data: [
                    "reason": "wasl-signature: revoked: kid: it waits", "digest": .string(id), "bytes": 1, "exchange": "wasl.requests",
                    "messageid": .string(id),
                ])
        }
        try await bench.record(refused(request.id))
        try bench.sweep(after: 1)
        #expect(try bench.named() == [waits])
        try await bench.record(refused("another"))
        #expect(try bench.findings(.refusedMessage).count == 1)
    }

    @Test func theListNamesUnbrokenRangesKindsTimesAndNumbersGivenTwice() async throws {
        let all = requests(5)
        var twin = all[1]
        twin.id = TestWorld.uuid().text
        try bench.revokeHydrasKey()
        try await bench.record(all[0], all[1], twin, all[4])
        let lanes = try #require(try bench.store.read { try LedgerReview.list($0) }["lanes"]?.array)
        #expect(lanes.count == 1)
        #expect(lanes[0]["source"] == "/houses/hydra" && lanes[0]["count"] == 4)
        #expect(lanes[0]["types"] == ["tn.wasl.request.submitted.v1": 4])
        let ranges = try #require(lanes[0]["ranges"]?.array)
        #expect(ranges.map { $0["from"] } == [1, 5])
        #expect(ranges.map { $0["through"] } == [2, 5])
        #expect(ranges.map { $0["count"] } == [3, 1])
        #expect(ranges.map { $0["contradicting"] } == [1, 0])
        #expect(ranges[0]["claimedFrom"] == .string(all[0].time.description))
    }
}

/// The registry on its way to everybody.
@Suite struct RegistryPublishingTests {
    private let bench: LedgerBench

    init() throws { bench = try LedgerBench() }

    /// Every sweep's worth until nothing more is said.
    private func publishAll() throws -> [Envelope] {
        var all: [Envelope] = []
        for _ in 0..<10 {
            let some = try bench.publish()
            #expect(some.count <= LedgerSteps.registriesAtOnce)
            if some.isEmpty { return all }
            all += some
        }
        Issue.record("the registry is said again and again")
        return all
    }

    private func takeNewer(_ version: Int64) throws {
        let held = bench.world.registry.registry
        let newer = try Registry(
            version: version, issued: held.issued, expires: held.expires, participants: Array(held.participants.values))
        try bench.world.registry.update(
            newer.body, signature: DetachedSignature.sign(newer.body, as: .registry, with: bench.world.root))
    }

    private var everybody: Set<String> { ["hydra", "kerker", "steg", "sonede", "tt", "cnss", "cnam", "eid"] }

    private func recipients(_ envelopes: [Envelope]) -> [String] { envelopes.compactMap { $0.recipient?.text }.sorted() }

    @Test func everyActiveParticipantGetsItOnceAFewAtATime() throws {
        #expect(recipients(try publishAll()) == everybody.sorted())
        #expect(try publishAll().isEmpty)
    }

    @Test func aNewerOneGoesOutAndIsTakenByWhoeverHoldsTheOlder() throws {
        let folder = try TestWorld.makeFolder()
        let file = folder + "/registry.signed"
        try bench.world.registry.signedText?.write(to: file)
        let participant = try RegistryHolder(path: file, rootKey: bench.world.root.jwk)
        _ = try publishAll()
        try takeNewer(6)
        let said = try publishAll()
        #expect(recipients(said) == everybody.sorted())
        guard case .registry(let text, let signature)? = try ControlCommand(try #require(said.first)) else {
            Issue.record("no registry command: \(said[0])")
            return
        }
        #expect(try participant.update(Array(text.utf8), signature: signature).version == 6)
    }

    @Test func itIsSaidOnceADayToEverybodyAndOnceAnHourToWhoeverIsBehind() async throws {
        try takeNewer(6)
        _ = try publishAll()
        bench.clock.advance(.seconds(10))
        try await bench.record(bench.opening(of: "hydra"))
        try await bench.record(bench.beat(1, of: "hydra", sequence: 1, registry: 5))
        bench.clock.advance(.seconds(3_589))
        #expect(try publishAll().isEmpty)
        bench.clock.advance(.seconds(1))
        #expect(recipients(try publishAll()) == ["hydra"])
        bench.clock.advance(.seconds(3_600))
        #expect(try publishAll().isEmpty, "it was not heard since: what was said waits in its queue")
        try await bench.record(bench.beat(2, of: "hydra", sequence: 1, registry: 5))
        #expect(recipients(try publishAll()) == ["hydra"])
        bench.clock.advance(.seconds(10))
        try await bench.record(bench.beat(3, of: "hydra", sequence: 1, registry: 6))
        bench.clock.advance(.seconds(86_400 - 7_211))
        #expect(try publishAll().isEmpty)
        bench.clock.advance(.seconds(1))
        #expect(recipients(try publishAll()) == everybody.subtracting(["hydra"]).sorted(), "hydra's day began two hours later")
    }

    @Test func whoIsNotActiveIsNotTold() throws {
        let held = bench.world.registry.registry
        let participants = held.participants.values.map { $0.id.text == "kerker" ? $0.with(state: .suspended) : $0 }
        let newer = try Registry(version: 6, issued: held.issued, expires: held.expires, participants: participants)
        try bench.world.registry.update(
            newer.body, signature: DetachedSignature.sign(newer.body, as: .registry, with: bench.world.root))
        #expect(recipients(try publishAll()) == everybody.subtracting(["kerker"]).sorted())
    }

    @Test func oneThatFitsNoMessageIsAFindingAndStopsNothing() throws {
        let large = RegistryFile(signatures: "x", body: [UInt8](repeating: 0x20, count: Envelope.bytesMax))
        #expect(try bench.publish(large).isEmpty)
        #expect(try bench.publish(large).isEmpty)
        #expect(try bench.open() == ["stale-registry"])
        #expect(recipients(try publishAll()) == everybody.sorted())
        #expect(try bench.open() == [])
    }
}

/// A broker that is not as the registry asks.
@Suite struct TopologyFindingTests {
    private let bench: LedgerBench

    init() throws { bench = try LedgerBench() }

    private func look(_ differences: [String], by looker: TopologyLooker = .ledger) throws {
        _ = try bench.store.transaction { try bench.handler.steps.record(differences, by: looker, in: $0) }
    }

    private func keys() throws -> [String] { try bench.findings(.topologyChanged).keys.sorted() }

    @Test func eachDifferenceIsAFindingUntilALookNoLongerNamesIt() throws {
        try look(["queue house.hydra: missing", "queue dead: missing"])
        try look(["queue house.hydra: missing", "queue dead: missing"])
        #expect(try keys() == ["ledger queue dead: missing", "ledger queue house.hydra: missing"])
        try look(["queue dead: missing"])
        #expect(try keys() == ["ledger queue dead: missing"])
        try look([])
        #expect(try keys() == [])
    }

    @Test func theLedgersLookAndAnOperatorsCheckClearEachTheirOwn() throws {
        try look(["queue dead: missing"])
        let (center, regional) = (TopologyLooker.check(broker: "http://center:15672"), TopologyLooker.check(broker: "http://center:1567"))
        try look(["user kerker: missing"], by: center)
        try look([])
        try look([], by: regional)
        #expect(try keys() == ["check http://center:15672 user kerker: missing"])
        try look([], by: center)
        #expect(try keys() == [])
    }

    @Test func manyDifferencesAreNamedUpToALimitAndThenCounted() throws {
        try look((0..<150).map { "queue q\($0): missing" })
        #expect(try keys().count == LedgerSteps.differencesNamedMax + 1)
        #expect(try bench.findings(.topologyChanged)["ledger and more"]?["more"] == 50)
        try look(["queue q0: missing"])
        #expect(try keys() == ["ledger queue q0: missing"])
    }

    @Test func thatNobodyCanLookIsAFindingOnlyAfterTenMinutes() throws {
        let since = bench.clock.now
        func fail() throws {
            _ = try bench.store.transaction { try bench.handler.steps.record(lookFailed: "refused", since: since, in: $0) }
        }
        bench.clock.advance(.seconds(599))
        try fail()
        #expect(try keys() == [])
        bench.clock.advance(.seconds(1))
        try fail()
        #expect(try keys() == ["ledger cannot look"])
        try look([])
        #expect(try keys() == [])
    }
}
