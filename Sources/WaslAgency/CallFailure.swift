import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Why a call brought no answer, and whether the agency may have acted all the same: the table of the wire contract's "definite no".
///
/// A definite no is only what failed before a byte of the request was handed over. Where an error does not tell, it is doubt.
struct CallFailure: Error, Hashable, CustomStringConvertible {
    enum Kind: String, CaseIterable {
        // No connection stood: nothing was sent.
        case nameNotFound = "name-not-found"
        case refused
        case noRoute = "no-route"
        case notConnectedInTime = "not-connected-in-time"
        case proxyRefused = "proxy-refused"
        case certificateNotAccepted = "certificate-not-accepted"
        case wrongName = "wrong-name"
        case ownCertificateRefused = "own-certificate-refused"
        case handshakeFailed = "handshake-failed"
        case notConnected = "not-connected"
        case noCall = "no-call"
        // The request may have been handed over.
        case ownCertificateRefusedLate = "own-certificate-refused-late"
        case closedUnanswered = "closed-unanswered"
        case brokenOff = "broken-off"
        case halfAnswer = "half-answer"
        case unreadable
        case tooLong = "too-long"
        case timedOut = "timed-out"
        case unexplained
    }

    /// How far a call had come when it failed.
    enum Stage: CaseIterable {
        /// On a connection of its own that never stood.
        case connecting
        /// On a connection of its own that stood: the request may be on its way, whatever the error says.
        case handedOver
        /// On a connection that others use too: only the error tells.
        case unknown
        /// The answer had begun.
        case answering
    }

    let kind: Kind
    let detail: String

    init(_ kind: Kind, _ detail: String) {
        self.kind = kind
        self.detail = detail
    }

    init(_ error: any Error, at stage: Stage) {
        if let failure = error as? CallFailure {
            self = failure
            return
        }
        let named = Kind(error)
        switch stage {
        case .connecting: kind = named.mayHaveActed ? .notConnected : named
        case .handedOver: kind = named.mayHaveActed ? named : .brokenOff
        case .unknown: kind = named
        case .answering: kind = named == .tooLong || named == .timedOut ? named : .halfAnswer
        }
        // The client's longer description repeats headers: a credential, or what a citizen wrote.
        detail = (error as? HTTPClientError)?.shortDescription ?? "\(error)"
    }

    var mayHaveActed: Bool { kind.mayHaveActed }
    var description: String { "\(kind.rawValue): \(detail)" }
}

extension CallFailure.Kind {
    /// The table: each row with its reason.
    var mayHaveActed: Bool {
        switch self {
        case .nameNotFound, .refused, .noRoute, .notConnectedInTime, .proxyRefused, .notConnected, .noCall:
            // The request is handed over only when a connection stands; a proxy's tunnel is none before the proxy has said 200.
            false
        case .certificateNotAccepted, .wrongName, .ownCertificateRefused, .handshakeFailed:
            // The request is encrypted with what the handshake agrees upon, so before its end there was none to send.
            false
        case .ownCertificateRefusedLate:
            // Under TLS 1.3 the handshake is over for us before the agency has judged our certificate: the request is on its way by then.
            // An agency that refuses a certificate hardly reads on, but nobody here can know.
            true
        case .closedUnanswered:
            // The connection stood, so the request may have been read: a process that dies after its commit closes in just this way.
            // That a kept connection was closed for being idle looks the same, and is why a call that cannot be repeated has its own.
            true
        case .brokenOff, .halfAnswer, .unreadable, .tooLong:
            // Somebody read the request, and what was made of it is lost.
            true
        case .timedOut:
            // Late is not never.
            true
        case .unexplained: true
        }
    }

