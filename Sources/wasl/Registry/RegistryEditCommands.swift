import ArgumentParser
import Foundation
import WaslModel
import WaslSeal

struct RegistryAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds a participant with its public keys.",
        discussion: """
            Example: wasl keys show --file keys.json > hydra.public.json
            wasl registry add --id hydra --role house --fr Haïdra --ar حيدرة --en Haidra --governorate 42 --keys hydra.public.json
            """)

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "The identifier: lower-case letters, digits and `-`.") var id: String
    @Option(help: "house, agency or ledger.") var role: String
    @Option(help: "The name in Arabic.") var ar: String
    @Option(help: "The name in French.") var fr: String
    @Option(help: "The name in English.") var en: String
    @Option(help: "The governorate's code.") var governorate: String?
    @Flag(help: "A mobile house.") var mobile = false
    @Flag(help: "Proposed, not known.") var placeholder = false
    @Option(help: "The participant's public keys, as `wasl keys show` prints them.") var keys: String
    @Option(help: "From when on the keys are valid; now when not given.") var from: String?

    func run() throws {
        guard let participant = ParticipantID(id) else {
            throw Failure.usage("--id: expected 2 to 31 lower-case letters, digits and `-`, first a letter, found \(id)")
        }
        guard let role = Role(rawValue: role) else { throw Failure.usage("--role: expected house, agency or ledger, found \(role)") }
        guard (role == .ledger) == (participant == .ledger) else {
            throw Failure.usage("--id: the ledger's is `ledger`, and nobody else's is")
        }
        let from = try RegistryCommand.time(from, "--from")
        let keys = try PublicKeysFile(path: keys)
        let file = RegistryParticipantFile(
            Registry.Participant(
                id: participant, role: role, names: LocalizedText(ar: ar, fr: fr, en: en), governorate: governorate, isMobile: mobile,
                isPlaceholder: placeholder,
                keys: [
                    Registry.Key(jwk: keys.signing, use: .signing, from: from),
                    Registry.Key(jwk: try keys.requiredOpening, use: .sealing, from: from),
                ]), in: folder.folder)
        guard !FileManager.default.fileExists(atPath: file.path) else {
            throw Failure.usage(
                "\(file.path) exists: change it by hand, or give the participant new keys with `wasl registry rotate --id \(id)`")
        }
        _ = try RegistryFolder(path: folder.folder)
        try file.write()
        print("\(file.path) is written; `wasl registry sign` makes it known.")
    }
}

struct RegistryAddPerson: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-person", abstract: "Registers the personal key of somebody who decides for a participant.",
        discussion: """
            Under an agency such a person concludes parked requests; under the ledger, reviews what a revoked key signed. Two of them decide.

            Example: wasl registry add-person --participant ledger --holder amel --keys amel.public.json
            """)

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "The participant for which the person acts.") var participant: String
    @Option(help: "The person's name in the registry.") var holder: String
    @Option(help: "The person's public key, as `wasl keys show` prints it.") var keys: String
    @Option(help: "From when on the key is valid; now when not given.") var from: String?

    func run() throws {
        var file = try RegistryFolder.participant(participant, in: folder.folder)
        guard !holder.isEmpty else { throw Failure.usage("--holder: expected the person's name") }
        let from = try RegistryCommand.time(from, "--from")
        if file.participant.keys.contains(where: { $0.holder == holder && $0.isValid(at: from) }) {
            throw Failure.usage(
                "\(holder) has a key already; exchange it with `wasl registry rotate --id \(participant) --holder \(holder)`")
        }
        let key = Registry.Key(jwk: try PublicKeysFile(path: keys).signing, use: .person, holder: holder, from: from)
        file.participant = file.participant.with(keys: file.participant.keys + [key])
        try file.write()
        print("\(holder) is written into \(file.path); `wasl registry sign` makes it known.")
    }
}

struct RegistrySuspend: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspend", abstract: "Takes a participant's voice, at once when signed and applied; nothing meant for it is lost.",
        discussion: "Example: wasl registry suspend --id hydra")

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "The participant.") var id: String

    func run() throws { try setState(.suspended, of: id, in: folder.folder) }
}

struct RegistryResume: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Gives a suspended participant its voice again.",
        discussion: "Example: wasl registry resume --id hydra")

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "The participant.") var id: String

    func run() throws { try setState(.active, of: id, in: folder.folder) }
}

private func setState(_ state: Registry.State, of id: String, in folder: String) throws {
    var file = try RegistryFolder.participant(id, in: folder)
    guard file.participant.state != state else { return print("\(id) is \(state.rawValue) already.") }
    file.participant = file.participant.with(state: state)
    try file.write()
    print("\(id) is \(state.rawValue) in \(file.path); `wasl registry sign`, then `wasl topology apply` carry it out.")
}

struct RegistryApprove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Puts into the folder what two people signed about what a revoked key had signed.",
        discussion: """
            The file comes from `wasl ledger review`, with the signatures of two different people who have keys under the ledger.

            Example: wasl registry approve --folder registry --file review.json
            """)

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "The decision with two signatures.") var file: String

    func run() throws {
        let paper = try ReviewFile(path: file)
        let ledger = try RegistryFolder.participant(ParticipantID.ledger.text, in: folder.folder)
        let approval: Registry.Approval
        do throws(SealError) {
            approval = try paper.review.approval(paper.signatures) { keyID throws(SealError) in
                try RegistryFolder.reviewer(keyID, in: ledger.participant.keys, at: paper.review.at, taken: Program.now)
            }
        } catch { throw Failure.badInput("\(file): \(error.reason)") }
        let path = RegistryFolder.approvalsFile(in: folder.folder)
        let before = FileManager.default.fileExists(atPath: path) ? String(decoding: try Program.read(path), as: UTF8.self) : "approvals:\n"
        if try RegistryFolder(path: folder.folder).approvals.contains(approval) {
            throw Failure.badInput("\(file): this decision is in \(path) already")
        }
        try RegistryInit.write(before + (before.hasSuffix("\n") ? "" : "\n") + RegistryApprove.row(approval), to: path)
        do { _ = try RegistryFolder(path: folder.folder) } catch {
            try RegistryInit.write(before, to: path)
            throw error
        }
        print("Written into \(path): \(RegistryDescription.text(approval)). `wasl registry sign` makes it known.")
    }

    private static func row(_ approval: Registry.Approval) -> String {
        let names = approval.reviewers.map(YAMLText.scalar).joined(separator: ", ")
        let signatures = approval.signatures.map { "      - \(JSON.string($0).text)\n" }.joined()
        return """
              - participant: \(approval.participant)
                epoch: "\(approval.epoch)"
                from: \(approval.range.lowerBound)
                through: \(approval.range.upperBound)
                decision: \(approval.decision.rawValue)
                reviewers: [\(names)]
                at: \(approval.at)
                signatures:

            """ + signatures
    }
}
