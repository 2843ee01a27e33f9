import WaslCatalogue
package import WaslJournal
import WaslModel

/// Rebuilds a worker's lost journal from what the ledger kept, before it consumes anything.
///
/// The ledger has its own copy of all that the broker took, so what it does not know was never sent. What the worker did and had not said
/// yet, nobody knows: those requests are doubt, and go the way of their effect class.
package struct AgencyRebuild {
    let desk: JobDesk
    let environment: JournalEnvironment

    package init(desk: JobDesk, environment: JournalEnvironment) {
        self.desk = desk
        self.environment = environment
    }

    /// What the evidence says of one request.
    private struct Story {
        var isIntended = false
        var isDoubted = false
        var status: OutcomeStatus?
        var revision: Int64 = 0
        /// The request message that the worker went by: a house may have sent two under one number.
        var message: String?
        /// What the agency was given as our reference, where something that was said tells it.
        var reference: AgencyReference?
        var piecesSent: [AttachmentID: Set<Int>] = [:]
        /// Pieces that were promised with an outcome, less those that were sent.
        var piecesMissing: [AttachmentID: Set<Int>] = [:]

        /// The outcome was said, and its document died with the disk.
        var hasLostDocument: Bool { piecesMissing.values.contains { !$0.isEmpty } }
    }

    /// One step: all of it, or nothing.
    package func run(_ all: EvidenceOfParticipant, in transaction: JournalTransaction) throws {
        let evidence = all.messages
        let own = desk.agency.id
        var stories: [RequestKey: Story] = [:]
        // An intention of an earlier version names its request by the message that it answers.
        let requests = Dictionary(
            evidence.filter { $0.envelope.type == .requestSubmitted }.compactMap { item in
                item.envelope.request.map { (item.envelope.id, $0) }
            },
            uniquingKeysWith: { first, _ in first })
        for item in evidence where item.envelope.source.participant == own {
            try transaction.recover(item)
            guard let request = item.envelope.request ?? requests[item.envelope.causationID ?? ""] else { continue }
            AgencyRebuild.note(item.envelope, in: &stories[request, default: Story()])
        }
        let derivedFrom = AgencyRebuild.firstDerived(evidence, own)
        let steps = AgencySteps(agency: own)
        for item in evidence where item.envelope.type == .attachmentChunk && item.envelope.recipient == own {
            guard (try? item.envelope.checkDocuments(with: desk.openingKeys)) != nil,
                try transaction.recordArrival(of: item.envelope, body: item.body) == .new
            else { continue }
            _ = try steps.receive(item.envelope, in: transaction)
        }
        for (place, item) in evidence.enumerated() where item.envelope.type == .requestSubmitted && item.envelope.recipient == own {
            // The ledger keeps what it verified, but what a worker would have refused was never a job.
            guard (try? item.envelope.checkDocuments(with: desk.openingKeys)) != nil, let request = item.envelope.request,
                item.envelope.expiry != nil, item.envelope.contract != nil,
                item.envelope.data["sealed"]?.string != nil, item.envelope.service?.agency == own
            else { continue }
            // What it has spoken of, it took; of anything else it may have refused, it takes now what it would take if it came now.
            guard stories[request] != nil || mayTake(item.envelope) else { continue }
            let story = stories[request] ?? Story()
            // The second of two requests under one number was never a job either.
            guard story.message == nil || story.message == item.envelope.id,
                try !steps.isKnown(request.subject, of: item.envelope.source, transaction.db),
                try transaction.recordArrival(of: item.envelope, body: item.body) == .new,
                var job = try steps.job(from: item.envelope, in: transaction)
            else { continue }
            if let reference = story.reference { AgencyRebuild.keep(reference, of: &job) }
            // One from the future is begun in its time, and not before.
            if steps.isAhead(item.envelope, in: transaction), job.state == .ready { job.due = item.envelope.time }
            try settle(
                &job, story, steps, transaction, isWhole: all.isWhole, isReferenceKnown: story.reference != nil || place >= derivedFrom)
        }
    }

    private func mayTake(_ envelope: Envelope) -> Bool {
        let registry = desk.registry.registry
        return registry.participants[envelope.source.participant]?.state == .active
            && (try? AgencyIntake.open(envelope, at: desk.agency.id, registry, desk.openingKeys)) != nil
    }

    /// From which place in the evidence on every call was made under a derived reference: the first word that says so. Where every epoch
    /// began with that rule, from the beginning.
    private static func firstDerived(_ evidence: [Evidence], _ own: ParticipantID) -> Int {
        let words = evidence.enumerated().filter { $0.element.envelope.source.participant == own }
        let derived = words.filter {
            $0.element.envelope.data["reference"] != nil || $0.element.envelope.data["contract"]?.string == Draft.contractVersion
        }
        let opened = derived.filter { $0.element.envelope.type == .journalOpened }.compactMap { $0.element.envelope.lane?.epoch }
        if Set(opened) == Set(words.compactMap { $0.element.envelope.lane?.epoch }) { return 0 }
        return derived.first?.offset ?? Int.max
    }

    /// A job that may have been sent keeps the reference under which it was, and is looked up under the other one too.
    private static func keep(_ reference: AgencyReference, of job: inout Job) {
        let derived = AgencyReference(of: job.request)
        job.reference = reference
        job.otherReference = reference == derived ? nil : derived
    }

    private static func note(_ envelope: Envelope, in story: inout Story) {
        if envelope.type == .attemptIntended || envelope.type == .outcome, let subject = envelope.subject {
            story.message = story.message ?? envelope.causationID
            story.reference = envelope.data["reference"]?.string.flatMap { AgencyReference($0) } ?? AgencyReference(former: subject)
        }
        switch envelope.type {
        case .attemptIntended: story.isIntended = true
        case .outcome:
            guard let status = envelope.data["status"]?.string.flatMap(OutcomeStatus.init(rawValue:)),
                let revision = envelope.data["revision"]?.integer
            else { return }
            if status == .inDoubt { story.isDoubted = true }
            if story.status?.isTerminal != true, status.isTerminal || revision > story.revision { story.status = status }
            if revision >= story.revision { story.piecesMissing = [:] }
            guard revision >= story.revision else { return }
            story.revision = revision
            for notice in (try? AttachmentNotice.all(in: envelope.data)) ?? [] {
                story.piecesMissing[notice.id] = Set(1...notice.pieces).subtracting(story.piecesSent[notice.id] ?? [])
            }
        case .attachmentChunk:
            guard let piece = try? AttachmentPiece(envelope) else { return }
            story.piecesSent[piece.id, default: []].insert(piece.number)
            story.piecesMissing[piece.id]?.remove(piece.number)
        default: return
        }
    }

    private func settle(
        _ job: inout Job, _ story: Story, _ steps: AgencySteps, _ transaction: JournalTransaction, isWhole: Bool, isReferenceKnown: Bool
    ) throws {
        job.revision = story.revision
        let service = desk.catalogue.service(job.service, version: job.contract)
        let effect = service?.effect
        let isLost = story.status == .completed && story.hasLostDocument
        // Asked again with the same key, the agency gives the same document again, for as long as it knows the key.
        let isKeyKnown = transaction.now.since(job.accepted) < desk.agency.retention / 2
        let isAskedAgain = isLost && effect == .idempotent && isKeyKnown
        if isLost, !isAskedAgain {
            // Done, and its document is nowhere any more: said anew without it, so that nobody waits for it.
            try steps.keep(&job, isTakenSaid: true, in: transaction)
            let conclusion = Conclusion(job, decision: .conclude(.completed, [:]))
            _ = try steps.conclude(conclusion, outcome: try desk.outcome(of: conclusion, environment), in: transaction)
            return
        }
        if story.status?.isTerminal == true, !isAskedAgain {
            job.state = .done
            return try steps.keep(&job, isTakenSaid: true, in: transaction)
        }
        if story.status == .parked {
            job.state = .parked
            return try steps.keep(&job, isTakenSaid: true, reason: "parked before the journal was lost", in: transaction)
        }
        // What the agency was at work on is neither expired nor done again.
        if story.status == .progress { job.heard = 1 }
        // At a desk nothing is called: it is shown again.
        if service?.isDesk == true, job.state != .gathering {
            return try steps.keep(&job, isTakenSaid: story.revision > 0, in: transaction)
        }
        // Nothing is called before its papers are here.
        if job.state == .gathering, isWhole, !story.isIntended, !story.isDoubted {
            return try steps.keep(&job, isTakenSaid: false, in: transaction)
        }
        switch effect {
        case .read: break
        case .idempotent where !isReferenceKnown:
            return try park(
                &job, "the worker's journal was lost, and with it the key under which this may have been called", steps, transaction)
        case .idempotent:
            job.state = .ready
            // The first attempt may have been as early as the order itself.
            (job.isDoubted, job.attempts) = (true, 1)
            (job.firstAttempt, job.lastAttempt) = (job.accepted, transaction.now)
        case .queryable:
            if !isReferenceKnown { AgencyRebuild.keep(AgencyReference(former: job.subject), of: &job) }
            (job.isDoubted, job.attempts, job.state) = (true, 1, .looking)
            (job.firstAttempt, job.lastAttempt) = (job.accepted, transaction.now)
        case .neither where !story.isIntended && isWhole:
            // An intention is with the broker before the first byte of a call: none, so no call. Where something may be missing, its
            // absence says nothing.
            break
        case .neither, nil: return try park(&job, "the worker's journal was lost after this call was intended", steps, transaction)
        }
        try steps.keep(&job, isTakenSaid: story.isIntended || story.isDoubted || isAskedAgain, in: transaction)
    }

    private func park(_ job: inout Job, _ reason: String, _ steps: AgencySteps, _ transaction: JournalTransaction) throws {
        job.state = .calling
        (job.isDoubted, job.attempts) = (true, 1)
        try steps.keep(&job, isTakenSaid: true, in: transaction)
        let conclusion = Conclusion(job, decision: .park(reason: reason))
        _ = try steps.conclude(conclusion, outcome: try desk.outcome(of: conclusion, environment), in: transaction)
    }
}
