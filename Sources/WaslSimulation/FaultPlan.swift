import WaslModel

/// What goes wrong at a simulated agency, decided by a seed: the same seed and reference, the same fault.
public struct FaultPlan: Sendable {
    /// A fault strikes the first call about a reference; later calls are served.
    public enum Fault: String, Sendable, CaseIterable {
        case errorBeforeActing = "error-before-acting"
        case errorAfterActing = "error-after-acting"
        case timeoutAfterActing = "timeout-after-acting"
        case lostConnectionAfterActing = "lost-connection-after-acting"
        case malformedAnswerAfterActing = "malformed-answer-after-acting"
        case maintenance
        /// The agency answers nobody for a while: every call breaks off, and nothing is done.
        case dark
    }

    let seed: UInt64
    /// Of a thousand first calls, how many each fault strikes.
    let perMille: [(fault: Fault, share: UInt64)]
    let refusedPerMille: UInt64
    let latency: ClosedRange<Int64>
    /// How many seconds of each two minutes an agency is dark.
    let darkSeconds: Int64

    /// - Parameters:
    ///   - rate: 1 is about 7 faults in 100 calls; 0 is none.
    ///   - darkSeconds: of each two minutes; when they begin is the seed's to say, for each agency apart.
    public init(seed: UInt64, rate: Double = 1, latency: ClosedRange<Int64> = 1...15, darkSeconds: Int64 = 0) {
        self.seed = seed
        self.darkSeconds = darkSeconds
        let shares: [(Fault, Double)] = [
            (.errorBeforeActing, 15), (.errorAfterActing, 15), (.timeoutAfterActing, 5), (.lostConnectionAfterActing, 10),
            (.malformedAnswerAfterActing, 10), (.maintenance, 15),
        ]
        perMille = shares.map { ($0.0, UInt64($0.1 * rate)) }
        refusedPerMille = rate > 0 ? 30 : 0
        self.latency = latency
    }

    func fault(for reference: String) -> Fault? {
        var roll = number(reference, salt: 1) % 1000
        for (fault, share) in perMille {
            if roll < share { return fault }
            roll -= share
        }
        return nil
    }

    func isDark(_ agency: String, at time: Timestamp) -> Bool {
        (time.seconds + Int64(number(agency, salt: 10) % 120)) % 120 < darkSeconds
    }

    func refuses(_ reference: String) -> Bool { number(reference, salt: 2) % 1000 < refusedPerMille }

    func latency(for reference: String) -> Duration {
        .milliseconds(latency.lowerBound + Int64(number(reference, salt: 3) % UInt64(latency.count)))
    }

    /// FNV-1a over salt and text, mixed once more: quick, and the same on every machine.
    func number(_ text: String, salt: UInt64) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed &* 0x9E37_79B9_7F4A_7C15 ^ salt &* 0xD6E8_FEB8_6659_FD93
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash ^= hash >> 33
        hash = hash &* 0xFF51_AFD7_ED55_8CCD
        return hash ^ hash >> 33
    }
}
