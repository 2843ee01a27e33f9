public import WaslModel

/// How an agency's API is spoken to, as data: `Schemas/agencies/<agency>/agency.yaml`.
public struct Agency: Sendable {
    /// What a call carries to say who calls.
    public struct Credentials: Sendable {
        public enum Scheme: String, Sendable, CaseIterable {
            /// `Authorization: Bearer` and the file's text.
            case bearer
            /// `Authorization: Basic`; the file holds `user:password`.
            case basic
            /// The file's text in a header of the agency's own.
            case header
        }

        public let scheme: Scheme
        /// The header's name, for `header`.
        public let header: String?
        /// The secret's file, unless the worker's configuration names another.
        public let file: String?
    }

    /// Files in PEM form for an endpoint with `https`.
    public struct TLS: Sendable {
        public let authority: String
        public let certificate: String?
        public let key: String?
    }

    /// A forward proxy: every call goes through a tunnel of its own (`CONNECT`).
    public struct Proxy: Sendable {
        public let host: String
        public let port: Int
    }

    public let id: ParticipantID
    public let style: WireForm
    /// Where its API is, unless the worker's configuration says otherwise.
    public let endpoint: String
    public let credentials: Credentials?
    public let tls: TLS?
    public let proxy: Proxy?
    /// A header that carries our reference in calls of idempotent services.
    public let idempotencyHeader: String?
    /// How long a call may take before it counts as doubt.
    public let timeout: Duration
    public let concurrencyMax: Int
    /// Calls that may begin in a second.
    public let ratePerSecondMax: Int
    /// How long the agency remembers an idempotency key.
    public let retention: Duration
    /// How long an effect may take to become visible to a lookup.
    public let settle: Duration
    /// Its API, or its desk, answers in office hours only.
    public let isOfficeHoursOnly: Bool
    /// Failures in a row that open the circuit.
    public let circuitFailuresMax: Int
    /// How long an open circuit stays open before one call tries again.
    public let circuitPause: Duration
    public let answerBytesMax: Int

    private enum Hours: String, CaseIterable { case always, office }

    init(file: String) throws {
        let settings = try Settings(file: file)
        guard let id = ParticipantID(try settings.requiredString("agency")) else {
            throw settings.error("agency", "expected a participant's identifier")
        }
        self.id = id
        guard let style = try settings.word("style", WireForm.self) else { throw settings.error("style", "missing") }
        self.style = style
        // A desk has no address.
        endpoint = style == .desk ? "" : try settings.requiredString("endpoint")
        credentials = try settings.group("credentials").map { group in
            guard let scheme = try group.word("scheme", Credentials.Scheme.self) else { throw group.error("scheme", "missing") }
            let header = try group.string("header")
            guard scheme != .header || header != nil else { throw group.error("header", "missing") }
            return Credentials(scheme: scheme, header: header, file: try group.string("file"))
        }
        tls = try settings.group("tls").map { group in
            TLS(
                authority: try group.requiredString("ca"), certificate: try group.string("certificate"), key: try group.string("key"))
        }
        proxy = try settings.group("proxy").map { group in
            guard let port = try group.integer("port", in: 1...65_535) else { throw group.error("port", "missing") }
            return Proxy(host: try group.requiredString("host"), port: Int(port))
        }
        idempotencyHeader = try settings.string("idempotency-header")
        timeout = try settings.duration("timeout") ?? .seconds(10)
        let limits = try settings.group("limits")
        concurrencyMax = Int(try limits?.integer("concurrency", in: 1...10_000) ?? 32)
        ratePerSecondMax = Int(try limits?.integer("rate-per-second", in: 1...100_000) ?? 200)
        answerBytesMax = Int(try limits?.integer("answer-bytes", in: 1...64 << 20) ?? 1 << 20)
        retention = try settings.duration("retention") ?? .seconds(86_400)
        settle = try settings.duration("settle") ?? .seconds(10)
        isOfficeHoursOnly = try settings.word("hours", Hours.self) == .office
        let circuit = try settings.group("circuit")
        circuitFailuresMax = Int(try circuit?.integer("failures", in: 1...1_000) ?? 10)
        circuitPause = try circuit?.duration("pause") ?? .seconds(10)
        _ = try settings.string("mark")
        try settings.finish()
    }
}
