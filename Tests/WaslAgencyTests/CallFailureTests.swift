import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing
import WaslModel

@testable import WaslAgency
@testable import WaslCatalogue

/// An agency's client with settings of its own.
private func client(
    _ endpoint: String, timeout: String = "20 s", _ more: String = "", secret: String? = nil, log: Recorder<LogEvent>? = nil
) throws -> AgencyClient {
    let folder = try TestWorld.makeFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let file = folder + "/agency.yaml"
    try """
    agency: tt
    style: rest-json
    endpoint: \(endpoint)
    timeout: \(timeout)
    \(more)
    """.write(toFile: file, atomically: true, encoding: .utf8)
    let logger = Logger(label: "test", factory: { _ in log.map { RecordingLog(events: $0) } ?? SwiftLogNoOpLogHandler() as any LogHandler })
    return try AgencyClient(try Agency(file: file), endpoint: endpoint, secret: secret, logger: logger)
}

private struct RecordingLog: LogHandler {
    let events: Recorder<LogEvent>
    var metadata = Logger.Metadata()
    var logLevel = Logger.Level.trace

    init(events: Recorder<LogEvent>) { self.events = events }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { events.append(event) }
}

private let call: JSON = ["method": "POST", "path": "/api/payments", "body": ["amount": 5]]

/// How a call fails, and what is made of it; `nil` where it does not.
private func failure(
    _ client: AgencyClient, isRepeatable: Bool, _ call: JSON = call, content: (type: String, bytes: [UInt8])? = nil
) async throws -> CallFailure? {
    let parsed = try AgencyCall(call)
    let found: CallFailure?
    do throws(CallFailure) {
        _ = try await client.send(parsed, isRepeatable: isRepeatable, content: content)
        found = nil
    } catch {
        found = error
    }
    await client.close()
    return found
}

/// The table of failures, each row over a real socket, on a connection of its own and on one that others use too.
@Suite struct CallFailureTests {
    @Test(arguments: [true, false]) func aNameThatIsNotFoundIsADefiniteNo(_ isRepeatable: Bool) async throws {
        // Longer than a label may be: no name server is asked.
        let found = try await failure(client("http://\(String(repeating: "x", count: 64)).invalid"), isRepeatable: isRepeatable)
        #expect(found?.kind == .nameNotFound, "\(found as Any)")
        #expect(found?.mayHaveActed == false)
    }

    @Test(arguments: [true, false]) func aRefusedConnectionIsADefiniteNo(_ isRepeatable: Bool) async throws {
        let port = try RefusingPort()
        let found = try await failure(client("http://127.0.0.1:\(port.port)"), isRepeatable: isRepeatable)
        #expect(found?.kind == .refused, "\(found as Any)")
        #expect(found?.mayHaveActed == false)
    }

    @Test(arguments: [true, false]) func noRouteIsADefiniteNo(_ isRepeatable: Bool) async throws {
        // The kernel opens no stream to everybody at once.
        let found = try await failure(client("http://255.255.255.255:80"), isRepeatable: isRepeatable)
        #expect(found?.kind == .noRoute, "\(found as Any)")
        #expect(found?.mayHaveActed == false)
    }

    @Test(arguments: [true, false]) func aConnectionThatNeverStandsIsADefiniteNo(_ isRepeatable: Bool) async throws {
        let port = try DeafPort()
        let found = try await failure(client("http://127.0.0.1:\(port.port)", timeout: "1 s"), isRepeatable: isRepeatable)
        #expect(found?.kind == .notConnectedInTime, "\(found as Any)")
        #expect(found?.mayHaveActed == false)
    }

    @Test(arguments: [true, false], [403, 407, 502]) func aProxyThatRefusesIsADefiniteNo(_ isRepeatable: Bool, _ status: Int) async throws {
        let proxy = try await RawServer { _, _ in .init(text: "HTTP/1.1 \(status) No\r\ncontent-length: 0\r\n\r\n") }
        let found = try await failure(
            client("http://agency.example", "proxy: {host: 127.0.0.1, port: \(proxy.port)}"), isRepeatable: isRepeatable)
        #expect(found?.kind == .proxyRefused, "\(found as Any)")
        #expect(found?.mayHaveActed == false)
        #expect(proxy.requests == 1, "asked for a tunnel, and nothing more")
        await proxy.close()
    }

