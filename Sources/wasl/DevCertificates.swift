import Foundation
import WaslBroker
import WaslModel
import WaslSeal

/// The certificates of a `wasl dev --tls`, made at its first start. One authority is for the broker and the participants, another for
/// the agencies' APIs and the workers that call them: a worker takes no word but its agency's authority's for whom it speaks to.
struct DevCertificates {
    let layout: DevLayout
    /// The catalogue's folder as it is without TLS.
    let schemas: String

    private var broker: String { layout.tlsFolder + "/broker" }
    private var agencies: String { layout.tlsFolder + "/agencies" }

    /// A catalogue like the given one, whose agencies ask for TLS: workers run with this one.
    var schemasFolder: String { layout.tlsFolder + "/schemas" }

    func make(participants: [String], agencies ids: [String]) throws {
        let participantAuthority = try DevelopmentAuthority(folder: broker, name: "Development authority of the broker")
        let agencyAuthority = try DevelopmentAuthority(folder: agencies, name: "Development authority of the agencies")
        let local = DevelopmentAuthority.Use.server(names: ["127.0.0.1", "localhost"])
        try issue("broker", local, by: participantAuthority)
        for id in participants { try issue(id, .client, by: participantAuthority) }
        try issue("apis", local, by: agencyAuthority)
        for id in ids { try issue(id, .client, by: agencyAuthority) }
        try makeSchemas()
    }

    /// What an earlier start has made is kept while it is valid.
    private func issue(_ name: String, _ use: DevelopmentAuthority.Use, by authority: DevelopmentAuthority) throws {
        let path = "\(authority.folder)/\(name)"
        if let held = Certificate(file: path + ".pem"), held.until > Date(timeIntervalSinceNow: 86_400),
            FileManager.default.fileExists(atPath: path + ".key")
        {
            return
        }
        try authority.issue(name, use, to: path)
    }

    /// Everything is a link to the catalogue, so that what is changed there counts here, but for the agencies' own files.
    private func makeSchemas() throws {
        let files = FileManager.default
        if files.fileExists(atPath: schemasFolder) { try files.removeItem(atPath: schemasFolder) }
        try files.createDirectory(atPath: schemasFolder + "/agencies", withIntermediateDirectories: true)
        let source = URL(fileURLWithPath: schemas).standardizedFileURL.path
        for name in try files.contentsOfDirectory(atPath: source) where name != "agencies" {
            try files.createSymbolicLink(atPath: "\(schemasFolder)/\(name)", withDestinationPath: "\(source)/\(name)")
        }
        for id in try files.contentsOfDirectory(atPath: source + "/agencies") where !id.hasPrefix(".") {
            let text = String(decoding: try Program.read("\(source)/agencies/\(id)/agency.yaml"), as: UTF8.self)
            let tls = [
                "tls:", "  ca: \(agencies)/authority.pem", "  certificate: \(agencies)/\(id).pem", "  key: \(agencies)/\(id).key",
            ]
            try files.createDirectory(atPath: "\(schemasFolder)/agencies/\(id)", withIntermediateDirectories: true)
            try Data((text + "\n" + tls.joined(separator: "\n") + "\n").utf8).write(
                to: URL(fileURLWithPath: "\(schemasFolder)/agencies/\(id)/agency.yaml"))
        }
    }

    /// How the broker listens: it asks everybody for a certificate, and looks it up in the authority's list at every handshake.
    var listener: PrivateNode.TLSListener {
        PrivateNode.TLSListener(
            authorityFile: broker + "/authority.pem", certificateFile: broker + "/broker.pem", keyFile: broker + "/broker.key",
            revocationsFolder: broker + "/revocations")
    }

    /// Agencies say a password inside TLS (SASL PLAIN); everybody else's certificate names the user (EXTERNAL), who has no password.
    static func saysPassword(_ role: Role) -> Bool { role == .agency }

    /// The lines of a participant's configuration below `broker`.
    func configuration(_ id: String) -> [String] {
        [
            "  tls:", "    ca: \(broker)/authority.pem", "    certificate: \(broker)/\(id).pem", "    key: \(broker)/\(id).key",
            "    crl: \(broker)/revoked.pem",
        ]
    }

    /// What `wasl simulate agencies` is told, to serve HTTPS and ask callers for a certificate.
    var simulatedAgencies: [String] {
        [
            "--tls-ca", agencies + "/authority.pem", "--tls-certificate", agencies + "/apis.pem", "--tls-key", agencies + "/apis.key",
        ]
    }
}
