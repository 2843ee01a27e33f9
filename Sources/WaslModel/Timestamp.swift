/// A moment, in whole milliseconds since 1970-01-01T00:00:00Z. On the wire RFC 3339 UTC with milliseconds.
public struct Timestamp: Sendable, Hashable, Comparable {
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public var seconds: Int64 { milliseconds / 1000 }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    public func advanced(by duration: Duration) -> Timestamp {
        Timestamp(milliseconds: milliseconds + duration.milliseconds)
    }

    /// The time from `earlier` to here; negative when `earlier` is the later one.
    public func since(_ earlier: Timestamp) -> Duration { .milliseconds(milliseconds - earlier.milliseconds) }
}

extension Duration {
    public var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}

extension Timestamp: CustomStringConvertible {
    /// `2026-11-22T23:05:07.123Z`
    public var description: String {
        let days = Int64((Double(milliseconds) / 86_400_000).rounded(.down))
        let inDay = milliseconds - days * 86_400_000
        let date = CivilDate(daysSince1970: days)
        var output: [UInt8] = []
        output.reserveCapacity(24)
        func put(_ value: Int64, _ width: Int) {
            let digits = Array(String(value).utf8)
            for _ in 0..<max(0, width - digits.count) { output.append(0x30) }
            output.append(contentsOf: digits)
        }
        func put(_ letter: Character) { output.append(letter.asciiValue!) }
        put(Int64(date.year), 4)
        put("-")
        put(Int64(date.month), 2)
        put("-")
        put(Int64(date.day), 2)
        put("T")
        put(inDay / 3_600_000, 2)
        put(":")
        put(inDay / 60_000 % 60, 2)
        put(":")
        put(inDay / 1000 % 60, 2)
        put(".")
        put(inDay % 1000, 3)
        put("Z")
        return String(decoding: output, as: UTF8.self)
    }

    /// Parses RFC 3339 in UTC (`Z`), with or without a fraction of a second; digits past the millisecond are cut.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 35, bytes.last == UInt8(ascii: "Z") else { return nil }
        func number(_ start: Int, _ count: Int) -> Int64? {
            var value: Int64 = 0
            for byte in bytes[start..<(start + count)] {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        let separators: [(Int, Character)] = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")]
        guard separators.allSatisfy({ bytes[$0.0] == $0.1.asciiValue }),
            let year = number(0, 4), let month = number(5, 2), let day = number(8, 2),
            let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2),
            (1...12).contains(month), hour < 24, minute < 60, second < 60
        else { return nil }
        let date = CivilDate(year: Int(year), month: Int(month), day: Int(day))
        guard day >= 1, CivilDate(daysSince1970: date.daysSince1970) == date else { return nil }
        var fraction: Int64 = 0
        if bytes.count > 20 {
            guard bytes[19] == UInt8(ascii: "."), bytes.count > 21 else { return nil }
            let digits = bytes[20..<(bytes.count - 1)]
            guard digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
            for index in 0..<3 { fraction = fraction * 10 + (index < digits.count ? Int64(digits[20 + index] - 0x30) : 0) }
        }
        let inDay = hour * 3_600_000 + minute * 60_000 + second * 1000 + fraction
        self.init(milliseconds: date.daysSince1970 * 86_400_000 + inDay)
    }
}

/// A date of the proleptic Gregorian calendar, by the day-count arithmetic of eras of 400 years.
struct CivilDate: Hashable {
    var year: Int
    var month: Int
    var day: Int

    init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(daysSince1970 days: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }

    var daysSince1970: Int64 {
        let shiftedYear = Int64(month <= 2 ? year - 1 : year)
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
