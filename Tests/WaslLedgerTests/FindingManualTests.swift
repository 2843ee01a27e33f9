import Foundation
import TestSupport
import Testing

@testable import WaslLedger

/// `Docs/operate/findings.md` explains every class. It may know one that the code does not have yet.
@Suite struct FindingManualTests {
    private let sections: [String: String]

    init() throws {
        let page = try String(contentsOfFile: TestWorld.project + "/Docs/operate/findings.md", encoding: .utf8)
        var sections: [String: String] = [:]
        for section in page.components(separatedBy: "\n### `").dropFirst() {
            sections[String(section.prefix { $0 != "`" })] = section.components(separatedBy: "\n## ")[0]
        }
        self.sections = sections
    }

    @Test(arguments: FindingClass.allCases) func everyClassIsExplained(_ kind: FindingClass) throws {
        let section = try #require(sections[kind.rawValue], "findings.md has no section for \(kind.rawValue)")
        for part in ["Means", "Mends itself", "Do", "Clears"] {
            let text = section.components(separatedBy: "\n- **\(part):** ").dropFirst().first ?? ""
            #expect(text.prefix { $0 != "\n" }.count >= "No.".count, "\(kind.rawValue): `\(part)` is missing")
        }
    }

    @Test(arguments: FindingClass.allCases) func thePageSaysOfThoseAloneThatAPersonClosesThem(_ kind: FindingClass) throws {
        let clears = try #require(sections[kind.rawValue]?.components(separatedBy: "\n- **Clears:** ").last)
        #expect(clears.contains("`wasl ledger close`") == kind.isClosedByPerson, "\(kind.rawValue): \(clears)")
    }
}
