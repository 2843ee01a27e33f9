import Foundation
import TestSupport
import Testing
import WaslModel
import WaslSeal

/// A registry's folder in the hands of `wasl registry`, as people at the directorate use it.
private final class Directorate: Sendable {
    let base: String
    let keys: [String: KeyFile]

    var folder: String { base + "/registry" }
    var out: String { base + "/registry.signed" }
    var rootKey: String { base + "/root.json" }
    var newRootKey: String { base + "/root-2.json" }

    init() throws {
        base = try TestWorld.makeFolder()
        keys = ["hydra": KeyFile(), "kerker": KeyFile(), "steg": KeyFile(), "ledger": KeyFile(), "amel": KeyFile(), "bechir": KeyFile()]
        for (name, file) in keys { try write(Directorate.publicText(file), "\(name).public.json") }
    }

    deinit { try? FileManager.default.removeItem(atPath: base) }

    static func publicText(_ file: KeyFile) -> String {
        JSON.object(["signing": file.signing.jwk.json, "opening": .array(file.opening.map(\.jwk.json))]).text
    }

    func write(_ text: String, _ name: String) throws { try text.write(toFile: "\(base)/\(name)", atomically: true, encoding: .utf8) }
    func text(_ name: String) throws -> String { try String(contentsOfFile: "\(base)/\(name)", encoding: .utf8) }

    @discardableResult
    func wasl(_ arguments: [String], fails status: Int32 = 0) throws -> String { try run(["registry"] + arguments, fails: status) }

    /// - Returns: what the program said, on both outputs.
    @discardableResult
    func run(_ arguments: [String], fails status: Int32 = 0) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: TestWorld.executable)
        process.arguments = arguments
        let said = base + "/said-\(UUID().uuidString)"
        try Data().write(to: URL(fileURLWithPath: said))
        let output = try #require(FileHandle(forWritingAtPath: said))
        process.standardOutput = output
        process.standardError = output
        try process.runToItsEnd()
        let text = try String(contentsOfFile: said, encoding: .utf8)
        #expect(process.terminationStatus == status, "wasl \(arguments.joined(separator: " ")): \(text)")
        return text
    }

    @discardableResult
    func edit(_ command: String, _ arguments: String..., fails status: Int32 = 0) throws -> String {
        try wasl([command, "--folder", folder] + arguments, fails: status)
    }

    @discardableResult
    func sign(_ more: String..., key: String? = nil, fails status: Int32 = 0) throws -> String {
        try wasl(["sign", "--folder", folder, "--key", key ?? rootKey, "--out", out] + more, fails: status)
    }

    func add(_ id: String, _ role: String) throws {
        try edit(
            "add", "--id", id, "--role", role, "--fr", "Nom de \(id)", "--ar", "اسم", "--en", "Name", "--keys", "\(base)/\(id).public.json",
            "--from", "2026-01-01")
    }

    /// A folder with two houses, an agency, the ledger and its two reviewers, one delegation, signed once.
    func found() throws {
        try edit("init", "--key", rootKey)
        // The keys' days below are fixed, and the clock goes on.
        try write("valid: 365 d\nkeep-ended-keys: 20000 d\n", "registry/registry.yaml")
        for (id, role) in [("hydra", "house"), ("kerker", "house"), ("steg", "agency"), ("ledger", "ledger")] { try add(id, role) }
        for person in ["amel", "bechir"] {
            try edit(
                "add-person", "--participant", "ledger", "--holder", person, "--keys", "\(base)/\(person).public.json", "--from",
                "2026-01-01")
        }
        try write("services:\n  bills: [steg.bill.view, steg.bill.pay]\n", "registry/groups.yaml")
        try write(
            "delegations:\n  - services: [bills]\n    participants: [all-houses]\n    decree: \"Décret n° 1\"\n    date: 2026-01-02\n",
            "registry/delegations.yaml")
        try sign()
    }

    static let epoch = "01900000-0000-7000-8000-000000000001"
    var paper: String { base + "/review.json" }

    /// The private keys, with which people sign.
    func writeKeys() throws { for (name, file) in keys { try file.write(to: "\(base)/\(name).json") } }

    /// A decision anew, with its first signature.
    func state(_ decision: String, by person: String) throws {
        try? FileManager.default.removeItem(atPath: paper)
        try run(
            [
                "ledger", "review", decision, "--participant", "hydra", "--epoch", Directorate.epoch, "--from", "5", "--through", "9",
                "--key", "\(base)/\(person).json", "--out", paper,
            ])
    }

    @discardableResult
    func signPaper(by person: String, fails status: Int32 = 0) throws -> String {
        try run(["ledger", "review", "sign", "--file", paper, "--key", "\(base)/\(person).json"], fails: status)
    }

    @discardableResult
    func approve(fails status: Int32 = 0) throws -> String { try edit("approve", "--file", paper, fails: status) }

    func held(_ root: PublicJWK? = nil) throws -> RegistryHolder {
        try RegistryHolder(path: out, rootKey: try root ?? KeyFile(path: rootKey).signing.jwk)
    }
}

