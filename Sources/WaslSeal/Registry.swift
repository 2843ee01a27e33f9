public import WaslModel

/// Who takes part, with which keys and services (wire contract, section 5). Signed by the directorate's root key.
public struct Registry: Sendable {
    /// A registry's key with the participant that it speaks for.
    private struct KnownKey {
        let participant: ParticipantID
        let key: Key
        let verification: VerificationKey
    }

    public let version: Int64
    public let issued: Timestamp
    public let expires: Timestamp
    public let participants: [ParticipantID: Participant]
    /// What two people decided about what revoked keys had signed, in the order of the decisions.
    public let approvals: [Approval]
    /// Which archive of retired keys belongs to this registry; `nil` while no key has been retired.
    public let archive: RegistryArchive.Name?
    /// The directorate's root key, once there was another before it.
    public let root: PublicJWK?
    public let rotations: [RootRotation]
    /// Whether the archive that the registry names is here, so that what retired keys signed can be verified.
    public private(set) var hasArchive = false
    let declared: [Delegation]
    /// By the header that a message of a signing key has: see ``DetachedSignature/verify(_:over:knownHeaders:)``.
    private var messageHeaders: [String: VerificationKey] = [:]
    private var verificationKeys: [String: KnownKey] = [:]

    /// - Parameter delegations: what they allow is added to the participants' own services. Those for somebody who is not here are passed over.
    public init(
        version: Int64, issued: Timestamp, expires: Timestamp, participants: [Participant], delegations: [Delegation] = [],
        approvals: [Approval] = [], archive: RegistryArchive.Name? = nil, root: PublicJWK? = nil, rotations: [RootRotation] = []
    ) throws(SealError) {
        self.version = version
        self.issued = issued
        self.expires = expires
        self.approvals = approvals
        self.archive = archive
        self.root = root
        self.rotations = rotations
        var byID: [ParticipantID: Participant] = [:]
        for participant in participants {
            guard byID.updateValue(participant, forKey: participant.id) == nil else {
                throw SealError(.malformed, "participants: \(participant.id) comes twice")
            }
        }
        let known = delegations.map { delegation in
            Delegation(
                services: delegation.services, participants: delegation.participants.filter { byID[$0] != nil }, text: delegation.text,
                date: delegation.date)
        }
        declared = known.filter { !$0.participants.isEmpty && !$0.services.isEmpty }
        Registry.apply(declared, to: &byID)
        self.participants = byID
        for participant in participants {
            for key in participant.keys where key.use != .sealing {
                guard try learn(key, of: participant.id) else {
                    throw SealError(.malformed, "participants: key \(key.jwk.thumbprint) comes twice")
                }
            }
        }
    }

    /// - Returns: `false` when the key is known already.
    private mutating func learn(_ key: Key, of participant: ParticipantID) throws(SealError) -> Bool {
        let id = key.jwk.thumbprint
        guard verificationKeys[id] == nil else { return false }
        let verification = try VerificationKey(key.jwk)
        verificationKeys[id] = KnownKey(participant: participant, key: key, verification: verification)
        if key.use == .signing { messageHeaders[DetachedSignature.header(kind: .message, keyID: id)] = verification }
        return true
    }

    /// The same registry, which from here on also verifies what retired keys signed. Where both know a key, the registry's word stands.
    ///
    /// - Throws: ``SealError`` with `stale` when it is not the archive that the registry names.
    public func with(_ archive: RegistryArchive) throws(SealError) -> Registry {
        guard let name = self.archive, archive.name == name else {
            throw SealError(.stale, "archive version \(archive.version) is not the one that registry version \(version) names")
        }
        var registry = self
        for (participant, keys) in archive.keys {
            for key in keys where key.use != .sealing { _ = try registry.learn(key, of: participant) }
        }
        registry.hasArchive = true
        return registry
    }

    /// Whether the directorate should have issued a newer one by now: a finding, never a reason to stop.
    public func isStale(at time: Timestamp) -> Bool { expires <= time }

    /// The participants of one role, by identifier.
    public func participants(_ role: Role) -> [Participant] {
        participants.values.filter { $0.role == role }.sorted { $0.id < $1.id }
    }

    /// The key with which a participant signed at that time.
    ///
    /// - Throws: ``SealError`` naming why that key does not speak for the participant.
    public func verificationKey(
        _ keyID: String, of participant: ParticipantID, at time: Timestamp
    ) throws(SealError)
        -> VerificationKey
    {
        guard let entry = verificationKeys[keyID], entry.participant == participant, entry.key.use == .signing else {
            throw unknown(keyID, "a signing key of \(participant)")
        }
        guard entry.key.isValid(at: time) else {
            throw SealError(.keyNotValid, "kid: not valid at \(time)")
        }
        return entry.verification
    }

    /// A key that nobody knows may be a retired one: then it is said that the archive is missing, for the message is perhaps good.
    private func unknown(_ keyID: String, _ expected: String) -> SealError {
        var reason = "kid: not \(expected) in registry version \(version)"
        if verificationKeys[keyID] == nil, let archive, !hasArchive {
            reason += "; keys that were retired are in its archive, version \(archive.version), which is not beside the registry's file"
        }
        return SealError(.unknownKey, reason)
    }

    /// Whether a key was revoked, at whatever time: who stole it also chooses what time its messages say.
    public func isRevoked(_ keyID: String) -> Bool { verificationKeys[keyID]?.key.revoked != nil }

    /// The key of a person who acts for a participant, and the person's name in the registry.
    public func personalKey(
        _ keyID: String, of participant: ParticipantID, at time: Timestamp
    ) throws(SealError)
        -> (holder: String, key: VerificationKey)
    {
        guard let entry = verificationKeys[keyID], entry.participant == participant, entry.key.use == .person,
            let holder = entry.key.holder
        else { throw unknown(keyID, "a personal key of \(participant)") }
        guard entry.key.isValid(at: time) else { throw SealError(.keyNotValid, "kid: not valid at \(time)") }
        return (holder, entry.verification)
    }

    /// The current key to seal to.
    public func sealingKey(of participant: ParticipantID, at time: Timestamp) throws(SealError) -> PublicJWK {
        guard let found = participants[participant] else {
            throw SealError(.unknownKey, "\(participant) is not in registry version \(version)")
        }
        guard let key = found.keys.last(where: { $0.use == .sealing && $0.isValid(at: time) }) else {
            throw SealError(.unknownKey, "\(participant) has no key to seal to at \(time)")
        }
        return key.jwk
    }

    /// Verifies a message's signature against its source's key that was in use at the message's time. What a revoked key signed verifies
    /// too: whether it counts is another question, see ``requireApproved(_:signedBy:)``.
    ///
    /// - Returns: the `kid`.
    @discardableResult
    public func verify(_ envelope: Envelope, body: [UInt8], signature: String) throws(SealError) -> String {
        if let keyID = try DetachedSignature.verify(signature, over: body, knownHeaders: messageHeaders) {
            _ = try messageKey(keyID, of: envelope)
            return keyID
        }
        return try DetachedSignature.verify(signature, over: body, as: .message) { keyID throws(SealError) in
            try messageKey(keyID, of: envelope)
        }
    }

    private func messageKey(_ keyID: String, of envelope: Envelope) throws(SealError) -> VerificationKey {
        let participant = envelope.source.participant
        guard let entry = verificationKeys[keyID], entry.participant == participant, entry.key.use == .signing else {
            throw unknown(keyID, "a signing key of \(participant)")
        }
        guard entry.key.isInUse(at: envelope.time) else { throw SealError(.keyNotValid, "kid: not valid at \(envelope.time)") }
        return entry.verification
    }
}
