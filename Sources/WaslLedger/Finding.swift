import GRDB
import WaslJournal
public import WaslModel

/// A disagreement that reconciliation found. Opened once, aged, cleared with a cause; never deleted.
public enum FindingClass: String, Sendable, CaseIterable {
    case gap, fork
    case silentParticipant = "silent-participant"
    case notTaken = "not-taken"
    case overdue
    case orphanOutcome = "orphan-outcome"
    case contradictingOutcomes = "contradicting-outcomes"
    case undeliveredOutcome = "undelivered-outcome"
    case inDoubt = "in-doubt"
    case parked
    case refusedMessage = "refused-message"
    case unroutable
    case deadLettered = "dead-lettered"
    case attachmentIncomplete = "attachment-incomplete"

    /// How soon a person should look.
    public enum Severity: String, Sendable { case notice, warning, critical }

    var severity: Severity {
        switch self {
        case .fork, .contradictingOutcomes: .critical
        case .attachmentIncomplete, .parked, .orphanOutcome, .refusedMessage, .unroutable, .deadLettered, .overdue: .warning
        case .gap, .silentParticipant, .notTaken, .undeliveredOutcome, .inDoubt: .notice
        }
    }

    public var names: LocalizedText {
        switch self {
        case .gap: LocalizedText(ar: "رسائل ناقصة", fr: "Messages manquants", en: "Missing messages")
        case .fork: LocalizedText(ar: "سجل متفرع", fr: "Journal divergent", en: "Forked journal")
        case .silentParticipant: LocalizedText(ar: "مشارك صامت", fr: "Participant muet", en: "Silent participant")
        case .notTaken: LocalizedText(ar: "لم يتسلمه الهيكل", fr: "Non prise en charge", en: "Not taken")
        case .overdue: LocalizedText(ar: "تجاوز الأجل", fr: "Délai dépassé", en: "Overdue")
        case .orphanOutcome: LocalizedText(ar: "مآل دون مطلب", fr: "Suite sans demande", en: "Outcome without request")
        case .contradictingOutcomes: LocalizedText(ar: "مآلات متضاربة", fr: "Suites contradictoires", en: "Contradicting outcomes")
        case .undeliveredOutcome: LocalizedText(ar: "مآل لم يصل إلى الدار", fr: "Suite non remise", en: "Undelivered outcome")
        case .inDoubt: LocalizedText(ar: "مشكوك فيه", fr: "En doute", en: "In doubt")
        case .parked: LocalizedText(ar: "في انتظار قرار شخصين", fr: "En attente de deux personnes", en: "Parked for two people")
        case .refusedMessage: LocalizedText(ar: "رسالة مرفوضة", fr: "Message refusé", en: "Refused message")
        case .unroutable: LocalizedText(ar: "رسالة دون وجهة", fr: "Message sans destination", en: "Unroutable message")
        case .attachmentIncomplete:
            LocalizedText(ar: "وثيقة لم تصل كاملة", fr: "Pièce jointe incomplète", en: "Incomplete document")
        case .deadLettered: LocalizedText(ar: "رسالة مهملة", fr: "Message écarté par le courtier", en: "Dead-lettered message")
        }
    }
}

/// Opens and clears findings. An open finding of the same class and key is the same finding.
struct Findings {
    let transaction: JournalTransaction

    func open(
        _ kind: FindingClass, key: String, participant: ParticipantID? = nil, subject: RequestID? = nil,
        evidence: JSONObject = [:]
    ) throws {
        try transaction.db.cachedStatement(
            sql: """
                INSERT INTO finding (class, key, severity, participant, subject, opened, evidence)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """
        ).execute(arguments: [
            kind.rawValue, key, kind.severity.rawValue, participant?.text, subject?.text, transaction.now.milliseconds,
            JSON.object(evidence).text,
        ])
    }

    func clear(_ kind: FindingClass, key: String, cause: String) throws {
        try transaction.db.cachedStatement(
            sql: "UPDATE finding SET cleared = ?, cause = ? WHERE class = ? AND key = ? AND cleared IS NULL"
        ).execute(arguments: [transaction.now.milliseconds, cause, kind.rawValue, key])
    }

    /// Clears what is open about a request, as far as these classes go.
    func clear(_ kinds: Set<FindingClass>, about subject: RequestID, cause: String) throws {
        let open = try Row.fetchAll(
            transaction.db.cachedStatement(
                sql: "SELECT number, class FROM finding WHERE subject = ? AND cleared IS NULL"),
            arguments: [subject.text])
        for row in open where FindingClass(rawValue: row[1]).map(kinds.contains) == true {
            try transaction.db.cachedStatement(sql: "UPDATE finding SET cleared = ?, cause = ? WHERE number = ?")
                .execute(arguments: [transaction.now.milliseconds, cause, row[0] as Int64])
        }
    }
}