    @Test func aProxyThatClosesWithoutAWordIsADefiniteNoOnAConnectionOfItsOwn() async throws {
        let proxy = try await RawServer { _, _ in .init(end: .close) }
        let found = try await failure(client("http://agency.example", "proxy: {host: 127.0.0.1, port: \(proxy.port)}"), isRepeatable: false)
        #expect(found?.kind == .notConnected, "\(found as Any)")
        #expect(found?.mayHaveActed == false)
        await proxy.close()
    }

    @Test(arguments: [true, false]) func anEndpointThatIsNoneIsADefiniteNo(_ isRepeatable: Bool) async throws {
        let found = try await failure(client("nowhere"), isRepeatable: isRepeatable)
        #expect(found?.mayHaveActed == false, "\(found as Any)")
    }

    @Test(arguments: [true, false]) func aHeaderThatCannotBeSentIsADefiniteNoAndIsNotShown(_ isRepeatable: Bool) async throws {
        let server = try await RawServer()
        let found = try await failure(
            client("http://127.0.0.1:\(server.port)", "credentials: {scheme: bearer}", secret: "CANARY7\nCANARY7"),
            isRepeatable: isRepeatable)
        #expect(found?.kind == .noCall)
        #expect(found?.mayHaveActed == false)
        #expect(found?.description.contains("CANARY7") == false)
        #expect(server.requests == 0)
        await server.close()
    }

    @Test(arguments: [true, false]) func closedBeforeTheFirstByteIsDoubt(_ isRepeatable: Bool) async throws {
        let server = try await RawServer { _, _ in .init(end: .close) }
        let found = try await failure(client("http://127.0.0.1:\(server.port)"), isRepeatable: isRepeatable)
        #expect(found?.kind == .closedUnanswered, "\(found as Any)")
        #expect(found?.mayHaveActed == true)
        #expect(server.requests == 1, "never sent again")
        await server.close()
    }

    @Test func closedBeforeAnythingIsReadIsDoubt() async throws {
        let server = try await RawServer(closesAtOnce: true)
        let found = try await failure(client("http://127.0.0.1:\(server.port)"), isRepeatable: false)
        #expect(found?.mayHaveActed == true, "\(found as Any)")
        await server.close()
    }

    @Test(arguments: [true, false]) func aResetIsDoubt(_ isRepeatable: Bool) async throws {
        let server = try await RawServer { _, _ in .init(end: .reset) }
        let found = try await failure(client("http://127.0.0.1:\(server.port)"), isRepeatable: isRepeatable)
        #expect(found.map { [.brokenOff, .closedUnanswered].contains($0.kind) } == true, "\(found as Any)")
        #expect(found?.mayHaveActed == true)
        #expect(server.requests == 1, "never sent again")
        await server.close()
    }

    @Test(
        arguments: [true, false],
        ["HTT", "HTTP/1.1 201 Created\r\ncontent-le", "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"receipt\":"])
    func closedAfterTheFirstByteIsDoubt(_ isRepeatable: Bool, _ text: String) async throws {
        let server = try await RawServer { _, _ in .init(text: text, end: .close) }
        let found = try await failure(client("http://127.0.0.1:\(server.port)"), isRepeatable: isRepeatable)
        #expect(found?.kind == .halfAnswer, "\(found as Any)")
        #expect(found?.mayHaveActed == true)
        #expect(server.requests == 1, "never sent again")
        await server.close()
    }

    @Test(arguments: [true, false]) func anAnswerThatIsNoHTTPIsDoubt(_ isRepeatable: Bool) async throws {
        let server = try await RawServer { _, _ in .init(text: "SSH-2.0-server\r\n\r\n") }
        let found = try await failure(client("http://127.0.0.1:\(server.port)"), isRepeatable: isRepeatable)
        #expect(found?.kind == .unreadable, "\(found as Any)")
        #expect(found?.mayHaveActed == true)
        await server.close()
    }

