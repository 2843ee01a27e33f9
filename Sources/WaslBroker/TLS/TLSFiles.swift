import CRabbitMQ
import Foundation

extension BrokerConfiguration {
    /// Whether the files of `tls` can be used as they are now, and name the participant.
    ///
    /// - Throws: ``BrokerError`` with `configuration`, naming key, file and remedy. An expired certificate is no such error: a house goes
    ///   on taking orders with it, and the broker's refusal tells of it.
    public func checkFiles() throws {
        guard let tls else { return }
        try tls.checkFiles { why, length in
            wasl_tls_check(
                tls.authorityFile, tls.certificate?.file, tls.certificate?.keyFile, tls.revocationFile, why, length)
        }
        // Where a password says who we are, the certificate may be the machine's.
        guard password == nil, let file = tls.certificate?.file, let own = Certificate(file: file), own.commonName != user else { return }
        throw BrokerError(
            .configuration,
            "tls.certificate: \(file) names `\(own.commonName)`, but this is `\(user)`: the common name (CN) must be the participant's identifier"
        )
    }
}

extension BrokerConfiguration.TLS {
    /// - Parameter use: loads the files, with room for OpenSSL's words about the first that does not do.
    func checkFiles(_ use: (UnsafeMutablePointer<CChar>, Int) -> wasl_tls_fault) throws {
        if let certificate {
            let attributes = try? FileManager.default.attributesOfItem(atPath: certificate.keyFile)
            if let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue, mode & 0o077 != 0 {
                throw BrokerError(
                    .configuration, "tls.key: \(certificate.keyFile): others may read it; run `chmod 600 \(certificate.keyFile)`")
            }
        }
        var why = [CChar](repeating: 0, count: 128)
        let fault = why.withUnsafeMutableBufferPointer { use($0.baseAddress!, $0.count) }
        guard fault != WASL_TLS_FINE else { return }
        let reason = String(decoding: why.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        throw BrokerError(.configuration, explain(fault, reason))
    }

    private func explain(_ fault: wasl_tls_fault, _ reason: String) -> String {
        let file = certificate?.file ?? ""
        let key = certificate?.keyFile ?? ""
        return switch fault {
        case WASL_TLS_AUTHORITY: "tls.ca: \(authorityFile) cannot be used (\(reason)): expected the authority's certificate in PEM form"
        case WASL_TLS_REVOCATIONS:
            "tls.crl: \(revocationFile ?? "") cannot be used (\(reason)): expected the authority's revocation list in PEM form"
        case WASL_TLS_CERTIFICATE: "tls.certificate: \(file) cannot be used (\(reason)): expected a certificate in PEM form"
        case WASL_TLS_PAIR: "tls.key: \(key) is not the key of \(file): put the certificate and its own key in place together"
        default: "tls.key: \(key) cannot be used (\(reason)): expected a private key in PEM form, without a passphrase"
        }
    }
}
