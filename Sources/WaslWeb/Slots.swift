import Synchronization

/// A bounded number of something that lasts, such as event streams.
public final class Slots: Sendable {
    /// One of them, given back when the last hold on it is gone.
    public final class Slot: Sendable {
        private let slots: Slots
        fileprivate init(_ slots: Slots) { self.slots = slots }
        deinit { slots.free.withLock { $0 += 1 } }
    }

    private let free: Mutex<Int>

    public init(_ max: Int) { free = Mutex(max) }

    /// - Returns: `nil` where all are taken.
    public func take() -> Slot? {
        let isTaken = free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
        return isTaken ? Slot(self) : nil
    }
}
