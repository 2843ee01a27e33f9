import Foundation
import Logging
import TestSupport
import Testing
import WaslBroker
import WaslJournal
import WaslModel

extension BrokerTests {
    /// Against a real broker with `verify_peer`, `fail_if_no_peer_cert` and a revocation list.
    @Suite(.serialized, .timeLimit(.minutes(3))) struct TLSTests {}
}

private let past = Date(timeIntervalSince1970: 1_700_000_000)

private func message(_ exchange: Exchange, _ key: String) -> OutboundMessage {
    OutboundMessage(
        token: 1, exchange: exchange, routingKey: key, messageID: UUID().uuidString, time: Timestamp(milliseconds: 1_700_000_000_000),
        body: Array("body".utf8), signature: "signature")
}

/// A role's voice: who says what where.
struct Voice: Sendable, CustomTestStringConvertible {
    let user: String
    let exchange: Exchange
    let key: String
    var testDescription: String { user }

    static let all = [
        Voice(user: "hydra", exchange: .requests, key: "steg.steg-bill-view.hydra"),
        Voice(user: "steg", exchange: .outcomes, key: "hydra.steg.steg-bill-view"),
        Voice(user: "ledger", exchange: .control, key: "hydra.resend"),
    ]
}

extension BrokerTests.TLSTests {
    // What works

    @Test(arguments: Voice.all) func everyRoleSpeaksByItsCertificate(_ voice: Voice) async throws {
        let broker = try await TLSNodes.shared.node()
        let publisher = LoggedPublisher(broker.configuration(voice.user, try broker.issue(voice.user)))
        // The broker compares `user_id` with the user that the certificate names.
        #expect(await publisher.settle(message(voice.exchange, voice.key)) == .confirmed, "\(publisher.visible)")
        publisher.closeLink()
    }

    @Test func aPasswordIsSaidInsideTLSWhereTheCertificateIsTheMachines() async throws {
        let broker = try await TLSNodes.shared.node()
        let publisher = LoggedPublisher(
            broker.configuration("steg", try broker.issue("machine-7"), password: TLSNode.passwords["steg"]))
        #expect(await publisher.settle(message(.outcomes, "hydra.steg.steg-bill-view")) == .confirmed, "\(publisher.visible)")
        publisher.closeLink()
    }

    @Test func aPasswordAloneIsEnoughWhereTheBrokerAsksForNoCertificate() async throws {
        let broker = try await TLSNodes.shared.node(requiresCertificate: false)
        let publisher = LoggedPublisher(broker.configuration("steg", nil, password: TLSNode.passwords["steg"]))
        #expect(await publisher.settle(message(.outcomes, "hydra.steg.steg-bill-view")) == .confirmed, "\(publisher.visible)")
        publisher.closeLink()
    }

    @Test func consumersComeByCertificateToo() async throws {
        let broker = try await TLSNodes.shared.node()
        let consumer = Consuming(
            link: AMQPBroker(broker.configuration("hydra", try broker.issue("hydra")), logger: BrokerUnderTest.logger)
                .consumer(name: "tls", queues: ["control.hydra"], prefetch: 10))
        consumer.link.start { [events = consumer.events] in events.append($0) }
        let publisher = LoggedPublisher(broker.configuration("ledger", try broker.issue("ledger")))
        #expect(await publisher.settle(message(.control, "hydra.registry")) == .confirmed, "\(publisher.visible)")
        await consumer.events.wait { events in
            events.contains { if case .deliveries(let all) = $0 { all.contains { $0.routingKey == "hydra.registry" } } else { false } }
        }
        consumer.closeLink()
        publisher.closeLink()
    }

    // What the broker refuses

    /// A certificate that does not do, and what an operator reads of it.
    enum Refused: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case expired, otherAuthority, missing, revoked, otherName, unknownUser

        var testDescription: String { rawValue }

