public import WaslModel

extension Registry {
    public enum State: String, Sendable, CaseIterable { case active, suspended }

    /// What a key is for.
    public enum KeyUse: String, Sendable, CaseIterable {
        case signing = "sig"
        case sealing = "enc"
        /// A person's own key, which signs resolutions; under the ledger, a reviewer's.
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
            isInUse(at: time) && revoked.map { time < $0 } != false
        }

        /// Whether it was in use at a time; a revocation is judged apart, for who stole a key also chooses what time its messages say.
        func isInUse(at time: Timestamp) -> Bool { from <= time && until.map { time < $0 } != false }

        /// The same key with an end; an earlier one that it has stands.
        public func ending(at time: Timestamp) -> Key {
            Key(jwk: jwk, use: use, holder: holder, from: from, until: min(until ?? time, time), revoked: revoked)
        }

        /// The same key, of which nothing is believed that was said from a time on; an earlier such time stands.
        public func revoked(from time: Timestamp) -> Key {
            Key(jwk: jwk, use: use, holder: holder, from: from, until: until, revoked: min(revoked ?? time, time))
        }

        /// From when on it says nothing new; `nil` while it is in use.
        public var end: Timestamp? { [until, revoked].compactMap { $0 }.min() }
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
        public internal(set) var services: [ServiceID: String]

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

        /// The same participant in another state or with other keys.
        public func with(state: State? = nil, keys: [Key]? = nil) -> Participant {
            Participant(
                id: id, role: role, names: names, governorate: governorate, isMobile: isMobile, isPlaceholder: isPlaceholder,
                state: state ?? self.state, keys: keys ?? self.keys, services: services)
        }
    }
}
