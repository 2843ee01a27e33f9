import ArgumentParser
import Hummingbird
import HummingbirdTLS
import Logging
import NIOSSL
import ServiceLifecycle

/// How simulated agencies serve HTTPS: nobody without a certificate of their authority is spoken to.
struct SimulatedTLS: ParsableArguments {
    @Option(help: "Serve HTTPS: the authority (PEM) whose certificates callers must show.") var tlsCa: String?
    @Option(help: "The agencies' own certificate (PEM).") var tlsCertificate: String?
    @Option(help: "Its key (PEM).") var tlsKey: String?

    /// Serves HTTPS on loopback until asked to stop.
    static func run(_ router: Router<BasicRequestContext>, port: Int, _ tls: TLSConfiguration, logger: Logger) async throws {
        let application = Application(
            router: router, server: try .tls(.http1(), tlsConfiguration: tls),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port), serverName: nil), logger: logger)
        var configuration = ServiceGroupConfiguration(
            services: [application], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(2)
        try await ServiceGroup(configuration: configuration).run()
    }

    /// `nil` for plain HTTP.
    ///
    /// - Throws: ``Failure`` where one of the three is missing or cannot be read.
    func configuration() throws -> TLSConfiguration? {
        switch (tlsCa, tlsCertificate, tlsKey) {
        case (nil, nil, nil): return nil
        case (let authority?, let certificate?, let key?):
            do {
                var configuration = TLSConfiguration.makeServerConfiguration(
                    certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
                    privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
                configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority))
                // Callers have no host names; who they are their certificate says.
                configuration.certificateVerification = .noHostnameVerification
                return configuration
            } catch {
                throw Failure.badInput("--tls-ca, --tls-certificate, --tls-key: \(error)")
            }
        default: throw Failure.usage("--tls-ca, --tls-certificate and --tls-key go together")
        }
    }
}
