import GRDB
import Hummingbird
import WaslJournal
import WaslModel
import WaslWeb

extension FindingClass {
    /// What must come true for the ledger to clear it; `nil` where nothing does, and a person closes it.
    ///
    /// What clears itself is closed by nobody: closed, it would hide what is still wrong, and the next look would open it again.
    var clearsWhen: String? {
        switch self {
        // What is missing or late: it comes, or it is still missing.
        case .gap: "every missing number has come"
        case .silentParticipant: "its participant speaks again, or the registry no longer has it as active"
        case .notTaken: "the agency takes the request or ends it"
        case .overdue: "the agency ends the request"
        case .undeliveredOutcome: "the house has the outcome"
        case .attachmentIncomplete: "every piece of the document has come, or nobody waits for it any more"
        // Where people decide, their decision ends it: a parked request needs two of them, not one who closes its finding.
        case .inDoubt: "the agency's worker has found out what became of the request, or has parked it"
        case .parked: "two people have resolved the request (`wasl agency resolve`)"
        // What is measured again and again.
        case .clockSkew: "the participant's clock is right again, or the registry no longer has it as active"
        case .staleRegistry: "the newest registry is held and fresh"
        case .topologyChanged: "the broker is as the registry asks"
        case .revokedKey: "two people have decided about all that waits (`wasl ledger review`)"
        // Evidence of something that was said: nothing that comes later unsays it.
        case .fork, .contradictingOutcomes, .contradictingRequests, .foreignWord, .foreignLane, .subjectCollision, .implausibleTime,
            .epochChanged:
            nil
        // Most often the same message comes again and is accepted, or another takes its place; but nothing makes sure that it does.
        case .refusedMessage, .unroutable, .deadLettered: nil
        // Its request comes, or was lost together with the disk of its house.
        case .orphanOutcome: nil
        }
    }

    /// Whether a person may close it.
    public var isClosedByPerson: Bool { clearsWhen == nil }
}

/// A person's word that a finding is dealt with: who says it, and why.
struct Closing: Sendable {
    let person: String
    let reason: String

    static let bytesMax = 16 << 10

    /// - Throws: ``Problem`` with one entry for each member that is wrong.
    init(_ json: JSON) throws {
        var errors: [JSON] = []
        func wrong(_ member: String, _ what: String) {
            errors.append(["pointer": .string("/\(member.prefix(60))"), "detail": .string(what)])
        }
        /// On one line, for it goes into the log.
        func line(_ member: String, _ length: ClosedRange<Int>, _ what: String) -> String {
            let text = json[member]?.string ?? ""
            let trimmed = text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()
            let isLine = trimmed.allSatisfy { character in
                character.unicodeScalars.allSatisfy {
                    ![.control, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
                }
            }
            let scalars = String(trimmed).unicodeScalars.count
            if !length.contains(scalars) || !isLine {
                wrong(member, "expected \(what): one line of \(length.lowerBound) to \(length.upperBound) characters")
            }
            return String(trimmed)
        }
        person = line("by", 1...80, "the name of who closes it")
        reason = line("reason", 3...1000, "why it needs nobody any more")
        for member in json.object?.keys ?? [] where !["by", "reason"].contains(member) {
            wrong(member, "unknown; known here: `by` and `reason`")
        }
        guard errors.isEmpty else {
            throw Problem(
                .unprocessableContent, "closing-refused",
                LocalizedText(
                    ar: "لا يُغلق دون اسم وسبب", fr: "Ne se clôt pas sans nom ni motif", en: "It is not closed without a name and a reason"),
                detail: errors.compactMap { error in
                    error["pointer"]?.string.flatMap { pointer in error["detail"]?.string.map { "`\(pointer.dropFirst())`: \($0)" } }
                }.joined(separator: "; ") + ".", errors: errors)
        }
    }
}

extension Ledger {
    func close(_ request: Request, finding number: String) async throws -> Response {
        guard let number = wholeNumber(number) else { throw Problem.noSuchFinding }
        return .json(try await close(number, Closing(request.json(bytesMax: Closing.bytesMax).json)))
    }

    /// Closes a finding by the word of a person. Its cause may come again: then another is opened.
    ///
    /// - Returns: the finding as it stands now.
    /// - Throws: ``Problem`` where there is no such finding, it is cleared or closed already, or it clears by itself.
    func close(_ number: Int64, _ closing: Closing) async throws -> JSON {
        let finding = try await journal.commit { transaction in
            func finding() throws -> JSON? {
                try Row.fetchOne(transaction.db, sql: "SELECT * FROM finding WHERE number = ?", arguments: [number])
                    .map(LedgerQueries.findingJSON)
            }
            guard let found = try finding() else { throw Problem.noSuchFinding }
            guard found["cleared"]?.isNull == true else { throw Problem.closedAlready(found) }
            // A class of an earlier version, which no code opens or clears any more, is for people.
            // One that stands for many clears with none of them.
            let isForMany =
                try String.fetchOne(
                    transaction.db, sql: "SELECT key FROM finding WHERE number = ?", arguments: [number])?.hasSuffix(Findings.more) == true
            if !isForMany, let kind = found["class"]?.string.flatMap(FindingClass.init(rawValue:)), let when = kind.clearsWhen {
                throw Problem.clearsItself(kind, when)
            }
            _ = try Findings(transaction: transaction).close(number, by: closing.person, reason: closing.reason)
            return try finding() ?? .null
        }
        logger.notice(
            "finding closed by a person",
            metadata: [
                "finding": "\(number)", "class": "\(finding["class"]?.string ?? "")", "by": "\(closing.person)",
                "reason": "\(closing.reason)",
            ])
        return finding
    }
}

extension Problem {
    fileprivate static let noSuchFinding = Problem(
        .notFound, "no-such-finding", LocalizedText(ar: "لا توجد هذه الملاحظة", fr: "Constat introuvable", en: "No such finding"),
        detail: "The ledger has no finding of that number; `GET /v1/findings?state=all` lists all.")

    fileprivate static func closedAlready(_ finding: JSON) -> Problem {
        let person = finding["closedBy"]?.string.map { " by \($0)" } ?? ""
        return Problem(
            .conflict, "closed-already", LocalizedText(ar: "أُغلقت من قبل", fr: "Déjà clos", en: "Closed already"),
            detail: "It was closed\(person) at \(finding["cleared"]?.string ?? ""): \(finding["cause"]?.string ?? "").")
    }

    fileprivate static func clearsItself(_ kind: FindingClass, _ when: String) -> Problem {
        Problem(
            .conflict, "clears-itself",
            LocalizedText(
                ar: "تُغلق من نفسها حين يزول سببها", fr: "Se clôt de lui-même quand sa cause disparaît",
                en: "It clears when its cause is gone"),
            detail: "The ledger clears `\(kind.rawValue)` when \(when). `Docs/operate/findings.md` says what to do until then.")
    }
}