        var words: [String] {
            switch self {
            case .expired:
                ["our certificate", "CN=hydra", "expired on 2023-11-14 22:13:20 UTC", "Put a new certificate and its key in place"]
            case .otherAuthority:
                ["does not know the authority", "Stranger's authority", "Have the certificate issued by the broker's authority"]
            case .missing: ["asks for a certificate and we have none", "Set `tls.certificate` and `tls.key`"]
            case .revoked: ["our certificate", "is revoked", "Put a new certificate and its key in place"]
            case .otherName: ["tls.certificate", "names `kerker`, but this is `hydra`", "must be the participant's identifier"]
            case .unknownUser: ["403", "a user named `nobody`", "run `wasl topology apply`"]
            }
        }

        func configuration(_ broker: TLSNode) throws -> BrokerConfiguration {
            switch self {
            case .expired: return broker.configuration("hydra", try broker.issue("hydra", until: past))
            case .otherAuthority: return broker.configuration("hydra", try broker.issue("hydra", by: broker.stranger))
            // With nothing else to log in with it would not even begin.
            case .missing: return broker.configuration("steg", nil, password: TLSNode.passwords["steg"])
            case .revoked:
                let certificate = try broker.issue("hydra")
                try broker.authority.revoke(certificate)
                return broker.configuration("hydra", certificate)
            case .otherName: return broker.configuration("hydra", try broker.issue("kerker"))
            case .unknownUser: return broker.configuration("nobody", try broker.issue("nobody"))
            }
        }
    }

    @Test(arguments: Refused.allCases) func whatTheBrokerRefusesIsOneLineThatNamesTheRemedy(_ refused: Refused) async throws {
        let broker = try await TLSNodes.shared.node()
        let publisher = LoggedPublisher(try refused.configuration(broker))
        // A dozen tries: under TLS 1.3 the alert of some of them is lost, and the reason must be the same for all.
        await publisher.happenings.wait { all in
            all.contains(where: \.isUp) || all.count { if case .line = $0 { true } else { false } } >= 12
        }
        publisher.closeLink()
        #expect(!publisher.isUp)
        let lines = publisher.visible
        #expect(lines.count == 1, "\(lines.map(\.reason))")
        #expect(lines[0].level == .error)
        #expect(!lines[0].reason.contains("\n"))
        for word in refused.words { #expect(lines[0].reason.contains(word), "\(word): \(lines[0].reason)") }
    }

    @Test func bothLinksOfAParticipantSayTheReasonOnce() async throws {
        let broker = try await TLSNodes.shared.node()
        let happenings = Recorder<Happening>()
        let logger = Logger(label: "test", factory: { _ in LogRecorder(happenings: happenings) })
        let links = AMQPBroker(try Refused.expired.configuration(broker), logger: logger)
        let publisher = links.publisher(name: "publishing")
        let consumer = links.consumer(name: "consuming", queues: ["house.hydra"], prefetch: 1)
        publisher.start { _ in }
        consumer.start { _ in }
        await happenings.wait { all in
            Set(all.compactMap { if case .line(let line) = $0 { line.metadata["connection"] } else { nil } }).count == 2 && all.count >= 6
        }
        publisher.close()
        consumer.close()
        #expect(happenings.elements.compactMap(\.visible).count == 1)
    }

    // What we refuse

    private func refusal(_ configuration: BrokerConfiguration) async -> String {
        let publisher = LoggedPublisher(configuration)
        await publisher.decided()
        publisher.closeLink()
        #expect(!publisher.isUp)
        return publisher.visible.first?.reason ?? ""
    }

    @Test func aBrokerOfAnotherAuthorityIsRefused() async throws {
        let broker = try await TLSNodes.shared.node()
        var configuration = broker.configuration("hydra", try broker.issue("hydra"))
        configuration.tls?.authorityFile = broker.stranger.certificateFile
        let reason = await refusal(configuration)
        #expect(reason.contains("is not signed by an authority in \(broker.stranger.certificateFile)"), "\(reason)")
        #expect(reason.contains("somebody else answers at this address"), "\(reason)")
    }

    @Test(arguments: ["127.0.0.1", "127.1"]) func aBrokerWithAnotherNameIsRefused(_ host: String) async throws {
        let broker = try await TLSNodes.shared.node()
        var configuration = broker.configuration("hydra", try broker.issue("hydra"))
        // An address is compared with addresses, of which the node's certificate has none; the other is no address in OpenSSL's eyes.
        configuration.host = host
        let reason = await refusal(configuration)
        #expect(reason.contains("the broker's certificate is for localhost, not for \(host)"), "\(reason)")
        #expect(reason.contains("Set `host` to a name that it has"), "\(reason)")
    }

    @Test func aBrokerWhoseCertificateExpiredIsRefusedUntilItIsRenewed() async throws {
        let broker = try await TLSNodes.shared.node()
        let names = DevelopmentAuthority.Use.server(names: [TLSNode.host])
        try broker.authority.issue(
            TLSNode.host, names, to: broker.folder + "/broker", from: Date(timeIntervalSince1970: 1_600_000_000), until: past)
        defer { _ = try? broker.authority.issue(TLSNode.host, names, to: broker.folder + "/broker") }
        let publisher = LoggedPublisher(broker.configuration("hydra", try broker.issue("hydra")))
        await publisher.decided()
        #expect(!publisher.isUp)
        let reason = publisher.visible.first?.reason ?? ""
        #expect(reason.contains("the broker's certificate (CN=localhost) expired on 2023-11-14"), "\(reason)")
        #expect(reason.contains("It has to be renewed at the broker"), "\(reason)")
        try broker.authority.issue(TLSNode.host, names, to: broker.folder + "/broker")
        await publisher.happenings.wait { $0.contains(where: \.isUp) }
        publisher.closeLink()
    }

    @Test func aBrokerWhoseCertificateIsRevokedIsRefused() async throws {
        let broker = try await TLSNodes.shared.node()
        let names = DevelopmentAuthority.Use.server(names: [TLSNode.host])
        try broker.authority.revoke(.init(file: broker.folder + "/broker.pem", keyFile: broker.folder + "/broker.key"))
        defer { _ = try? broker.authority.issue(TLSNode.host, names, to: broker.folder + "/broker") }
        var configuration = broker.configuration("hydra", try broker.issue("hydra"))
        configuration.tls?.revocationFile = broker.authority.revocationFile
        let reason = await refusal(configuration)
        #expect(reason.contains("(CN=localhost) is revoked, says \(broker.authority.revocationFile)"), "\(reason)")
        configuration.tls?.revocationFile = broker.stranger.revocationFile
        let other = await refusal(configuration)
        #expect(other.contains("is not of the authority that issued"), "\(other)")
    }

    @Test func aPortThatSpeaksNoTLSIsNamedSo() async throws {
        let broker = try await TLSNodes.shared.node()
        var configuration = broker.configuration("hydra", try broker.issue("hydra"))
        configuration.port = broker.node.managementPort
        let reason = await refusal(configuration)
        #expect(reason.contains("no TLS is spoken there"), "\(reason)")
    }

    // Files

    @Test func certificatesReplacedOnDiskAreUsedByTheNextTry() async throws {
        let broker = try await TLSNodes.shared.node()
        let certificate = try broker.issue("hydra", until: past)
        let publisher = LoggedPublisher(broker.configuration("hydra", certificate))
        await publisher.decided()
        #expect(!publisher.isUp)
        try broker.authority.issue("hydra", .client, to: String(certificate.file.dropLast(4)))
        await publisher.happenings.wait { $0.contains(where: \.isUp) }
        publisher.closeLink()
    }

    @Test func anAuthorityReplacedOnDiskIsUsedByTheNextTry() async throws {
        let broker = try await TLSNodes.shared.node()
        var configuration = broker.configuration("hydra", try broker.issue("hydra"))
        let file = "\(broker.folder)/authority-\(UUID().uuidString).pem"
        try FileManager.default.copyItem(atPath: broker.stranger.certificateFile, toPath: file)
        configuration.tls?.authorityFile = file
        let publisher = LoggedPublisher(configuration)
        await publisher.decided()
        #expect(!publisher.isUp)
        let right = try Data(contentsOf: URL(fileURLWithPath: broker.authority.certificateFile))
        try right.write(to: URL(fileURLWithPath: file), options: .atomic)
        await publisher.happenings.wait { $0.contains(where: \.isUp) }
        publisher.closeLink()
    }

    @Test func aCertificateThatEndsSoonIsSpokenOfAtTheConnection() async throws {
        let broker = try await TLSNodes.shared.node()
        let certificate = try broker.issue("hydra", until: Date(timeIntervalSinceNow: 5.5 * 86_400))
        let publisher = LoggedPublisher(broker.configuration("hydra", certificate))
        await publisher.happenings.wait { $0.contains { $0.visible != nil } }
        publisher.closeLink()
        #expect(publisher.isUp)
        let lines = publisher.visible.compactMap { $0.metadata["certificate"] }
        #expect(lines.count == 1, "the broker's own lasts longer: \(lines)")
        #expect(lines[0].contains(certificate.file) && lines[0].hasSuffix("in 5 days: have it renewed"), "\(lines)")
    }

    @Test func aKeyThatOthersMayReadIsNotUsed() async throws {
        let broker = try await TLSNodes.shared.node()
        let certificate = try broker.issue("hydra")
        try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: 0o640)], ofItemAtPath: certificate.keyFile)
        let reason = await refusal(broker.configuration("hydra", certificate))
        #expect(reason == "tls.key: \(certificate.keyFile): others may read it; run `chmod 600 \(certificate.keyFile)`")
    }

    @Test func filesThatDoNotDoAreNamed() async throws {
        let broker = try await TLSNodes.shared.node()
        let own = try broker.issue("hydra")
        let other = try broker.issue("hydra")
        let absent = broker.folder + "/absent"
        func reason(_ change: (inout BrokerConfiguration.TLS) -> Void) -> String {
            var configuration = broker.configuration("hydra", own)
            change(&configuration.tls!)
            do { try configuration.checkFiles() } catch { return "\(error)" }
            return ""
        }
        let expected: [(change: (inout BrokerConfiguration.TLS) -> Void, start: String)] = [
            ({ $0.authorityFile = absent }, "tls.ca: \(absent) cannot be used (No such file or directory)"),
            ({ $0.authorityFile = own.keyFile }, "tls.ca: \(own.keyFile) cannot be used"),
            ({ $0.certificate?.file = absent }, "tls.certificate: \(absent) cannot be used"),
            ({ $0.certificate?.keyFile = absent }, "tls.key: \(absent) cannot be used"),
            ({ $0.certificate?.keyFile = other.keyFile }, "tls.key: \(other.keyFile) is not the key of \(own.file)"),
            ({ $0.revocationFile = own.file }, "tls.crl: \(own.file) cannot be used"),
        ]
        let untouched = reason { _ in }
        #expect(untouched == "")
        for (change, start) in expected {
            let found = reason(change)
            #expect(found.hasPrefix(start), "\(found)")
        }
    }
}

