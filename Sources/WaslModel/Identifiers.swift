/// An identifier whose text follows one rule (wire contract, section 1). The rule is checked when it is made.
public protocol TextIdentifier: Sendable, Hashable, Comparable, CustomStringConvertible {
    var text: String { get }
    init?(_ text: String)
}

extension TextIdentifier {
    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

extension String {
    /// What lies between separators, empty pieces too. By bytes: to walk the characters of a long text costs ten times as much.
    package func pieces(_ separator: UInt8) -> [Substring] {
        utf8.split(separator: separator, omittingEmptySubsequences: false).map { self[$0.startIndex..<$0.endIndex] }
    }
}

/// A house, an agency or the ledger: `[a-z][a-z0-9-]{1,30}`.
public struct ParticipantID: TextIdentifier {
    public let text: String

    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (2...31).contains(bytes.count), isLowercase(bytes[0]),
            bytes.allSatisfy({ isLowercase($0) || isDigit($0) || $0 == UInt8(ascii: "-") })
        else { return nil }
        self.text = text
    }

    public static let ledger = ParticipantID("ledger")!
}

/// A typed operation of an agency: dotted words of `[a-z][a-z0-9]*`, first the agency (`steg.bill.view`).
public struct ServiceID: TextIdentifier {
    public let text: String

    public init?(_ text: String) {
        let words = text.pieces(UInt8(ascii: "."))
        guard words.count >= 2, text.utf8.count <= 100,
            words.allSatisfy({ word in
                word.utf8.first.map(isLowercase) == true && word.utf8.allSatisfy { isLowercase($0) || isDigit($0) }
            })
        else { return nil }
        self.text = text
    }

    /// The service's one word in a routing key: the dots become `-`.
    public var routingWord: String { String(decoding: text.utf8.map { $0 == 0x2E ? 0x2D : $0 }, as: UTF8.self) }

    /// The agency that performs it.
    public var agency: ParticipantID? { ParticipantID(String(text.prefix { $0 != "." })) }
}

/// One citizen's order: a UUID (version 7), minted at the counter before the commit.
public struct RequestID: TextIdentifier {
    public let text: String

    public init?(_ text: String) {
        guard isUUID(text) else { return nil }
        self.text = text
    }

    public init(_ identifier: UUIDv7) { text = identifier.text }
}

/// One epoch of one participant's journal: a UUID.
public struct EpochID: TextIdentifier {
    public let text: String

    public init?(_ text: String) {
        guard isUUID(text) else { return nil }
        self.text = text
    }

    public init(_ identifier: UUIDv7) { text = identifier.text }
}

/// A version 7 UUID (RFC 9562 section 5.7): 48 bits of milliseconds, then random bits.
public struct UUIDv7: Sendable, Hashable {
    public let text: String

    public init(at time: Timestamp, using generator: inout some RandomNumberGenerator) {
        let high = UInt64(bitPattern: time.milliseconds) << 16 | 0x7000 | generator.next() & 0x0FFF
        let low = 0x8000_0000_0000_0000 | generator.next() & 0x3FFF_FFFF_FFFF_FFFF
        let digits = hexText(
            (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) }
                + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) })
        var output: [UInt8] = []
        output.reserveCapacity(36)
        for (index, digit) in digits.utf8.enumerated() {
            if index == 8 || index == 12 || index == 16 || index == 20 { output.append(0x2D) }
            output.append(digit)
        }
        text = String(decoding: output, as: UTF8.self)
    }

    /// From the system's generator.
    public init(at time: Timestamp) {
        var generator = SystemRandomNumberGenerator()
        self.init(at: time, using: &generator)
    }
}

private func isLowercase(_ byte: UInt8) -> Bool { byte >= 0x61 && byte <= 0x7A }
private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

/// Lower-case canonical form only: one identifier has one text.
private func isUUID(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return false }
    for (index, byte) in bytes.enumerated() {
        if index == 8 || index == 13 || index == 18 || index == 23 {
            guard byte == 0x2D else { return false }
        } else {
            guard isDigit(byte) || (byte >= 0x61 && byte <= 0x66) else { return false }
        }
    }
    return true
}
