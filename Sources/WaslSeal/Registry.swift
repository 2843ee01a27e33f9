public import WaslModel

/// Who takes part, with which keys and services (wire contract, section 5). Signed by the directorate's root key.
public struct Registry: Sendable {
    public enum State: String, Sendable { case active, suspended }

    /// What a key is for.
    public enum KeyUse: String, Sendable {
        case signing = "sig"
        case sealing = "enc"
        /// A person's own key, which signs resolutions.
        case person
    }

    public struct Key: Sendable {
        public let jwk: PublicJWK
        public let use: KeyUse
        /// Whose key it is, where `use` is `person`.
        public let holder: String?
        public let from: Timestamp
        public let until: Timestamp?
        public let revoked: Timestamp?

        public init(
            jwk: PublicJWK, use: KeyUse, holder: String? = nil, from: Timestamp, until: Timestamp? = nil,
            revoked: Timestamp? = nil
        ) {
            self.jwk = jwk
            self.use = use
            self.holder = holder
            self.from = from
            self.until = until
            self.revoked = revoked
        }

        /// Keys are judged at the message's own time.
        public func isValid(at time: Timestamp) -> Bool {
            from <= time && until.map { time < $0 } != false && revoked.map { time < $0 } != false
        }
    }

    public struct Participant: Sendable {
        public let id: ParticipantID
        public let role: Role
        public let names: LocalizedText
        public let governorate: String?
        public let isMobile: Bool
        /// Data that is proposed rather than known: a placeholder.
        public let isPlaceholder: Bool
        public let state: State
        public let keys: [Key]
        /// Service to the delegation that allows it.
        public let services: [ServiceID: String]

        public init(
            id: ParticipantID, role: Role, names: LocalizedText, governorate: String? = nil, isMobile: Bool = false,
            isPlaceholder: Bool = false, state: State = .active, keys: [Key], services: [ServiceID: String] = [:]
        ) {
            self.id = id
            self.role = role
            self.names = names
            self.governorate = governorate
            self.isMobile = isMobile
            self.isPlaceholder = isPlaceholder
            self.state = state
            self.keys = keys
            self.services = services
        }
    }

    public let version: Int64
    public let issued: Timestamp
    public let expires: Timestamp
    public let participants: [ParticipantID: Participant]
    /// By the header that a message of a signing key has: see ``DetachedSignature/verify(_:over:knownHeaders:)``.
    private let messageHeaders: [String: VerificationKey]
    private let verificationKeys: [String: (participant: ParticipantID, key: Key, verification: VerificationKey)]

    public init(version: Int64, issued: Timestamp, expires: Timestamp, participants: [Participant]) throws(SealError) {
        self.version = version
        self.issued = issued
        self.expires = expires
        var byID: [ParticipantID: Participant] = [:]
        var keys: [String: (participant: ParticipantID, key: Key, verification: VerificationKey)] = [:]
        for participant in participants {
            guard byID.updateValue(participant, forKey: participant.id) == nil else {
                throw SealError(.malformed, "participants: \(participant.id) comes twice")
            }
            for key in participant.keys where key.use != .sealing {
                let entry = (participant.id, key, try VerificationKey(key.jwk))
                guard keys.updateValue(entry, forKey: key.jwk.thumbprint) == nil else {
                    throw SealError(.malformed, "participants: key \(key.jwk.thumbprint) comes twice")
                }
            }
        }
        messageHeaders = Dictionary(
            uniqueKeysWithValues: keys.filter { $0.value.key.use == .signing }
                .map { (DetachedSignature.header(kind: .message, keyID: $0.key), $0.value.verification) })
        self.participants = byID
        verificationKeys = keys
    }

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
            throw SealError(.unknownKey, "kid: not a signing key of \(participant) in registry version \(version)")
        }
        guard entry.key.isValid(at: time) else {
            throw SealError(.keyNotValid, "kid: not valid at \(time)")
        }
        return entry.verification
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
        else { throw SealError(.unknownKey, "kid: not a personal key of \(participant) in registry version \(version)") }
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

    /// Verifies a message's signature against its source's key at the message's time.
    ///
    /// - Returns: the `kid`.
    @discardableResult
    public func verify(_ envelope: Envelope, body: [UInt8], signature: String) throws(SealError) -> String {
        if let keyID = try DetachedSignature.verify(signature, over: body, knownHeaders: messageHeaders) {
            _ = try verificationKey(keyID, of: envelope.source.participant, at: envelope.time)
            return keyID
        }
        return try DetachedSignature.verify(signature, over: body, as: .message) { keyID throws(SealError) in
            try verificationKey(keyID, of: envelope.source.participant, at: envelope.time)
        }
    }
}
