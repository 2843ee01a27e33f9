import AsyncHTTPClient
import Foundation
import Logging
import NIOSSL
import Synchronization
import WaslCatalogue
import WaslModel

/// The connections to an agency, under the certificates that its files hold now: a renewed one is used without a restart.
final class AgencyConnections: Sendable {
    /// Connections under one reading of the files. When the files were renewed, the calls that are out end on the connections they have.
    final class Pool: Sendable {
        let client: HTTPClient
        let configuration: HTTPClient.Configuration

        init(_ configuration: HTTPClient.Configuration) {
            self.configuration = configuration
            client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        }

        deinit {
            // Closed twice is an error that says so, and no more.
            Task { [client] in try? await client.shutdown() }
        }
    }

    private struct State {
        var pool: Pool
        /// Of the files when they were last looked at.
        var stamps: [FileStamp?]
    }

    private let agency: Agency
    private let logger: Logger
    private let state: Mutex<State>

    /// - Throws: ``SettingsError`` naming the TLS file that cannot be used: before the first citizen comes.
    init(_ agency: Agency, logger: Logger) throws {
        self.agency = agency
        self.logger = logger
        let stamps = AgencyConnections.stamps(agency.tls)
        state = Mutex(State(pool: Pool(try AgencyConnections.configuration(agency)), stamps: stamps))
    }

    /// Connections under the files as they are. Where those cannot be used, under the ones read before: half a renewal stops nobody.
    var current: Pool {
        let stamps = AgencyConnections.stamps(agency.tls)
        return state.withLock { state in
            guard stamps != state.stamps else { return state.pool }
            state.stamps = stamps
            do {
                state.pool = Pool(try AgencyConnections.configuration(agency))
                logger.info("the agency's certificates were read again")
            } catch {
                logger.warning(
                    "renewed certificates cannot be used; the ones read before stay in use",
                    metadata: ["error": "\(error)", "remedy": "put the certificate and its own key in place together"])
            }
            return state.pool
        }
    }

    func close() async { try? await state.withLock { $0.pool }.client.shutdown() }

    private static func configuration(_ agency: Agency) throws -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        // Well before the whole call's time is up: a host that does not answer the handshake was sent nothing.
        configuration.timeout.connect = .milliseconds(min(5_000, agency.timeout.milliseconds / 2))
        configuration.timeout.read = .milliseconds(agency.timeout.milliseconds)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.idleTimeout = .seconds(20)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = agency.concurrencyMax
        configuration.httpVersion = .http1Only
        if let proxy = agency.proxy { configuration.proxy = .server(host: proxy.host, port: proxy.port) }
        configuration.tlsConfiguration = try agency.tls.map(secured) ?? plainTLS
        return configuration
    }

    /// TLS 1.0 and 1.1 are broken (RFC 8996), and the library allows them where nobody says otherwise.
    private static var plainTLS: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        return configuration
    }

    private static func secured(by tls: Agency.TLS) throws -> TLSConfiguration {
        func reading<Value>(_ file: String, _ key: String, _ read: (String) throws -> Value) throws -> Value {
            do { return try read(file) } catch {
                throw SettingsError(
                    file: file, key: key, reason: "cannot be read: expected PEM, as the agency's `tls` group says (\(error))")
            }
        }
        var secure = plainTLS
        secure.trustRoots = .certificates(try reading(tls.authority, "tls.ca", NIOSSLCertificate.fromPEMFile))
        guard let certificate = tls.certificate, let key = tls.key else { return secure }
        secure.certificateChain = try reading(certificate, "tls.certificate", NIOSSLCertificate.fromPEMFile).map { .certificate($0) }
        secure.privateKey = .privateKey(
            try reading(key, "tls.key") { file in
                try SecretFile.check(file)
                return try NIOSSLPrivateKey(file: file, format: .pem)
            })
        do { _ = try NIOSSLContext(configuration: secure) } catch {
            throw SettingsError(file: key, key: "tls.key", reason: "is not the key of \(certificate) (\(error))")
        }
        return secure
    }

    private static func stamps(_ tls: Agency.TLS?) -> [FileStamp?] {
        tls.map { [$0.authority, $0.certificate, $0.key] }?.map { $0.flatMap(FileStamp.init) } ?? []
    }
}

/// What tells that a file is not the one that it was.
private struct FileStamp: Equatable {
    private let inode: UInt64
    private let bytes: Int64
    private let changed: [Int]

    /// `nil` where there is no such file.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        inode = UInt64(status.st_ino)
        bytes = Int64(status.st_size)
        changed = [status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
    }
}
