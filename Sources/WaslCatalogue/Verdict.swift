package import WaslModel

/// What a worker was doing when an answer came.
package enum Phase: String, Sendable { case call, lookup, upload }

/// What an agency's answer, or its absence, says.
package enum Verdict: Sendable, Hashable {
    case completed(JSONObject)
    case refused(reason: JSONObject)
    /// The agency did not act, for certain.
    case definiteNo(String, retryAfter: Duration?)
    /// The agency may have acted.
    case doubt(String)
    /// A lookup found nothing under our reference.
    case absent
    /// The agency has it and is at work on it: what a citizen may know, and when to ask again.
    case progress(note: JSONObject, askAfter: Duration)
    /// What the agency tells under our reference is of another order: a person has to look.
    case another(String)
    /// The agency holds a paper; nothing has been done yet.
    case uploaded

    /// Reads what `answer.jq` made of an answer; whatever it does not say clearly is doubt.
    ///
    /// - Parameter fields: the order's own, against which `order` is held: what the agency says that it was asked for.
    package init(_ value: JSON, of service: Service?, in phase: Phase, status: Int, fields order: JSONObject = [:]) {
        if let different = Verdict.difference(value["order"]?.object ?? [:], order) {
            self = .another("the agency's answer under our reference is of another order: `\(different)` is not the same")
            return
        }
        switch value["result"]?.string {
        case "uploaded" where phase == .upload: self = .uploaded
        case "progress" where phase != .upload && (service?.effect == .queryable || service?.effect == .idempotent):
            // Whoever says so is asked again, so only where that changes nothing.
            guard let note = value["progress"]?.object, Verdict.isNote(note) else {
                self = .doubt("status \(status), progress without a code and texts in ar, fr and en")
                return
            }
            let after = value["after"]?.integer ?? 3_600
            self = .progress(note: Verdict.withOwnCode(note, service), askAfter: .seconds(min(max(after, 1), 7 * 86_400)))
        case "completed" where phase != .upload:
            guard let fields = value["fields"]?.object, let violations = service?.outcome.validate(.object(fields)) else {
                self = .doubt("status \(status), completed without fields")
                return
            }
            if let violation = violations.first {
                self = .doubt("status \(status), but the answer's fields are not those of the contract: \(violation.keywordLocation)")
            } else {
                self = .completed(fields)
            }
        case "refused":
            guard let reason = value["reason"]?.object, reason["code"]?.string != nil else {
                self = .doubt("status \(status), refused without a reason")
                return
            }
            self = .refused(reason: Verdict.withOwnCode(reason, service))
        case "definite-no":
            let after = value["after"]?.integer.map { Duration.seconds(min(max($0, 0), 86_400)) }
            self = .definiteNo(Verdict.why(value, service, status) ?? "status \(status)", retryAfter: after)
        case "absent" where phase == .lookup: self = .absent
        default: self = .doubt(Verdict.why(value, service, status) ?? "status \(status), which no rule covers")
        }
    }

    /// A reason ends in logs, journals and pages, so it must be the program's own text, with the status in it at most: what came out of
    /// an answer is told by its shape.
    private static func why(_ value: JSON, _ service: Service?, _ status: Int) -> String? {
        guard let why = value["why"]?.string else { return nil }
        let program = service?.programs[.answer] ?? ""
        let written = [why, why.replacing(String(status), with: "\\(.status)")]
        if written.contains(where: { program.contains("\"\($0)\"") }) { return why }
        return "status \(status), and a reason that is not the program's own text: \(JSON.string(why).shape)"
    }

    /// The same of a code: it is written down in the clear, beside the sealed texts.
    private static func withOwnCode(_ reason: JSONObject, _ service: Service?) -> JSONObject {
        guard let code = reason["code"]?.string, service?.programs[.answer]?.contains("\"\(code)\"") != true else { return reason }
        var reason = reason
        reason["code"] = .string(unlistedCode)
        return reason
    }

    /// Stands for a code that no program's text holds.
    static let unlistedCode = "unlisted"

    /// What is completed with a document is so only with the very document that it speaks of; otherwise the agency has to say it again.
    package func held(against document: FoundDocument?, _ service: Service?) -> Verdict {
        guard case .completed(let fields) = self, let rule = service?.document,
            let reason = FoundDocument.disagreement(document, rule, fields)
        else { return self }
        return .doubt("completed, but \(reason)")
    }

    /// The first field that the agency names and that is not the order's. Numbers are compared as numbers: XML and forms hold texts.
    private static func difference(_ named: JSONObject, _ order: JSONObject) -> String? {
        named.members.first { key, value in
            guard value != .null, let own = order[key] else { return false }
            if let number = own.integer { return (value.integer ?? value.string.flatMap { Int64($0) }) != number }
            return value != own
        }?.key
    }

    private static func isNote(_ note: JSONObject) -> Bool {
        ["code", "ar", "fr", "en"].allSatisfy { note[$0]?.string?.isEmpty == false }
    }

    /// For the attempt's record: no citizen's data.
    package var summary: String {
        switch self {
        case .completed: "completed"
        case .refused(let reason): "refused: \(reason["code"]?.string ?? "")"
        case .definiteNo(let reason, _): "definite no: \(reason)"
        case .doubt(let reason): "doubt: \(reason)"
        case .absent: "absent"
        case .another(let reason): "another: \(reason)"
        case .progress(let note, _): "progress: \(note["code"]?.string ?? "")"
        case .uploaded: "uploaded"
        }
    }
}
