import JSONSchema
import WaslCatalogue
import WaslModel

/// Reads what a desk's form says by the service's contract.
enum DeskAnswer {
    /// The fields that are wrong, and why.
    struct Wrong: Error { let fields: [String: LocalizedText] }

    static func read(_ form: [String: String], _ service: Service) throws(Wrong) -> DeskAct {
        switch form["act"] {
        case "take": return .taken
        case "refuse":
            let reason = trimmed(form["reason"])
            guard (3...1000).contains(reason.unicodeScalars.count) else {
                throw Wrong(fields: [
                    "reason": LocalizedText(
                        ar: "اكتب سبب الرفض: من 3 إلى 1000 حرف", fr: "Écrivez le motif du refus : 3 à 1000 caractères",
                        en: "Write why it is refused: 3 to 1000 characters")
                ])
            }
            return .refused(reason)
        default:
            var fields = JSONObject()
            for field in service.answerForm {
                let text = trimmed(form["field." + field.field])
                if !text.isEmpty { fields[field.field] = value(text, field.field, service) }
            }
            var wrong: [String: LocalizedText] = [:]
            for violation in service.outcome.validate(.object(fields)) {
                let name = violation.instanceLocation.split(separator: "/").first.map(String.init) ?? ""
                let message = violation.message
                wrong[name] = wrong[name] ?? LocalizedText(ar: message.ar, fr: message.fr, en: message.en)
            }
            guard wrong.isEmpty else { throw Wrong(fields: wrong) }
            return .completed(fields)
        }
    }

    /// A form knows texts only: the first of text, whole number and truth that the contract takes.
    private static func value(_ text: String, _ name: String, _ service: Service) -> JSON {
        let candidates: [JSON] = [.string(text)] + (Int64(text).map { [.integer($0)] } ?? []) + (Bool(text).map { [.bool($0)] } ?? [])
        return candidates.first { candidate in
            !service.outcome.validate([name: candidate]).contains { $0.instanceLocation == "/" + name }
        } ?? .string(text)
    }

    private static func trimmed(_ text: String?) -> String {
        var text = (text ?? "")[...]
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }
}
