public import WaslModel

extension Registry {
    /// Whose key signed these bytes, whatever they say of themselves; `nil` where no key of the registry did.
    ///
    /// This is proof of who wrote them, not of their right to: for that see ``verify(_:body:signature:)``.
    public func signer(of body: [UInt8], signature: String) -> ParticipantID? {
        guard let keyID = try? DetachedSignature.keyID(signature, as: .message),
            let (participant, key) = participants.values.lazy.compactMap({ participant in
                participant.keys.first { $0.use == .signing && $0.jwk.thumbprint == keyID }.map { (participant.id, $0.jwk) }
            }).first,
            (try? DetachedSignature.verify(signature, over: body, as: .message, key: { _ throws(SealError) in try VerificationKey(key) }))
                != nil
        else { return nil }
        return participant
    }
}
