public import WaslModel

extension Registry {
    /// What reviewers sign: a decision about numbers of a lane that a revoked key had signed, before it is a registry's word.
    public struct Review: Sendable, Hashable {
        public let participant: ParticipantID
        public let epoch: EpochID
        public let range: ClosedRange<Int64>
        public let decision: Approval.Decision
        public let at: Timestamp

        public init(
            participant: ParticipantID, epoch: EpochID, range: ClosedRange<Int64>, decision: Approval.Decision, at: Timestamp
        ) {
            self.participant = participant
            self.epoch = epoch
            self.range = range
            self.decision = decision
            self.at = at
        }

        /// The exact bytes that are signed: the words with one space between each, the time as it is written.
        private var statement: [UInt8] {
            Array("\(participant) \(epoch) \(range.lowerBound) \(range.upperBound) \(decision.rawValue) \(at)".utf8)
        }

        public func signed(with key: SigningKey) throws -> String {
            try DetachedSignature.sign(statement, as: .review, with: key)
        }

        /// Who signed, by the registry's names.
        ///
        /// - Parameter person: the person with a personal key under the ledger, and that key; throw to refuse.
        /// - Throws: ``SealError`` naming the signature that does not hold.
        public func signers(
            _ signatures: [String], person: (_ keyID: String) throws(SealError) -> (holder: String, key: VerificationKey)
        ) throws(SealError) -> [String] {
            var holders: [String] = []
            for (index, signature) in signatures.enumerated() {
                do {
                    let (holder, key) = try person(DetachedSignature.keyID(signature, as: .review))
                    try DetachedSignature.verify(signature, over: statement, as: .review) { _ throws(SealError) in key }
                    holders.append(holder)
                } catch { throw SealError(error.code, "signatures[\(index)]: \(error.reason)") }
            }
            return holders
        }

        /// The decision with its evidence.
        ///
        /// - Throws: ``SealError`` when it is not two different people who signed.
        public func approval(
            _ signatures: [String], person: (_ keyID: String) throws(SealError) -> (holder: String, key: VerificationKey)
        ) throws(SealError) -> Approval {
            try Approval(
                participant: participant, epoch: epoch, range: range, decision: decision, reviewers: signers(signatures, person: person),
                at: at, signatures: signatures)
        }
    }

    /// A reviewer: a person with a personal key under the ledger that was valid at that time.
    public func reviewer(_ keyID: String, at time: Timestamp) throws(SealError) -> (holder: String, key: VerificationKey) {
        try personalKey(keyID, of: .ledger, at: time)
    }
}

extension Registry.Approval {
    /// What its reviewers signed.
    public var review: Registry.Review {
        Registry.Review(participant: participant, epoch: epoch, range: range, decision: decision, at: at)
    }

    /// Who signed it, for whoever does not want to go by the root key's word alone.
    ///
    /// - Throws: ``SealError`` when a signature does not hold, or is by nobody who might review.
    public func signers(in registry: Registry) throws(SealError) -> [String] {
        try review.signers(signatures) { keyID throws(SealError) in try registry.reviewer(keyID, at: at) }
    }
}
