public import Logging

/// A logger whose lines a test can wait for and search: message and metadata, of every level.
public struct RecordingLog: LogHandler {
    public static func logger(_ lines: Recorder<String>) -> Logger {
        Logger(label: "test", factory: { _ in RecordingLog(lines: lines) })
    }

    private let lines: Recorder<String>
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level = .trace

    private init(lines: Recorder<String>) { self.lines = lines }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, own in own }
        let error = event.error.map { ["error=\($0)"] } ?? []
        lines.append(
            ([event.message.description] + error + all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }).joined(separator: " "))
    }
}
