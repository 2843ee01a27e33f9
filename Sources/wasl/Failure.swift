import WaslAgency
import WaslBroker
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal

/// Why a command ends without its work done, with the exit code that says so.
struct Failure: Error {
    let exitCode: Int32
    let message: String

    static func notAsItShouldBe(_ message: String) -> Failure { Failure(exitCode: 1, message: message) }
    static func usage(_ message: String) -> Failure { Failure(exitCode: 64, message: message) }
    static func badInput(_ message: String) -> Failure { Failure(exitCode: 65, message: message) }
    static func unavailable(_ message: String) -> Failure { Failure(exitCode: 69, message: message) }

    /// Our modules' own errors: code and text.
    static func explain(_ error: any Error) -> (Int32, String)? {
        switch error {
        case let error as SettingsError: (78, "\(error)")
        case let error as JournalError: (error.code == .full ? 74 : 78, "\(error)")
        case let error as SealError: (error.code == .malformed || error.code == .badSignature ? 65 : 78, "\(error)")
        case let error as SecretFileError: (78, "\(error)")
        case let error as BrokerError: (69, "\(error)")
        case let error as TranslationError: (error.code == .program ? 65 : 69, "\(error)")
        case let error as ResolutionError: (65, "\(error)")
        case let error as EnvelopeError: (65, "\(error)")
        case let error as JSONParseError: (65, "\(error)")
        default: nil
        }
    }
}
