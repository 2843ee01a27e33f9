public import JSONValue

/// What a person at a counter reads about a value that does not fit.
public struct Message: Sendable, Hashable {
    public let ar: String
    public let fr: String
    public let en: String

    public init(ar: String, fr: String, en: String) {
        self.ar = ar
        self.fr = fr
        self.en = en
    }

    public var json: JSON { ["ar": .string(ar), "fr": .string(fr), "en": .string(en)] }
}

extension Message {
    static let missing = Message(ar: "هذه الخانة إجبارية", fr: "Ce champ est obligatoire", en: "This field is required")
    static let notAllowed = Message(ar: "هذه الخانة غير معروفة", fr: "Ce champ n'est pas prévu", en: "This field is not expected")
    static let notOneOf = Message(
        ar: "القيمة ليست من القيم المسموح بها", fr: "La valeur n'est pas parmi celles permises",
        en: "The value is not one of those allowed")
    static let wrongForm = Message(
        ar: "شكل القيمة غير صحيح", fr: "La forme de la valeur est incorrecte", en: "The value has the wrong form")
    static let notMultiple = Message(
        ar: "القيمة ليست من مضاعفات العدد المطلوب", fr: "La valeur n'est pas un multiple du nombre demandé",
        en: "The value is not a multiple of the number asked for")
    static let repeated = Message(
        ar: "القائمة تحتوي على تكرار", fr: "La liste contient une répétition", en: "The list holds something twice")
    static let lacksElement = Message(
        ar: "القائمة لا تحتوي على ما هو مطلوب", fr: "La liste ne contient pas ce qui est demandé",
        en: "The list lacks what is asked for")
    static let tooManyElements = Message(
        ar: "القائمة تحتوي على أكثر مما هو مسموح به", fr: "La liste contient trop d'éléments de cette sorte",
        en: "The list holds too many of that kind")
    static let noneFits = Message(
        ar: "القيمة لا تطابق أيا من الحالات الممكنة", fr: "La valeur ne correspond à aucun des cas possibles",
        en: "The value fits none of the possible cases")
    static let severalFit = Message(
        ar: "القيمة تطابق أكثر من حالة واحدة", fr: "La valeur correspond à plus d'un cas", en: "The value fits more than one case")
    static let forbidden = Message(
        ar: "هذه القيمة غير مسموح بها", fr: "Cette valeur n'est pas permise", en: "This value is not allowed")

    static func atLeast(_ bound: String) -> Message {
        Message(ar: "الحد الأدنى: \(bound)", fr: "Au moins \(bound)", en: "At least \(bound)")
    }
    static func atMost(_ bound: String) -> Message {
        Message(ar: "الحد الأقصى: \(bound)", fr: "Au plus \(bound)", en: "At most \(bound)")
    }
    static func above(_ bound: String) -> Message {
        Message(ar: "يجب أن تكون أكبر من \(bound)", fr: "Doit dépasser \(bound)", en: "Must be above \(bound)")
    }
    static func below(_ bound: String) -> Message {
        Message(ar: "يجب أن تكون أصغر من \(bound)", fr: "Doit être inférieur à \(bound)", en: "Must be below \(bound)")
    }
    static func charactersAtLeast(_ bound: Int) -> Message {
        Message(ar: "عدد الأحرف الأدنى: \(bound)", fr: "Au moins \(bound) caractères", en: "At least \(bound) characters")
    }
    static func charactersAtMost(_ bound: Int) -> Message {
        Message(ar: "عدد الأحرف الأقصى: \(bound)", fr: "Au plus \(bound) caractères", en: "At most \(bound) characters")
    }
    static func elementsAtLeast(_ bound: Int) -> Message {
        Message(ar: "عدد العناصر الأدنى: \(bound)", fr: "Au moins \(bound) éléments", en: "At least \(bound) entries")
    }
    static func elementsAtMost(_ bound: Int) -> Message {
        Message(ar: "عدد العناصر الأقصى: \(bound)", fr: "Au plus \(bound) éléments", en: "At most \(bound) entries")
    }

    static func wrongType(expected: [JSONType]) -> Message {
        Message(
            ar: "المنتظر: " + expected.map(\.words.ar).joined(separator: " أو "),
            fr: "Attendu : " + expected.map(\.words.fr).joined(separator: " ou "),
            en: "Expected " + expected.map(\.words.en).joined(separator: " or "))
    }
}
