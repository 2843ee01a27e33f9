import TestSupport
import Testing
import WaslModel
import WaslSeal

/// The registry as others write it: older than us, newer than us, and wrong.
@Suite struct RegistryGrowthTests {
    private let signing = SigningKey()
    private let opening = OpeningKey()
    private let hydra = ParticipantID("hydra")!

    private func participant(_ id: String = "hydra", role: String = "house", state: String = "active", more: JSONObject = [:]) -> JSON {
        var object: JSONObject = [
            "id": .string(id), "role": .string(role), "names": ["ar": "حيدرة", "fr": "Haïdra", "en": "Haidra"], "state": .string(state),
            "keys": [key(signing.jwk.json, "sig"), key(opening.jwk.json, "enc")],
        ]
        for (name, value) in more.members { object[name] = value }
        return .object(object)
    }

    private func key(_ jwk: JSON, _ use: String) -> JSON { ["use": .string(use), "jwk": jwk, "from": "2026-01-01T00:00:00.000Z"] }

    private func registry(_ participants: [JSON], more: JSONObject = [:]) throws -> Registry {
        var object: JSONObject = [
            "version": 3, "issued": "2026-01-01T00:00:00.000Z", "expires": "2027-01-01T00:00:00.000Z", "participants": .array(participants),
        ]
        for (name, value) in more.members { object[name] = value }
        return try Registry(.object(object))
    }

    private func reason(_ build: () throws -> Registry) -> String {
        do {
            _ = try build()
            return "nothing was thrown"
        } catch { return (error as? SealError)?.reason ?? "\(error)" }
    }

    @Test func anOldRegistryWithServicesByParticipantIsRead() throws {
        let services: JSON = [
            ["service": "steg.bill.view", "delegation": "decree 1"], ["service": "steg.bill.pay", "delegation": "decree 2"],
        ]
        let read = try registry([participant(more: ["services": services])])
        #expect(read.participants[hydra]?.services == [ServiceID("steg.bill.view")!: "decree 1", ServiceID("steg.bill.pay")!: "decree 2"])
        #expect(try Registry(read.json).participants[hydra]?.services == read.participants[hydra]?.services)
    }

    @Test func delegationsInGroupsAreLookedUpAsBefore() throws {
        let delegations: JSON = [
            [
                "services": ["steg.bill.view", "steg.bill.pay"], "participants": ["hydra", "kerker"], "delegation": "decree 7",
                "date": "2026-02-03",
            ],
            ["services": ["steg.bill.pay"], "participants": ["kerker"], "delegation": "decree 9"],
        ]
        let other = participant("kerker", more: ["keys": []])
        let read = try registry([participant(), other], more: ["delegations": delegations])
        #expect(read.participants[hydra]?.services == [ServiceID("steg.bill.view")!: "decree 7", ServiceID("steg.bill.pay")!: "decree 7"])
        #expect(read.participants[ParticipantID("kerker")!]?.services[ServiceID("steg.bill.pay")!] == "decree 9", "the later one stands")
        #expect(read.json["delegations"]?.array?.count == 2)
        #expect(read.json["delegations"]?.array?.first?["date"] == "2026-02-03")
        #expect(try Registry(read.json).json == read.json)
    }

    @Test func sameServicesOfManyParticipantsBecomeOneRow() throws {
        let world = try TestWorld()
        let rows = try #require(world.registry.registry.json["delegations"]?.array)
        #expect(rows.count == 1)
        #expect(rows[0]["participants"] == ["hydra", "kerker"])
        #expect(rows[0]["services"]?.array?.count == world.catalogue.all.count)
        let again = try Registry(world.registry.registry.json)
        #expect(again.participants.mapValues(\.services) == world.registry.registry.participants.mapValues(\.services))
    }

    @Test func unknownMembersAreHandedOver() throws {
        let read = try registry(
            [participant(more: ["telephone": "71 000 000", "keys": [key(signing.jwk.json, "sig")]])], more: ["colour": ["blue": true]])
        #expect(read.participants[hydra]?.keys.count == 1)
        #expect(read.json["colour"] == nil)
    }

    @Test func anUnknownUseOrKindOfKeyIsPassedOver() throws {
        let quantum: JSON = ["kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"]
        let keys: JSON = [
            key(SigningKey().jwk.json, "stamp"), key(quantum, "sig"), key(["kty": "OKP", "crv": "Ed448", "x": "AAAA"], "sig"),
            key(signing.jwk.json, "sig"),
        ]
        let read = try registry([participant(more: ["keys": keys])])
        #expect(read.participants[hydra]?.keys.map(\.jwk.thumbprint) == [signing.id])
    }

