public import WaslModel

/// When offices are open: `Schemas/facts/calendar.yaml`, which an operator edits when the government says so.
public struct WorkingCalendar: Sendable {
    /// Minutes of a day, from opening to closing; empty on a day off.
    typealias Hours = [ClosedRange<Int>]

    private struct Period: Sendable {
        let from: Int
        let through: Int
        let week: [Hours]
    }

    private let zone: Duration
    private let usual: [Hours]
    private let periods: [Period]
    private let holidays: Set<Int>

    private static let dayNames = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

    /// - Throws: ``SettingsError``
    init(file: String) throws {
        let settings = try Settings(file: file)
        guard let minutes = try settings.integer("zone-minutes", in: -720...840) else { throw settings.error("zone-minutes", "missing") }
        zone = .seconds(minutes * 60)
        guard let week = try settings.group("usual") else { throw settings.error("usual", "missing") }
        usual = try WorkingCalendar.week(week)
        periods = try settings.groups("periods").map { group in
            guard let week = try group.group("week") else { throw group.error("week", "missing") }
            _ = try group.string("name")
            return Period(
                from: try WorkingCalendar.day(group, "from"), through: try WorkingCalendar.day(group, "through"),
                week: try WorkingCalendar.week(week))
        }
        var holidays: Set<Int> = []
        for holiday in try settings.groups("holidays") {
            _ = try holiday.string("name")
            holidays.insert(try WorkingCalendar.day(holiday, "date"))
        }
        self.holidays = holidays
        _ = try settings.string("mark")
        try settings.finish()
    }

    /// The time when a level that began at `start` is used up.
    public func due(_ level: ServiceLevel, from start: Timestamp) -> Timestamp {
        switch level {
        case .elapsed(let duration): return start.advanced(by: duration)
        case .workingDays(let count):
            var day = localDay(of: start)
            var left = count
            // A year without an open day would be a broken calendar; the search ends all the same.
            for _ in 0..<(count * 3 + 400) where left > 0 {
                day += 1
                if !hours(on: day).isEmpty { left -= 1 }
            }
            return time(day: day, minute: hours(on: day).last?.upperBound ?? 24 * 60)
        }
    }

    public func isOpen(at time: Timestamp) -> Bool { nextOpening(from: time) == time }

    /// `time` itself where offices are open, otherwise when they open next.
    public func nextOpening(from time: Timestamp) -> Timestamp {
        let day = localDay(of: time)
        for candidate in day...(day + 60) {
            for hours in hours(on: candidate) {
                let opening = self.time(day: candidate, minute: hours.lowerBound)
                if time < opening { return opening }
                if time < self.time(day: candidate, minute: hours.upperBound) { return time }
            }
        }
        return time
    }

    // MARK: Days, counted from 1970-01-01 in the calendar's zone

    private func localDay(of time: Timestamp) -> Int { Int((time.milliseconds + zone.milliseconds).quotientDown(by: 86_400_000)) }

    private func time(day: Int, minute: Int) -> Timestamp {
        Timestamp(milliseconds: Int64(day) * 86_400_000 + Int64(minute) * 60_000 - zone.milliseconds)
    }

    private func hours(on day: Int) -> Hours {
        guard !holidays.contains(day) else { return [] }
        let week = periods.first { ($0.from...$0.through).contains(day) }?.week ?? usual
        // 1970-01-01 was a Thursday.
        return week[((day + 3) % 7 + 7) % 7]
    }

    private static func day(_ settings: Settings, _ key: String) throws -> Int {
        guard let time = Timestamp(try settings.requiredString(key) + "T00:00:00Z") else {
            throw settings.error(key, "expected a date, such as 2026-03-20")
        }
        return Int(time.milliseconds / 86_400_000)
    }

    private static func week(_ settings: Settings) throws -> [Hours] {
        try dayNames.map { name in
            let text = try settings.string(name) ?? ""
            return try text.split(separator: " ").map { piece in
                let ends = piece.split(separator: "-").compactMap { minute(String($0)) }
                guard ends.count == 2, ends[0] < ends[1] else {
                    throw settings.error(name, "expected opening hours such as `08:30-12:30 13:30-17:30`")
                }
                return ends[0]...ends[1]
            }
        }
    }

    private static func minute(_ text: String) -> Int? {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let hour = Int(parts[0]), let minute = Int(parts[1]), (0..<24).contains(hour), (0..<60).contains(minute)
        else { return nil }
        return hour * 60 + minute
    }
}

extension Int64 {
    fileprivate func quotientDown(by divisor: Int64) -> Int64 { self >= 0 ? self / divisor : (self - divisor + 1) / divisor }
}
