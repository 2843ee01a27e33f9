import Foundation
import TestSupport
import Testing
import WaslModel

@testable import WaslSeal

@Suite struct DetachedSignatureTests {
    private let key = SigningKey()
    private let body = Array("{\"a\":1}".utf8)

    private func verify(_ compact: String, _ kind: DetachedSignature.Kind = .message, body: [UInt8]? = nil) throws {
        try DetachedSignature.verify(compact, over: body ?? self.body, as: kind) { keyID throws(SealError) in
            guard keyID == key.id else { throw SealError(.unknownKey, "kid") }
            return try VerificationKey(key.jwk)
        }
    }

    /// A signature that is right but for its header.
    private func sign(header: String) throws -> String {
        let text = Base64URL.encode(Array(header.utf8))
        return text + ".." + Base64URL.encode(try key.sign(DetachedSignature.signingInput(header: text, payload: body)))
    }

    @Test func whatWasSignedVerifies() throws {
        try verify(try DetachedSignature.sign(body, as: .message, with: key))
    }

    @Test func aSignatureOfOneKindIsNotOneOfAnother() throws {
        let signature = try DetachedSignature.sign(body, as: .receipt, with: key)
        #expect(throws: SealError.self) { try verify(signature) }
    }

    @Test func anyChangedByteIsSeen() throws {
        let signature = try DetachedSignature.sign(body, as: .message, with: key)
        for index in body.indices {
            var changed = body
            changed[index] ^= 1
            #expect(throws: SealError.self) { try verify(signature, body: changed) }
        }
    }

    @Test(arguments: [
        #"{"alg":"none","b64":false,"crit":["b64"],"kid":"KID","typ":"wasl-message"}"#,
        #"{"alg":"EdDSA","b64":false,"crit":["b64"],"kid":"KID","typ":"wasl-message"}"#,
        #"{"alg":"HS256","b64":false,"crit":["b64"],"kid":"KID","typ":"wasl-message"}"#,
        #"{"alg":"Ed25519","b64":true,"crit":["b64"],"kid":"KID","typ":"wasl-message"}"#,
        #"{"alg":"Ed25519","b64":false,"kid":"KID","typ":"wasl-message"}"#,
        #"{"alg":"Ed25519","b64":false,"crit":["b64","exp"],"kid":"KID","typ":"wasl-message"}"#,
        #"{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"KID","typ":"JWT"}"#,
        #"{"alg":"Ed25519","b64":false,"crit":["b64"],"typ":"wasl-message"}"#,
        #"{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"KID","typ":"wasl-message","jwk":{}}"#,
        #"{"alg":"Ed25519","alg":"none","b64":false,"crit":["b64"],"kid":"KID","typ":"wasl-message"}"#,
    ])
    func anyOtherHeaderIsRefused(_ header: String) throws {
        let signature = try sign(header: header.replacingOccurrences(of: "KID", with: key.id))
        #expect(throws: SealError.self) { try verify(signature) }
    }

    @Test(arguments: ["", "a.b", "a..b.c", "!!..!!", "..", String(repeating: "A", count: 2000)])
    func whatIsNotASignatureIsRefused(_ text: String) { #expect(throws: SealError.self) { try verify(text) } }
}

@Suite struct SealedTextTests {
    private func header(_ part: String) throws -> JSONObject {
        let bytes = try #require(Base64URL.decode(part))
        let json = try JSON.parse(bytes)
        return try #require(json.object)
    }

    private let house = ParticipantID("hydra")!
    private let agency = ParticipantID("steg")!
    private let key = OpeningKey()

    @Test func whatWasSealedOpens() throws {
        let sealed = try SealedText.seal(Array("secret".utf8), to: key.jwk, sender: house, recipient: agency)
        #expect(try SealedText.open(sealed, with: [OpeningKey(), key], sender: house, recipient: agency) == Array("secret".utf8))
        #expect(!sealed.contains("secret"))
    }

