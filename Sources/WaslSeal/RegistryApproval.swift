public import WaslModel

extension Registry {
    /// What two people decided about numbers of a lane that a revoked key had signed. It travels in the registry, so that all judge alike.
    public struct Approval: Sendable, Hashable {
        public enum Decision: String, Sendable, CaseIterable { case approved, rejected }

        public let participant: ParticipantID
        public let epoch: EpochID
        /// The first and the last number of the lane that this decides.
        public let range: ClosedRange<Int64>
        public let decision: Decision
        /// Holders of personal keys under the ledger.
        public let reviewers: [String]
        public let at: Timestamp
        /// What the reviewers signed it with: see ``signers(in:)``. A registry's word stands by the root key; these are the evidence.
        public let signatures: [String]

        /// - Throws: ``SealError`` when fewer than two people decided.
        public init(
            participant: ParticipantID, epoch: EpochID, range: ClosedRange<Int64>, decision: Decision, reviewers: [String],
            at: Timestamp, signatures: [String] = []
        ) throws(SealError) {
            guard Set(reviewers).count >= 2 else {
                throw SealError(.malformed, "reviewers: expected two people, found \(Set(reviewers).count)")
            }
            self.participant = participant
            self.epoch = epoch
            self.range = range
            self.decision = decision
            self.reviewers = reviewers
            self.at = at
            self.signatures = signatures
        }
    }

    /// What was decided about a number of a participant's lane; the last word stands. `nil`: nobody has decided yet.
    public func decision(epoch: EpochID, sequence: Int64, of participant: ParticipantID) -> Approval.Decision? {
        approvals.last { $0.participant == participant && $0.epoch == epoch && $0.range.contains(sequence) }?.decision
    }

    /// Whether two people approved a number of a participant's lane.
    ///
    /// - Parameter participant: whose lane; an epoch's number alone may be another's.
    public func isApproved(epoch: EpochID, sequence: Int64, of participant: ParticipantID) -> Bool {
        decision(epoch: epoch, sequence: sequence, of: participant) == .approved
    }

    /// What a revoked key signed says nothing, whatever time it claims, until two people approve it. Who goes by a log of what was accepted
    /// before looks there first.
    ///
    /// - Parameter keyID: the key by which the message verified.
    /// - Throws: ``SealError`` with `revoked`
    public func requireApproved(_ envelope: Envelope, signedBy keyID: String) throws(SealError) {
        guard isRevoked(keyID) else { return }
        guard let lane = envelope.lane else { throw SealError(.revoked, "kid: what stands outside a lane cannot be approved") }
        switch decision(epoch: lane.epoch, sequence: lane.sequence, of: envelope.source.participant) {
        case .approved: return
        case .rejected: throw SealError(.revoked, "kid: two people rejected it")
        case nil: throw SealError(.revoked, "kid: it waits for two people, see `wasl ledger review`")
        }
    }

    /// The people who may review, by the holder's name: who has a personal key under the ledger at that time.
    public func reviewers(at time: Timestamp) -> [String] {
        let keys = participants[.ledger]?.keys ?? []
        return Set(keys.filter { $0.use == .person && $0.isValid(at: time) }.compactMap(\.holder)).sorted()
    }
}

extension Registry.Approval {
    /// `nil` for a decision of a kind that this version does not know: then nothing is approved by it.
    init?(_ json: JSON, at place: String) throws(SealError) {
        guard let word = json["decision"]?.string else {
            throw SealError(.malformed, "\(place).decision: expected approved or rejected")
        }
        guard let decision = Decision(rawValue: word) else { return nil }
        guard let participant = json["participant"]?.string.flatMap({ ParticipantID($0) }) else {
            throw SealError(.malformed, "\(place).participant: expected a participant's identifier")
        }
        guard let epoch = json["epoch"]?.string.flatMap({ EpochID($0) }) else {
            throw SealError(.malformed, "\(place).epoch: expected a UUID in lower case")
        }
        guard let from = json["from"]?.integer, let through = json["through"]?.integer, from >= 1, from <= through else {
            throw SealError(.malformed, "\(place): expected whole numbers, from 1 on and through no smaller than from")
        }
        let reviewers = (json["reviewers"]?.array ?? []).compactMap(\.string)
        let at = try Registry.time(json, "at", at: place)
        let signatures = (json["signatures"]?.array ?? []).compactMap(\.string)
        do {
            try self.init(
                participant: participant, epoch: epoch, range: from...through, decision: decision, reviewers: reviewers, at: at,
                signatures: signatures)
        } catch { throw SealError(.malformed, "\(place).\(error.reason)") }
    }

    public var json: JSON {
        var object: JSONObject = [
            "participant": .string(participant.text), "epoch": .string(epoch.text), "from": .integer(range.lowerBound),
            "through": .integer(range.upperBound), "decision": .string(decision.rawValue),
            "reviewers": .array(reviewers.map(JSON.string)), "at": .string(at.description),
        ]
        if !signatures.isEmpty { object["signatures"] = .array(signatures.map(JSON.string)) }
        return .object(object)
    }
}
