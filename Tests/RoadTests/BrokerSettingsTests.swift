import Foundation
import TestSupport
import Testing
import WaslBroker
import WaslSeal

@testable import wasl

/// What a participant's configuration may say of the broker: every combination that cannot stand is named by its key.
@Suite struct BrokerSettingsTests {
    private let world: TestWorld
    private let authority: DevelopmentAuthority
    private let certificate: BrokerConfiguration.TLS.Certificate

    init() throws {
        world = try TestWorld()
        authority = try DevelopmentAuthority(folder: world.folder + "/authority", name: "Authority")
        certificate = try authority.issue("hydra", .client, to: world.folder + "/hydra-tls")
    }

    private func broker(host: String, _ lines: String...) throws -> BrokerConfiguration {
        let path = try world.configure(broker: ["host: \(host)", "port: 5671"] + lines)
        let configuration = try ParticipantConfiguration(file: path, roleKey: "house")
        try configuration.settings.finish()
        return configuration.broker
    }

    private func wrong(host: String = "broker.example", _ lines: String...) -> String {
        do {
            _ = try broker(host: host, lines.joined(separator: "\n  "))
            return ""
        } catch { return "\(error)" }
    }

    private var password: String { "password-file: \(world.folder)/password" }
    private var authorityOnly: String { "tls: { ca: \(authority.certificateFile) }" }
    private func tls(_ more: String) -> String { "tls: { ca: \(authority.certificateFile), \(more) }" }
    private var own: String { "certificate: \(certificate.file), key: \(certificate.keyFile)" }

    @Test func theWaysToLogIn() throws {
        let external = try broker(host: "broker.example", tls(own))
        #expect(external.password == nil && external.tls?.certificate == certificate)
        let inside = try broker(host: "broker.example", authorityOnly, password)
        #expect(inside.password == "a secret of sixteen" && inside.tls?.certificate == nil)
        let both = try broker(host: "broker.example", tls(own), password)
        #expect(both.password == "a secret of sixteen" && both.tls?.certificate == certificate)
        #expect(try broker(host: "127.0.0.1", password).tls == nil)
        #expect(try broker(host: "broker.example", password, "plaintext: anyone on the way may read the password").acceptsPlaintextPassword)
    }

    @Test func aPasswordInTheClearNeedsTheWords() {
        #expect(wrong(password).contains("`broker.password-file`: the password would go to broker.example in the clear"))
        #expect(wrong(password, "plaintext: true").contains("`broker.plaintext`"))
        #expect(wrong(password, "plaintext: yes please").contains("expected the words `anyone on the way may read the password`"))
        #expect(
            wrong(authorityOnly, password, "plaintext: anyone on the way may read the password").contains(
                "`broker.plaintext`: stands beside `tls`"))
    }

    /// What is wrong with the ledger's configuration, with its monitor at this address.
    private func wrongMonitor(_ address: String, _ lines: String...) -> String {
        do {
            let monitor = ["management: \(address)", "monitor-password-file: \(world.folder)/password"]
            let path = try world.configure(
                "ledger", as: .ledger, broker: ["host: 127.0.0.1", "port: 5671", password] + monitor + lines)
            return try ParticipantConfiguration(file: path, roleKey: nil).monitor == nil ? "no monitor" : ""
        } catch { return "\(error)" }
    }

    @Test(arguments: ["http://broker.example:15672", "http://127.0.0.1@broker.example:15672", "http://localhost.example:15672"])
    func theMonitorsPasswordInTheClearNeedsTheWordsToo(_ address: String) {
        #expect(wrongMonitor(address).contains("`broker.monitor-password-file`: the password would go to \(address) in the clear"))
        #expect(wrongMonitor(address, "plaintext: yes please").contains("`broker.plaintext`"))
        let words = "plaintext: anyone on the way may read the password"
        #expect(wrongMonitor(address, words) == "")
        // The broker itself may have TLS all the same.
        #expect(wrongMonitor(address, words, authorityOnly) == "")
        #expect(wrongMonitor("https://broker.example:15671", words, authorityOnly).contains("`broker.plaintext`: stands beside `tls`"))
    }

    @Test(arguments: ["https://broker.example:15671", "http://127.0.0.1:15672", "http://localhost:15672", "http://[::1]:15672"])
    func theMonitorsPasswordNeedsNoWordsWhereNobodyElseReadsIt(_ address: String) { #expect(wrongMonitor(address) == "") }

    @Test func aCombinationThatCannotStandIsNamed() throws {
        #expect(wrong(host: "127.0.0.1", "virtual: x").contains("`broker.password-file`: missing"))
        #expect(wrong(authorityOnly).contains("`broker.tls`: nothing to log in with"))
        #expect(wrong(tls("certificate: \(certificate.file)")).contains("`broker.tls.key`: missing"))
        #expect(wrong(tls("key: \(certificate.keyFile)")).contains("`broker.tls.certificate`: missing"))
        #expect(wrong("tls: { certificate: a, key: b }").contains("`broker.tls.ca`: missing"))
        #expect(wrong("tls: { ca: /absent, \(own) }").contains("tls.ca: /absent cannot be used"))
        let other = try authority.issue("kerker", .client, to: world.folder + "/kerker-tls")
        let others = wrong(tls("certificate: \(other.file), key: \(other.keyFile)"))
        #expect(others.contains("names `kerker`, but this is `hydra`"), "\(others)")
    }

    @Test func aKeyThatOthersMayReadStopsTheStart() throws {
        try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: 0o644)], ofItemAtPath: certificate.keyFile)
        #expect(wrong(tls(own)).contains("others may read it; run `chmod 600 \(certificate.keyFile)`"))
    }
}
