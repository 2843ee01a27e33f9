import Foundation
public import WaslModel

/// What a simulated agency did: the oracle. One JSON object a line, on disk before the agency answers.
///
/// It shares nothing with the roles' journals: their word is what it is there to check.
public final class EffectsLog: @unchecked Sendable {
    public struct Line: Sendable, Hashable {
        public let agency: String
        public let operation: String
        /// The caller's reference.
        public let reference: String
        /// The receipt number of an effect; `nil` when nothing was done.
        public let receipt: String?
        /// The fault that the seed planned for this call.
        public let fault: String?
        /// What the agency keeps of it besides.
        public var detail: JSONObject?

        public init(
            agency: String, operation: String, reference: String, receipt: String?, fault: String?, detail: JSONObject? = nil
        ) {
            self.agency = agency
            self.operation = operation
            self.reference = reference
            self.receipt = receipt
            self.fault = fault
            self.detail = detail
        }
    }

    // `condition` guards `waiting` and `isClosing`; the descriptor belongs to the writing thread.
    private let condition = NSCondition()
    private var waiting: [(bytes: [UInt8], done: @Sendable () -> Void)] = []
    private var isClosing = false
    private let descriptor: Int32

    public init(path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw EffectsLogError(description: "\(path): \(String(cString: strerror(errno)))") }
        let thread = Thread { [self] in writeUntilClosed() }
        thread.start()
    }

    /// Returns when the line is on disk.
    public func append(_ line: Line) async {
        var object: JSONObject = [
            "agency": .string(line.agency), "operation": .string(line.operation), "reference": .string(line.reference),
        ]
        if let receipt = line.receipt { object["receipt"] = .string(receipt) }
        if let fault = line.fault { object["fault"] = .string(fault) }
        if let detail = line.detail { object["detail"] = .object(detail) }
        let bytes = JSON.object(object).bytes + [0x0A]
        await withCheckedContinuation { continuation in
            condition.withLock {
                waiting.append((bytes, { continuation.resume() }))
                condition.signal()
            }
        }
    }

    public func close() {
        condition.withLock {
            isClosing = true
            condition.signal()
        }
    }

    private func writeUntilClosed() {
        while true {
            condition.lock()
            while waiting.isEmpty, !isClosing { condition.wait() }
            let lines = waiting
            waiting = []
            condition.unlock()
            if lines.isEmpty {
                Foundation.close(descriptor)
                return
            }
            let bytes = lines.flatMap(\.bytes)
            // An oracle that may have lost a line proves nothing.
            guard write(descriptor, bytes, bytes.count) == bytes.count, fdatasync(descriptor) == 0 else { _exit(74) }
            for line in lines { line.done() }
        }
    }

    /// Every line of a log.
    public static func read(path: String) throws -> [Line] {
        guard let data = FileManager.default.contents(atPath: path) else { return [] }
        return try data.split(separator: 0x0A).map { line in
            let json = try JSON.parse([UInt8](line))
            return Line(
                agency: json["agency"]?.string ?? "", operation: json["operation"]?.string ?? "",
                reference: json["reference"]?.string ?? "", receipt: json["receipt"]?.string,
                fault: json["fault"]?.string, detail: json["detail"]?.object)
        }
    }
}

struct EffectsLogError: Error, CustomStringConvertible { let description: String }