    @Test(arguments: [true, false]) func anAnswerThatIsTooLongIsDoubt(_ isRepeatable: Bool) async throws {
        let server = try await RawServer { _, _ in .ok(String(repeating: "x", count: 2_000)) }
        let found = try await failure(
            client("http://127.0.0.1:\(server.port)", "limits: {answer-bytes: 1000}"), isRepeatable: isRepeatable)
        #expect(found?.kind == .tooLong, "\(found as Any)")
        #expect(found?.mayHaveActed == true)
        await server.close()
    }

    @Test(arguments: [true, false], ["", "HTTP/1.1 201", "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{"])
    func silenceAfterTheRequestIsDoubt(_ isRepeatable: Bool, _ beginning: String) async throws {
        let server = try await RawServer { _, _ in .init(text: beginning) }
        let found = try await failure(client("http://127.0.0.1:\(server.port)", timeout: "2 s"), isRepeatable: isRepeatable)
        #expect(found?.kind == .timedOut, "\(found as Any)")
        #expect(found?.mayHaveActed == true)
        #expect(server.requests == 1, "never sent again")
        await server.close()
    }

    @Test(arguments: [true, false]) func aRequestThatIsNotTakenInWholeIsDoubt(_ isRepeatable: Bool) async throws {
        let server = try await RawServer(isReading: false)
        let long: JSON = ["method": "POST", "path": "/", "body": ["text": .string(String(repeating: "x", count: 32 << 20))]]
        let found = try await failure(client("http://127.0.0.1:\(server.port)", timeout: "2 s"), isRepeatable: isRepeatable, long)
        #expect(found?.kind == .timedOut, "\(found as Any)")
        #expect(found?.mayHaveActed == true)
        await server.close()
    }

    @Test(arguments: [true, false], [301, 302, 307, 308, 500, 502, 503, 504])
    func redirectionsAndErrorsAreAnswersAndAreNotFollowed(_ isRepeatable: Bool, _ status: Int) async throws {
        let server = try await RawServer { _, _ in
            .init(text: "HTTP/1.1 \(status) No\r\nlocation: /elsewhere\r\ncontent-length: 4\r\n\r\n<ht>")
        }
        let client = try client("http://127.0.0.1:\(server.port)")
        guard case .answered(status, _, let body, _) = await client.perform(try AgencyCall(call), isRepeatable: isRepeatable) else {
            Issue.record("no answer")
            return
        }
        #expect(body == ["unreadable": true])
        #expect(server.requests == 1)
        await client.close()
        await server.close()
    }

    @Test(arguments: [true, false]) func aSuccessThatCannotBeReadSaysSo(_ isRepeatable: Bool) async throws {
        let server = try await RawServer { _, _ in .ok("<html>fine</html>") }
        let client = try client("http://127.0.0.1:\(server.port)")
        guard case .answered(200, _, let body, _) = await client.perform(try AgencyCall(call), isRepeatable: isRepeatable) else {
            Issue.record("no answer")
            return
        }
        #expect(body == ["unreadable": true])
        // Whatever a service's program makes of it, nothing but its clear word is taken for success.
        guard case .doubt = Verdict(.null, of: nil, in: .call, status: 200) else {
            Issue.record("silence of a program is no doubt")
            return
        }
        await client.close()
        await server.close()
    }
}

/// Which connection a call travels on.
@Suite struct KeptConnectionTests {
    @Test func aCallThatCannotBeRepeatedNeverTravelsOnAKeptConnection() async throws {
        let server = try await RawServer()
        let client = try client("http://127.0.0.1:\(server.port)")
        for (isRepeatable, connections) in [(true, 1), (true, 1), (false, 2), (false, 3), (true, 3)] {
            guard case .answered(200, _, _, _) = await client.perform(try AgencyCall(call), isRepeatable: isRepeatable) else {
                Issue.record("no answer")
                return
            }
            #expect(server.connections == connections)
        }
        #expect(server.requests == 5)
        await client.close()
        await server.close()
    }

