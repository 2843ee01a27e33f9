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
        commandName: "approve", abstract: "Writes down what two people decided about what a revoked key had signed.",
        discussion: """
            Example: wasl registry approve --participant hydra --epoch 01900000-0000-7000-8000-000000000001 --from 120 --through 131 \
            --decision approved --reviewer amel --reviewer bechir
            """)

    @OptionGroup var folder: RegistryFolderOption
    @Option(help: "Whose lane it is.") var participant: String
    @Option(help: "The epoch's UUID.") var epoch: String
    @Option(help: "The first number.") var from: Int64
    @Option(help: "The last number.") var through: Int64
    @Option(help: "approved or rejected.") var decision: String
    @Option(name: .customLong("reviewer"), help: "A person with a key under the ledger; twice.") var reviewers: [String]
    @Option(help: "When they decided; now when not given.") var at: String?

    func run() throws {
        guard let participant = ParticipantID(participant) else { throw Failure.usage("--participant: expected an identifier") }
        guard let epoch = EpochID(epoch) else { throw Failure.usage("--epoch: expected a UUID in lower case") }
        guard from >= 1, from <= through else {
            throw Failure.usage("--from, --through: expected numbers from 1, the last no smaller than the first")
        }
        guard let decision = Registry.Approval.Decision(rawValue: decision) else {
            throw Failure.usage("--decision: expected approved or rejected")
        }
        let approval: Registry.Approval
        do {
            approval = try Registry.Approval(
                participant: participant, epoch: epoch, range: from...through, decision: decision, reviewers: reviewers,
                at: try RegistryCommand.time(at, "--at"))
        } catch let error as SealError { throw Failure.usage("--reviewer: \(error.reason)") }
        let path = RegistryFolder.approvalsFile(in: folder.folder)
        let before = FileManager.default.fileExists(atPath: path) ? String(decoding: try Program.read(path), as: UTF8.self) : "approvals:\n"
        let names = reviewers.map(YAMLText.scalar).joined(separator: ", ")
        let row = """
              - participant: \(participant)
                epoch: "\(epoch)"
                from: \(from)
                through: \(through)
                decision: \(decision.rawValue)
                reviewers: [\(names)]
                at: \(approval.at)

            """
        try RegistryInit.write(before + (before.hasSuffix("\n") ? "" : "\n") + row, to: path)
        do { _ = try RegistryFolder(path: folder.folder) } catch {
            try RegistryInit.write(before, to: path)
            throw error
        }
        print("Written into \(path); `wasl registry sign` makes it known.")
    }
}
