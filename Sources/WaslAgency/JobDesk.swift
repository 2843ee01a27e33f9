package import WaslCatalogue
package import WaslJournal
import WaslModel
package import WaslSeal

/// What every run of an agency's jobs needs: the agency's rules, the catalogue, the keys.
package struct JobDesk: Sendable {
    let agency: Agency
    private let holder: CatalogueHolder
    var catalogue: Catalogue { holder.catalogue }
    let openingKeys: [OpeningKey]
    let registry: RegistryHolder
    /// A known bug, for a simulation that shows that its checkers see it.
    let planted: PlantedRule?
    /// ``JournalEnvironment/uptime``
    let uptime: @Sendable () -> Duration
    /// A clock may have been put back by so much since the first attempt: an agency may forget a key that much earlier than it seems.
    private static let clockError: Duration = .seconds(86_400)

    package enum PlantedRule: Sendable { case neitherIsRepeated, settleTimeIgnored, referenceIsNumber }

    package init(
        agency: Agency, catalogue: CatalogueHolder, openingKeys: [OpeningKey], registry: RegistryHolder,
        uptime: @escaping @Sendable () -> Duration = JournalEnvironment.processUptime, planted: PlantedRule? = nil
    ) {
        self.uptime = uptime
        self.planted = planted
        self.agency = agency
        holder = catalogue
        self.openingKeys = openingKeys
        self.registry = registry
    }

    func rules(_ service: Service, _ jitter: Double) -> JobRules {
        JobRules(
            effect: planted == .neitherIsRepeated && service.effect == .neither ? .idempotent : service.effect,
            retention: agency.retention - min(JobDesk.clockError, agency.retention / 2),
            settle: planted == .settleTimeIgnored ? .zero : agency.settle, uptime: uptime(), jitter: jitter)
    }

    /// What the translations see: the order's fields, and our reference, which is the same for every attempt.
    ///
    /// - Parameters:
    ///   - reference: under which the agency is asked, where it is not the job's own.
    ///   - paper: what the order says of the paper that is to be brought.
    func input(_ job: Job, _ fields: JSONObject, under reference: AgencyReference? = nil, paper: JSON? = nil, at now: Timestamp) -> JSON {
        var input: JSONObject = [
            "reference": .string(planted == .referenceIsNumber ? job.subject.text : (reference ?? job.reference).text),
            "service": .string(job.service.text),
            "house": .string(job.house.text), "time": .string(now.description), "fields": .object(fields),
        ]
        input["attachment"] = paper
        return .object(input)
    }

    func open(_ job: Job, at now: Timestamp) throws(SealError) -> JSONObject {
        let envelope = Envelope(
            id: job.message, type: .requestSubmitted, source: job.source, time: now, subject: job.subject,
            recipient: agency.id, service: job.service, expiry: job.expiry)
        return try SealedContent.open(job.sealed, in: envelope, with: openingKeys)
    }

    /// What a conclusion says to the house: an end, a parking, and the first doubt. A mere retry says nothing.
    package func outcome(of conclusion: Conclusion, _ environment: JournalEnvironment) throws -> PreparedOutcome? {
        let job = conclusion.job
        switch conclusion.decision {
        case .conclude(let status, let fields):
            var visible: JSONObject = [:]
            if status == .completed, let millimes = job.millimes { visible["millimes"] = .integer(millimes) }
            var outcome = try seal(job, status, fields, visible, environment)
            if status == .completed, let document = conclusion.document {
                outcome.documents = [try laidDown(document, of: job, fields, environment)]
            }
            return outcome
        case .park:
            var outcome = try seal(job, .parked, [:], [:], environment)
            outcome.answer = conclusion.answer
            return outcome
        case .wait(let note, _, _): return try seal(job, .progress, ["progress": .object(note)], [:], environment)
        case .desk: return nil
        case .call, .lookUp:
            // What goes wrong with a paper leaves no doubt: nothing was done yet.
            guard conclusion.phase != .upload, case .doubt? = conclusion.verdict, !job.isDoubted, job.heard == 0,
                catalogue.service(job.service)?.effect != .read
            else {
                return nil
            }
            var outcome = try seal(job, .inDoubt, [:], [:], environment)
            outcome.answer = conclusion.answer
            return outcome
        }
    }

    private func laidDown(
        _ document: FoundDocument, of job: Job, _ fields: JSONObject, _ environment: JournalEnvironment
    ) throws -> LaidDownDocument {
        var writer = LaidDownDocument.Writer(own: agency.id, key: try ownKey, entropy: environment.entropy)
        try writer.write(document.bytes)
        let field = catalogue.service(job.service, version: job.contract)?.document?.field
        return try writer.finish(
            id: AttachmentID(environment.makeUUID(environment.now())),
            type: field.flatMap { fields[$0]?["type"]?.string } ?? "application/octet-stream")
    }

    private var ownKey: PublicJWK {
        get throws {
            guard let key = openingKeys.first else { throw SealError(.badKey, "the key file holds no opening key") }
            return key.jwk
        }
    }

    /// An answer that left doubt, sealed for the agency's own engineer.
    func kept(_ answer: AgencyAnswer?, _ environment: JournalEnvironment) throws -> KeptAnswer? {
        guard let answer else { return nil }
        let sealed = try SealedText.seal(
            Array(answer.bytes.prefix(KeptAnswer.bytesMax)), to: try ownKey, sender: agency.id, recipient: agency.id,
            entropy: environment.entropy)
        return KeptAnswer(status: answer.status, bytes: answer.bytes.count, digest: sha256(answer.bytes), sealed: sealed)
    }

    func seal(
        _ job: Job, _ status: OutcomeStatus, _ fields: JSONObject, _ visible: JSONObject, _ environment: JournalEnvironment
    ) throws -> PreparedOutcome {
        let now = environment.now()
        let id = environment.makeUUID(now).text
        let source = Source(role: .agency, participant: agency.id)
        let sealed =
            fields.isEmpty
            ? nil
            : try SealedContent(
                id: id, subject: job.subject, source: source, recipient: job.house, service: job.service, expiry: nil,
                fields: fields
            ).sealed(to: try registry.registry.sealingKey(of: job.house, at: now), entropy: environment.entropy)
        return PreparedOutcome(
            id: id, status: status, revision: job.revision + 1, time: now, sealed: sealed, visible: visible)
    }

    static func reason(_ code: String) -> JSONObject {
        let texts: [String: LocalizedText] = [
            "unknown-service": LocalizedText(
                ar: "الهيكل لا يعرف هذه الخدمة", fr: "La structure ne connaît pas ce service",
                en: "The agency does not know this service"),
            "invalid-order": LocalizedText(
                ar: "المطلب غير مطابق لشروط الخدمة", fr: "La demande n'est pas conforme au service",
                en: "The order does not fit the service"),
            "papers-missing": LocalizedText(
                ar: "لم تصل الوثائق المرفقة؛ أعد تقديم المطلب بوثائقه",
                fr: "Les pièces jointes ne sont pas arrivées ; refaites la demande avec ses pièces",
                en: "The attached papers never arrived; make the request again with its papers"),
            "paper-damaged": LocalizedText(
                ar: "وثيقة مرفقة لا توافق ما أعلن عنها", fr: "Une pièce jointe ne correspond pas à ce qui est annoncé",
                en: "An attached paper is not what it is said to be"),
            "translation": LocalizedText(
                ar: "تعذر إعداد المطلب للهيكل", fr: "La demande n'a pas pu être préparée pour la structure",
                en: "The order could not be prepared for the agency"),
        ]
        var reason: JSONObject = ["code": .string(code)]
        if case .object(let text)? = texts[code]?.json { for (key, value) in text.members { reason[key] = value } }
        return ["reason": .object(reason)]
    }
}
