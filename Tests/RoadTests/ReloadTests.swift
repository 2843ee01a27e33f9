import AsyncHTTPClient
import Foundation
import NIOCore
import TestSupport
import Testing
import WaslBroker
import WaslModel
import WaslSeal

/// A running daemon is asked by SIGHUP to read its registry and catalogue again.
@Suite(.timeLimit(.minutes(2))) struct ReloadTests {
    private let world: TestWorld

    init() throws { world = try TestWorld() }

    private func start(_ port: Int) throws -> (process: Process, log: Recorder<String>) {
        try FileManager.default.copyItem(atPath: TestWorld.project + "/Schemas", toPath: world.folder + "/Schemas")
        _ = try world.configure(schemas: world.folder + "/Schemas", port: port)
        return try launch()
    }

    private func launch() throws -> (process: Process, log: Recorder<String>) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: TestWorld.executable)
        process.arguments = ["house", "run", "--config", world.folder + "/house.yaml"]
        let log = Recorder<String>()
        let pipe = Pipe()
        pipe.fileHandleForReading.readabilityHandler = { log.append(String(decoding: $0.availableData, as: UTF8.self)) }
        process.standardError = pipe
        process.standardOutput = pipe
        try process.run()
        return (process, log)
    }

    /// Puts a registry of a version into the house's place.
    private func hand(_ version: Int64) throws {
        let held = world.registry.registry
        let registry = try Registry(
            version: version, issued: held.issued, expires: held.expires, participants: Array(held.participants.values))
        try RegistryHolder.write(registry, to: world.folder + "/registry.signed", rootKey: world.root)
    }

    @Test func aRestartWithAnOlderRegistryIsRefusedAlsoWhereTheNewerCameByReload() async throws {
        let port = try PrivateNode.freePorts(1)[0]
        let (process, log) = try start(port)
        await log.wait(for: "the daemon to be ready") { $0.joined().contains("ready") }
        try hand(6)
        kill(process.processIdentifier, SIGHUP)
        await log.wait(for: "the newer registry to be read") { $0.joined().contains("registry and catalogue read again") }
        try hand(4)
        kill(process.processIdentifier, SIGHUP)
        await log.wait(for: "the older registry to be refused") { $0.joined().contains("what was there stays") }
        // Killed, so that nothing is put in order on the way out.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()

        let (refused, words) = try launch()
        await words.wait(for: "the restart to be refused") { $0.joined().contains("put the newest registry in its place") }
        refused.waitUntilExit()
        #expect(refused.terminationStatus == 78)
        for part in ["version 4", "older than 6", world.folder + "/registry.signed"] {
            #expect(words.elements.joined().contains(part), "\(part) in \(words.elements.joined())")
        }

        try hand(6)
        let (again, ready) = try launch()
        defer { again.terminate() }
        await ready.wait(for: "the daemon to be ready with the newest") { $0.joined().contains("ready") }
    }

    private func order(_ contract: Int, _ port: Int, _ key: String) async throws -> UInt {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/v1/requests")
        request.method = .POST
        request.headers.add(name: "authorization", value: "Bearer a secret of sixteen")
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "idempotency-key", value: key)
        request.body = .bytes(
            Array(#"{"service":"steg.bill.view","contract":\#(contract),"fields":{"reference":"123456789"}}"#.utf8))
        return try await HTTPClient.shared.execute(request, timeout: .seconds(20)).status.code
    }

    @Test func aNewVersionIsTakenUpAndABrokenOneChangesNothing() async throws {
        let port = try PrivateNode.freePorts(1)[0]
        let (process, log) = try start(port)
        defer { process.terminate() }
        await log.wait(for: "the daemon to be ready") { $0.joined().contains("ready") }
        #expect(try await order(1, port, "a") == 201)
        #expect(try await order(2, port, "b") == 422)
        let service = world.folder + "/Schemas/services/steg/bill.view"
        try FileManager.default.copyItem(atPath: service + "/1", toPath: service + "/2")
        let file = service + "/2/service.yaml"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try text.replacing("version: 1\n", with: "version: 2\nlevl: 30 s\n").write(toFile: file, atomically: true, encoding: .utf8)
        kill(process.processIdentifier, SIGHUP)
        await log.wait(for: "the broken catalogue to be refused") { $0.joined().contains("what was there stays") }
        #expect(log.elements.joined().contains("`levl`"), "the key is named")
        #expect(try await order(2, port, "c") == 422)
        #expect(try await order(1, port, "d") == 201)
        try text.replacing("version: 1\n", with: "version: 2\n").write(toFile: file, atomically: true, encoding: .utf8)
        kill(process.processIdentifier, SIGHUP)
        await log.wait(for: "the new catalogue to be read") { $0.joined().contains("registry and catalogue read again") }
        #expect(try await order(2, port, "e") == 201)
        #expect(try await order(1, port, "f") == 201, "what was written under version 1 is still read with it")
    }
}
