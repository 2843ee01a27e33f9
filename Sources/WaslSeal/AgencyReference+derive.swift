public import WaslModel

extension AgencyReference {
    /// The reference of a request: a function of house and number alone, without a key, so that whoever holds a statement of the agency
    /// can match it (wire contract, section 8).
    public init(of request: RequestKey) { self.init(digest: sha256(AgencyReference.preimage(of: request))) }
}