    @Test func aKeptConnectionThatTheAgencyClosesIsDoubtOnlyForWhatTravelsOnIt() async throws {
        // As a server does that has just grown tired of an idle connection: the first request is answered, the next one finds it closed.
        let server = try await RawServer { _, request in request == 1 ? .ok() : .init(end: .close) }
        let client = try client("http://127.0.0.1:\(server.port)")
        guard case .answered = await client.perform(try AgencyCall(call), isRepeatable: true) else {
            Issue.record("no answer")
            return
        }
        guard case .answered = await client.perform(try AgencyCall(call), isRepeatable: false) else {
            Issue.record("it took the kept connection")
            return
        }
        guard case .unknown = await client.perform(try AgencyCall(call), isRepeatable: true) else {
            Issue.record("a closed connection is taken for an answer, or for a definite no")
            return
        }
        await client.close()
        await server.close()
    }

    @Test(arguments: CallFailure.Stage.allCases) func onAConnectionThatStoodNothingIsADefiniteNo(_ stage: CallFailure.Stage) {
        // A route that goes away in the middle of a call looks like one that was never there.
        let error = IOError(errnoCode: EHOSTUNREACH, reason: "write")
        let mayHaveActed = CallFailure(error, at: stage).mayHaveActed
        #expect(mayHaveActed == (stage == .handedOver || stage == .answering))
    }

    @Test func anOutageIsToldOnceWithItsRemedy() async throws {
        let port = try RefusingPort()
        let log = Recorder<LogEvent>()
        let client = try client("http://127.0.0.1:\(port.port)", log: log)
        for _ in 0..<5 { _ = await client.perform(try AgencyCall(call), isRepeatable: true) }
        await client.close()
        let told = log.elements.filter { $0.level >= .warning }
        #expect(told.count == 1)
        #expect(told.first?.metadata?["failure"] == "refused")
        #expect(told.first?.metadata?["remedy"] == "\(CallFailure.Kind.refused.remedy)")
    }

    @Test func everyKindOfFailureNamesARemedy() {
        for kind in CallFailure.Kind.allCases { #expect(!kind.remedy.isEmpty, "\(kind)") }
    }
}

/// Handshakes over real sockets: what fails in one was never sent, but for a certificate that TLS 1.3 refuses too late.
@Suite final class HandshakeTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    private func tls(_ server: RawServer, authority name: String = "authority", certificate: String? = nil) throws -> AgencyClient {
        var lines = "tls:\n  ca: \(authority.file(name + ".pem"))"
        if let certificate {
            lines += "\n  certificate: \(authority.file(certificate + ".pem"))\n  key: \(authority.file(certificate + ".key"))"
        }
        return try client("https://127.0.0.1:\(server.port)", lines)
    }

    @Test(arguments: [true, false], [TLSVersionName.v12, .v13])
    func theAgencysOwnAuthorityAndOurCertificateOpenTheWay(_ isRepeatable: Bool, _ version: TLSVersionName) async throws {
        let server = try await RawServer(tls: authority.server("server", version: version.version, asksForCertificate: true))
        let found = try await failure(tls(server, certificate: "client"), isRepeatable: isRepeatable)
        #expect(found == nil, "\(found as Any)")
        #expect(server.requests == 1)
        await server.close()
    }

    @Test(
        arguments: [true, false],
        [
            ("expired", "authority", CallFailure.Kind.certificateNotAccepted), ("server", "stranger", .certificateNotAccepted),
            ("elsewhere", "authority", .wrongName),
        ])
    func aCertificateOfTheAgencyThatIsNotRightIsADefiniteNo(
        _ isRepeatable: Bool, _ row: (server: String, trusted: String, kind: CallFailure.Kind)
    ) async throws {
        for version in [TLSVersionName.v12, .v13] {
            let server = try await RawServer(tls: authority.server(row.server, version: version.version))
            let found = try await failure(tls(server, authority: row.trusted), isRepeatable: isRepeatable)
            #expect(found?.kind == row.kind, "\(version): \(found as Any)")
            #expect(found?.mayHaveActed == false)
            #expect(server.requests == 0)
            await server.close()
        }
    }

