import WaslModel

/// What a clerk reads.
extension LocalizedText {
    static let missing = LocalizedText(
        ar: "هذه الخانة إجبارية", fr: "Ce champ est obligatoire", en: "This field is required")
    static let notAllowed = LocalizedText(
        ar: "هذه الخانة غير معروفة", fr: "Ce champ n'est pas prévu", en: "This field is not expected")
    static let notOneOf = LocalizedText(
        ar: "القيمة ليست من القيم المسموح بها", fr: "La valeur n'est pas parmi celles permises",
        en: "The value is not one of those allowed")
    static let tooShort = LocalizedText(ar: "القيمة قصيرة جدا", fr: "La valeur est trop courte", en: "The value is too short")
    static let tooLong = LocalizedText(ar: "القيمة طويلة جدا", fr: "La valeur est trop longue", en: "The value is too long")
    static let tooSmall = LocalizedText(ar: "القيمة صغيرة جدا", fr: "La valeur est trop petite", en: "The value is too small")
    static let tooLarge = LocalizedText(ar: "القيمة كبيرة جدا", fr: "La valeur est trop grande", en: "The value is too large")
    static let wrongForm = LocalizedText(
        ar: "شكل القيمة غير صحيح", fr: "La forme de la valeur est incorrecte", en: "The value has the wrong form")

    static func wrongType(expected names: [String]) -> LocalizedText {
        let words: [String: LocalizedText] = [
            "null": LocalizedText(ar: "فراغ", fr: "rien", en: "nothing"),
            "boolean": LocalizedText(ar: "نعم أو لا", fr: "oui ou non", en: "yes or no"),
            "integer": LocalizedText(ar: "عدد صحيح", fr: "un nombre entier", en: "a whole number"),
            "number": LocalizedText(ar: "عدد", fr: "un nombre", en: "a number"),
            "string": LocalizedText(ar: "نص", fr: "un texte", en: "a text"),
            "array": LocalizedText(ar: "قائمة", fr: "une liste", en: "a list"),
            "object": LocalizedText(ar: "مجموعة خانات", fr: "un groupe de champs", en: "a group of fields"),
        ]
        let expected = names.compactMap { words[$0] }
        return LocalizedText(
            ar: "المنتظر: " + expected.map(\.ar).joined(separator: " أو "),
            fr: "Attendu : " + expected.map(\.fr).joined(separator: " ou "),
            en: "Expected " + expected.map(\.en).joined(separator: " or "))
    }
}