@Suite struct RegistryCommandTests {
    private let hydra = ParticipantID("hydra")!
    private let view = ServiceID("steg.bill.view")!

    @Test func aFolderBecomesASignedRegistryWithItsDelegations() throws {
        let test = try Directorate()
        try test.found()
        let registry = try test.held().registry
        #expect(registry.version == 1 && registry.participants.count == 4)
        #expect(registry.participants[hydra]?.services == [view: "Décret n° 1", ServiceID("steg.bill.pay")!: "Décret n° 1"])
        #expect(registry.participants[ParticipantID("steg")!]?.services.isEmpty == true)
        #expect(registry.delegations.count == 1 && registry.delegations[0].date == "2026-01-02")
        #expect(registry.participants[hydra]?.keys.map(\.jwk) == [test.keys["hydra"]!.signing.jwk, test.keys["hydra"]!.opening[0].jwk])
        #expect(registry.reviewers(at: TestClock.shared.now) == ["amel", "bechir"])
        let shown = try test.wasl(["show", "--file", test.out, "--root-key", test.folder + "/root.jwk.json"])
        for part in ["Version 1", "hydra", "Nom de hydra", "اسم", "Décret n° 1, 2026-01-02", "person of amel"] {
            #expect(shown.contains(part), "\(part) in \(shown)")
        }
    }

    @Test func aSuspensionIsSignedAndSaidInWords() throws {
        let test = try Directorate()
        try test.found()
        try FileManager.default.copyItem(atPath: test.out, toPath: test.base + "/before.signed")
        try test.edit("suspend", "--id", "hydra")
        #expect(try test.wasl(["diff", test.out, "--folder", test.folder]).contains("hydra: suspended"))
        let said = try test.sign()
        #expect(said.contains("hydra: suspended") && said.contains("Version 2"), "\(said)")
        #expect(try test.held().registry.participants[hydra]?.state == .suspended)
        let difference = try test.wasl(
            ["diff", test.base + "/before.signed", test.out, "--root-key", test.folder + "/root.jwk.json"])
        #expect(difference == "hydra: suspended\n")
        try test.edit("resume", "--id", "hydra")
        #expect(try test.sign().contains("hydra: active again"))
    }

    @Test func whatIsGainedAndLostIsOneLineForMany() throws {
        let test = try Directorate()
        try test.found()
        try test.write("services:\n  bills: [steg.bill.view, steg.fault.report]\n", "registry/groups.yaml")
        let said = try test.sign()
        #expect(said.contains("hydra, kerker: may now ask for steg.fault.report"), "\(said)")
        #expect(said.contains("hydra, kerker: may no longer ask for steg.bill.pay"), "\(said)")
    }

