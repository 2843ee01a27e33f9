import Foundation
import NIOSSL
import TestSupport

/// Certificates made by the `openssl` command, in a folder that goes with it.
final class TestAuthority: Sendable {
    let folder: String

    init() throws {
        folder = try TestWorld.makeFolder()
        for authority in ["authority", "stranger"] {
            try openssl(
                "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=\(authority)", "-out", file(authority + ".pem"), newKey: authority)
        }
        try Data().write(to: URL(fileURLWithPath: file("index.txt")))
        try "01\n".write(toFile: file("serial"), atomically: true, encoding: .utf8)
        try """
        [ca]
        default_ca = own
        [own]
        database = \(folder)/index.txt
        new_certs_dir = \(folder)
        serial = \(folder)/serial
        default_md = sha256
        policy = policy
        unique_subject = no
        [policy]
        commonName = supplied
        """.write(toFile: file("ca.conf"), atomically: true, encoding: .utf8)
        try issue("server", "IP:127.0.0.1")
        try issue("elsewhere", "DNS:elsewhere.example")
        try issue("expired", "IP:127.0.0.1", from: "20200101000000Z", until: "20200201000000Z")
        try issue("client", "DNS:client.example")
        try issue("unknown-client", "DNS:client.example", by: "stranger")
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func file(_ name: String) -> String { folder + "/" + name }

    /// - Parameter asksForCertificate: of the authority's clients alone.
    func server(
        _ name: String, version: TLSVersion? = nil, asksForCertificate: Bool = false
    ) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(file(name + ".pem")).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: file(name + ".key"), format: .pem)))
        if let version {
            configuration.minimumTLSVersion = version
            configuration.maximumTLSVersion = version
        }
        if asksForCertificate {
            configuration.trustRoots = .file(file("authority.pem"))
            configuration.certificateVerification = .noHostnameVerification
        }
        return configuration
    }

    private func issue(
        _ name: String, _ subject: String, by authority: String = "authority", from: String = "20200101000000Z",
        until: String = "20990101000000Z"
    ) throws {
        try openssl("req", "-new", "-nodes", "-subj", "/CN=\(name)", "-out", file(name + ".csr"), newKey: name)
        try "subjectAltName=\(subject)\n".write(toFile: file(name + ".ext"), atomically: true, encoding: .utf8)
        try openssl(
            "ca", "-batch", "-notext", "-config", file("ca.conf"), "-cert", file(authority + ".pem"), "-keyfile", file(authority + ".key"),
            "-in", file(name + ".csr"), "-out", file(name + ".pem"), "-startdate", from, "-enddate", until, "-extfile", file(name + ".ext"))
    }

    private func openssl(_ arguments: String..., newKey: String? = nil) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["openssl"] + arguments
            + (newKey.map { ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", file($0 + ".key")] } ?? [])
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.runToItsEnd()
        guard process.terminationStatus == 0 else { throw CommandFailed(command: arguments.joined(separator: " ")) }
    }

    private struct CommandFailed: Error { let command: String }
}
