import JSONSchema

/// The identifiers that forms of this country ask for, as schema formats. Rules and their certainty: `Docs/integrate/formats.md`.
enum NationalFormats {
    static let all: [String: Format] = [
        "cin": .text(
            Message(ar: "رقم بطاقة التعريف: 8 أرقام", fr: "Numéro de CIN : 8 chiffres", en: "Identity card number: 8 digits")
        ) { digits($0)?.count == 8 },
        "rib": .text(
            Message(
                ar: "رقم الحساب البنكي غير صحيح (20 رقما)", fr: "RIB incorrect (20 chiffres, clé comprise)",
                en: "Not a correct bank account number (RIB, 20 digits with their key)"), isRIB),
        "tn-phone": .text(
            Message(
                ar: "رقم الهاتف: 8 أرقام، الأول 2 إلى 5 أو 7 أو 9", fr: "Téléphone : 8 chiffres, le premier de 2 à 5, 7 ou 9",
                en: "Phone: 8 digits, the first 2 to 5, 7 or 9"), isPhone),
        "tax-number": .text(
            Message(
                ar: "المعرف الجبائي غير صحيح", fr: "Matricule fiscal incorrect", en: "Not a correct tax number (as 0789012H/A/M/000)"),
            isTaxNumber),
        "millimes": Format(
            Message(
                ar: "المبلغ بالمليمات، عدد صحيح غير سالب", fr: "Montant en millimes, entier et positif",
                en: "An amount in whole millimes, not below 0")
        ) { value in
            switch value {
            case .integer(let amount): amount >= 0
            // A price in dinars with a fraction, or in a text, is the usual slip.
            case .number, .string: false
            default: true
            }
        },
    ]

    private static func digits(_ text: String) -> [Int]? {
        let digits = text.utf8.map { Int($0) - 0x30 }
        return digits.allSatisfy { (0...9).contains($0) } ? digits : nil
    }

    /// Bank 2, branch 3, account 13, key 2: the whole number is a multiple of 97.
    static func isRIB(_ text: String) -> Bool {
        guard let digits = digits(text), digits.count == 20 else { return false }
        return digits.reduce(0) { ($0 * 10 + $1) % 97 } == 0
    }

    static func isPhone(_ text: String) -> Bool {
        guard let digits = digits(text), digits.count == 8 else { return false }
        return [2, 3, 4, 5, 7, 9].contains(digits[0])
    }

    /// Seven digits and the letter that their weighted sum picks; with or without category, activity and branch.
    static func isTaxNumber(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, first.utf8.count == 8, let digits = digits(String(first.prefix(7))), let letter = first.last else {
            return false
        }
        let letters = Array("ABCDEFGHJKLMNPQRSTVWXYZ")
        let sum = zip(digits, stride(from: 7, through: 1, by: -1)).reduce(0) { $0 + $1.0 * $1.1 }
        guard letters[sum % 23] == letter else { return false }
        if parts.count == 1 { return true }
        return parts.count == 4 && parts[1].count == 1 && "APBDN".contains(parts[1]) && parts[2].count == 1 && "MPCNE".contains(parts[2])
            && parts[3].utf8.count == 3 && Self.digits(String(parts[3])) != nil
    }
}
