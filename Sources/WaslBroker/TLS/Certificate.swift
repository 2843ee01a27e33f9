import CRabbitMQ
public import Foundation

/// What a certificate says of itself.
public struct Certificate: Sendable, Hashable {
    public let commonName: String
    public let subject: String
    public let issuer: String
    /// The hosts and addresses that it is for; a participant's has none.
    public let names: String
    public let from: Date
    public let until: Date

    /// The first of a PEM file; `nil` where the file cannot be read or holds none.
    public init?(file: String) {
        var raw = wasl_certificate()
        guard wasl_certificate_read(file, &raw) else { return nil }
        self.init(raw)
    }

    init(_ raw: wasl_certificate) {
        commonName = text(raw.common_name)
        subject = text(raw.subject)
        issuer = text(raw.issuer)
        names = text(raw.names)
        from = Date(timeIntervalSince1970: Double(raw.not_before))
        until = Date(timeIntervalSince1970: Double(raw.not_after))
    }

    /// `2027-01-31 12:00 UTC`
    static func time(_ date: Date) -> String {
        var format = Date.ISO8601FormatStyle(timeZone: .gmt)
        format = format.year().month().day().dateSeparator(.dash).time(includingFractionalSeconds: false).timeSeparator(.colon)
            .dateTimeSeparator(.space)
        return format.format(date) + " UTC"
    }

    /// How long before its end it is spoken of.
    static let warning: Duration = .seconds(14 * 86_400)

    /// Whole days until it ends, where they are few enough to be told.
    func daysLeft(at now: Date) -> Int? {
        let left = until.timeIntervalSince(now)
        return left < Double(Certificate.warning.components.seconds) ? max(0, Int(left / 86_400)) : nil
    }
}

/// A C array of characters that ends with a zero.
private func text<Characters>(_ characters: Characters) -> String {
    withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
