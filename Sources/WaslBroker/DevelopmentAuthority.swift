public import Foundation

/// Makes certificates on the spot, for development and tests: an authority in a folder of its own, by the `openssl` command.
/// Its key lies in the folder, so nobody else may trust it. One process at a time.
public struct DevelopmentAuthority: Sendable {
    public enum Use: Sendable {
        /// For one who listens, under these names and addresses.
        case server(names: [String])
        case client
    }

    public let folder: String
    private let name: String

    static let program = "/usr/bin/openssl"

    /// Takes up the authority of a folder, or makes one.
    ///
    /// - Throws: ``BrokerError`` that says what to do when `openssl` is missing.
    public init(folder: String, name: String) throws {
        guard FileManager.default.isExecutableFile(atPath: DevelopmentAuthority.program) else {
            throw BrokerError(.node, "openssl is not installed (\(DevelopmentAuthority.program)). Run Deploy/setup.sh once, as root")
        }
        self.folder = folder
        self.name = name
        for path in [folder, folder + "/issued", revocationsFolder] {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: NSNumber(value: 0o700)])
        }
        // The list comes last: where it is, everything before it is whole.
        if !FileManager.default.fileExists(atPath: revocationFile) { try make() }
    }

    public var certificateFile: String { folder + "/authority.pem" }
    public var revocationFile: String { folder + "/revoked.pem" }
    /// The list as RabbitMQ looks for it: under the issuer's hash.
    public var revocationsFolder: String { folder + "/revocations" }

    private var keyFile: String { folder + "/authority.key" }
    private var settingsFile: String { folder + "/openssl.cnf" }

    private func make() throws {
        try Data(settings.utf8).write(to: URL(fileURLWithPath: settingsFile))
        try Data().write(to: URL(fileURLWithPath: folder + "/index.txt"))
        try Data("1000\n".utf8).write(to: URL(fileURLWithPath: folder + "/list-number"))
        try openssl(
            ["req", "-x509", "-days", "3650", "-extensions", "authority", "-out", certificateFile] + newKey(keyFile, subject: name))
        try publishRevocations()
    }

    /// Issues a certificate with a new key: `<path>.pem` and `<path>.key`. Files that are there are replaced.
    ///
    /// - Parameters:
    ///   - path: without its ending, in a folder that is there.
    ///   - until: may be past, for one that has expired.
    @discardableResult
    public func issue(
        _ commonName: String, _ use: Use, to path: String, from: Date = Date(timeIntervalSinceNow: -86_400),
        until: Date = Date(timeIntervalSinceNow: 365 * 86_400)
    ) throws -> BrokerConfiguration.TLS.Certificate {
        let request = path + ".csr"
        let extensions = path + ".ext"
        defer { for file in [request, extensions] { try? FileManager.default.removeItem(atPath: file) } }
        try Data(DevelopmentAuthority.extensions(use).utf8).write(to: URL(fileURLWithPath: extensions))
        try openssl(["req", "-new", "-out", request] + newKey(path + ".key.new", subject: commonName))
        try openssl([
            "ca", "-batch", "-notext", "-config", settingsFile, "-extfile", extensions, "-extensions", "issued",
            "-startdate", DevelopmentAuthority.time(from), "-enddate", DevelopmentAuthority.time(until), "-in", request, "-out",
            path + ".pem.new",
        ])
        // Each file is whole at every moment; a reader between the two finds a pair that does not fit, and tries again.
        for file in [path + ".key", path + ".pem"] where rename(file + ".new", file) != 0 {
            throw BrokerError(.node, "\(file): \(String(cString: strerror(errno)))")
        }
        return BrokerConfiguration.TLS.Certificate(file: path + ".pem", keyFile: path + ".key")
    }

    /// Takes a certificate back; a node that looks into ``revocationsFolder`` refuses it from its next handshake on.
    public func revoke(_ certificate: BrokerConfiguration.TLS.Certificate) throws {
        try openssl(["ca", "-batch", "-config", settingsFile, "-revoke", certificate.file])
        try publishRevocations()
    }

    private func publishRevocations() throws {
        let list = folder + "/revoked.new"
        let hashed = folder + "/hash.txt"
        try openssl(["ca", "-gencrl", "-config", settingsFile, "-crldays", "3650", "-out", list])
        try openssl(["crl", "-noout", "-hash", "-in", list], output: hashed)
        let hash = try String(contentsOfFile: hashed, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: list))
        try bytes.write(to: URL(fileURLWithPath: "\(revocationsFolder)/\(hash).r0"), options: .atomic)
        try bytes.write(to: URL(fileURLWithPath: revocationFile), options: .atomic)
    }

    private func newKey(_ file: String, subject: String) -> [String] {
        [
            "-config", settingsFile, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file, "-subj",
            "/CN=\(subject)",
        ]
    }

    private static func extensions(_ use: Use) -> String {
        let lines: [String]
        switch use {
        case .server(let names):
            let alternatives = names.map { name in
                var address = in_addr()
                return inet_pton(AF_INET, name, &address) == 1 ? "IP:\(name)" : "DNS:\(name)"
            }
            lines = ["extendedKeyUsage = serverAuth", "subjectAltName = \(alternatives.joined(separator: ","))"]
        case .client: lines = ["extendedKeyUsage = clientAuth"]
        }
        let all = ["[issued]", "basicConstraints = critical,CA:false", "keyUsage = critical,digitalSignature"]
        return (all + ["authorityKeyIdentifier = keyid"] + lines).joined(separator: "\n") + "\n"
    }

    /// `20261124120000Z`
    private static func time(_ date: Date) -> String {
        let format = Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day().time(includingFractionalSeconds: false)
            .dateSeparator(.omitted).timeSeparator(.omitted).dateTimeSeparator(.space)
        return format.format(date).filter(\.isNumber) + "Z"
    }

    private var settings: String {
        """
        [ca]
        default_ca = this
        [this]
        database = \(folder)/index.txt
        crlnumber = \(folder)/list-number
        new_certs_dir = \(folder)/issued
        certificate = \(certificateFile)
        private_key = \(keyFile)
        default_md = sha256
        policy = any
        rand_serial = yes
        unique_subject = no
        [any]
        commonName = supplied
        [req]
        distinguished_name = name
        [name]
        [authority]
        basicConstraints = critical,CA:true
        keyUsage = critical,keyCertSign,cRLSign
        subjectKeyIdentifier = hash

        """
    }

    private func openssl(_ arguments: [String], output: String? = nil) throws {
        let log = folder + "/openssl.log"
        if let output { try? FileManager.default.removeItem(atPath: output) }
        let child = try ChildProcess(
            DevelopmentAuthority.program, arguments, environment: ["PATH": "/usr/bin:/bin", "HOME": folder], output: output ?? log)
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if let status = child.reap() {
                guard status == 0 else {
                    throw BrokerError(.node, "openssl \(arguments[0]) ended with status \(status); see \(output ?? log)")
                }
                return
            }
            Thread.sleep(forTimeInterval: 0.002)
        }
        child.stop(grace: .zero)
        throw BrokerError(.node, "openssl \(arguments[0]) did not end within 30 s; see \(output ?? log)")
    }
}
