import Foundation
import Testing

private let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

/// `Docs/promise/threats.md` names what tries each threat: a name without a test behind it would be a promise that nobody keeps.
@Suite struct ThreatsTests {
    private struct Threat {
        let title: String
        let text: String
    }

    private let threats: [Threat]
    /// The functions of each test file, by the file's name without its ending; those of the insider's programs as `insider`.
    private let functions: [String: Set<String>]

    init() throws {
        let page = try String(contentsOfFile: project + "/Docs/promise/threats.md", encoding: .utf8)
        threats = page.components(separatedBy: "\n## ").dropFirst().map { section in
            Threat(title: String(section.prefix { $0 != "\n" }), text: section)
        }
        var functions: [String: Set<String>] = [:]
        for (folder, ending) in [("Tests", "swift"), ("Deploy/insider", "py")] {
            let root = "\(project)/\(folder)"
            for path in try FileManager.default.subpathsOfDirectory(atPath: root) where path.hasSuffix("." + ending) {
                let name = ending == "py" ? "insider" : (path as NSString).lastPathComponent.replacingOccurrences(of: ".swift", with: "")
                let text = try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
                let found = text.matches(of: ending == "py" ? #/\ndef (\w+)\(stack, insider\)/# : #/func (\w+)\(/#)
                functions[name, default: []].formUnion(found.map { String($0.output.1) })
            }
        }
        self.functions = functions
    }

    @Test func thereAreTwentyThreatsAndEachSaysWhatDefendsWhatTriesItAndWhatRemains() {
        #expect(threats.count >= 20)
        for threat in threats {
            for part in ["**Tries.**", "**Defends.**", "**Tried by.**", "**Remains.**"] {
                #expect(threat.text.contains(part), "\(threat.title): \(part)")
            }
        }
    }

    @Test func everyTestThatIsNamedExists() {
        for threat in threats {
            let tried = threat.text.components(separatedBy: "**Tried by.**").last?.components(separatedBy: "**Remains.**").first ?? ""
            let names = tried.matches(of: #/`(\w+)\.(\w+)`/#).map { (String($0.output.1), String($0.output.2)) }
            #expect(!names.isEmpty, "\(threat.title): nothing tries it")
            for (file, name) in names {
                #expect(functions[file]?.contains(name) == true, "\(threat.title): there is no \(file).\(name)")
            }
        }
    }

    @Test func everyAttemptOfTheInsiderIsRun() throws {
        let folder = project + "/Deploy/insider"
        let text = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".py") }
            .map { try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }.joined()
        let lists = text.matches(of: #/\nATTEMPTS = \[([^\]]*)\]/#).map { String($0.output.1) }.joined(separator: " ")
        let run = Set(lists.matches(of: #/\w+/#).map { String($0.output) })
        for threat in threats {
            for name in threat.text.matches(of: #/`insider\.(\w+)`/#).map({ String($0.output.1) }) where name != "name" {
                #expect(run.contains(name), "\(threat.title): the insider does not run \(name)")
            }
        }
    }
}