    @Test func itOpensForNobodyElseAndFromNobodyElse() throws {
        let sealed = try SealedText.seal([1], to: key.jwk, sender: house, recipient: agency)
        #expect(throws: SealError.self) { try SealedText.open(sealed, with: [OpeningKey()], sender: house, recipient: agency) }
        #expect(throws: SealError.self) {
            try SealedText.open(sealed, with: [key], sender: ParticipantID("kerker")!, recipient: agency)
        }
        #expect(throws: SealError.self) {
            try SealedText.open(sealed, with: [key], sender: house, recipient: ParticipantID("tt")!)
        }
    }

    @Test func anyChangedPartIsSeen() throws {
        let sealed = try SealedText.seal(Array("0123456789".utf8), to: key.jwk, sender: house, recipient: agency)
        let parts = sealed.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        for index in [0, 2, 3, 4] {
            var changed = parts
            var bytes = try #require(Base64URL.decode(parts[index]))
            bytes[bytes.count / 2] ^= 1
            changed[index] = Base64URL.encode(bytes)
            #expect(throws: SealError.self) {
                try SealedText.open(changed.joined(separator: "."), with: [key], sender: house, recipient: agency)
            }
        }
    }

    @Test func anAllZeroSharedSecretIsRefused() throws {
        let sealed = try SealedText.seal([1], to: key.jwk, sender: house, recipient: agency)
        var parts = sealed.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        var header = try header(parts[0])
        header["epk"] = ["kty": "OKP", "crv": "X25519", "x": .string(Base64URL.encode([UInt8](repeating: 0, count: 32)))]
        parts[0] = Base64URL.encode(JSON.object(header).bytes)
        let error = #expect(throws: SealError.self) {
            try SealedText.open(parts.joined(separator: "."), with: [key], sender: house, recipient: agency)
        }
        #expect(error?.reason.contains("all-zero") == true)
    }

    @Test(arguments: [("alg", "RSA-OAEP"), ("enc", "A128CBC-HS256"), ("zip", "DEF"), ("kid", "")])
    func anyOtherHeaderIsRefused(_ name: String, _ value: String) throws {
        let sealed = try SealedText.seal([1], to: key.jwk, sender: house, recipient: agency)
        var parts = sealed.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        var header = try header(parts[0])
        header[name] = .string(value)
        parts[0] = Base64URL.encode(JSON.object(header).bytes)
        let error = #expect(throws: SealError.self) {
            try SealedText.open(parts.joined(separator: "."), with: [key], sender: house, recipient: agency)
        }
        #expect(error?.code == .headerRefused || error?.code == .unknownKey)
    }

    @Test(arguments: ["01234567 Ben Salah", String(repeating: "x", count: 44), String(repeating: "x", count: 42) + "!"])
    func whatIsNoThumbprintIsNotShown(_ keyID: String) throws {
        let sealed = try SealedText.seal([1], to: key.jwk, sender: house, recipient: agency)
        var parts = sealed.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        var header = try header(parts[0])
        header["kid"] = .string(keyID)
        parts[0] = Base64URL.encode(JSON.object(header).bytes)
        let error = #expect(throws: SealError.self) {
            try SealedText.open(parts.joined(separator: "."), with: [key], sender: house, recipient: agency)
        }
        #expect(error?.code == .headerRefused && error?.reason.contains(keyID) == false)
    }

    @Test func aSealedTextCannotBeMovedIntoAnotherEnvelope() throws {
        let world = try TestWorld()
        let envelope = try world.request("steg.bill.view", fields: ["reference": "123456789"])
        let sealed = try #require(envelope.data["sealed"]?.string)
        let keys = world.keys["steg"]!.opening
        #expect(try SealedContent.open(sealed, in: envelope, with: keys)["reference"] == "123456789")
        var moved = envelope
        moved.subject = TestWorld.uuid()
        #expect(throws: SealError.self) { try SealedContent.open(sealed, in: moved, with: keys) }
        moved = envelope
        moved.service = ServiceID("steg.bill.pay")
        #expect(throws: SealError.self) { try SealedContent.open(sealed, in: moved, with: keys) }
    }
}

