import Testing
import WaslModel

@testable import WaslJournal

@Suite struct PublishingWindowTests {
    private func messages(_ numbers: ClosedRange<Int64>) -> [OutboundMessage] {
        numbers.map {
            OutboundMessage(
                token: $0, exchange: .receipts, routingKey: "hydra.presence", messageID: String($0),
                time: Timestamp(milliseconds: 0), body: [], signature: "")
        }
    }

    private func published(_ actions: [PublishingWindow.Action]) -> [Int64] {
        actions.flatMap { if case .publish(let messages) = $0 { messages.map(\.token) } else { [Int64]() } }
    }

    private func confirmed(_ numbers: Int64...) -> [Settlement] { numbers.map { Settlement(token: $0, result: .confirmed) } }

    @Test func nothingIsPublishedWithoutALink() {
        var window = PublishingWindow(confirmedThrough: 0, newest: 0)
        #expect(window.committed(messages(1...3)).isEmpty)
        #expect(window.backlog == 3)
    }

    @Test func theWindowIsNeverOverfilled() {
        var window = PublishingWindow(confirmedThrough: 0, newest: 0, inFlightMax: 2)
        _ = window.linkUp()
        #expect(published(window.committed(messages(1...5))) == [1, 2])
        #expect(published(window.settled(confirmed(1))) == [3])
        #expect(window.confirmedThrough == 1)
    }

    @Test func confirmsOutOfOrderMoveTheWatermarkOnlyOverTheWhole() {
        var window = PublishingWindow(confirmedThrough: 0, newest: 0)
        _ = window.linkUp()
        _ = window.committed(messages(1...4))
        _ = window.settled(confirmed(2, 4))
        #expect(window.confirmedThrough == 0)
        #expect(window.isConfirmed(2) && !window.isConfirmed(3))
        _ = window.settled(confirmed(1))
        #expect(window.confirmedThrough == 2)
        _ = window.settled(confirmed(3))
        #expect(window.confirmedThrough == 4)
        #expect(window.backlog == 0)
    }

    @Test func confirmLostAfterPublishIsSentAgain() {
        var window = PublishingWindow(confirmedThrough: 0, newest: 0)
        _ = window.linkUp()
        _ = window.committed(messages(1...3))
        _ = window.settled(confirmed(1))
        window.linkDown()
        #expect(window.linkUp() == [.refill(after: 1, limit: 500)])
        #expect(published(window.refilled(messages(2...3))) == [2, 3])
    }

    @Test func aNackedMessageIsTriedAgainAloneAndHoldsUpNobody() {
        var window = PublishingWindow(confirmedThrough: 0, newest: 0, inFlightMax: 2)
        _ = window.linkUp()
        let all = messages(1...4)
        _ = window.committed(all)
        let actions = window.settled([Settlement(token: 1, result: .nacked)])
        #expect(actions.contains(.retry(all[0], attempt: 1)))
        #expect(published(actions) == [3])
        #expect(published(window.settled(confirmed(2, 3))) == [4])
        #expect(window.retryDue(all[0]) == [.publish([all[0]])])
        let again = window.settled([Settlement(token: 1, result: .returned("312 NO_ROUTE"))])
        #expect(again.contains(.retry(all[0], attempt: 2)))
    }

    @Test func aRetryThatALostLinkOvertookIsNotSentTwice() {
        var window = PublishingWindow(confirmedThrough: 0, newest: 0)
        _ = window.linkUp()
        let all = messages(1...1)
        _ = window.committed(all)
        _ = window.settled([Settlement(token: 1, result: .nacked)])
        window.linkDown()
        _ = window.linkUp()
        _ = window.refilled(all)
        #expect(window.retryDue(all[0]).isEmpty)
    }

    @Test func aLongBacklogIsReadInPiecesAndMemoryStaysBounded() {
        var window = PublishingWindow(confirmedThrough: 0, newest: 10_000, inFlightMax: 100)
        var actions = window.linkUp()
        #expect(actions == [.refill(after: 0, limit: 100)])
        var sent: [Int64] = []
        var inFlight: [Int64] = []
        for _ in 0..<100 {
            inFlight += published(actions)
            #expect(inFlight.count <= 100)
            if case .refill(let after, let limit)? = actions.last {
                actions = window.refilled(messages((after + 1)...(after + Int64(limit))))
            } else {
                sent += inFlight
                actions = window.settled(inFlight.map { Settlement(token: $0, result: .confirmed) })
                inFlight = []
            }
        }
        #expect(sent.count > 1_000 && sent == Array(1...Int64(sent.count)))
    }

    @Test func settlementsOfAnEarlierLinkAreIgnored() {
        var window = PublishingWindow(confirmedThrough: 5, newest: 5)
        _ = window.linkUp()
        #expect(window.settled(confirmed(3, 99)).isEmpty)
        #expect(window.confirmedThrough == 5)
    }
}
