public import Hummingbird
public import WaslModel

extension Parameters {
    /// The request that an address names, by the words `house` and `request`; `nil` where one of the two is not of its form.
    public var request: RequestKey? {
        guard let house = get("house"), let number = get("request") else { return nil }
        return RequestKey(house: house, subject: number)
    }
}

extension Problem {
    /// A number alone was given, and several houses have it: to answer with one of their requests would be a guess.
    ///
    /// - Parameter path: what the full addresses begin with, such as `/v1/jobs`.
    public static func severalHouses(_ houses: [String], number: String, under path: String) -> Problem {
        let addresses = houses.map { "\(path)/\($0)/\(number)" }
        return Problem(
            .conflict, "several-houses",
            LocalizedText(
                ar: "هذا الرقم لعدة دور خدمات", fr: "Plusieurs maisons ont une demande de ce numéro",
                en: "Several houses have a request of this number"),
            detail: "Name the house in the address: \(addresses.joined(separator: ", ")).",
            errors: zip(houses, addresses).map { ["house": .string($0), "address": .string($1)] })
    }
}
