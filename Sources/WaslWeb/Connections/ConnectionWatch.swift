import Foundation
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Stands in each connection between the HTTP parser and whoever answers: counts the connection, and gives each of its phases a time.
final class ConnectionWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum Phase {
        /// For a request's head.
        case waiting
        /// A body comes; so many requests, its own among them, have no whole answer yet.
        case reading(unanswered: Int)
        /// All that was asked has come.
        case answering(unanswered: Int)
        /// After an error, or as was decided: nothing more is read, what is being answered goes out, then the connection ends.
        case ending
    }

    private let connections: Connections
    private var phase = Phase.waiting
    private var admission: ConnectionTable.Admission?
    private var address = "unknown"
    private var deadline: Scheduled<Void>?
    /// Runs while the other side does not read.
    private var unread: Scheduled<Void>?

    /// How long the other side has to read a last answer before the connection is cut.
    private static let farewell: TimeAmount = .seconds(2)

    init(_ connections: Connections) { self.connections = connections }

    private var limits: ConnectionLimits { connections.limits }

    private var id: ConnectionTable.ID? {
        switch admission {
        case .served(let id), .healthOnly(let id): id
        case .refused, nil: nil
        }
    }

    // MARK: The connection's beginning and end

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { begin(context) } }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard admission == nil else { return }
        address = context.remoteAddress?.ipAddress ?? "unknown"
        let admission = connections.open(context.channel, from: address)
        self.admission = admission
        if admission == .refused {
            phase = .ending
            context.close(promise: nil)
        } else {
            within(limits.head, context) { watch, context in
                watch.connections.say(.slowHead, of: watch.address)
                context.close(promise: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        forget()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { forget() }

    private func forget() {
        deadline?.cancel()
        unread?.cancel()
        if let id { connections.close(id) }
    }

    // MARK: What comes in

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .ending = phase { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            if case .healthOnly = admission, !ConnectionWatch.isHealth(head) {
                return answer(.overloaded, context)
            }
            if let id { connections.begin(id) }
            if case .answering(let unanswered) = phase {
                phase = .reading(unanswered: unanswered + 1)
            } else {
                phase = .reading(unanswered: 1)
            }
            within(limits.body, context) { $0.bodyIsLate($1) }
        case .body: break
        case .end: ended(context)
        }
        context.fireChannelRead(data)
    }

    private static func isHealth(_ head: HTTPRequest) -> Bool {
        health.contains(String((head.path ?? "").prefix { $0 != "?" }))
    }

    /// The paths that are answered to everybody, at all times.
    static let health: Set<String> = ["/livez", "/readyz"]

    private func ended(_ context: ChannelHandlerContext) {
        guard case .reading(let unanswered) = phase else { return }
        if unanswered == 0 {
            wait(context)
        } else {
            phase = .answering(unanswered: unanswered)
            if let id { connections.ask(id) }
            deadline?.cancel()
        }
    }

    private func wait(_ context: ChannelHandlerContext) {
        phase = .waiting
        within(limits.idle, context) { $1.close(promise: nil) }
    }

    /// Whoever reads the body is told and may still answer.
    private func bodyIsLate(_ context: ChannelHandlerContext) {
        connections.say(.slowBody, of: address)
        fail(SlowBody(), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch phase {
        case .ending: break
        case .waiting where error is IOError || error is ChannelError: context.fireErrorCaught(error)
        case .waiting: answer(.unreadable, context)
        case .reading, .answering: fail(error, context)
        }
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        phase = .ending
        context.fireErrorCaught(error)
        within(.seconds(10), context) { $1.close(promise: nil) }
    }

    // MARK: What goes out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        if case .head(var head) = part, isLast {
            head.headerFields[.connection] = "close"
            return context.write(wrapOutboundOut(.head(head)), promise: promise)
        }
        context.write(data, promise: promise)
        if case .end = part { answered(context) }
    }

    /// Whether the connection ends with the answer that goes out now.
    private var isLast: Bool {
        if case .ending = phase { return true }
        if case .healthOnly = admission { return true }
        return false
    }

    private func answered(_ context: ChannelHandlerContext) {
        switch phase {
        case _ where isLast:
            phase = .ending
            cut(context)
        case .reading(let unanswered):
            phase = .reading(unanswered: max(0, unanswered - 1))
            // One is left at most: the request whose body still comes.
            if unanswered <= 2, let id { connections.answered(id) }
        case .answering(let unanswered) where unanswered > 1: phase = .answering(unanswered: unanswered - 1)
        case .answering, .waiting, .ending:
            if let id { connections.answered(id) }
            wait(context)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        unread?.cancel()
        unread = nil
        if !context.channel.isWritable {
            unread = schedule(limits.idle, context) { watch, context in
                watch.connections.say(.slowReader, of: watch.address)
                context.close(promise: nil)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    /// Answers in place of everybody behind, where nothing has been asked of them, and ends the connection.
    private func answer(_ problem: Problem, _ context: ChannelHandlerContext) {
        phase = .ending
        let body = ByteBuffer(bytes: problem.json.bytes)
        var fields = problem.fields
        fields[.contentLength] = String(body.readableBytes)
        fields[.connection] = "close"
        context.write(wrapOutboundOut(.head(HTTPResponse(status: problem.status, headerFields: fields))), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        cut(context)
    }

    /// Our side first, the whole a little later: with unread bytes here, a sudden end would take the answer from the other side's hands.
    private func cut(_ context: ChannelHandlerContext) {
        if let id { connections.answered(id) }
        context.flush()
        context.close(mode: .output, promise: nil)
        deadline?.cancel()
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: ConnectionWatch.farewell) { context.close(promise: nil) }
    }

    // MARK: Times

    private func within(
        _ limit: Duration, _ context: ChannelHandlerContext, late: @escaping (ConnectionWatch, ChannelHandlerContext) -> Void
    ) {
        deadline?.cancel()
        deadline = schedule(limit, context, late)
    }

    private func schedule(
        _ limit: Duration, _ context: ChannelHandlerContext, _ late: @escaping (ConnectionWatch, ChannelHandlerContext) -> Void
    ) -> Scheduled<Void> {
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) { late(self, context) }
    }
}

/// A request's body took longer than it may.
struct SlowBody: Error {}