    /// What an operator can do about it.
    var remedy: String {
        switch self {
        case .nameNotFound: "check the host in `endpoint`, and this machine's name server"
        case .refused: "check the port in `endpoint`; if it is right, the agency's server is down"
        case .noRoute: "check this machine's network and the way to the agency"
        case .notConnectedInTime:
            "check that a firewall lets this machine reach the `endpoint`, and that it speaks the protocol named there"
        case .proxyRefused: "check `proxy`, and that the proxy lets this machine reach the agency"
        case .certificateNotAccepted:
            "the agency's certificate has expired or is not of the authority in `tls.ca`: look at it with `openssl s_client -connect HOST:PORT -CAfile CA`"
        case .wrongName:
            "the host in `endpoint` is not named in the agency's certificate: use the name that it has, or ask for another certificate"
        case .ownCertificateRefused, .ownCertificateRefusedLate:
            "the agency refused the handshake, most likely for our certificate: check that `tls.certificate` and `tls.key` are there, not expired, and known to the agency"
        case .handshakeFailed: "check that the `endpoint` speaks TLS 1.2 or later"
        case .notConnected: "check the `endpoint`, and whether something between here and the agency cuts connections"
        case .noCall: "check `endpoint`, the credentials' file, and the service's `call.jq`"
        case .closedUnanswered, .brokenOff, .halfAnswer: "ask the agency what its server, or a proxy before it, did at this moment"
        case .unreadable: "check that the `endpoint` speaks HTTP/1.1"
        case .tooLong: "raise `limits.answer-bytes`, if the agency's answers may be that long"
        case .timedOut: "raise `timeout`, if the agency may take that long"
        case .unexplained: "report it with this line"
        }
    }

    /// What an error says by itself.
    init(_ error: any Error) {
        switch error {
        case let error as NIOConnectionError: self = .init(error)
        case let error as HTTPClientError: self = .init(error)
        case NIOSSLError.handshakeFailed(let cause): self = .init(handshake: "\(cause)")
        case let error as NIOSSLExtraError where [.failedToValidateHostname, .serverHostnameImpossibleToMatch].contains(error):
            self = .wrongName
        // After the handshake: an alert, or records that are none.
        case let error as BoringSSLError: self = "\(error)".contains("ALERT") ? .ownCertificateRefusedLate : .brokenOff
        case NIOSSLError.uncleanShutdown: self = .closedUnanswered
        case let error as IOError: self = .init(errno: error.errnoCode)
        case HTTPParserError.invalidEOFState: self = .halfAnswer
        case is HTTPParserError: self = .unreadable
        case is NIOTooManyBytesError: self = .tooLong
        case is AnswerTimedOut, is CancellationError: self = .timedOut
        default: self = .unexplained
        }
    }

    private init(_ error: NIOConnectionError) {
        let causes = error.connectionErrors.map(\.error)
        if causes.isEmpty {
            self = .nameNotFound
        } else if causes.contains(where: { ($0 as? IOError)?.errnoCode == ECONNREFUSED }) {
            self = .refused
        } else if causes.contains(where: { if case ChannelError.connectTimeout = $0 { true } else { false } }) {
            self = .notConnectedInTime
        } else {
            self = .noRoute
        }
    }

    private static let invalidHeaders = [
        HTTPClientError.invalidHeaderFieldNames([]).shortDescription, HTTPClientError.invalidHeaderFieldValues([]).shortDescription,
    ]

    private init(_ error: HTTPClientError) {
        switch error {
        case .connectTimeout, .tlsHandshakeTimeout, .httpProxyHandshakeTimeout, .socksHandshakeTimeout, .getConnectionFromPoolTimeout:
            self = .notConnectedInTime
        case .invalidProxyResponse, .proxyAuthenticationRequired: self = .proxyRefused
        case .invalidURL, .emptyHost, .emptyScheme: self = .noCall
        // Looked at before a connection is asked for. The two hold the headers, so they cannot be compared as a whole.
        case _ where CallFailure.Kind.invalidHeaders.contains(error.shortDescription): self = .noCall
        case .remoteConnectionClosed: self = .closedUnanswered
        case .readTimeout, .writeTimeout, .deadlineExceeded, .cancelled: self = .timedOut
        default: self = .unexplained
        }
    }

    /// - Parameter cause: BoringSSL's own words: it has no codes that could be compared.
    private init(handshake cause: String) {
        if cause.contains("CERTIFICATE_VERIFY_FAILED") {
            self = .certificateNotAccepted
        } else if cause.contains("ALERT"), !cause.contains("PROTOCOL_VERSION") {
            self = .ownCertificateRefused
        } else {
            self = .handshakeFailed
        }
    }

    private init(errno: Int32) {
        switch errno {
        // The kernel says these of a connection that stood, too, but only after a quarter of an hour of sending in vain: a call's time
        // is up long before. On a connection of its own the stage decides.
        case ECONNREFUSED: self = .refused
        case EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN, EADDRNOTAVAIL: self = .noRoute
        default: self = .brokenOff
        }
    }
}
