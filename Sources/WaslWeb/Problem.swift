import Foundation
import HTTPTypes
public import Hummingbird
import NIOCore
import NIOHTTP1
public import WaslModel

/// An error as RFC 9457 describes it: `application/problem+json`.
public struct Problem: Error, HTTPResponseError, Sendable {
    public let status: HTTPResponse.Status
    /// The last part of the problem's type: `urn:wasl:problem:<kind>`.
    public let kind: String
    public let title: LocalizedText
    /// What to do, for the person who reads it.
    public let detail: String
    public var retryAfterSeconds: Int?
    /// One entry for each field that is wrong.
    public var errors: [JSON] = []
    /// The methods that the path knows, where the one that came is not among them.
    var allowed: [HTTPRequest.Method] = []

    public init(
        _ status: HTTPResponse.Status, _ kind: String, _ title: LocalizedText, detail: String,
        retryAfterSeconds: Int? = nil, errors: [JSON] = []
    ) {
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.retryAfterSeconds = retryAfterSeconds
        self.errors = errors
    }

    var json: JSON {
        var body: JSONObject = [
            "type": .string("urn:wasl:problem:\(kind)"), "title": .string(title.en), "status": JSON(status.code),
            "detail": .string(detail), "titles": title.json,
        ]
        if !errors.isEmpty { body["errors"] = .array(errors) }
        return .object(body)
    }

    /// The header fields of the answer.
    var fields: HTTPFields {
        var fields: HTTPFields = [.contentType: "application/problem+json", .cacheControl: "no-store"]
        if let nosniff = HTTPField.Name("X-Content-Type-Options") { fields[nosniff] = "nosniff" }
        if let retryAfterSeconds { fields[.retryAfter] = String(retryAfterSeconds) }
        if status == .unauthorized { fields[.wwwAuthenticate] = "Bearer" }
        if !allowed.isEmpty { fields[.allow] = allowed.map(\.rawValue).sorted().joined(separator: ", ") }
        return fields
    }

    public func response(from request: Request, context: some RequestContext) throws -> Response {
        Response(status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }
}

extension Problem {
    /// What anybody's error is to the caller; `nil` for one that nobody has foreseen.
    init?(foreseen error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case is HTTPParserError: self = .unreadable
        case is SlowBody: self = .slowBody
        case let error as NIOTooManyBytesError: self = .tooLarge(bytesMax: error.maxBytes)
        // The caller is gone or the process ends: nobody reads it.
        case is IOError, is ChannelError, is CancellationError: self = .stopping
        case let error as any HTTPResponseError where error.status == .notFound: self = .noSuchPath
        default: return nil
        }
    }

    /// What nobody has foreseen: the caller gets a number to ask about, the log gets the error beside it.
    static func unforeseen(incident: String) -> Problem {
        Problem(
            .internalServerError, "internal",
            LocalizedText(ar: "خطأ داخلي", fr: "Erreur interne", en: "An internal error"),
            detail: "Incident \(incident): the service's log names the error beside this number. Send the same again; if it fails again, "
                + "tell the operator the number.", errors: [["incident": .string(incident)]])
    }

    static let noSuchPath = Problem(
        .notFound, "no-such-path", LocalizedText(ar: "عنوان غير موجود", fr: "Adresse inconnue", en: "No such path"),
        detail: "`/openapi.json` describes every path of this service.")

    static func wrongMethod(_ method: HTTPRequest.Method, allowed: [HTTPRequest.Method]) -> Problem {
        let known = allowed.map(\.rawValue).sorted().joined(separator: ", ")
        var problem = Problem(
            .methodNotAllowed, "wrong-method",
            LocalizedText(ar: "طريقة غير مسموح بها", fr: "Méthode non permise", en: "This method is not allowed here"),
            detail: "This path knows \(known); \(method.rawValue) is none of them.")
        problem.allowed = allowed
        return problem
    }

    static let unreadable = Problem(
        .badRequest, "unreadable",
        LocalizedText(ar: "الطلب لا يتبع HTTP", fr: "La requête n'est pas du HTTP valide", en: "The request is not valid HTTP"),
        detail: "Head, length or chunks of the request do not follow RFC 9112; send it again from the start.")

    static let slowBody = Problem(
        .requestTimeout, "slow-body",
        LocalizedText(ar: "لم يصل المحتوى في أجله", fr: "Le corps n'est pas arrivé à temps", en: "The body did not come in time"),
        detail: "Nothing was recorded; send the same again, faster.")

    static let stopping = Problem(
        .serviceUnavailable, "stopping",
        LocalizedText(ar: "الخدمة في طور التوقف", fr: "Le service s'arrête", en: "The service is stopping"),
        detail: "Send the same again in a few seconds.", retryAfterSeconds: 5)

    static let overloaded = Problem(
        .serviceUnavailable, "too-many-connections",
        LocalizedText(ar: "اتصالات كثيرة", fr: "Trop de connexions", en: "Too many connections"),
        detail: "All connections are busy: try again in a few seconds, over fewer connections. Health alone is answered now.",
        retryAfterSeconds: 5)

    static func tooLarge(bytesMax: Int?) -> Problem {
        Problem(
            .contentTooLarge, "too-large",
            LocalizedText(ar: "المطلب أكبر مما يُقبل", fr: "Demande trop volumineuse", en: "The body is too large"),
            detail: bytesMax.map { "At most \($0) bytes are accepted." } ?? "Send less at once.")
    }

    /// Nothing was recorded; the same may be sent again.
    ///
    /// - Parameter reason: a sentence without its full stop.
    public static func notNow(_ reason: String) -> Problem {
        Problem(
            .serviceUnavailable, "not-now",
            LocalizedText(
                ar: "تعذر التسجيل الآن، أعد المحاولة", fr: "Enregistrement impossible pour l'instant, réessayez",
                en: "It cannot be recorded right now; try again"),
            detail: "\(reason). Nothing was recorded.", retryAfterSeconds: 2)
    }
}
