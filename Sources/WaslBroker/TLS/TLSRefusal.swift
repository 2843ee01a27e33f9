import CRabbitMQ
import Foundation

/// Says in one line who refused whom in a TLS handshake, and what to do about it.
struct TLSRefusal {
    let configuration: BrokerConfiguration
    let tls: BrokerConfiguration.TLS

    private var address: String { "\(configuration.host):\(configuration.port)" }

    /// `nil` where no certificate was the reason.
    func explain(_ watch: TLSWatch) -> BrokerError? {
        if let rejection = watch.rejection { return BrokerError(.certificate, "TLS with \(address): \(ours(rejection))") }
        if let alert = watch.alert { return BrokerError(.certificate, "TLS with \(address): \(theirs(alert))") }
        return nil
    }

    /// Why we refuse the broker.
    private func ours(_ rejection: TLSWatch.Rejection) -> String {
        let certificate = rejection.certificate
        let whose = rejection.isAuthority ? "the authority's certificate" : "the broker's certificate"
        let name = "\(whose) (\(certificate.subject))"
        return switch rejection.verdict {
        case WASL_TLS_UNKNOWN_AUTHORITY:
            "the broker's certificate is not signed by an authority in \(tls.authorityFile), but by `\(certificate.issuer)`. If the broker has rightly changed its authority, put that one's certificate into the file (`tls.ca`); if not, somebody else answers at this address"
        case WASL_TLS_EXPIRED:
            "\(name) expired on \(Certificate.time(certificate.until)). It has to be renewed at the broker; if it is not past that day, put this machine's clock right"
        case WASL_TLS_NOT_YET_VALID:
            "\(name) is valid from \(Certificate.time(certificate.from)) only. Put this machine's clock right, or have the certificate issued anew"
        case WASL_TLS_OTHER_NAME:
            "the broker's certificate is for \(certificate.names.isEmpty ? certificate.subject : certificate.names), not for \(configuration.host). Set `host` to a name that it has, or have it issued for this one; if neither is right, somebody else answers at this address"
        case WASL_TLS_REVOKED:
            "\(name) is revoked, says \(tls.revocationFile ?? "the revocation list"). The broker needs a new certificate; until then nothing is sent there"
        case WASL_TLS_NO_REVOCATION_LIST:
            "\(tls.revocationFile ?? "the revocation list") (`tls.crl`) is not of the authority that issued \(name). Get that authority's list"
        case WASL_TLS_OLD_REVOCATION_LIST:
            "the list in \(tls.revocationFile ?? "tls.crl") (`tls.crl`) is out of date. Get the authority's newest one"
        case WASL_TLS_OTHER_PURPOSE:
            "\(name) is not meant for a server. The broker needs one with the extended key usage serverAuth"
        default: "\(name) does not pass (\(rejection.text)). Have the broker's certificate looked at"
        }
    }

    /// Why the broker refuses us: alerts of RFC 8446, 6.2.
    private func theirs(_ alert: Int32) -> String {
        let own = tls.certificate.flatMap { Certificate(file: $0.file) }
        let file = tls.certificate?.file ?? ""
        let name = "our certificate \(file) (\(own?.subject ?? ""))"
        let renewal = "Put a new certificate and its key in place; the next try reads them"
        switch alert {
        // handshake_failure is how TLS 1.2 says certificate_required.
        case 40 where tls.certificate == nil, 116:
            return tls.certificate == nil
                ? "the broker asks for a certificate and we have none. Set `tls.certificate` and `tls.key`"
                : "the broker did not get \(name). Have it issued by an authority that the broker knows, for the use clientAuth"
        case 44: return "\(name) is revoked. \(renewal), if this participant still has the right to one"
        case 45:
            guard let own, own.until > Date() else {
                return "\(name) expired\(own.map { " on \(Certificate.time($0.until))" } ?? ""). \(renewal)"
            }
            return
                "the broker says that \(name) has expired, but it is valid until \(Certificate.time(own.until)). One of the two clocks is wrong"
        case 48:
            return
                "the broker does not know the authority that issued \(name): `\(own?.issuer ?? "")`. Have the certificate issued by the broker's authority, or that authority added to the broker's `cacertfile`"
        case 42, 43, 46:
            return
                "the broker does not accept \(name) (\(words(alert))). Either the certificate is damaged or not meant for clients, or the broker's revocation list is missing or out of date: its own log says which"
        case 40, 70, 71, 86:
            return "no TLS version or cipher in common (\(words(alert))). The broker has to offer TLS 1.2 or 1.3"
        default: return "the broker ended the handshake (\(words(alert))). Its own log says why"
        }
    }

    private func words(_ alert: Int32) -> String { "alert \(alert), \(String(cString: wasl_tls_alert_text(alert)))" }
}
