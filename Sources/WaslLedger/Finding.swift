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
    /// A word about a request of which its signer is neither house nor agency.
    case foreignWord = "foreign-word"
    /// A word under an epoch that is another source's.
    case foreignLane = "foreign-lane"
    /// Two houses have one number.
    case subjectCollision = "subject-collision"
    /// One house submits a second, different request under a number.
    case contradictingRequests = "contradicting-requests"
    /// A request's time is not one at which its house can have taken it.
    case implausibleTime = "implausible-time"
    case clockSkew = "clock-skew"
    case staleRegistry = "stale-registry"
    /// A journal began anew without saying what came before.
    case epochChanged = "epoch-changed"
    case topologyChanged = "topology-changed"
    /// What a revoked key signed waits for two people.
    case revokedKey = "revoked-key"

    /// How soon a person should look.
    public enum Severity: String, Sendable { case notice, warning, critical }

    var severity: Severity {
        switch self {
        case .fork, .contradictingOutcomes, .contradictingRequests, .foreignWord, .foreignLane, .subjectCollision, .epochChanged: .critical
        case .implausibleTime, .clockSkew, .staleRegistry, .topologyChanged, .attachmentIncomplete, .parked, .orphanOutcome,
            .refusedMessage, .unroutable, .deadLettered, .overdue, .revokedKey:
            .warning
        case .gap, .silentParticipant, .notTaken, .undeliveredOutcome, .inDoubt: .notice
        }
    }

    /// What one participant's words alone can open any number of.
    var isBounded: Bool {
        switch self {
        case .foreignWord, .foreignLane, .contradictingRequests, .contradictingOutcomes, .fork, .refusedMessage, .implausibleTime,
            .orphanOutcome,
            .epochChanged, .gap:
            true
        default: false
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
        case .foreignWord: LocalizedText(ar: "كلام في شأن الغير", fr: "Parole sur autrui", en: "Word about another's request")
        case .foreignLane: LocalizedText(ar: "ترقيم باسم الغير", fr: "Numéros d'un autre journal", en: "Numbers of another's journal")
        case .subjectCollision:
            LocalizedText(ar: "داران برقم مطلب واحد", fr: "Deux maisons, un même numéro", en: "Two houses, one number")
        case .contradictingRequests:
            LocalizedText(ar: "مطلبان مختلفان برقم واحد", fr: "Demandes contradictoires", en: "Contradicting requests")
        case .implausibleTime: LocalizedText(ar: "تاريخ غير معقول", fr: "Date invraisemblable", en: "Implausible time")
        case .clockSkew: LocalizedText(ar: "ساعة غير مضبوطة", fr: "Horloge décalée", en: "Wrong clock")
        case .staleRegistry: LocalizedText(ar: "سجل مشاركين قديم", fr: "Registre périmé", en: "Stale registry")
        case .epochChanged: LocalizedText(ar: "سجل جديد دون سبب", fr: "Journal recommencé sans motif", en: "Journal begun anew")
        case .topologyChanged: LocalizedText(ar: "مسالك الوسيط تغيرت", fr: "Topologie modifiée", en: "Broker topology changed")
        case .revokedKey:
            LocalizedText(
                ar: "رسائل بمفتاح ملغى تنتظر قرار شخصين", fr: "Clé révoquée : en attente de deux personnes",
                en: "Signed by a revoked key: waits for two people")
        case .deadLettered: LocalizedText(ar: "رسالة مهملة", fr: "Message écarté par le courtier", en: "Dead-lettered message")
        }
    }
}

/// Opens and clears findings. An open finding of the same class and key is the same finding.
struct Findings {
    let transaction: JournalTransaction
    var isBounded = true

    /// So many findings of one class about one participant are open at most: whoever floods is named once more, and that is all.
    static let openMax = 500
    /// How the key ends of that one more.
    static let more = " and more"

    /// - Parameters:
    ///   - participant: who is concerned. For what somebody did wrong, the proven signer and nobody else.
    ///   - request: the request concerned.
    func open(
        _ kind: FindingClass, key: String, participant: ParticipantID? = nil, request: RequestKey? = nil, evidence: JSONObject = [:]
    ) throws {
        let db = transaction.db
        var key = key
        if isBounded, kind.isBounded {
            // Where nobody is named, by who reports: the first word of the key.
            let group = participant?.text ?? String(key.prefix { $0 != " " })
            if try count(kind, of: participant, group) >= Findings.openMax { key = "\(group)\(Findings.more)" }
        }
        try db.cachedStatement(
            sql: """
                INSERT INTO finding (class, key, severity, participant, house, subject, opened, evidence)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """
        ).execute(arguments: [
            kind.rawValue, key, kind.severity.rawValue, participant?.text, request?.house.text, request?.subject.text,
            transaction.now.milliseconds, JSON.object(evidence).text,
        ])
    }

