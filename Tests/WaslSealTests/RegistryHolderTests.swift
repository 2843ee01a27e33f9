import Foundation
import TestSupport
import Testing
import WaslModel
import WaslSeal

/// A registry's file in a folder of its own, and the keys that sign it.
private final class RegistryFolder: Sendable {
    let folder: String
    let old = SigningKey()
    let new = SigningKey()
    /// A house's key of today and one that was retired.
    let current = SigningKey()
    let retired = SigningKey()
    static let hydra = ParticipantID("hydra")!

    init() throws { folder = try TestWorld.makeFolder() }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var path: String { folder + "/registry.signed" }
    static let retiredAt = TestWorld.start.advanced(by: .seconds(100))

    var retiredKey: Registry.Key {
        Registry.Key(jwk: retired.jwk, use: .signing, from: TestWorld.start, until: RegistryFolder.retiredAt)
    }

    func registry(
        _ version: Int64, archive: RegistryArchive.Name? = nil, root: SigningKey? = nil, rotations: [RootRotation] = []
    ) throws -> Registry {
        try Registry(
            version: version, issued: TestWorld.start, expires: TestWorld.start,
            participants: [
                Registry.Participant(
                    id: RegistryFolder.hydra, role: .house, names: LocalizedText(ar: "", fr: "", en: ""),
                    keys: [Registry.Key(jwk: current.jwk, use: .signing, from: RegistryFolder.retiredAt)])
            ], archive: archive, root: root?.jwk, rotations: rotations)
    }

    func archive(_ version: Int64) -> RegistryArchive {
        RegistryArchive(version: version, issued: TestWorld.start, keys: [RegistryFolder.hydra: [retiredKey]])
    }

    func write(_ registry: Registry, _ keys: [SigningKey]) throws { try RegistryHolder.write(registry, to: path, rootKeys: keys) }

    func update(_ holder: RegistryHolder, _ registry: Registry, _ keys: [SigningKey]) throws {
        let file = try RegistryFile(body: registry.body, as: .registry, signedBy: keys)
        try holder.update(file.body, signature: file.signatures)
    }

    func holder(_ root: SigningKey) throws -> RegistryHolder { try RegistryHolder(path: path, rootKey: root.jwk) }
}