    @Test func aKnownKindOfKeyThatIsWrongIsRefused() throws {
        let short: JSON = ["kty": "OKP", "crv": "Ed25519", "x": "AAAA"]
        #expect(reason { try registry([participant(more: ["keys": [key(short, "sig")]])]) }.contains("participants[0].keys[0].jwk.x"))
        #expect(reason { try registry([participant(more: ["keys": [key(opening.jwk.json, "sig")]])]) }.contains("does not fit use sig"))
    }

    @Test func anUnknownRoleIsNobodyHere() throws {
        let auditor = participant("auditor", role: "auditor", more: ["keys": [key(SigningKey().jwk.json, "sig")], "names": "none yet"])
        let delegations: JSON = [["services": ["steg.bill.view"], "participants": ["auditor", "hydra"], "delegation": "x"]]
        let read = try registry([auditor, participant()], more: ["delegations": delegations])
        #expect(Set(read.participants.keys) == [hydra])
        #expect(read.participants[hydra]?.services.count == 1)
        #expect(try Registry(read.json).json == read.json)
    }

    @Test func anUnknownStateHasNoVoiceAndKeepsItsKeys() throws {
        let read = try registry([participant(state: "closing")])
        #expect(read.participants[hydra]?.state == .suspended)
        #expect(throws: Never.self) { try read.verificationKey(signing.id, of: hydra, at: TestWorld.start) }
    }

    @Test(arguments: [("role", "participants[0].role"), ("state", "participants[0].state")])
    func aMissingWordIsNotAnUnknownOne(_ member: String, _ place: String) throws {
        #expect(reason { try registry([participant(more: [member: 7])]) }.hasPrefix(place))
    }

    @Test(arguments: [
        "{}", #"{"services": ["Steg"], "participants": ["hydra"], "delegation": "x"}"#,
        #"{"services": ["steg.bill.view"], "participants": [7], "delegation": "x"}"#,
        #"{"services": ["steg.bill.view"], "participants": ["hydra"]}"#,
        #"{"services": ["steg.bill.view"], "participants": ["hydra"], "delegation": "x", "date": "2026-02-30"}"#,
    ])
    func aDelegationThatSaysTooLittleIsRefusedByItsPlace(_ text: String) throws {
        let row = try JSON.parse(text)
        #expect(reason { try registry([participant()], more: ["delegations": [row]]) }.hasPrefix("delegations[0]"))
    }

    @Test func aRegistryGoesStaleWhenItExpires() throws {
        let read = try registry([participant()])
        #expect(!read.isStale(at: Timestamp("2026-12-31T23:59:59.999Z")!))
        #expect(read.isStale(at: Timestamp("2027-01-01T00:00:00.000Z")!))
    }
}

@Suite struct ApprovalTests {
    private let epoch = EpochID("01900000-0000-7000-8000-000000000001")!
    private let hydra = ParticipantID("hydra")!

    private func approval(_ range: ClosedRange<Int64>, _ decision: String, reviewers: JSON = ["amel", "bechir"]) -> JSON {
        [
            "participant": "hydra", "epoch": .string(epoch.text), "from": .integer(range.lowerBound), "through": .integer(range.upperBound),
            "decision": .string(decision), "reviewers": reviewers, "at": "2026-03-01T10:00:00.000Z",
        ]
    }

    private func registry(_ approvals: [JSON]) throws -> Registry {
        try Registry([
            "version": 1, "issued": "2026-01-01T00:00:00.000Z", "expires": "2027-01-01T00:00:00.000Z", "participants": [],
            "approvals": .array(approvals),
        ])
    }

    @Test func onlyTheApprovedNumbersOfThatLaneAreApproved() throws {
        let read = try registry([approval(10...20, "approved"), approval(30...30, "rejected")])
        for (sequence, expected) in [(9, false), (10, true), (20, true), (21, false), (30, false)] as [(Int64, Bool)] {
            #expect(read.isApproved(epoch: epoch, sequence: sequence, of: hydra) == expected, "\(sequence)")
        }
        #expect(read.decision(epoch: epoch, sequence: 30, of: hydra) == .rejected)
        #expect(read.decision(epoch: epoch, sequence: 9, of: hydra) == nil)
        #expect(!read.isApproved(epoch: epoch, sequence: 10, of: ParticipantID("kerker")!), "another's word under hydra's epoch")
        #expect(!read.isApproved(epoch: EpochID("01900000-0000-7000-8000-000000000002")!, sequence: 10, of: hydra))
        #expect(try Registry(read.json).json == read.json)
    }