    private func count(_ kind: FindingClass, of participant: ParticipantID?, _ group: String) throws -> Int {
        let statement =
            participant == nil
            ? try transaction.db.cachedStatement(
                sql: """
                    SELECT COUNT(*) FROM finding WHERE class = ?1 AND key >= ?2 || ' ' AND key < ?2 || '!' AND participant IS NULL
                        AND cleared IS NULL
                    """)
            : try transaction.db.cachedStatement(
                sql: "SELECT COUNT(*) FROM finding WHERE class = ? AND participant = ? AND cleared IS NULL")
        return try Int.fetchOne(statement, arguments: [kind.rawValue, group]) ?? 0
    }

    /// Opens what is found now and clears what was found before and is no more: for what is looked at as a whole.
    ///
    /// - Parameters:
    ///   - found: by key; what is known of an open one is brought up to date.
    ///   - prefix: how the keys begin that this look answers for.
    func agree(_ kind: FindingClass, prefix: String, with found: [Found], cause: String) throws {
        let open = try Set(
            String.fetchAll(
                transaction.db.cachedStatement(
                    sql: "SELECT key FROM finding WHERE class = ?1 AND cleared IS NULL AND substr(key, 1, length(?2)) = ?2"),
                arguments: [kind.rawValue, prefix]))
        for key in open.subtracting(found.map(\.key)).sorted() { try clear(kind, key: key, cause: cause) }
        for one in found {
            guard open.contains(one.key) else {
                try self.open(kind, key: one.key, participant: one.participant, evidence: one.evidence)
                continue
            }
            try transaction.db.cachedStatement(
                sql: "UPDATE finding SET evidence = ?1 WHERE class = ?2 AND key = ?3 AND cleared IS NULL AND evidence <> ?1"
            ).execute(arguments: [JSON.object(one.evidence).text, kind.rawValue, one.key])
        }
    }

    struct Found {
        let key: String
        var participant: ParticipantID?
        let evidence: JSONObject
    }

    /// The same for what is open once a request.
    func open(_ kind: FindingClass, about request: RequestKey, participant: ParticipantID? = nil, evidence: JSONObject = [:]) throws {
        try open(kind, key: request.description, participant: participant, request: request, evidence: evidence)
    }

    func clear(_ kind: FindingClass, key: String, cause: String) throws {
        try transaction.db.cachedStatement(
            sql: "UPDATE finding SET cleared = ?, cause = ? WHERE class = ? AND key = ? AND cleared IS NULL"
        ).execute(arguments: [transaction.now.milliseconds, cause, kind.rawValue, key])
    }

    /// Clears what is open about a request, as far as these classes go.
    func clear(_ kinds: Set<FindingClass>, about request: RequestKey, cause: String) throws {
        let open = try Row.fetchAll(
            transaction.db.cachedStatement(
                sql: "SELECT number, class FROM finding WHERE subject = ? AND house = ? AND cleared IS NULL"),
            arguments: [request.subject.text, request.house.text])
        for row in open where FindingClass(rawValue: row[1]).map(kinds.contains) == true {
            try transaction.db.cachedStatement(sql: "UPDATE finding SET cleared = ?, cause = ? WHERE number = ?")
                .execute(arguments: [transaction.now.milliseconds, cause, row[0] as Int64])
        }
    }

    /// Closes a finding by the word of a person.
    ///
    /// - Returns: its class; `nil` where no such finding is open.
    func close(_ number: Int64, by person: String, reason: String) throws -> String? {
        let kind = try String.fetchOne(
            transaction.db, sql: "SELECT class FROM finding WHERE number = ? AND cleared IS NULL", arguments: [number])
        guard let kind else { return nil }
        try transaction.db.execute(
            sql: "UPDATE finding SET cleared = ?, cause = ?, closed_by = ? WHERE number = ?",
            arguments: [transaction.now.milliseconds, reason, person, number])
        return kind
    }
}
