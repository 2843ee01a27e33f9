package import WaslModel

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

    /// Reads what `answer.jq` made of an answer; whatever it does not say clearly is doubt.
    package init(_ value: JSON, of service: Service?, isLookup: Bool, status: Int) {
        switch value["result"]?.string {
        case "completed":
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
            self = .refused(reason: reason)
        case "definite-no":
            let after = value["after"]?.integer.map { Duration.seconds(min(max($0, 0), 86_400)) }
            self = .definiteNo(value["why"]?.string ?? "status \(status)", retryAfter: after)
        case "absent" where isLookup: self = .absent
        default: self = .doubt(value["why"]?.string ?? "status \(status), which no rule covers")
        }
    }

    /// For the attempt's record: no citizen's data.
    package var summary: String {
        switch self {
        case .completed: "completed"
        case .refused(let reason): "refused: \(reason["code"]?.string ?? "")"
        case .definiteNo(let reason, _): "definite no: \(reason)"
        case .doubt(let reason): "doubt: \(reason)"
        case .absent: "absent"
        }
    }
}
