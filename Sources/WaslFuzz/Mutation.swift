public import WaslSimulation

/// Small, blind changes of an input, for machines without a coverage-guided fuzzer; `make fuzz` has the guided one.
public enum Mutation {
    public static func mutate(_ input: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = input
        for _ in 0...random.number(0...3) {
            let at = bytes.isEmpty ? 0 : Int(random.number(0...Int64(bytes.count - 1)))
            switch random.number(0...6) {
            case 0 where !bytes.isEmpty: bytes[at] ^= 1 << UInt8(random.number(0...7))
            case 1 where !bytes.isEmpty: bytes[at] = UInt8(random.number(0...255))
            case 2: bytes.insert(contentsOf: random.bytes(Int(random.number(1...8))), at: at)
            case 3 where !bytes.isEmpty: bytes.removeSubrange(at..<min(bytes.count, at + Int(random.number(1...16))))
            case 4 where !bytes.isEmpty:
                // A piece once more: brackets without end, the same key twice.
                let piece = Array(bytes[at..<min(bytes.count, at + Int(random.number(1...64)))])
                for _ in 0..<random.number(1...40) { bytes.insert(contentsOf: piece, at: at) }
            case 5 where !bytes.isEmpty: bytes = Array(bytes[..<at])
            default: bytes.insert(contentsOf: interesting[Int(random.number(0...Int64(interesting.count - 1)))], at: at)
            }
        }
        return bytes
    }

    private static let interesting: [[UInt8]] =
        [
            "\"", "\\u0000", "\\ud800", "{", "[", "[[[[[[[[", "}", "null", "-0", "1e999", "9223372036854775808", "\u{0}", "&amp;",
            "<!DOCTYPE a>", "<![CDATA[",
            "\u{FEFF}", "&a", "*a", "<<: *a", "!!binary", ": ", "\n- ", "..", "=", "%00",
        ].map { Array($0.utf8) } + [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80]]
}
