import Testing

@testable import WaslWeb

/// Who makes room for whom, without a socket.
@Suite struct ConnectionTableTests {
    private let start = ContinuousClock.now

    private func table(inAll: Int, byAddress: Int = 1_000) -> ConnectionTable {
        var limits = ConnectionLimits()
        limits.connectionsMax = inAll
        limits.byAddressMax = byAddress
        return ConnectionTable(limits)
    }

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func theLongestWaitingMakesRoomAndThoseThatNeverAskedGoFirst() {
        var table = table(inAll: 3)
        for second in 0..<3 { #expect(table.open(from: "a", at: at(second)).admission == .served(second + 1)) }
        table.ask(1)
        table.answered(1, at: at(2))
        #expect(table.open(from: "a", at: at(3)).replaces == 2)
        #expect(table.open(from: "a", at: at(4)).replaces == 3)
        #expect(table.open(from: "a", at: at(5)).replaces == 4, "the client that has asked once stays")
        #expect(table.count == 3)
    }

    @Test func theBusyStayThenHealthAloneThenNobody() {
        var table = table(inAll: 2)
        for id in 1...2 {
            _ = table.open(from: "a", at: at(0))
            table.ask(id)
        }
        let reserve = ConnectionLimits.healthReserve
        for number in 0..<reserve { #expect(table.open(from: "a", at: at(1)) == (.healthOnly(3 + number), nil)) }
        // One that waits in the reserve makes room there, and never for more than health.
        let newest = table.open(from: "a", at: at(2))
        #expect(newest == (.healthOnly(3 + reserve), 3))
        for id in 4...3 + reserve { table.ask(id) }
        #expect(table.open(from: "a", at: at(3)) == (.refused, nil))
        table.answered(1, at: at(4))
        #expect(table.open(from: "a", at: at(5)).replaces == 1)
        table.close(4)
        #expect(table.count == 2 + reserve - 1)
    }

    @Test func aRequestWhoseBodyStillComesMakesRoomAndAWholeOneDoesNot() {
        var table = table(inAll: 2)
        for id in 1...2 {
            _ = table.open(from: "a", at: at(0))
            table.begin(id, at: at(id))
        }
        #expect(table.open(from: "a", at: at(3)) == (.served(3), 1))
        table.ask(2)
        #expect(table.open(from: "a", at: at(4)) == (.served(4), 3))
        // A second request behind one that is being answered takes nothing from it.
        table.begin(2, at: at(5))
        #expect(table.open(from: "a", at: at(6)) == (.served(5), 4))
    }

    @Test func anAddressAtItsLimitReplacesItsOwn() {
        var table = table(inAll: 10, byAddress: 2)
        _ = table.open(from: "b", at: at(0))
        for second in 1...2 { _ = table.open(from: "a", at: at(second)) }
        #expect(table.open(from: "a", at: at(3)).replaces == 2)
        #expect(table.open(from: "b", at: at(4)) == (.served(5), nil))
        for id in [3, 4] { table.close(id) }
        #expect(table.open(from: "a", at: at(5)).replaces == nil, "what is closed counts no more")
        table.close(3)
        #expect(table.open(from: "a", at: at(6)).replaces == nil, "and is not counted off twice")
        #expect(table.open(from: "a", at: at(7)).replaces == 6)
    }

    @Test(arguments: [(20_000, 1_024), (1_024, 768), (300, 44), (64, 16)])
    func limitsFitIntoTheDescriptors(_ descriptors: Int, _ connections: Int) {
        #expect(ConnectionLimits().fitting(descriptors: descriptors).connectionsMax == connections)
    }
}
