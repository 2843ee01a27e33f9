import Logging
import Synchronization

/// Says why a broker cannot be reached: once for as long as the reason is the same, whichever of its links meets it.
final class OutageLog: Sendable {
    private let logger: Logger
    private let said = Mutex<String?>(nil)

    init(_ logger: Logger) { self.logger = logger }

    func tell(_ error: any Error, connection: String) {
        let reason = "\(error)"
        let isNews = said.withLock { said in
            defer { said = reason }
            return said != reason
        }
        logger.log(
            level: !isNews ? .debug : OutageLog.needsAPerson(error) ? .error : .warning, "no connection to the broker; trying again",
            metadata: ["connection": "\(connection)", "reason": "\(reason)"])
    }

    /// A link is up: what comes next is another outage.
    func end() { said.withLock { $0 = nil } }

    /// Trying again does not mend it by itself.
    private static func needsAPerson(_ error: any Error) -> Bool {
        guard let error = error as? BrokerError else { return false }
        return [.certificate, .configuration, .refused].contains(error.code)
    }
}
