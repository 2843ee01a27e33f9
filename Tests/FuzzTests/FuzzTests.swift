import Foundation
import Testing
import WaslFuzz
import WaslSimulation

/// The short form: everything that was ever kept, and some thousand blind changes of it. `make fuzz` is the long one.
@Suite struct FuzzTests {
    @Test(arguments: FuzzTarget.allCases) func theExampleIsTaken(_ target: FuzzTarget) throws {
        #expect(target.takes(target.example), "refused at the door, it would exercise nothing behind it")
        #expect(!target.takes([]), "and something is refused")
        #expect(target.run(target.example) == nil)
    }

    @Test(arguments: FuzzTarget.allCases) func nothingCrashesOrContradictsItself(_ target: FuzzTarget) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: target.corpusFolder).sorted()
        #expect(!names.isEmpty, "the corpus is in the tree")
        let corpus =
            [target.example] + names.compactMap { FileManager.default.contents(atPath: "\(target.corpusFolder)/\($0)").map { [UInt8]($0) } }
        for input in corpus { #expect(target.run(input) == nil) }
        var random = SeededRandom(seed: 11)
        for round in 0..<1_500 {
            let input = Mutation.mutate(corpus[round % corpus.count], &random)
            if let problem = target.run(input) {
                Issue.record("\(target.rawValue), seed 11, round \(round): \(problem)")
                return
            }
        }
    }
}
