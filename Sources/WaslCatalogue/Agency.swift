public import WaslModel

/// How an agency's API is spoken to, as data: `Schemas/agencies/<agency>/agency.yaml`.
public struct Agency: Sendable {
    /// The wire form of calls and answers; what they say is the services' business.
    public enum Style: String, Sendable, CaseIterable {
        case restJSON = "rest-json"
        case soap11 = "soap-1.1"
    }

    public let id: ParticipantID
    public let style: Style
    /// Where its API is, unless the worker's configuration says otherwise.
    public let endpoint: String
    /// How long a call may take before it counts as doubt.
    public let timeout: Duration
    public let concurrencyMax: Int
    /// Calls that may begin in a second.
    public let ratePerSecondMax: Int
    /// How long the agency remembers an idempotency key.
    public let retention: Duration
    /// How long an effect may take to become visible to a lookup.
    public let settle: Duration
    /// Failures in a row that open the circuit.
    public let circuitFailuresMax: Int
    /// How long an open circuit stays open before one call tries again.
    public let circuitPause: Duration
    public let answerBytesMax: Int

    init(file: String) throws {
        let settings = try Settings(file: file)
        guard let id = ParticipantID(try settings.requiredString("agency")) else {
            throw settings.error("agency", "expected a participant's identifier")
        }
        self.id = id
        guard let style = try settings.word("style", Style.self) else { throw settings.error("style", "missing") }
        self.style = style
        endpoint = try settings.requiredString("endpoint")
        timeout = try settings.duration("timeout") ?? .seconds(10)
        let limits = try settings.group("limits")
        concurrencyMax = Int(try limits?.integer("concurrency", in: 1...10_000) ?? 32)
        ratePerSecondMax = Int(try limits?.integer("rate-per-second", in: 1...100_000) ?? 200)
        answerBytesMax = Int(try limits?.integer("answer-bytes", in: 1...64 << 20) ?? 1 << 20)
        retention = try settings.duration("retention") ?? .seconds(86_400)
        settle = try settings.duration("settle") ?? .seconds(10)
        let circuit = try settings.group("circuit")
        circuitFailuresMax = Int(try circuit?.integer("failures", in: 1...1_000) ?? 10)
        circuitPause = try circuit?.duration("pause") ?? .seconds(10)
        _ = try settings.string("mark")
        try settings.finish()
    }
}
