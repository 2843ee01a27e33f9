import WaslModel

/// A circuit breaker: after so many failures in a row an agency is left alone for a while, then tried with one call.
struct Circuit: Sendable {
    enum State: String, Sendable { case closed, open, halfOpen = "half-open" }

    private let failuresMax: Int
    private let pause: Duration
    private var failures = 0
    private var openUntil: Timestamp?
    private var isProbing = false

    init(failuresMax: Int, pause: Duration) {
        self.failuresMax = failuresMax
        self.pause = pause
    }

    func state(at now: Timestamp) -> State {
        guard let openUntil else { return .closed }
        return isProbing || now >= openUntil ? .halfOpen : .open
    }

    /// Whether a call may begin; if not, when to ask again.
    mutating func permit(at now: Timestamp) -> (isPermitted: Bool, retryAt: Timestamp) {
        guard let openUntil else { return (true, now) }
        if isProbing || now < openUntil { return (false, max(openUntil, now.advanced(by: .milliseconds(100)))) }
        isProbing = true
        return (true, now)
    }

    mutating func succeeded() {
        failures = 0
        openUntil = nil
        isProbing = false
    }

    /// A call that was permitted did not take place after all.
    mutating func released() { isProbing = false }

    mutating func failed(at now: Timestamp) {
        failures += 1
        if isProbing || failures >= failuresMax { openUntil = now.advanced(by: pause) }
        isProbing = false
    }
}

/// A token bucket: so many calls may begin in a second, a tenth of a second's worth at once.
struct RateLimit: Sendable {
    private let perSecond: Double
    private let burst: Double
    private var tokens: Double
    private var filled: Timestamp?

    init(perSecond: Int) {
        self.perSecond = Double(perSecond)
        burst = max(1, Double(perSecond) / 10)
        tokens = burst
    }

    /// Takes a token, or says when there will be one.
    mutating func take(at now: Timestamp) -> Timestamp? {
        if let filled, filled < now {
            tokens = min(burst, tokens + Double(now.since(filled).milliseconds) / 1000 * perSecond)
        }
        filled = now
        guard tokens >= 1 else { return now.advanced(by: .milliseconds(Int64((1 - tokens) / perSecond * 1000) + 1)) }
        tokens -= 1
        return nil
    }
}
