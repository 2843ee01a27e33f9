import Foundation
import TestSupport
import Testing
import WaslModel
import WaslSeal

/// The program as a person meets it: exit codes and words.
@Suite struct CommandTests {
    private let world: TestWorld

    init() throws { world = try TestWorld() }

    private func wasl(_ arguments: String...) throws -> (status: Int32, output: String, errors: String) { try wasl(arguments) }

    private func wasl(_ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: TestWorld.executable)
        process.arguments = arguments
        // Files, not pipes: a child that says much must not wait for its reader.
        let output = world.folder + "/out-\(UUID().uuidString)"
        let errors = world.folder + "/err-\(UUID().uuidString)"
        for path in [output, errors] { try Data().write(to: URL(fileURLWithPath: path)) }
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: errors)
        try process.runToItsEnd()
        func text(_ path: String) -> String { String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self) }
        return (process.terminationStatus, text(output), text(errors))
    }

    /// A house's configuration with one line more.
    private func configuration(extra: String = "", replacing: (String, String) = ("", "")) throws -> String {
        let path = try world.configure(more: extra)
        guard !replacing.0.isEmpty else { return path }
        try String(contentsOfFile: path, encoding: .utf8).replacing(replacing.0, with: replacing.1)
            .write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test func anUnknownKeyOfAConfigurationIsNamed() throws {
        let result = try wasl("house", "run", "--config", try configuration(extra: "tokn: x"))
        #expect(result.status == 78)
        #expect(result.errors.contains("`tokn`: unknown key"))
    }

    @Test(arguments: [
        ("port: 1\n  password", "port: many\n  password", "broker.port"), ("house: hydra", "house: Hydra!", "house"),
        ("/token", "/absent", "http.token-file"), ("  token-file", "  connections-max: 5\n  token-file", "http.connections-max"),
        ("  token-file", "  idle-timeout: 75\n  token-file", "http.idle-timeout"),
        ("  token-file", "  metrics-token-file: /absent\n  token-file", "http.metrics-token-file"),
    ])
    func aWrongValueOfAConfigurationIsNamed(_ before: String, _ after: String, _ key: String) throws {
        let result = try wasl("house", "run", "--config", try configuration(replacing: (before, after)))
        #expect(result.status == 78)
        #expect(result.errors.contains("`\(key)`"), "\(result.errors)")
    }

    @Test func withoutAHeadFileTheDaemonSaysWhatCanHappenAndDoesNotStart() throws {
        let result = try wasl("house", "run", "--config", try configuration(replacing: ("head-file: \(world.folder)/heads/hydra\n", "")))
        #expect(result.status == 78)
        #expect(result.errors.contains("`head-file`: missing"), "\(result.errors)")
        #expect(result.errors.contains("backup") && result.errors.contains("outside `data`"), "the danger and the remedy: \(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: world.folder + "/data/journal.sqlite"))
    }

    @Test(arguments: ["data/head", "data/deep/head", "elsewhere/../data/head", "link/head"])
    func aHeadFileInsideTheDataFolderIsRefused(_ place: String) throws {
        let path = try configuration(replacing: ("/heads/hydra", "/" + place))
        for folder in ["/data", "/elsewhere"] {
            try FileManager.default.createDirectory(atPath: world.folder + folder, withIntermediateDirectories: true)
        }
        try FileManager.default.createSymbolicLink(atPath: world.folder + "/link", withDestinationPath: world.folder + "/data")
        let result = try wasl("house", "run", "--config", path)
        #expect(result.status == 78)
        #expect(result.errors.contains("`head-file`") && result.errors.contains("inside `data`"), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: world.folder + "/data/journal.sqlite"))
    }

    @Test func aHeadFileThatIsStillInsideTheDataFolderIsNamedForItsMove() throws {
        let path = try configuration(replacing: ("head-file: \(world.folder)/heads/hydra\n", ""))
        try FileManager.default.createDirectory(atPath: world.folder + "/data", withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: world.folder + "/data/journal.sqlite.head"))
        let result = try wasl("house", "run", "--config", path)
        #expect(result.status == 78 && result.errors.contains("move \(world.folder)/data/journal.sqlite.head there"), "\(result.errors)")
    }

    @Test(arguments: [("token", "http.token-file"), ("password", "broker.password-file"), ("hydra.json", "others may read it")])
    func aSecretThatOthersMayReadStopsTheDaemon(_ file: String, _ named: String) throws {
        let path = try configuration()
        chmod(world.folder + "/" + file, 0o644)
        let result = try wasl("house", "run", "--config", path)
        #expect(result.status == 78)
        #expect(result.errors.contains(named) && result.errors.contains("chmod 600 \(world.folder)/\(file)"), "\(result.errors)")
        #expect(!result.errors.contains("a secret of sixteen"))
    }

    @Test func anAgentsPasswordComesFromAFileThatNobodyElseReads() throws {
        let (accounts, password) = (world.folder + "/staff.json", world.folder + "/password.txt")
        try writePrivateFile(Array("long enough, surely\n".utf8), to: password)
        let add = ["agency", "staff", "add", "--file", accounts, "--name", "amel", "--password-file", password]
        #expect(try wasl(add).status == 0)
        chmod(password, 0o640)
        let refused = try wasl(add)
        #expect(refused.status == 78 && refused.errors.contains("chmod 600 \(password)"), "\(refused.errors)")
    }

    @Test func aDamagedJournalStopsTheDaemonWithARemedy() throws {
        let path = try configuration()
        try FileManager.default.createDirectory(atPath: world.folder + "/data", withIntermediateDirectories: true)
        try Data("this is not a journal".utf8).write(to: URL(fileURLWithPath: world.folder + "/data/journal.sqlite"))
        let result = try wasl("house", "run", "--config", path)
        #expect(result.status == 78)
        #expect(result.errors.contains("damaged") && result.errors.contains("wasl journal check"), "\(result.errors)")
    }

    @Test func anOlderRegistryIsNotSignedOverANewerOne() throws {
        let root = KeyFile()
        try root.write(to: world.folder + "/root.json")
        let out = world.folder + "/signed"
        let held = world.registry.registry
        func sign(_ version: Int64) throws -> (status: Int32, output: String, errors: String) {
            let registry = try Registry(
                version: version, issued: held.issued, expires: held.expires, participants: Array(held.participants.values))
            try registry.json.text.write(toFile: world.folder + "/registry.json", atomically: true, encoding: .utf8)
            return try wasl(
                "registry", "sign", "--file", world.folder + "/registry.json", "--key", world.folder + "/root.json", "--out", out)
        }
        #expect(try sign(3).status == 0)
        let older = try sign(2)
        #expect(older.status == 65 && older.errors.contains("version 2 is not newer than 3"))
        #expect(try sign(4).status == 0)
    }

    @Test func aKeyIsNeverOverwritten() throws {
        let file = world.folder + "/new.json"
        #expect(try wasl("keys", "generate", "--out", file).status == 0)
        #expect(try wasl("keys", "generate", "--out", file).status == 64)
        #expect(try KeyFile(path: file).opening.count == 1)
    }

    @Test func helpHasAnExampleForEveryCommand() throws {
        for command in [
            ["house", "run"], ["agency", "run"], ["ledger", "run"], ["ledger", "verify"], ["ledger", "close"],
            ["ledger", "staff", "add"],
            ["agency", "staff", "add"], ["trace"], ["keys", "generate"],
            ["registry", "sign"], ["topology", "apply"], ["journal", "check"], ["catalogue", "check"], ["bench", "road"],
        ] {
            #expect(try wasl(command + ["--help"]).output.contains("Example"), "\(command)")
        }
    }

    /// Each command in a page's code blocks, with its continued lines, its options and without what it is piped into.
    private func commands(of page: String) throws -> [[String]] {
        let text = try String(contentsOfFile: "\(TestWorld.project)/Docs/operate/\(page)", encoding: .utf8)
        let blocks = text.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        return blocks.flatMap { block in
            block.replacingOccurrences(of: "\\\n", with: " ").split(separator: "\n")
                .map { $0.split(separator: " ", omittingEmptySubsequences: true).map(String.init) }.filter { $0.first == "wasl" }
        }
    }

    @Test(arguments: ["findings.md", "parked.md"]) func everyCommandOfAManualIsThereWithItsOptions(_ page: String) throws {
        let commands = try commands(of: page)
        #expect(commands.count >= 3, "the search finds what is there")
        for words in commands {
            let name = words.dropFirst().prefix { $0.allSatisfy { $0.isLowercase || $0 == "-" } && !$0.hasPrefix("-") }
            let help = try wasl(name + ["--help"])
            #expect(help.status == 0, "\(words.joined(separator: " ")): \(help.errors)")
            for option in words where option.hasPrefix("--") {
                #expect(
                    help.output.contains(option + " ") || help.output.contains(option + "\n"), "\(option) of \(name.joined(separator: " "))"
                )
            }
        }
    }

    @Test func aResolutionWithoutItsHouseIsRefused() throws {
        let result = try wasl(
            "agency", "resolve", "state", "--agency", "tt", "--request", TestWorld.uuid().text, "--status", "refused", "--note", "found",
            "--evidence", "x", "--key", "x", "--out", world.folder + "/resolution.json")
        #expect(result.status == 64 && result.errors.contains("--house"), "\(result.errors)")
    }

    @Test(arguments: ["stegg", "hydra,", "ledger", "nadhour"])
    func anAbsentNameThatNobodyHasIsRefusedBeforeAnythingIsMade(_ name: String) throws {
        // The ledger is nobody's to replace, and Ennadhour is a house of the facts, but not one of these two.
        let folder = world.folder + "/dev"
        let result = try wasl(
            "dev", "--data", folder, "--schemas", TestWorld.project + "/Schemas", "--houses", "2", "--absent", "steg", "--absent", name)
        #expect(result.status == 64, "\(result.errors)")
        #expect(result.errors.contains("--absent \(name):"), "\(result.errors)")
        for known in ["cnam", "steg", "hydra", "bir-mcherga"] { #expect(result.errors.contains(known), "\(result.errors)") }
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test func ordersOfAStackWhoseHousesAreAllAbsentAreRefused() throws {
        let result = try wasl(
            "dev", "--data", world.folder + "/dev", "--schemas", TestWorld.project + "/Schemas", "--houses", "1", "--absent", "hydra",
            "--requests", "5")
        #expect(result.status == 64 && result.errors.contains("raise --houses"), "\(result.errors)")
    }

    @Test func aRequestNumberThatIsNoneIsRefused() throws {
        let result = try wasl("trace", "nonsense", "--ledger", "http://127.0.0.1:1", "--token-file", "x")
        #expect(result.status == 65 && result.errors.contains("UUID"))
    }
}