@Suite struct SealedContentTests {
    private let world: TestWorld
    private let envelope: Envelope

    init() throws {
        world = try TestWorld()
        envelope = try world.request("steg.bill.view", fields: [:])
    }

    /// What a sender with a mind of its own would seal: the envelope's members, with some changed.
    private func open(_ change: (inout JSONObject) -> Void) throws -> JSONObject {
        var plaintext: JSONObject = [
            "id": .string(envelope.id), "subject": JSON(envelope.subject?.text), "source": .string(envelope.source.description),
            "recipient": "steg", "service": "steg.bill.view", "expirytime": JSON(envelope.expiry?.description), "fields": ["a": 1],
        ]
        change(&plaintext)
        let keys = world.keys["steg"]!.opening
        let sealed = try SealedText.seal(
            JSON.object(plaintext).bytes, to: keys[0].jwk, sender: ParticipantID("hydra")!, recipient: ParticipantID("steg")!)
        return try SealedContent.open(sealed, in: envelope, with: keys)
    }

    private func refusal(_ change: (inout JSONObject) -> Void) -> String? {
        do { _ = try open(change) } catch { return (error as? SealError)?.reason }
        return nil
    }

    @Test func whatRepeatsTheEnvelopeAndNothingElseOpens() throws {
        #expect(try open { _ in } == ["a": 1])
    }

    @Test(arguments: ["priority", "BenSalah", "01234567 Ben Salah"]) func aMemberMoreIsRefusedByItsPlace(_ name: String) {
        // A name may be a citizen's data, even where it looks like a word.
        let reason = refusal { $0[name] = 1 }
        #expect(reason?.hasPrefix("sealed.member 8: not a member") == true, "\(reason ?? "taken")")
        #expect(reason?.contains(name) == false)
    }

    @Test func anEmptyMemberIsNotAnAbsentOne() throws {
        var bare = envelope
        bare.expiry = nil
        let keys = world.keys["steg"]!.opening
        func open(_ members: JSONObject) throws -> JSONObject {
            let sealed = try SealedText.seal(
                JSON.object(members).bytes, to: keys[0].jwk, sender: ParticipantID("hydra")!, recipient: ParticipantID("steg")!)
            return try SealedContent.open(sealed, in: bare, with: keys)
        }
        var members: JSONObject = [
            "id": .string(bare.id), "subject": JSON(bare.subject?.text), "source": .string(bare.source.description), "recipient": "steg",
            "service": "steg.bill.view", "fields": [:],
        ]
        #expect(try open(members) == [:])
        members["expirytime"] = .null
        #expect(throws: SealError.self) { try open(members) }
    }
}

@Suite struct RegistryTests {
    @Test func anOlderOrEqualRegistryIsRefusedAndANewerOneIsKept() throws {
        let world = try TestWorld()
        func signed(_ version: Int64) throws -> ([UInt8], String) {
            let held = world.registry.registry
            let registry = try Registry(
                version: version, issued: held.issued, expires: held.expires, participants: Array(held.participants.values))
            let body = registry.json.bytes
            return (body, try DetachedSignature.sign(body, as: .registry, with: world.root))
        }
        for version in [4, 5] as [Int64] {
            let (body, signature) = try signed(version)
            let error = #expect(throws: SealError.self) { try world.registry.update(body, signature: signature) }
            #expect(error?.code == .stale)
        }
        let (body, signature) = try signed(6)
        try world.registry.update(body, signature: signature)
        #expect(world.registry.registry.version == 6)
        #expect(try RegistryHolder(path: world.folder + "/registry.signed", rootKey: world.root.jwk).registry.version == 6)
    }

