import Foundation
import WaslCatalogue
import WaslModel
import WaslSeal

/// The words by which `delegations.yaml` speaks of many services and many participants at once.
struct RegistryNames {
    /// Every participant of the role, whoever comes later too.
    static let builtIn: [(word: String, role: Role)] = [("all-houses", .house), ("all-agencies", .agency)]

    private let services: [String: [ServiceID]]
    private let participants: [String: [ParticipantID]]
    private let known: [ParticipantID: Role]
    private let groupsFile: String

    init(folder: String, participants list: [Registry.Participant]) throws {
        groupsFile = RegistryFolder.groupsFile(in: folder)
        let known = Dictionary(uniqueKeysWithValues: list.map { ($0.id, $0.role) })
        self.known = known
        var groups = Dictionary(
            uniqueKeysWithValues: RegistryNames.builtIn.map { word, role in
                (word, known.filter { $0.value == role }.keys.sorted())
            })
        var services: [String: [ServiceID]] = [:]
        if FileManager.default.fileExists(atPath: groupsFile) {
            let settings = try Settings(file: groupsFile)
            for (name, texts) in try RegistryNames.table(settings, "services") {
                services[name] = try texts.map { try RegistryNames.service($0, known, settings, "services.\(name)") }
            }
            for (name, texts) in try RegistryNames.table(settings, "participants") {
                guard groups[name] == nil, ParticipantID(name).flatMap({ known[$0] }) == nil else {
                    throw settings.error("participants.\(name)", "is the name of a participant, or built in; give the group another name")
                }
                groups[name] = try texts.map { text in
                    guard let id = ParticipantID(text), known[id] != nil else {
                        throw settings.error(
                            "participants.\(name)",
                            "\(text) is no participant of this folder; add it with `wasl registry add`, or correct the name")
                    }
                    return id
                }
            }
            try settings.finish()
        }
        self.services = services
        participants = groups
    }

    /// Names with a list of texts each.
    private static func table(_ settings: Settings, _ key: String) throws -> [(name: String, texts: [String])] {
        guard let value = settings.value(key), !value.isNull else { return [] }
        guard let object = value.object else { throw settings.error(key, "expected groups, such as `bills: [steg.bill.view]`") }
        return try object.members.map { name, value in
            guard let list = value.array, case let texts = list.compactMap(\.string), texts.count == list.count, !texts.isEmpty else {
                throw settings.error("\(key).\(name)", "expected a list that is not empty, such as [first, second]")
            }
            return (name, texts)
        }
    }

    private static func service(
        _ text: String, _ known: [ParticipantID: Role], _ settings: Settings, _ key: String
    ) throws -> ServiceID {
        guard let service = ServiceID(text) else {
            throw settings.error(key, "\(text) is no service; expected dotted words, first the agency, such as steg.bill.view")
        }
        guard let agency = service.agency, known[agency] == .agency else {
            throw settings.error(
                key, "\(text): its agency is not in this folder; add it with `wasl registry add --role agency`, or correct the name")
        }
        return service
    }

    /// - Throws: ``SettingsError``
    func delegations(in file: String) throws -> [Registry.Delegation] {
        guard FileManager.default.fileExists(atPath: file) else { return [] }
        let settings = try Settings(file: file)
        let delegations = try settings.groups("delegations").map { row -> Registry.Delegation in
            let services = try row.texts(of: "services").flatMap { text -> [ServiceID] in
                if let group = self.services[text] { return group }
                guard text.contains(".") else {
                    throw row.error("services", "\(text) is neither a service nor a group of services in \(groupsFile)")
                }
                return [try RegistryNames.service(text, known, row, "services")]
            }
            let participants = try row.texts(of: "participants").flatMap { text -> [ParticipantID] in
                if let group = self.participants[text] { return group }
                guard let id = ParticipantID(text), known[id] != nil else {
                    throw row.error(
                        "participants",
                        "\(text) is neither a participant of this folder nor a group in \(groupsFile); built in are \(RegistryNames.builtIn.map(\.word).joined(separator: ", "))"
                    )
                }
                return [id]
            }
            if services.isEmpty { throw row.error("services", "missing: services, or groups of them") }
            if try row.texts(of: "participants").isEmpty { throw row.error("participants", "missing: participants, or groups of them") }
            let decree = try row.requiredString("decree")
            guard let date = try row.string("date"), Registry.isDate(date) else {
                throw row.error("date", "expected the decree's day, such as 2026-01-31")
            }
            return Registry.Delegation(services: services, participants: participants, text: decree, date: date)
        }
        try settings.finish()
        return delegations
    }
}

