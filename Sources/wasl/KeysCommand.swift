import ArgumentParser
import Foundation
import WaslModel
import WaslSeal

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes and shows keys.", subcommands: [Generate.self, Show.self])

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key file: one key to sign with, one to open with.",
            discussion: "Example: wasl keys generate --out /etc/wasl/keys.json")

        @Option(help: "The file to write; it must not exist.") var out: String

        func run() throws {
            guard !FileManager.default.fileExists(atPath: out) else {
                throw Failure.usage("\(out) exists: a key is never overwritten")
            }
            let keys = KeyFile()
            try keys.write(to: out)
            print(KeysCommand.publicText(keys))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the public halves, for the registry.", discussion: "Example: wasl keys show --file keys.json")

        @Option(help: "The key file.") var file: String

        func run() throws { print(KeysCommand.publicText(try KeyFile(path: file))) }
    }

    static func publicText(_ keys: KeyFile) -> String {
        JSON.object(["signing": keys.signing.jwk.json, "opening": .array(keys.opening.map(\.jwk.json))]).prettyText
    }
}
