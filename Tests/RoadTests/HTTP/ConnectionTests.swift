import Hummingbird
import TestSupport
import Testing
import WaslModel

@testable import WaslWeb

/// What a server does for connections that say nothing, little, or too slowly: over real sockets.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ConnectionTests {
    private static func echo(_ routes: Routes) {
        routes.post("/echo") { request, _ in .json(try await request.json(bytesMax: 1_000).json) }
    }

    @Test(arguments: [(1_024, 150), (150, 1_024)])
    func silentConnectionsKeepNobodyFromBeingServed(_ inAll: Int, _ byAddress: Int) async throws {
        var limits = ServerUnderTest.patient
        limits.connectionsMax = inAll
        limits.byAddressMax = byAddress
        try await ServerUnderTest.run(limits: limits, routes: Self.echo) { server in
            let silent = try await blocking { try (0..<1_500).map { _ in try RawConnection(port: server.port) } }
            #expect(try await server.ask("GET", "/livez", headers: []).status == 200)
            let answer = try await server.ask(
                "POST", "/echo", headers: [ServerUnderTest.bearer, "Content-Type: application/json"], body: "[1]")
            #expect(answer.status == 200 && answer.body == "[1]")
            // Those that made room; the newest are still there.
            let closed = try await blocking { try RawConnection.closed(of: silent, atLeast: 1_350) }
            #expect(closed <= 1_352, "no more than had to go for the newcomers")
            let lines = server.log.elements.filter { $0.contains(Connections.Event.replaced.rawValue) }
            #expect(!lines.isEmpty && lines.count < 10, "said, and not 1,350 times: \(lines.count)")
            #expect(lines.first?.contains("127.0.0.1") == true)
        }
    }

    @Test func whoeverIsBusyStaysAndHealthHasAReserve() async throws {
        var limits = ServerUnderTest.patient
        limits.connectionsMax = 16
        let arrived = Recorder<Void>()
        let release = Recorder<Void>()
        try await ServerUnderTest.run(
            limits: limits,
            routes: { routes in
                routes.get("/hold") { _, _ in
                    arrived.append(())
                    await release.wait { !$0.isEmpty }
                    return .text("held")
                }
            }
        ) { server in
            let held = try await blocking {
                try (0..<16).map { _ in
                    let connection = try RawConnection(port: server.port)
                    try connection.send("GET /hold HTTP/1.1\r\nHost: localhost\r\n\(ServerUnderTest.bearer)\r\n\r\n")
                    return connection
                }
            }
            await arrived.wait { $0.count == 16 }
            for _ in 0..<40 { #expect(try await server.ask("GET", "/livez?", headers: []).status == 200) }
            let other = try await server.ask("GET", "/hold")
            #expect(other.status == 503 && other.header("Retry-After") == "5" && other.header("Connection") == "close")
            #expect(other.body.contains("urn:wasl:problem:too-many-connections"))
            #expect(server.log.elements.contains { $0.contains(Connections.Event.healthOnly.rawValue) })
            release.append(())
            for connection in held {
                let text = try await blocking { try connection.receive(until: "held") }
                #expect(RawAnswer(text).status == 200, "nobody who was served was cut")
            }
            #expect(try await server.ask("GET", "/hold").status == 200, "who waits for its next request makes room")
        }
    }

    @Test func bodiesThatComeSlowlyKeepNobodyFromBeingServed() async throws {
        var limits = ServerUnderTest.patient
        limits.connectionsMax = 16
        let arrived = Recorder<Void>()
        try await ServerUnderTest.run(
            limits: limits,
            routes: { routes in
                routes.post("/echo") { request, _ in
                    arrived.append(())
                    return .json(try await request.json(bytesMax: 1_000).json)
                }
            }
        ) { server in
            let headers = [ServerUnderTest.bearer, "Content-Type: application/json"]
            let slow = try await blocking {
                try (0..<16).map { _ in
                    let connection = try RawConnection(port: server.port)
                    try connection.send(
                        "POST /echo HTTP/1.1\r\nHost: localhost\r\n\(headers.joined(separator: "\r\n"))\r\nContent-Length: 10\r\n\r\n[1,")
                    return connection
                }
            }
            await arrived.wait(for: "16 heads") { $0.count == 16 }
            let answer = try await server.ask("POST", "/echo", headers: headers, body: "[1]")
            #expect(answer.status == 200 && answer.body == "[1]", "\(answer.text)")
            #expect(try await blocking { try RawConnection.closed(of: slow, atLeast: 1) } == 1)
        }
    }

    @Test func oneAddressDoesNotTakeAnothersPlace() async throws {
        var limits = ServerUnderTest.patient
        limits.byAddressMax = 2
        try await ServerUnderTest.run(limits: limits, routes: Self.echo) { server in
            let other = try await server.connect(from: "127.0.0.2")
            let first = try await blocking { try (0..<2).map { _ in try RawConnection(port: server.port) } }
            let third = try await server.connect()
            #expect(try await blocking { try RawConnection.closed(of: first, atLeast: 1) } == 1)
            for connection in [other, third] {
                #expect(try await blocking { try connection.exchange("GET", "/livez") }.status == 200)
            }
        }
    }

    @Test(arguments: ["", "GET /livez HT"]) func aHeadThatDoesNotComeEndsItsConnection(_ begun: String) async throws {
        var limits = ServerUnderTest.patient
        limits.head = .milliseconds(100)
        try await ServerUnderTest.run(limits: limits, routes: Self.echo) { server in
            let connection = try await server.connect()
            let text = try await blocking {
                try connection.send(begun)
                return try connection.receive()
            }
            #expect(text.isEmpty)
            #expect(server.log.elements.contains { $0.contains(Connections.Event.slowHead.rawValue) })
        }
    }

    @Test(arguments: [ServerUnderTest.bearer, "X: y"]) func aBodyThatDoesNotComeEndsItsConnection(_ header: String) async throws {
        var limits = ServerUnderTest.patient
        limits.body = .milliseconds(100)
        try await ServerUnderTest.run(limits: limits, routes: Self.echo) { server in
            let connection = try await server.connect()
            let text = try await blocking {
                try connection.send(
                    "POST /echo HTTP/1.1\r\nHost: localhost\r\n\(header)\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[1,"
                )
                return try connection.receive()
            }
            // Whoever lacks the token is answered before the body.
            let isOurs = header == ServerUnderTest.bearer
            #expect(RawAnswer(text).status == (isOurs ? 408 : 401))
            #expect(!isOurs || text.contains("urn:wasl:problem:slow-body"))
            #expect(server.log.elements.contains { $0.contains(Connections.Event.slowBody.rawValue) })
        }
    }

    @Test func anIdleConnectionEndsAndAnEventStreamDoesNot() async throws {
        var limits = ServerUnderTest.patient
        limits.idle = .milliseconds(100)
        limits.body = .milliseconds(100)
        limits.head = .milliseconds(200)
        let release = Recorder<Void>()
        try await ServerUnderTest.run(
            limits: limits,
            routes: { routes in
                routes.get("/stream") { _, _ in
                    Response(
                        status: .ok,
                        body: ResponseBody { writer in
                            try await writer.write(ByteBuffer(string: "first"))
                            await release.wait { !$0.isEmpty }
                            try await writer.write(ByteBuffer(string: "second"))
                            try await writer.finish(nil)
                        })
                }
            }
        ) { server in
            let stream = try await server.connect()
            _ = try await blocking {
                try stream.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\(ServerUnderTest.bearer)\r\n\r\n")
                return try stream.receive(until: "first")
            }
            let idle = try await server.connect()
            let text = try await blocking {
                try idle.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return try idle.receive()
            }
            #expect(RawAnswer(text).status == 200)
            let silent = try await server.connect()
            // Longer than every limit that the stream could fall under.
            #expect(try await blocking { try silent.receive() }.isEmpty)
            release.append(())
            #expect(try await blocking { try stream.receive(until: "second") }.contains("second"))
        }
    }

    @Test func whoDoesNotReadItsAnswerIsCut() async throws {
        var limits = ServerUnderTest.patient
        limits.idle = .milliseconds(100)
        let ended = Recorder<Void>()
        try await ServerUnderTest.run(
            limits: limits,
            routes: { routes in
                routes.get("/endless") { _, _ in
                    Response(
                        status: .ok,
                        body: ResponseBody { writer in
                            defer { ended.append(()) }
                            while true { try await writer.write(ByteBuffer(repeating: 0x78, count: 64 << 10)) }
                        })
                }
            }
        ) { server in
            let connection = try await server.connect()
            try await blocking { try connection.send("GET /endless HTTP/1.1\r\nHost: localhost\r\n\(ServerUnderTest.bearer)\r\n\r\n") }
            await ended.wait { !$0.isEmpty }
            #expect(server.log.elements.contains { $0.contains(Connections.Event.slowReader.rawValue) })
        }
    }

    @Test(arguments: [
        "zz\r\n[1]\r\n0\r\n\r\n", "-1\r\n[1]\r\n0\r\n\r\n", "3\r\n[1]x\r\n0\r\n\r\n", "ffffffffffffffffff\r\n[1]\r\n0\r\n\r\n",
    ])
    func aBrokenChunkIsA400AndNothingLarger(_ chunks: String) async throws {
        try await ServerUnderTest.run(routes: Self.echo) { server in
            let connection = try await server.connect()
            let text = try await blocking {
                try connection.send(
                    "POST /echo HTTP/1.1\r\nHost: localhost\r\n\(ServerUnderTest.bearer)\r\nContent-Type: application/json\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n" + chunks)
                return try connection.receive()
            }
            #expect(RawAnswer(text).status == 400, "\(text)")
            #expect(text.contains("urn:wasl:problem:unreadable"))
        }
    }

    @Test(arguments: ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
    func aHeadThatIsNotHTTPIsAProblem(_ head: String) async throws {
        try await ServerUnderTest.run(routes: Self.echo) { server in
            let connection = try await server.connect()
            let answer = RawAnswer(
                try await blocking {
                    try connection.send(head)
                    return try connection.receive()
                })
            #expect(answer.status == 400 && answer.header("Content-Type") == "application/problem+json", "\(answer.text)")
            #expect(answer.header("X-Content-Type-Options") == "nosniff")
        }
    }

    @Test func aBodyThatIsTooLongIsA413() async throws {
        try await ServerUnderTest.run(routes: Self.echo) { server in
            let body = "[" + String(repeating: " ", count: 2_000) + "]"
            let answer = try await server.ask(
                "POST", "/echo", headers: [ServerUnderTest.bearer, "Content-Type: application/json"], body: body)
            #expect(answer.status == 413 && answer.body.contains("1000 bytes"))
        }
    }

    @Test func severalRequestsAtOnceAreAllAnsweredInTheirOrder() async throws {
        try await ServerUnderTest.run(routes: Self.echo) { server in
            let connection = try await server.connect()
            let text = try await blocking {
                for number in 1...3 {
                    try connection.send(
                        "POST /echo HTTP/1.1\r\nHost: localhost\r\n\(ServerUnderTest.bearer)\r\nContent-Type: application/json\r\n"
                            + "Content-Length: 3\r\n\r\n[\(number)]")
                }
                return try connection.receive(until: "[3]")
            }
            let places = ["[1]", "[2]", "[3]"].map { text.range(of: $0)?.lowerBound }
            #expect(!places.contains(nil) && places.compactMap { $0 } == places.compactMap { $0 }.sorted())
        }
    }
}
