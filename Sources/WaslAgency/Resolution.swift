import GRDB
public import WaslModel
public import WaslSeal

import struct Foundation.Data

/// What two people say became of a parked request: signed by each with their own registered key, with its evidence.
public struct Resolution: Sendable {
    public let agency: ParticipantID
    /// Whose, and under which number: another house may have a request of the same number at the same agency.
    public let request: RequestKey
    public let status: OutcomeStatus
    public let note: String
    public let evidenceDigest: String
    public let time: Timestamp
    /// The outcome's fields, where it is `completed`.
    public let fields: JSONObject

    public static let evidenceBytesMax = 1 << 20

    public init(
        agency: ParticipantID, request: RequestKey, status: OutcomeStatus, note: String, evidence: [UInt8],
        time: Timestamp, fields: JSONObject
    ) {
        self.agency = agency
        self.request = request
        self.status = status
        self.note = note
        evidenceDigest = digestText(evidence)
        self.time = time
        self.fields = fields
    }

    /// The exact text that both sign.
    public var text: String {
        JSON.object([
            "agency": .string(agency.text), "house": .string(request.house.text), "request": .string(request.subject.text),
            "status": .string(status.rawValue), "note": .string(note), "evidence": .string(evidenceDigest),
            "time": .string(time.description),
            "fields": .object(fields),
        ]).text
    }

    /// - Throws: ``ResolutionError`` naming the member.
    public init(text: String) throws(ResolutionError) {
        guard let json = try? JSON.parse(text) else { throw ResolutionError("the resolution is not JSON") }
        guard let agency = json["agency"]?.string.flatMap({ ParticipantID($0) }) else { throw ResolutionError("agency: missing") }
        guard let house = json["house"]?.string.flatMap({ ParticipantID($0) }) else {
            throw ResolutionError(
                "house: missing; state the resolution again with the house whose request it is, and have both people sign")
        }
        guard let subject = json["request"]?.string.flatMap({ RequestID($0) }) else { throw ResolutionError("request: expected a UUID") }
        guard let status = json["status"]?.string.flatMap(OutcomeStatus.init(rawValue:)),
            [.completed, .refused, .failed].contains(status)
        else { throw ResolutionError("status: expected completed, refused or failed") }
        guard let note = json["note"]?.string, (1...2000).contains(note.unicodeScalars.count) else {
            throw ResolutionError("note: expected 1 to 2000 characters that say what was found")
        }
        guard let evidence = json["evidence"]?.string, evidence.utf8.count == 43 else {
            throw ResolutionError("evidence: expected the base64url SHA-256 of the evidence file")
        }
        guard let time = json["time"]?.string.flatMap({ Timestamp($0) }) else { throw ResolutionError("time: expected RFC 3339") }
        guard let fields = json["fields"]?.object else { throw ResolutionError("fields: expected an object") }
        self.agency = agency
        request = RequestKey(house: house, subject: subject)
        self.status = status
        self.note = note
        evidenceDigest = evidence
        self.time = time
        self.fields = fields
    }

    /// Two signatures by two people: two keys of one person are one person.
    ///
    /// - Returns: the two, by their names in the registry.
    public static func verifySignatures(
        _ signatures: [String], over text: String, of agency: ParticipantID, registry: Registry, at time: Timestamp
    ) throws(ResolutionError) -> [String] {
        guard signatures.count == 2 else { throw ResolutionError("signatures: expected two, found \(signatures.count)") }
        var holders: [String] = []
        for (index, signature) in signatures.enumerated() {
            do {
                let keyID = try DetachedSignature.keyID(signature, as: .resolution)
                let (holder, key) = try registry.personalKey(keyID, of: agency, at: time)
                try DetachedSignature.verify(signature, over: Array(text.utf8), as: .resolution) { _ throws(SealError) in key }
                holders.append(holder)
            } catch {
                throw ResolutionError("signatures[\(index)]: \(error)")
            }
        }
        guard holders[0] != holders[1] else { throw ResolutionError("signatures: both are \(holders[0])'s; two people are needed") }
        return holders
    }
}

/// Why a resolution is not taken.
public struct ResolutionError: Error, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