    @Test(arguments: [true, false], [nil, "unknown-client"] as [String?])
    func ourCertificateRefusedUnderTLS12IsADefiniteNo(_ isRepeatable: Bool, _ certificate: String?) async throws {
        let server = try await RawServer(tls: authority.server("server", version: .tlsv12, asksForCertificate: true))
        let found = try await failure(tls(server, certificate: certificate), isRepeatable: isRepeatable)
        #expect(found?.kind == .ownCertificateRefused, "\(found as Any)")
        #expect(found?.mayHaveActed == false)
        #expect(server.requests == 0)
        await server.close()
    }

    @Test(arguments: [true, false], [nil, "unknown-client"] as [String?])
    func ourCertificateRefusedUnderTLS13IsDoubtForTheRequestIsOnItsWay(_ isRepeatable: Bool, _ certificate: String?) async throws {
        let server = try await RawServer(tls: authority.server("server", version: .tlsv13, asksForCertificate: true))
        let found = try await failure(tls(server, certificate: certificate), isRepeatable: isRepeatable)
        // The alert, or the end of the connection where that overtakes it.
        let kinds: [CallFailure.Kind] = [.ownCertificateRefusedLate, .closedUnanswered, .brokenOff]
        #expect(found.map { kinds.contains($0.kind) } == true, "\(found as Any)")
        #expect(found?.mayHaveActed == true)
        await server.close()
    }

    @Test(arguments: [true, false]) func aRenewedCertificateIsUsedWithoutARestart(_ isRepeatable: Bool) async throws {
        let server = try await RawServer(tls: authority.server("server", version: .tlsv12, asksForCertificate: true))
        let log = Recorder<LogEvent>()
        func put(_ ending: String, of name: String) throws {
            let file = URL(fileURLWithPath: authority.file("own" + ending))
            try Data(contentsOf: URL(fileURLWithPath: authority.file(name + ending))).write(to: file, options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
        }
        for ending in [".pem", ".key"] { try put(ending, of: "unknown-client") }
        let client = try client(
            "https://127.0.0.1:\(server.port)",
            "tls: {ca: \(authority.file("authority.pem")), certificate: \(authority.file("own.pem")), key: \(authority.file("own.key"))}",
            log: log)
        func failed() async throws -> CallFailure.Kind? {
            do throws(CallFailure) { _ = try await client.send(try! AgencyCall(call), isRepeatable: isRepeatable) } catch {
                return error.kind
            }
            return nil
        }
        #expect(try await failed() == .ownCertificateRefused)
        // Half of the renewal: the certificate that was read before stays, and a person is told.
        try put(".pem", of: "client")
        #expect(try await failed() == .ownCertificateRefused)
        #expect(log.elements.contains { $0.level == .warning && "\($0.metadata ?? [:])".contains("is not the key of") })
        try put(".key", of: "client")
        #expect(try await failed() == nil)
        #expect(server.requests == 1)
        await client.close()
        await server.close()
    }

    @Test(arguments: [true, false]) func aHandshakeThatNobodyAnswersIsADefiniteNo(_ isRepeatable: Bool) async throws {
        let server = try await RawServer { _, _ in .silence }
        let found = try await failure(client("https://127.0.0.1:\(server.port)", timeout: "2 s"), isRepeatable: isRepeatable)
        #expect(found?.kind == .notConnectedInTime, "\(found as Any)")
        #expect(found?.mayHaveActed == false)
        await server.close()
    }

    @Test func aServerThatClosesDuringTheHandshakeIsADefiniteNo() async throws {
        let server = try await RawServer(closesAtOnce: true)
        let found = try await failure(client("https://127.0.0.1:\(server.port)"), isRepeatable: false)
        #expect(found?.mayHaveActed == false, "\(found as Any)")
        await server.close()
    }

    @Test func aFileThatIsNoCertificateIsNamedAtTheStart() throws {
        let file = authority.file("index.txt")
        do {
            _ = try client("https://127.0.0.1:1", "tls: {ca: \(file)}")
            Issue.record("taken")
        } catch let error as SettingsError {
            #expect(error.file == file && error.key == "tls.ca")
        }
    }
}

/// A version of TLS with a name of its own in a test's output.
enum TLSVersionName: Sendable {
    case v12, v13

    fileprivate var version: TLSVersion { self == .v12 ? .tlsv12 : .tlsv13 }
}
