import TestSupport
import Testing
import WaslModel
import WaslSeal

/// The registry travels in one message for as long as the hub lives.
@Suite struct RegistrySizeTests {
    private static let year = Duration.seconds(365 * 86_400)
    private static let names = LocalizedText(
        ar: "دار الخدمات الرقمية ببلدية بئر مشارقة", fr: "Maison de services numériques de Bir Mcherga",
        en: "Digital service house of Bir Mcherga")

    /// Keys of ten years, each valid for one: to sign and to seal, and those of five people.
    private func keys(people: Int) -> [Registry.Key] {
        (0..<10).flatMap { year -> [Registry.Key] in
            let from = TestWorld.start.advanced(by: RegistrySizeTests.year * year)
            let until = from.advanced(by: RegistrySizeTests.year)
            return [
                Registry.Key(jwk: SigningKey().jwk, use: .signing, from: from, until: until),
                Registry.Key(jwk: OpeningKey().jwk, use: .sealing, from: from, until: until),
            ]
                + (0..<people).map {
                    Registry.Key(jwk: SigningKey().jwk, use: .person, holder: "person-number-\($0)", from: from, until: until)
                }
        }
    }

    @Test func aNationsRegistryOfTenYearsFitsOneMessageAndItsHistoryTheArchive() throws {
        let agencies = (0..<8).map { "agency\($0)" }
        let services = (0..<45).map { ServiceID("agency\($0 % 8).service\($0).submit")! }
        func participant(_ id: String, _ role: Role, people: Int = 0) -> Registry.Participant {
            Registry.Participant(
                id: ParticipantID(id)!, role: role, names: RegistrySizeTests.names, governorate: "42", keys: keys(people: people),
                services: role == .house
                    ? Dictionary(uniqueKeysWithValues: services.map { ($0, "décret n° 2026-\($0.agency!.text), articles 4 à 7") }) : [:])
        }
        let all =
            (0..<34).map { participant("house-number-\($0)", .house) } + agencies.map { participant($0, .agency, people: 5) }
            + [participant("ledger", .ledger, people: 5)]
        // In the tenth year, those that ended more than a year ago go.
        let now = TestWorld.start.advanced(by: RegistrySizeTests.year * 9 + .seconds(86_400))
        let (kept, retired) = RegistryArchive.divide(all, endedBefore: now.advanced(by: .seconds(-400 * 86_400)))
        let archive = RegistryArchive(version: 9, issued: now, keys: retired)
        let registry = try Registry(
            version: 120, issued: now, expires: now.advanced(by: RegistrySizeTests.year), participants: kept, archive: archive.name)

        let epoch = EpochID("01900000-0000-7000-8000-000000000001")!
        let root = SigningKey()
        let signed = try RegistryFile(body: registry.body, as: .registry, signedBy: [root, SigningKey()])
        let envelope = Envelope(
            id: TestWorld.uuid().text, type: .registry, source: Source(role: .ledger, participant: .ledger), time: now,
            lane: LanePosition(epoch: epoch, sequence: 7, chain: String(repeating: "A", count: 43)),
            recipient: ParticipantID("house-number-1"),
            data: ["registry": .string(String(decoding: signed.body, as: UTF8.self)), "signature": .string(signed.signatures)])
        let size = envelope.encoded().count
        print("registry: \(registry.body.count) bytes, its message: \(size) of \(Envelope.bytesMax), archive: \(archive.body.count) bytes")
        // Half, so that there is room for as many participants again.
        #expect(size < Envelope.bytesMax / 2)

        let read = try Registry(JSON.parse(registry.body))
        #expect(read.participants[ParticipantID("house-number-33")!]?.services.count == 45)
        let complete = try read.with(RegistryArchive(JSON.parse(archive.body)))
        for participant in all {
            for key in participant.keys where key.use == .signing {
                #expect(throws: Never.self) { try complete.verificationKey(key.jwk.thumbprint, of: participant.id, at: key.from) }
            }
        }
        #expect(throws: SealError.self) { try read.verificationKey(all[0].keys[0].jwk.thumbprint, of: all[0].id, at: all[0].keys[0].from) }
    }
}
