package import GRDB
package import WaslCatalogue
package import WaslModel

/// Decides which job runs when: due times, concurrency, rate, circuit. Pure state: ``JobScheduler`` runs what it hands out.
///
/// Holds little of a job: what waits long is read again when due.
package struct JobQueue: Sendable {
    package struct Entry: Sendable {
        let due: Timestamp
        package let number: Int64
        package let job: Job?
        package let fields: JSONObject?
        package let attemptUptime: Duration
        /// Only for a job that still waits so, for papers or for people.
        var waits: Job.State?

        /// The job, read again where it waited too long to be held.
        package func job(in db: Database) throws -> Job? {
            if let job { return job }
            var job = try Job.fetch(db, number: number)
            if let waits, job?.state != waits { return nil }
            job?.attemptUptime = attemptUptime
            return job
        }
    }

    package enum Next: Sendable {
        case run(Entry)
        /// Nothing may run before this time; `nil`: before something is added or ends.
        case wait(until: Timestamp?)
    }

    private let concurrencyMax: Int
    private var rate: RateLimit
    private var circuit: Circuit
    private var heap: [Entry] = []
    private var inMemory = 0
    private var running = 0
    /// Jobs kept whole in memory; past these only their numbers.
    private static let inMemoryMax = 2_000

    package init(_ agency: Agency) {
        concurrencyMax = agency.concurrencyMax
        rate = RateLimit(perSecond: agency.ratePerSecondMax)
        circuit = Circuit(failuresMax: agency.circuitFailuresMax, pause: agency.circuitPause)
    }

    func circuitState(at now: Timestamp) -> Circuit.State { circuit.state(at: now) }
    var counts: (waiting: Int, running: Int) { (heap.count, running) }

    package mutating func add(_ job: Job, fields: JSONObject?) {
        // What waits for papers or for people changes meanwhile: it is read again when its time is up.
        if job.state.isOthersTurn {
            return add(number: job.number, due: job.due, state: job.state, attemptUptime: job.attemptUptime)
        }
        let keeps = inMemory < JobQueue.inMemoryMax
        if keeps { inMemory += 1 }
        push(
            Entry(due: job.due, number: job.number, job: keeps ? job : nil, fields: keeps ? fields : nil, attemptUptime: job.attemptUptime))
    }

    /// - Parameter attemptUptime: ``Job/attemptUptime``, or what is surely not before it.
    package mutating func add(number: Int64, due: Timestamp, state: Job.State? = nil, attemptUptime: Duration) {
        let waits = state.flatMap { $0.isOthersTurn ? $0 : nil }
        push(Entry(due: due, number: number, job: nil, fields: nil, attemptUptime: attemptUptime, waits: waits))
    }

    /// What runs now, taken out of the queue, or when to ask again.
    package mutating func next(at now: Timestamp) -> Next {
        guard running < concurrencyMax, let first = heap.first else { return .wait(until: nil) }
        if first.due > now { return .wait(until: first.due) }
        let permit = circuit.permit(at: now)
        guard permit.isPermitted else { return .wait(until: permit.retryAt) }
        if let at = rate.take(at: now) {
            circuit.released()
            return .wait(until: at)
        }
        let entry = pop()
        running += 1
        if entry.job != nil { inMemory -= 1 }
        return .run(entry)
    }

    /// - Parameter answered: whether the agency answered; `nil` when it was not asked.
    package mutating func ended(answered: Bool?, at now: Timestamp) {
        running -= 1
        switch answered {
        case true?: circuit.succeeded()
        case false?: circuit.failed(at: now)
        case nil: circuit.released()
        }
    }

    // A binary heap by due time, then by number: the oldest citizen first.

    private func precedes(_ left: Entry, _ right: Entry) -> Bool { (left.due, left.number) < (right.due, right.number) }

    private mutating func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0, precedes(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func pop() -> Entry {
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
