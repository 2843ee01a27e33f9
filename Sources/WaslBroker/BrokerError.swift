/// Why the broker could not be reached or did not do as asked.
public struct BrokerError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case unreachable, refused, closed, timedOut, cancelled, configuration, node
        /// A certificate, theirs or ours, does not do: the reason names the remedy.
        case certificate
    }

    public let code: Code
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { reason }
}