/// What the configuration can say, without any broker.
@Suite struct BrokerConfigurationTests {
    private let tls = BrokerConfiguration.TLS(authorityFile: "ca.pem")
    private let mutual = BrokerConfiguration.TLS(authorityFile: "ca.pem", certificate: .init(file: "own.pem", keyFile: "own.key"))

    private func fault(_ host: String, password: String? = nil, _ tls: BrokerConfiguration.TLS? = nil, words: Bool = false) -> String? {
        var configuration = BrokerConfiguration(host: host, port: 5671, user: "hydra", password: password, tls: tls)
        configuration.acceptsPlaintextPassword = words
        return configuration.fault?.key
    }

    @Test(arguments: ["broker.example", "10.0.0.7", "128.0.0.1", "localhost.example", "127.0.0.1.example", "::2", "127.1"])
    func aPasswordInTheClearToAnotherHostIsRefused(_ host: String) {
        #expect(fault(host, password: "p") == "password-file")
        #expect(fault(host, password: "p", words: true) == nil)
        #expect(fault(host, password: "p", tls) == nil)
    }

    @Test(arguments: ["localhost", "127.0.0.1", "127.8.9.1", "::1"]) func aPasswordInTheClearStaysOnThisMachine(_ host: String) {
        #expect(fault(host, password: "p") == nil)
    }

    @Test func somethingToLogInWithIsNeeded() {
        #expect(fault("localhost") == "password-file")
        #expect(fault("localhost", tls) == "tls")
        #expect(fault("broker.example", mutual) == nil)
        #expect(fault("broker.example", password: "p", mutual) == nil)
    }
}
