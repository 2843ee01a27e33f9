import Foundation
import Testing

/// The arrows between modules: what each may import of ours. `Docs/architecture.md` shows the same.
private let arrows: [String: Set<String>] = [
    "JSONValue": [],
    "JSONSchema": ["JSONValue"],
    "WaslModel": ["JSONValue"],
    "WaslSeal": ["WaslModel"],
    "WaslCatalogue": ["WaslModel", "JSONSchema", "CJQ"],
    "WaslJournal": ["WaslModel", "WaslSeal"],
    "WaslBroker": ["WaslModel", "WaslSeal", "WaslJournal", "CRabbitMQ"],
    "WaslWeb": ["WaslModel"],
    "WaslHouse": ["WaslModel", "JSONSchema", "WaslSeal", "WaslCatalogue", "WaslJournal", "WaslWeb"],
    "WaslAgency": ["WaslModel", "JSONSchema", "WaslSeal", "WaslCatalogue", "WaslJournal", "WaslWeb"],
    "WaslLedger": ["WaslModel", "WaslSeal", "WaslCatalogue", "WaslJournal", "WaslWeb"],
    // Simulated agencies share no code with the catalogue or its translations, and checkers none with the roles.
    "WaslSimulation": ["WaslModel", "WaslJournal"],
    "WaslFuzz": ["WaslModel", "WaslSeal", "WaslCatalogue", "WaslHouse", "WaslAgency", "WaslSimulation"],
    "WaslWorld": [
        "WaslModel", "WaslSeal", "WaslCatalogue", "WaslJournal", "WaslHouse", "WaslAgency", "WaslLedger", "WaslSimulation",
    ],
]

private let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

private func swiftFiles(in folder: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.hasSuffix(".swift") }.map { folder + "/" + $0 }
}

@Suite struct ArchitectureTests {
    @Test(arguments: arrows.keys.sorted()) func moduleImportsOnlyWhatItsArrowsAllow(_ module: String) throws {
        let ours = Set(arrows.keys).union(["CRabbitMQ", "CJQ", "CFaults", "CFuzzer", "wasl", "wasl-fuzz"])
        let allowed = try #require(arrows[module])
        let files = try swiftFiles(in: "\(project)/Sources/\(module)")
        #expect(!files.isEmpty)
        for file in files {
            for line in try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let at = words.firstIndex(of: "import"), at <= 1, let name = words.last.map(String.init) else { continue }
                #expect(!ours.contains(name) || allowed.contains(name), "\(file) imports \(name)")
            }
        }
    }

    @Test func everySourceFolderIsAModuleWithArrows() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: project + "/Sources")
        #expect(Set(folders) == Set(arrows.keys).union(["CRabbitMQ", "CJQ", "CFaults", "CFuzzer", "wasl", "wasl-fuzz"]))
    }

    @Test func topLevelHoldsTheLayoutAndNothingElse() throws {
        let allowed: Set = ["Package.swift", "Sources", "Tests", "Schemas", "Deploy", "Docs", "README.md", "CHANGELOG.md", "Makefile"]
        let ignored: Set = ["Package.resolved"]
        // Swift 6.3 may leave a macro's expansion here under a garbled name; only names that a person could type count.
        let typed: ClosedRange<UInt8> = 0x21...0x7E
        let found = try FileManager.default.contentsOfDirectory(atPath: project).filter { name in
            !name.hasPrefix(".") && name.utf8.allSatisfy(typed.contains)
        }
        #expect(Set(found).subtracting(ignored).isSubset(of: allowed), "\(found)")
    }
}
