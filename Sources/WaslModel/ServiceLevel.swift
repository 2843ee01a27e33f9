/// How long an agency may take before a request counts as overdue.
public enum ServiceLevel: Sendable, Hashable, CustomStringConvertible {
    /// By the clock: what a machine answers.
    case elapsed(Duration)
    /// Until offices close on that working day after the one on which the order was accepted: what people answer.
    case workingDays(Int)

    /// Reads `30 s`, `2 min`, `24 h`, `1 working day`, `10 working days`.
    public init?(text: String, elapsed: (String) -> Duration?) {
        let words = text.split(separator: " ")
        if words.count == 3, words[1] == "working", words[2] == "day" || words[2] == "days", let count = Int(words[0]),
            (1...365).contains(count)
        {
            self = .workingDays(count)
        } else if let duration = elapsed(text) {
            self = .elapsed(duration)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .elapsed(let duration): "\(duration.milliseconds / 1000) s"
        case .workingDays(let count): "\(count) working day\(count == 1 ? "" : "s")"
        }
    }
}
