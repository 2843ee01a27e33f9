/// Figures in the Prometheus text exposition format 0.0.4.
public struct Metrics: Sendable {
    public enum Kind: String, Sendable { case counter, gauge }

    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    public private(set) var text = ""

    public init() {}

    /// One figure, or one for each label set.
    public mutating func add(
        _ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: [(String, String)], value: Double)]
    ) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
            let value = sample.value == sample.value.rounded() ? String(Int64(sample.value)) : String(sample.value)
            text += name + (labels.isEmpty ? "" : "{\(labels)}") + " \(value)\n"
        }
    }

    public mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
        add(name, kind, help, [([], Double(value))])
    }
}
