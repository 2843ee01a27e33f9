public import WaslModel

/// Citizens' orders, decided by a seed.
public struct SimulatedTraffic: Sendable {
    private let plan: FaultPlan
    private let noteLength: Int

    public static let services = ["steg.bill.view", "sonede.bill.pay", "steg.bill.pay", "tt.bill.pay"]

    /// The agencies of those services.
    public static let agencies: Set = ["steg", "sonede", "tt"]

    /// - Parameter noteLength: characters of remark, to make messages as long as real ones.
    public init(seed: UInt64, noteLength: Int = 40) {
        plan = FaultPlan(seed: seed)
        self.noteLength = noteLength
    }

    /// The order of a number: the four effect classes in equal parts.
    public func order(_ index: Int) -> JSON {
        let service = SimulatedTraffic.services[index % SimulatedTraffic.services.count]
        let number = plan.number("order \(index)", salt: 4)
        func digits(_ count: Int, _ salt: UInt64) -> String {
            let text = String(plan.number("digits \(index)", salt: salt))
            return String((text + "0000000000").prefix(count))
        }
        var fields: JSONObject = ["note": .string(String(repeating: "ملاحظة note ", count: noteLength / 12 + 1))]
        switch service {
        case "steg.bill.view": fields["reference"] = .string(digits(9, 5))
        case "steg.bill.pay": fields["reference"] = .string(digits(9, 5))
        case "sonede.bill.pay": fields["police_number"] = .string(digits(9, 6))
        default: fields["line"] = .string("7" + digits(7, 7))
        }
        if service.hasSuffix("pay") {
            fields["amount"] = JSON(1_000 + number % 200_000)
            fields["payment"] = .string(["cash", "card", "d17"][Int(number % 3)])
        }
        return ["service": .string(service), "fields": .object(fields)]
    }

    /// Which of so many houses an order comes to.
    public func house(_ index: Int, of count: Int) -> Int { Int(plan.number("house \(index)", salt: 8) % UInt64(count)) }
}
