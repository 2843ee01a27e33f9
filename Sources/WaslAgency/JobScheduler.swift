import WaslCatalogue
import WaslModel

/// Decides which job runs when: due times, concurrency, rate, circuit. Holds little of a job: what waits long is read again when due.
actor JobScheduler {
    private struct Entry {
        let due: Timestamp
        let number: Int64
        let job: Job?
        let fields: JSONObject?
    }

    private let now: @Sendable () -> Timestamp
    private let concurrencyMax: Int
    private var rate: RateLimit
    private var circuit: Circuit
    private var heap: [Entry] = []
    private var inMemory = 0
    private var running = 0
    private var waiter: CheckedContinuation<Void, Never>?
    private var timer: Task<Void, Never>?
    private var isClosing = false
    /// Jobs kept whole in memory; past these only their numbers.
    private static let inMemoryMax = 2_000

    init(_ agency: Agency, now: @escaping @Sendable () -> Timestamp) {
        self.now = now
        concurrencyMax = agency.concurrencyMax
        rate = RateLimit(perSecond: agency.ratePerSecondMax)
        circuit = Circuit(failuresMax: agency.circuitFailuresMax, pause: agency.circuitPause)
    }

    var circuitState: Circuit.State { circuit.state(at: now()) }
    var counts: (waiting: Int, running: Int) { (heap.count, running) }

    func add(_ job: Job, fields: JSONObject?) {
        let keeps = inMemory < JobScheduler.inMemoryMax
        if keeps { inMemory += 1 }
        push(Entry(due: job.due, number: job.number, job: keeps ? job : nil, fields: keeps ? fields : nil))
        wake()
    }

    func add(number: Int64, due: Timestamp) {
        push(Entry(due: due, number: number, job: nil, fields: nil))
        wake()
    }

    func close() {
        isClosing = true
        wake()
    }

    /// Runs jobs until closed, then waits for those at work.
    ///
    /// - Parameter execute: runs one job; returns whether the agency answered (`nil` when it was not asked).
    func run(_ execute: @escaping @Sendable (Int64, Job?, JSONObject?) async -> Bool?) async {
        await withDiscardingTaskGroup { group in
            while !isClosing {
                if let wait = pauseBeforeNext() {
                    await sleep(until: wait)
                    continue
                }
                let entry = pop()
                running += 1
                if entry.job != nil { inMemory -= 1 }
                group.addTask { [self] in
                    let answered = await execute(entry.number, entry.job, entry.fields)
                    await ended(answered)
                }
            }
        }
    }

    /// `nil` when the next job may run now; otherwise when to look again (`.some(nil)`: when woken).
    private func pauseBeforeNext() -> Timestamp?? {
        guard running < concurrencyMax, let next = heap.first else { return .some(nil) }
        let now = now()
        if next.due > now { return .some(next.due) }
        let permit = circuit.permit(at: now)
        guard permit.isPermitted else { return .some(permit.retryAt) }
        if let at = rate.take(at: now) {
            circuit.released()
            return .some(at)
        }
        return .none
    }

    private func ended(_ answered: Bool?) {
        running -= 1
        switch answered {
        case true?: circuit.succeeded()
        case false?: circuit.failed(at: now())
        case nil: circuit.released()
        }
        wake()
    }

    private func wake() {
        waiter?.resume()
        waiter = nil
    }

    private func sleep(until time: Timestamp?) async {
        timer?.cancel()
        if let time {
            let pause = max(.milliseconds(1), time.since(now()))
            timer = Task { [weak self] in
                try? await Task.sleep(for: pause)
                if !Task.isCancelled { await self?.wake() }
            }
        }
        await withCheckedContinuation { waiter = $0 }
    }

    // A binary heap by due time, then by number: the oldest citizen first.

    private func precedes(_ left: Entry, _ right: Entry) -> Bool { (left.due, left.number) < (right.due, right.number) }

    private func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0, precedes(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func pop() -> Entry {
        heap.swapAt(0, heap.count - 1)
        let entry = heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(heap[child], heap[least]) {
                least = child
            }
            if least == parent { return entry }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