    @Test func keysAreRotatedWithAnOverlapAndRevoked() throws {
        let test = try Directorate()
        try test.found()
        let new = KeyFile()
        try test.write(Directorate.publicText(new), "new.json")
        try test.edit("rotate", "--id", "hydra", "--keys", test.base + "/new.json", "--at", "2026-06-01", "--overlap", "7 d")
        let old = test.keys["hydra"]!.signing.id
        try test.edit("revoke", "--id", "hydra", "--key", String(old.prefix(10)), "--from", "2026-06-03T08:00:00Z")
        try test.sign()
        let registry = try test.held().registry
        let keys = try #require(registry.participants[hydra]?.keys)
        #expect(keys.count == 4)
        #expect(keys[0].until == Timestamp("2026-06-08T00:00:00Z") && keys[1].until == Timestamp("2026-06-08T00:00:00Z"))
        #expect(keys[0].revoked == Timestamp("2026-06-03T08:00:00Z") && keys[1].revoked == nil)
        #expect(keys[2].jwk == new.signing.jwk && keys[2].from == Timestamp("2026-06-01T00:00:00Z") && keys[2].end == nil)
        #expect(registry.isRevoked(old) && !registry.isRevoked(new.signing.id))
        #expect(try registry.sealingKey(of: hydra, at: Timestamp("2026-06-02T00:00:00Z")!) == new.opening[0].jwk)
        let unknown = try test.edit("revoke", "--id", "hydra", "--key", "______", fails: 65)
        #expect(unknown.contains(old), "what there is, is named: \(unknown)")
    }