@Suite struct RegistryHolderTests {
    @Test func anOlderFileThanTheJournalRemembersIsRefusedWithARemedy() throws {
        let test = try RegistryFolder()
        try test.write(test.registry(4), [test.old])
        let holder = try test.holder(test.old)
        #expect(throws: Never.self) { try holder.requireAtLeast(4) }
        let error = #expect(throws: SealError.self) { try holder.requireAtLeast(7) }
        #expect(error?.code == .stale)
        for part in ["version 4", "7", test.path, "put the newest registry"] { #expect(error?.reason.contains(part) == true, "\(part)") }
    }

    @Test func anOlderFileIsRefusedOnReloadToo() throws {
        let test = try RegistryFolder()
        try test.write(test.registry(4), [test.old])
        let holder = try test.holder(test.old)
        try holder.requireAtLeast(4)
        try test.write(test.registry(3), [test.old])
        #expect(throws: SealError.self) { try holder.reload() }
        #expect(holder.registry.version == 4)
        try test.write(test.registry(5), [test.old])
        #expect(try holder.reload().version == 5)
    }

    @Test func theSameRegistryOnceMoreIsNoError() throws {
        let test = try RegistryFolder()
        try test.write(test.registry(4), [test.old])
        let holder = try test.holder(test.old)
        #expect(throws: Never.self) { try test.update(holder, test.registry(4), [test.old]) }
        let error = #expect(throws: SealError.self) { try test.update(holder, test.registry(4, root: test.old), [test.old]) }
        #expect(error?.code == .stale, "another text of the same version")
    }

    @Test func theSignedTextIsTheFilesOwn() throws {
        let test = try RegistryFolder()
        try test.write(test.registry(4), [test.old])
        let held = try #require(try test.holder(test.old).signedText)
        #expect(FileManager.default.contents(atPath: test.path).map { [UInt8]($0) } == Array(held.signatures.utf8) + [0x0A] + held.body)
    }

    // MARK: the archive

    @Test func whatARetiredKeySignedIsVerifiedByTheArchive() throws {
        let test = try RegistryFolder()
        try test.archive(1).write(to: RegistryArchive.path(beside: test.path), rootKey: test.old)
        try test.write(test.registry(4, archive: test.archive(1).name), [test.old])
        let holder = try test.holder(test.old)
        #expect(holder.archiveMissing == nil && holder.registry.hasArchive)
        let hydra = RegistryFolder.hydra
        #expect(throws: Never.self) { try holder.registry.verificationKey(test.retired.id, of: hydra, at: TestWorld.start) }
        let error = #expect(throws: SealError.self) {
            try holder.registry.verificationKey(test.retired.id, of: hydra, at: RegistryFolder.retiredAt)
        }
        #expect(error?.code == .keyNotValid, "retired is retired")
        #expect(
            holder.registry.json["participants"]?.array?.first?["keys"]?.array?.count == 1, "the archive is no part of the registry's text")
    }

    @Test func withoutItsArchiveARegistryWorksForCurrentKeysAndSaysWhatIsMissing() throws {
        let test = try RegistryFolder()
        try test.write(test.registry(4, archive: test.archive(1).name), [test.old])
        let holder = try test.holder(test.old)
        #expect(holder.archiveMissing?.contains(RegistryArchive.path(beside: test.path)) == true)
        let hydra = RegistryFolder.hydra
        #expect(throws: Never.self) { try holder.registry.verificationKey(test.current.id, of: hydra, at: RegistryFolder.retiredAt) }
        let error = #expect(throws: SealError.self) {
            try holder.registry.verificationKey(test.retired.id, of: hydra, at: TestWorld.start)
        }
        #expect(error?.reason.contains("archive, version 1") == true, "\(String(describing: error))")
        try test.archive(1).write(to: RegistryArchive.path(beside: test.path), rootKey: test.old)
        try holder.reload()
        #expect(throws: Never.self) { try holder.registry.verificationKey(test.retired.id, of: hydra, at: TestWorld.start) }
    }

    @Test func anArchiveThatTheRegistryDoesNotNameIsNotBelieved() throws {
        let test = try RegistryFolder()
        try test.archive(1).write(to: RegistryArchive.path(beside: test.path), rootKey: test.old)
        try test.write(test.registry(4, archive: test.archive(2).name), [test.old])
        let holder = try test.holder(test.old)
        #expect(!holder.registry.hasArchive)
        #expect(holder.archiveMissing?.contains("is not archive version 2") == true, "\(holder.archiveMissing ?? "")")
    }

    @Test func aRegistrysOwnWordOnAKeyStandsAgainstItsArchives() throws {
        let test = try RegistryFolder()
        let revoked = Registry.Key(
            jwk: test.retired.jwk, use: .signing, from: TestWorld.start, revoked: TestWorld.start.advanced(by: .seconds(5)))
        let registry = try Registry(
            version: 1, issued: TestWorld.start, expires: TestWorld.start,
            participants: [
                Registry.Participant(id: RegistryFolder.hydra, role: .house, names: LocalizedText(ar: "", fr: "", en: ""), keys: [revoked])
            ], archive: test.archive(1).name)
        #expect(try registry.with(test.archive(1)).isRevoked(test.retired.id))
    }

    // MARK: the root key

    @Test func aRotationThatBothKeysSignedIsTakenByHoldersOfEither() throws {
        let test = try RegistryFolder()
        try test.write(test.registry(5, root: test.new), [test.old, test.new])
        for key in [test.old, test.new] { #expect(try test.holder(key).rootKey == test.new.jwk) }
    }

    @Test func aRotationThatOneKeySignedIsRefused() throws {
        let test = try RegistryFolder()
        try test.write(test.registry(4), [test.old])
        let holder = try test.holder(test.old)
        let byOld = #expect(throws: SealError.self) { try test.update(holder, test.registry(5, root: test.new), [test.old]) }
        #expect(byOld?.reason.contains("both keys") == true, "\(String(describing: byOld))")
        let byNew = #expect(throws: SealError.self) { try test.update(holder, test.registry(5, root: test.new), [test.new]) }
        #expect(byNew?.code == .unknownKey)
        #expect(holder.registry.version == 4)
    }

    @Test func afterARotationTheOldKeySignsNothingMore() throws {
        let test = try RegistryFolder()
        let rotation = try RootRotation(from: test.old, to: test.new, at: TestWorld.start)
        try test.write(test.registry(4), [test.old])
        let holder = try test.holder(test.old)
        try test.update(holder, test.registry(5, root: test.new, rotations: [rotation]), [test.old, test.new])
        #expect(holder.rootKey == test.new.jwk)
        #expect(throws: SealError.self) { try test.update(holder, test.registry(6), [test.old]) }
        #expect(throws: Never.self) { try test.update(holder, test.registry(6, root: test.new, rotations: [rotation]), [test.new]) }
    }

    @Test func aRestartWithTheOldRootKeyFileReadsWhatTheNewKeySigned() throws {
        let test = try RegistryFolder()
        let third = SigningKey()
        let rotations = [
            try RootRotation(from: test.old, to: test.new, at: TestWorld.start),
            try RootRotation(from: test.new, to: third, at: TestWorld.start.advanced(by: .seconds(1))),
        ]
        try test.write(test.registry(9, root: third, rotations: rotations), [third])
        for key in [test.old, test.new, third] {
            let holder = try test.holder(key)
            #expect(holder.rootKey == third.jwk && holder.registry.version == 9)
        }
        #expect(throws: SealError.self) { try test.holder(SigningKey()) }
    }

    @Test func aRotationMissesNoSignature() throws {
        let test = try RegistryFolder()
        let good = try RootRotation(from: test.old, to: test.new, at: TestWorld.start)
        let halves = good.signatures.split(separator: " ").map(String.init)
        for signatures in [halves[0], halves[1], "\(halves[0]) \(halves[0])"] {
            var json = try #require(good.json.object)
            json["signatures"] = .string(signatures)
            let rotation = try RootRotation(.object(json), at: "rotations[0]")
            try test.write(test.registry(5, root: test.new, rotations: [rotation]), [test.new])
            #expect(throws: SealError.self) { try test.holder(test.old) }
        }
        try test.write(test.registry(5, root: test.new, rotations: [good]), [test.new])
        #expect(throws: Never.self) { try test.holder(test.old) }
    }

    @Test func aRegistryThatARestartCouldNotReadIsNotWrittenDown() throws {
        let test = try RegistryFolder()
        try test.write(test.registry(5, root: test.new), [test.old, test.new])
        let holder = try test.holder(test.old)
        let error = #expect(throws: SealError.self) { try test.update(holder, test.registry(6, root: test.new), [test.new]) }
        #expect(error?.reason.contains("configuration") == true, "\(String(describing: error))")
        #expect(try test.holder(test.old).registry.version == 5)
        // Whoever has the new key in the configuration takes it.
        let renewed = try test.holder(test.new)
        #expect(throws: Never.self) { try test.update(renewed, test.registry(6, root: test.new), [test.new]) }
    }

    @Test(arguments: ["", "one two three", "x y"]) func aLineThatIsNoSignatureIsRefused(_ line: String) throws {
        let test = try RegistryFolder()
        try RegistryFile(signatures: line, body: test.registry(1).body).write(to: test.path)
        let error = #expect(throws: SealError.self) { try test.holder(test.old) }
        #expect(error?.code == .malformed)
    }

    @Test func aChangedBodyIsRefusedThoughOneOfTwoSignaturesIsOfAnotherKey() throws {
        let test = try RegistryFolder()
        let file = try RegistryFile(body: test.registry(5, root: test.new).body, as: .registry, signedBy: [test.old, test.new])
        try RegistryFile(signatures: file.signatures, body: test.registry(6, root: test.new).body).write(to: test.path)
        let error = #expect(throws: SealError.self) { try test.holder(test.old) }
        #expect(error?.code == .badSignature)
    }
}
