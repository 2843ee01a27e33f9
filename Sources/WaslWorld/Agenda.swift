import WaslModel

/// Virtual time, and what happens when. One thread; the same calls in the same order, the same run.
final class Agenda {
    private struct Entry {
        let at: Int64
        let order: UInt64
        let action: () -> Void
    }

    /// Milliseconds since 1970, as a clock that nobody tampers with shows them.
    private(set) var now: Int64
    private var heap: [Entry] = []
    private var order: UInt64 = 0

    init(start: Timestamp) { now = start.milliseconds }

    var time: Timestamp { Timestamp(milliseconds: now) }

    func after(_ milliseconds: Int64, _ action: @escaping () -> Void) {
        order += 1
        heap.append(Entry(at: now + max(0, milliseconds), order: order, action: action))
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Does what is due next; `false` when nothing is.
    func step() -> Bool {
        guard !heap.isEmpty else { return false }
        heap.swapAt(0, heap.count - 1)
        let entry = heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) { least = child }
            if least == parent { break }
            heap.swapAt(parent, least)
            parent = least
        }
        now = entry.at
        entry.action()
        return true
    }

    func run(until end: Int64) {
        while let next = heap.first, next.at <= end { _ = step() }
        now = max(now, end)
    }

    /// Forgets what was still to come: its closures hold the world that holds this.
    func clear() { heap = [] }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].at, heap[left].order) < (heap[right].at, heap[right].order)
    }
}