extension RegistryFolder {
    /// - Throws: ``SettingsError``, also where somebody decided who may not.
    static func readApprovals(_ path: String, _ files: [RegistryParticipantFile]) throws -> [Registry.Approval] {
        let file = approvalsFile(in: path)
        guard FileManager.default.fileExists(atPath: file) else { return [] }
        let settings = try Settings(file: file)
        let ledgerKeys = files.filter { $0.participant.id == .ledger }.flatMap(\.participant.keys)
        let approvals = try settings.groups("approvals").map { row -> Registry.Approval in
            guard let participant = ParticipantID(try row.requiredString("participant")) else {
                throw row.error("participant", "expected a participant's identifier")
            }
            guard let epoch = EpochID(try row.requiredString("epoch")) else { throw row.error("epoch", "expected a UUID in lower case") }
            guard let from = try row.integer("from", in: 1...Int64.max) else { throw row.error("from", "missing: the first number") }
            guard let through = try row.integer("through", in: from...Int64.max) else {
                throw row.error("through", "missing: the last number")
            }
            guard let decision = try row.word("decision", Registry.Approval.Decision.self) else {
                throw row.error("decision", "missing: approved or rejected")
            }
            guard let at = try row.time("at") else { throw row.error("at", "missing: when they decided") }
            let reviewers = try row.texts(of: "reviewers")
            let signatures = try row.texts(of: "signatures")
            let review = Registry.Review(participant: participant, epoch: epoch, range: from...through, decision: decision, at: at)
            let approval: Registry.Approval
            do throws(SealError) {
                approval = try review.approval(signatures) { keyID throws(SealError) in try reviewer(keyID, in: ledgerKeys, at: at) }
            } catch {
                throw row.error("signatures", "\(error.reason); `wasl registry approve` writes these rows from what two people signed")
            }
            guard approval.reviewers == reviewers else {
                throw row.error("reviewers", "expected who signed: \(approval.reviewers.joined(separator: ", "))")
            }
            return approval
        }
        try settings.finish()
        return approvals
    }

    /// The person with a personal key under the ledger. Keys of people who have left stay in the ledger's file, with their end.
    ///
    /// - Parameters:
    ///   - time: the decision's own, which is whatever its signers wrote.
    ///   - taken: when the decision comes into the folder; `nil` for one that is there already. A key that has ended or was revoked by then
    ///     decides nothing more, whatever time it claims.
    static func reviewer(
        _ keyID: String, in keys: [Registry.Key], at time: Timestamp, taken: Timestamp? = nil
    ) throws(SealError) -> (holder: String, key: VerificationKey) {
        guard let key = keys.first(where: { $0.use == .person && $0.jwk.thumbprint == keyID }), let holder = key.holder else {
            throw SealError(
                .unknownKey,
                "kid: \(keyID) is nobody's personal key under the ledger; register it with `wasl registry add-person --participant ledger`")
        }
        guard key.isValid(at: time) else { throw SealError(.keyNotValid, "kid: the key of \(holder) was not valid at \(time)") }
        if let taken {
            guard key.revoked == nil else {
                throw SealError(.keyNotValid, "kid: the key of \(holder) is revoked; have somebody sign with a key that is in use")
            }
            guard key.isValid(at: taken) else {
                throw SealError(.keyNotValid, "kid: the key of \(holder) is not in use any more; have somebody sign with one that is")
            }
        }
        return (holder, try VerificationKey(key.jwk))
    }
}
