import WaslCatalogue
import WaslModel

/// Runs what a ``JobQueue`` hands out, each job a task of its own.
actor JobScheduler {
    private let now: @Sendable () -> Timestamp
    private var queue: JobQueue
    private var waiter: CheckedContinuation<Void, Never>?
    private var timer: Task<Void, Never>?
    private var isClosing = false
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []

    init(_ agency: Agency, now: @escaping @Sendable () -> Timestamp) {
        self.now = now
        queue = JobQueue(agency)
    }

    var circuitState: Circuit.State { queue.circuitState(at: now()) }
    var counts: (waiting: Int, running: Int) { queue.counts }

    func add(_ job: Job, fields: JSONObject?) {
        queue.add(job, fields: fields)
        wake()
    }

    func add(number: Int64, due: Timestamp, state: Job.State? = nil, attemptUptime: Duration) {
        queue.add(number: number, due: due, state: state, attemptUptime: attemptUptime)
        wake()
    }

    /// Begins no job any more.
    func close() {
        isClosing = true
        wake()
    }

    /// Returns when no job is at work. Close it first: otherwise the next one may begin at any time.
    func untilIdle() async {
        guard queue.counts.running > 0 else { return }
        await withCheckedContinuation { idleWaiters.append($0) }
    }

    /// Runs jobs until closed, then waits for those at work.
    ///
    /// - Parameter execute: runs one job; returns whether the agency answered (`nil` when it was not asked).
    func run(_ execute: @escaping @Sendable (JobQueue.Entry) async -> Bool?) async {
        await withDiscardingTaskGroup { group in
            while !isClosing {
                switch queue.next(at: now()) {
                case .wait(let time): await sleep(until: time)
                case .run(let entry):
                    group.addTask { [self] in
                        let answered = await execute(entry)
                        await ended(answered)
                    }
                }
            }
        }
    }

    private func ended(_ answered: Bool?) {
        queue.ended(answered: answered, at: now())
        wake()
        guard queue.counts.running == 0 else { return }
        for waiter in idleWaiters { waiter.resume() }
        idleWaiters = []
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
}
