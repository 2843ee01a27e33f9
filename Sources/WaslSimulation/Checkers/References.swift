import Crypto
import WaslModel

/// Which request an agency's log speaks of: the reference of the wire contract, section 6, worked out here once more, from its text alone.
struct References {
    private var requests: [String: RequestKey] = [:]

    mutating func observe(_ observation: Observation) {
        switch observation {
        case .shown(let receipt): note(receipt.request)
        case .routed(let message) where message.envelope.type == .requestSubmitted && !message.isForged:
            if let request = message.envelope.request { note(request) }
        case .lied(let lie): if let order = lie.order { note(order.request) }
        default: break
        }
    }

    private mutating func note(_ request: RequestKey) { requests[References.reference(of: request)] = request }

    /// The request under that reference; `nil` where no house ever had one.
    func request(of reference: String) -> RequestKey? { requests[reference] }

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")

    static func reference(of request: RequestKey) -> String {
        var hash = SHA256()
        for part in [request.house.text, request.subject.text] {
            let bytes = Array(part.utf8)
            hash.update(data: [UInt8(bytes.count)])
            hash.update(data: bytes)
        }
        var (bits, count): (UInt32, Int) = (0, 0)
        var text = ""
        // 26 characters are 130 bits: the first 17 bytes hold them.
        for byte in hash.finalize().prefix(17) {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                text.append(digits[Int(bits >> UInt32(count)) & 31])
            }
            bits &= (1 << UInt32(count)) - 1
        }
        return String(text.prefix(26))
    }
}
