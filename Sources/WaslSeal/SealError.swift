/// Why a signature, a sealed text, a key or a registry was refused.
public struct SealError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case malformed, headerRefused, unknownKey, keyNotValid, badSignature, notDecryptable, badKey, stale, unsafeFile
        /// By a revoked key: it counts where two people approve it.
        case revoked
    }

    public let code: Code
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { "\(code.rawValue): \(reason)" }
}