    @Test func theKeysOfWhoeverLeavesGoToTheArchiveAndStillVerify() throws {
        let test = try Directorate()
        try test.found()
        try FileManager.default.removeItem(atPath: test.folder + "/participants/kerker.yaml")
        #expect(try test.sign().contains("went: kerker"))
        let holder = try test.held()
        let (kerker, signing) = (ParticipantID("kerker")!, test.keys["kerker"]!.signing.id)
        #expect(holder.archiveMissing == nil && holder.registry.participants[kerker] == nil)
        #expect(throws: Never.self) {
            try holder.registry.verificationKey(signing, of: kerker, at: Timestamp("2026-01-02T00:00:00Z")!)
        }
        let first = holder.registry.archive
        try test.sign()
        #expect(try test.held().registry.archive == first, "an archive that says the same stays as it is")
        try FileManager.default.removeItem(atPath: RegistryArchive.path(beside: test.out))
        #expect(try test.sign(fails: 65).contains("would forget the keys"))
    }

    @Test func nothingOlderIsSignedOverSomethingNewer() throws {
        let test = try Directorate()
        try test.found()
        try test.sign("--as-version", "7")
        #expect(try test.sign("--as-version", "7", fails: 65).contains("7 is not newer than 7"))
        try test.sign()
        #expect(try test.held().registry.version == 8)
    }

    @Test func anotherKeySignsNothing() throws {
        let test = try Directorate()
        try test.found()
        try KeyFile().write(to: test.base + "/other.json")
        #expect(try test.sign(key: test.base + "/other.json", fails: 65).contains("another root key"))
        #expect(try test.held().registry.version == 1)
    }

    @Test func theRootKeyPassesOnBySignaturesOfBoth() throws {
        let test = try Directorate()
        try test.found()
        let old = try KeyFile(path: test.rootKey).signing.jwk
        try test.edit("rotate-root", "--key", test.rootKey, "--new-key", test.newRootKey)
        #expect(try test.sign(key: test.newRootKey, fails: 65).contains("--old-key"), "the new key alone does not sign")
        #expect(try test.sign(fails: 65).contains("is not the key of"), "nor does the old one alone")
        try test.sign("--old-key", test.rootKey, key: test.newRootKey)
        let new = try KeyFile(path: test.newRootKey).signing.jwk
        for root in [old, new] { #expect(try test.held(root).rootKey == new) }
        // From now on the new one alone, and whoever has only the old one still comes to it.
        try test.sign(key: test.newRootKey)
        #expect(try test.held(old).registry.version == 3)
        #expect(try test.held(old).rootKey == new)
    }

    @Test func whatTwoReviewersSignTravelsInTheRegistryWithTheirSignatures() throws {
        let test = try Directorate()
        try test.found()
        let (epoch, paper) = (Directorate.epoch, test.paper)
        try test.writeKeys()

        try test.state("approve", by: "amel")
        #expect(try test.approve(fails: 65).contains("expected two people"), "one signature decides nothing")
        #expect(try test.signPaper(by: "amel", fails: 65).contains("the same key has signed already"))
        try test.signPaper(by: "steg")
        #expect(try test.approve(fails: 65).contains("nobody's personal key under the ledger"))
        #expect(try !test.text("registry/approvals.yaml").contains(epoch), "what is refused is not written")

        try test.state("approve", by: "amel")
        try test.signPaper(by: "bechir")
        let whole = try String(contentsOfFile: paper, encoding: .utf8)
        try whole.replacing(#""through": 9"#, with: #""through": 99"#).write(toFile: paper, atomically: true, encoding: .utf8)
        #expect(try test.approve(fails: 65).contains("does not match"), "a decision that was changed after it was signed")
        try whole.write(toFile: paper, atomically: true, encoding: .utf8)
        #expect(try test.approve().contains("approved by amel, bechir"))
        #expect(try test.approve(fails: 65).contains("already"))
        #expect(try test.sign().contains("decided: hydra \(epoch) 5 to 9: approved by amel, bechir"))
        let registry = try test.held().registry
        #expect(registry.isApproved(epoch: EpochID(epoch)!, sequence: 9, of: hydra))
        #expect(try registry.approvals.map { try $0.signers(in: registry) } == [["amel", "bechir"]])

        // A row that was changed by hand is no word of these two.
        let rows = try test.text("registry/approvals.yaml")
        try test.write(rows.replacing("through: 9", with: "through: 99"), "registry/approvals.yaml")
        let said = try test.sign(fails: 78)
        for part in ["approvals.yaml", "approvals[0].signatures", "wasl registry approve"] {
            #expect(said.contains(part), "\(part) in \(said)")
        }
        try test.write(rows, "registry/approvals.yaml")

        try test.state("reject", by: "bechir")
        try test.signPaper(by: "amel")
        try test.approve()
        try test.sign()
        #expect(try test.held().registry.decision(epoch: EpochID(epoch)!, sequence: 9, of: hydra) == .rejected, "the last word stands")
    }

    @Test(arguments: [true, false]) func aKeyThatIsNoMoreInUseReviewsNothingWhateverTimeItClaims(_ isRevoked: Bool) throws {
        let test = try Directorate()
        try test.found()
        try test.writeKeys()
        // One is taken while the key is in use, the other comes too late with a time from then.
        for decision in ["approve", "reject"] {
            try test.state(decision, by: "amel")
            try test.signPaper(by: "bechir")
            if decision == "approve" { try test.approve() }
        }
        if isRevoked {
            try test.edit("revoke", "--id", "ledger", "--key", test.keys["bechir"]!.signing.id)
        } else {
            try test.write(Directorate.publicText(KeyFile()), "new.json")
            try test.edit(
                "rotate", "--id", "ledger", "--holder", "bechir", "--keys", test.base + "/new.json", "--overlap", "0 s")
        }
        let reason = isRevoked ? "the key of bechir is revoked" : "the key of bechir is not in use any more"
        #expect(try test.approve(fails: 65).contains(reason))
        try test.sign()
        #expect(
            try test.held().registry.decision(epoch: EpochID(Directorate.epoch)!, sequence: 9, of: hydra) == .approved,
            "what was taken before stands")
    }

    @Test(arguments: [
        ("groups.yaml", "services:\n  bills: [steg.bil]\n  x: [Steg]\n", "services.x", "is no service"),
        ("groups.yaml", "services:\n  bills: [other.bill.view]\n", "services.bills", "its agency is not in this folder"),
        ("groups.yaml", "participants:\n  pilots: [hydra, nobody]\n", "participants.pilots", "nobody is no participant"),
        ("groups.yaml", "participants:\n  hydra: [kerker]\n", "participants.hydra", "another name"),
        ("groups.yaml", "servics:\n  bills: [steg.bill.view]\n", "servics", "unknown key"),
        (
            "delegations.yaml", "delegations:\n  - services: [bils]\n    participants: [hydra]\n    decree: x\n    date: 2026-01-01\n",
            "delegations[0].services", "neither a service nor a group"
        ),
        (
            "delegations.yaml", "delegations:\n  - services: [bills]\n    participants: [all]\n    decree: x\n    date: 2026-01-01\n",
            "delegations[0].participants", "all-houses"
        ),
        (
            "delegations.yaml", "delegations:\n  - services: [bills]\n    participants: [hydra]\n    decree: x\n    date: 2026-02-30\n",
            "delegations[0].date", "2026-01-31"
        ),
        ("delegations.yaml", "delegations:\n  - services: [bills]\n    participants: [hydra]\n", "delegations[0].decree", "missing"),
        ("registry.yaml", "valid: forever\n", "valid", "expected a number and a unit"),
        ("participants/hydra.yaml", "role: hous\n", "role", "expected one of house, agency, ledger"),
        (
            "participants/hydra.yaml",
            "role: house\nnames: { ar: a, fr: b, en: c }\nkeys:\n  - use: sig\n    x: short\n    from: 2026-01-01\n", "keys[0].x",
            "32 bytes"
        ),
        ("participants/Hydra.yaml", "role: house\nnames: { ar: a, fr: b, en: c }\n", "Hydra.yaml", "rename it"),
    ])
    func aMistakeIsNamedByFileKeyAndRemedy(_ file: String, _ text: String, _ key: String, _ remedy: String) throws {
        let test = try Directorate()
        try test.found()
        try test.write(text, "registry/\(file)")
        let said = try test.sign(fails: 78)
        for part in [file, key, remedy] { #expect(said.contains(part), "\(part) in \(said)") }
        #expect(try test.held().registry.version == 1)
    }

    @Test func aKeyCopiedToTwoParticipantsIsNamedWithBothFiles() throws {
        let test = try Directorate()
        try test.found()
        let text = try test.text("registry/participants/hydra.yaml")
        try test.write(text, "registry/participants/nadhour.yaml")
        let said = try test.sign(fails: 78)
        #expect(said.contains("nadhour.yaml") && said.contains("hydra.yaml") && said.contains("one owner"), "\(said)")
    }

    @Test func aPersonsWordsInAFileAreNotLost() throws {
        let test = try Directorate()
        try test.found()
        let path = "registry/participants/hydra.yaml"
        try test.write("# Opened by the mayor.\n" + test.text(path), path)
        try test.edit("suspend", "--id", "hydra")
        #expect(try test.text(path).hasPrefix("# Opened by the mayor.\nrole: house\n"))
        try test.write(test.text(path) + "# Ask before resuming.\n", path)
        #expect(try test.edit("resume", "--id", "hydra", fails: 65).contains("Ask before resuming"))
        #expect(try test.text(path).contains("state: suspended"))
    }

    @Test func privateKeysAreNotTaken() throws {
        let test = try Directorate()
        try test.found()
        try KeyFile().write(to: test.base + "/private.json")
        let said = try test.edit(
            "add", "--id", "zriba", "--role", "house", "--fr", "Zriba", "--ar", "الزريبة", "--en", "Zriba", "--keys",
            test.base + "/private.json", fails: 65)
        #expect(said.contains("PRIVATE"))
        #expect(!FileManager.default.fileExists(atPath: test.folder + "/participants/zriba.yaml"))
    }

    @Test func nothingIsOverwritten() throws {
        let test = try Directorate()
        try test.found()
        #expect(try test.edit("init", "--key", test.rootKey, fails: 64).contains("nothing is overwritten"))
        #expect(
            try test.edit(
                "add", "--id", "hydra", "--role", "house", "--fr", "x", "--ar", "x", "--en", "x", "--keys",
                test.base + "/amel.public.json", fails: 64
            ).contains("hydra.yaml exists"))
    }
}
