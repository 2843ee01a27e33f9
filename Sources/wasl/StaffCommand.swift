import ArgumentParser
import Foundation
import WaslModel
import WaslSeal
import WaslWeb

/// People who may sign in to a role's pages: an agency's desk, the ledger's overview.
struct StaffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "staff", abstract: "The people who may sign in to the pages.", subcommands: [Add.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds somebody, or gives them another password.",
            discussion: """
                Examples:
                  wasl agency staff add --file /etc/wasl/eid-staff.json --name amel --password-file password.txt
                  wasl ledger staff add --file /etc/wasl/ledger-staff.json --name amel --password-file password.txt
                """)

        @Option(help: "The file of the accounts; made where it is not there.") var file: String
        @Option(help: "The person's name: a-z, 0-9, `.` and `-`.") var name: String
        @Option(help: "A file with the password, mode 0600: 12 characters at least.") var passwordFile: String

        func run() throws {
            var accounts = FileManager.default.fileExists(atPath: file) ? try Accounts(path: file) : Accounts()
            let password = String(decoding: try SecretFile.read(passwordFile), as: UTF8.self).trimmingCharacters(in: .newlines)
            do { try accounts.set(name, password: password) } catch { throw Failure.badInput("\(error)") }
            try writePrivateFile(Array(accounts.text.utf8), to: file)
            print("\(name) may sign in to the pages of a daemon with `staff-file: \(file)`.")
        }
    }
}
