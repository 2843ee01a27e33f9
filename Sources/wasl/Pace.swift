/// Does something many times, at so many a second, so many at once at the most.
enum Pace {
    /// - Parameters:
    ///   - rate: beginnings a second; `nil` for as many as `concurrency` allows.
    ///   - action: is told its number, from 0.
    static func run(
        count: Int, rate: Double?, concurrency: Int, _ action: @escaping @Sendable (Int) async -> Void
    ) async {
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for offset in 0..<count {
                if Task.isCancelled { break }
                if offset >= concurrency { await group.next() }
                if let rate {
                    let due = start + .nanoseconds(Int64(Double(offset) / rate * 1_000_000_000))
                    if due > .now { try? await Task.sleep(until: due, clock: .continuous) }
                }
                group.addTask { await action(offset) }
            }
        }
    }
}