    @Test func theLastDecisionStands() throws {
        let read = try registry([approval(1...9, "approved"), approval(5...5, "rejected")])
        #expect(read.isApproved(epoch: epoch, sequence: 4, of: hydra) && !read.isApproved(epoch: epoch, sequence: 5, of: hydra))
    }

    @Test func anUnknownDecisionApprovesNothing() throws {
        #expect(try !registry([approval(1...9, "deferred")]).isApproved(epoch: epoch, sequence: 1, of: hydra))
    }

    @Test(arguments: [["amel"], ["amel", "amel"], []] as [[String]]) func onePersonDoesNotDecide(_ reviewers: [String]) throws {
        let error = #expect(throws: SealError.self) {
            try registry([approval(1...9, "approved", reviewers: .array(reviewers.map(JSON.string)))])
        }
        #expect(error?.reason.hasPrefix("approvals[0].reviewers") == true, "\(String(describing: error))")
    }

    @Test func reviewersArePeopleWithAKeyUnderTheLedger() throws {
        func person(_ name: String, until: Timestamp? = nil) -> Registry.Key {
            Registry.Key(jwk: SigningKey().jwk, use: .person, holder: name, from: TestWorld.start, until: until)
        }
        let names = LocalizedText(ar: "", fr: "", en: "")
        let registry = try Registry(
            version: 1, issued: TestWorld.start, expires: TestWorld.start,
            participants: [
                Registry.Participant(
                    id: .ledger, role: .ledger, names: names,
                    keys: [person("bechir"), person("amel"), person("gone", until: TestWorld.start.advanced(by: .seconds(1)))]),
                Registry.Participant(id: ParticipantID("steg")!, role: .agency, names: names, keys: [person("other")]),
            ])
        #expect(registry.reviewers(at: TestWorld.start.advanced(by: .seconds(1))) == ["amel", "bechir"])
    }

    @Test func whoeverReadsADecisionCanCheckWhoSignedIt() throws {
        let (amel, amelToo, bechir, stranger) = (SigningKey(), SigningKey(), SigningKey(), SigningKey())
        func person(_ name: String, _ key: SigningKey) -> Registry.Key {
            Registry.Key(jwk: key.jwk, use: .person, holder: name, from: TestWorld.start)
        }
        let names = LocalizedText(ar: "", fr: "", en: "")
        let ledger = Registry.Participant(
            id: .ledger, role: .ledger, names: names, keys: [person("amel", amel), person("amel", amelToo), person("bechir", bechir)])
        // A personal key of an agency reviews nothing.
        let steg = Registry.Participant(id: ParticipantID("steg")!, role: .agency, names: names, keys: [person("stranger", stranger)])
        func registry(_ approvals: [Registry.Approval]) throws -> Registry {
            try Registry(
                version: 1, issued: TestWorld.start, expires: TestWorld.start, participants: [ledger, steg], approvals: approvals)
        }
        let review = Registry.Review(participant: hydra, epoch: epoch, range: 1...9, decision: .approved, at: TestWorld.start)
        let held = try registry([])
        func approval(_ keys: [SigningKey]) throws -> Registry.Approval {
            try review.approval(keys.map { try review.signed(with: $0) }) { keyID throws(SealError) in
                try held.reviewer(keyID, at: review.at)
            }
        }
        let decided = try approval([amel, bechir])
        let read = try Registry(registry([decided]).json)
        #expect(read.approvals == [decided])
        #expect(try read.approvals[0].signers(in: read) == ["amel", "bechir"])
        for keys in [[amel, amelToo], [amel, stranger], [amel], [amel, SigningKey()]] {
            #expect(throws: SealError.self) { try approval(keys) }
        }
        for other in [
            Registry.Review(participant: hydra, epoch: epoch, range: 1...10, decision: .approved, at: review.at),
            Registry.Review(participant: hydra, epoch: epoch, range: 1...9, decision: .rejected, at: review.at),
            Registry.Review(participant: ParticipantID("kerker")!, epoch: epoch, range: 1...9, decision: .approved, at: review.at),
        ] {
            #expect(throws: SealError.self) {
                try other.signers(decided.signatures) { keyID throws(SealError) in try held.reviewer(keyID, at: review.at) }
            }
        }
    }
}