    @Test func anotherRootKeyIsRefused() throws {
        let world = try TestWorld()
        #expect(throws: SealError.self) {
            try RegistryHolder(path: world.folder + "/registry.signed", rootKey: SigningKey().jwk)
        }
    }

    @Test func keysAreJudgedAtTheMessagesTime() throws {
        let key = SigningKey()
        let start = TestWorld.start
        let house = Registry.Participant(
            id: ParticipantID("hydra")!, role: .house, names: LocalizedText(ar: "", fr: "", en: ""),
            keys: [
                Registry.Key(
                    jwk: key.jwk, use: .signing, from: start, until: start.advanced(by: .seconds(100)),
                    revoked: start.advanced(by: .seconds(50)))
            ])
        let registry = try Registry(version: 1, issued: start, expires: start, participants: [house])
        let id = house.id
        #expect(throws: Never.self) { try registry.verificationKey(key.id, of: id, at: start.advanced(by: .seconds(49))) }
        for seconds in [-1, 50, 100] {
            #expect(throws: SealError.self) {
                try registry.verificationKey(key.id, of: id, at: start.advanced(by: .seconds(seconds)))
            }
        }
        #expect(throws: SealError.self) { try registry.verificationKey(key.id, of: ParticipantID("kerker")!, at: start) }
    }

    @Test func aRegistrySurvivesItsJSON() throws {
        let world = try TestWorld()
        let registry = world.registry.registry
        #expect(try Registry(registry.json).json == registry.json)
    }

    @Test func aKeyFileThatOthersMayReadIsRefused() throws {
        let world = try TestWorld()
        let path = world.folder + "/keys.json"
        try KeyFile().write(to: path)
        let keys = try KeyFile(path: path)
        #expect(try KeyFile(path: path).signing.id == keys.signing.id)
        chmod(path, 0o640)
        let error = #expect(throws: SealError.self) { try KeyFile(path: path) }
        #expect(error?.code == .unsafeFile)
        #expect(error?.reason.contains("chmod 600") == true)
    }
}

@Suite final class PrivateFileTests {
    private let folder: String
    private var path: String { folder + "/file" }

    init() throws { folder = try TestWorld.makeFolder() }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
    }

    @Test func manyWhoWriteOneFileAtOnceAllSucceedAndLeaveOneWholeText() throws {
        let failures = Recorder<String>()
        let path = path
        DispatchQueue.concurrentPerform(iterations: 64) { number in
            do { try writePrivateFile([UInt8](repeating: UInt8(number), count: 10_000), to: path) } catch { failures.append("\(error)") }
        }
        #expect(failures.elements == [])
        let bytes = try #require(FileManager.default.contents(atPath: path))
        #expect(bytes.count == 10_000 && Set(bytes).count == 1)
        #expect(try names == ["file"])
    }

    @Test func aLinkUnderATemporaryNameLeadsNowhere() throws {
        let other = folder + "/other"
        try Data("untouched".utf8).write(to: URL(fileURLWithPath: other))
        try FileManager.default.createSymbolicLink(atPath: path + ".new", withDestinationPath: other)
        try writePrivateFile([1], to: path)
        #expect(FileManager.default.contents(atPath: other) == Data("untouched".utf8))
        #expect(FileManager.default.contents(atPath: path) == Data([1]))
    }

    @Test func whatCannotBePutInPlaceIsTakenAway() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(throws: SealError.self) { try writePrivateFile([1], to: path) }
        #expect(try names == ["file"])
    }

    @Test func whatACrashLeftBehindGoesWithALaterWrite() throws {
        for name in ["file.writing-1-old", "file.writing-1-young"] { try Data([1]).write(to: URL(fileURLWithPath: folder + "/" + name)) }
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -7_200)], ofItemAtPath: folder + "/file.writing-1-old")
        try writePrivateFile([1], to: path)
        #expect(try names == ["file", "file.writing-1-young"], "the young one may still be written")
    }
}
