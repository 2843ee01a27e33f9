/// Why a journal could not do what was asked, and what to do about it.
public struct JournalError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// Another process holds the journal.
        case locked
        /// The file is damaged.
        case damaged
        /// The file is older than the head kept beside it: a backup was put back, or commits were lost.
        case restored
        /// The file belongs to another participant.
        case foreign
        /// Too much waits to be committed: try again later.
        case overloaded
        /// No room on the disk.
        case full
        /// The journal is closing.
        case closed
    }

    public let code: Code
    public let reason: String
    public let remedy: String

    public init(_ code: Code, _ reason: String, remedy: String) {
        self.code = code
        self.reason = reason
        self.remedy = remedy
    }

    public var description: String { "\(reason). \(remedy)" }
}
