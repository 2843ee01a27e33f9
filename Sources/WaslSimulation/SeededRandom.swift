/// SplitMix64: small, quick, and the same on every machine.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// A generator of its own: what one part draws moves nothing for another.
    public mutating func fork() -> SeededRandom { SeededRandom(seed: next()) }

    public mutating func number(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self) }

    public mutating func happens(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

    /// Spread over the orders of magnitude between the two ends.
    public mutating func spread(_ range: ClosedRange<Double>) -> Int64 {
        let exponent = Double.random(in: 0...1, using: &self)
        var value = range.lowerBound
        // Powers by repeated roots would drag in the C library, whose last bits differ between machines.
        let steps = Int(exponent * 16)
        let ratio = range.upperBound / range.lowerBound
        var factor = 1.0
        for _ in 0..<4 { factor = factor == 1.0 ? ratio.squareRoot() : factor.squareRoot() }
        for _ in 0..<steps { value *= factor }
        return Int64(value)
    }

    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 7)
        while bytes.count < count {
            let word = next()
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
        }
        return Array(bytes.prefix(count))
    }
}
