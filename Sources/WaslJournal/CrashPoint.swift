import Foundation
import Synchronization

/// A named place between two steps, where a test has the process die: `WASL_ABORT_AT=journal.after-commit:7` kills it there at the
/// seventh passage. Without that variable a passage is one comparison.
public enum CrashPoint: String, CaseIterable, Sendable {
    case journalBeforeCommit = "journal.before-commit"
    case journalAfterCommit = "journal.after-commit"
    case deliveriesBeforeAcknowledge = "deliveries.before-acknowledge"
    case deliveriesAfterAcknowledge = "deliveries.after-acknowledge"
    case publishBeforeConfirm = "publish.before-confirm"
    case houseBeforeAnswer = "house.before-answer"
    case agencyBeforeCall = "agency.before-call"
    case agencyAfterCall = "agency.after-call"

    public static let variable = "WASL_ABORT_AT"

    private static let armed: (point: CrashPoint, passage: Int)? = {
        guard let text = ProcessInfo.processInfo.environment[variable] else { return nil }
        let parts = text.split(separator: ":").map(String.init)
        guard (1...2).contains(parts.count), let point = CrashPoint(rawValue: parts[0]),
            let passage = parts.count == 2 ? Int(parts[1]) : 1, passage >= 1
        else {
            let known = allCases.map(\.rawValue).joined(separator: ", ")
            FileHandle.standardError.write(Data("\(variable)=\(text): expected POINT or POINT:N with one of \(known)\n".utf8))
            _exit(78)
        }
        return (point, passage)
    }()

    private static let passages = Atomic<Int>(0)

    public func passed() {
        guard let armed = CrashPoint.armed, armed.point == self else { return }
        if CrashPoint.passages.add(1, ordering: .relaxed).newValue == armed.passage { kill(getpid(), SIGKILL) }
    }
}
