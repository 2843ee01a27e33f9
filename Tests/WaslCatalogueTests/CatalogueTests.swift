import Foundation
import TestSupport
import Testing
import WaslModel

@testable import WaslCatalogue

@Suite struct SettingsTests {
    private func settings(_ yaml: String, _ environment: [String: String] = [:]) throws -> Settings {
        try Settings(yaml: yaml, file: "x.yaml", environment: environment)
    }

    @Test func anUnknownKeyIsNamedWithTheKnownOnes() throws {
        let settings = try settings("broker:\n  hots: a\nhouse: hydra\n")
        _ = try settings.string("house")
        _ = try settings.group("broker")?.string("host")
        let error = #expect(throws: SettingsError.self) { try settings.finish() }
        #expect(error?.key == "broker.hots")
        #expect(error?.reason.contains("host") == true)
    }

    @Test func aVariableOverridesAScalar() throws {
        let settings = try settings("broker:\n  port: 1\n", ["WASL_BROKER_PORT": "5672"])
        #expect(try settings.group("broker")?.integer("port", in: 1...65535) == 5672)
    }

    @Test(arguments: ["30", "30s", "s", "-1 s", "1 week", "1.5 h"]) func aTimeWithoutItsUnitIsRefused(_ text: String) throws {
        #expect(throws: SettingsError.self) { try settings("level: \(text)").duration("level") }
    }

    @Test(arguments: ["a: 1\na: 2", "a: [", "- 1"]) func brokenYAMLIsRefused(_ yaml: String) {
        #expect(throws: SettingsError.self) { try settings(yaml) }
    }

    @Test func aWrongTypeNamesKeyAndShapeButNotTheValue() throws {
        let error = #expect(throws: SettingsError.self) { try settings("port: secret").integer("port", in: 1...9) }
        #expect(error?.description == "x.yaml: `port`: expected a whole number from 1 to 9, found a string of 6 characters")
    }
}

@Suite struct CatalogueTests {
    @Test func everyEffectClassHasAService() throws {
        let catalogue = try TestWorld().catalogue
        #expect(Set(catalogue.all.map(\.effect)) == Set(EffectClass.allCases))
        #expect(catalogue.service(ServiceID("steg.bill.pay")!)?.effect == .queryable)
        #expect(catalogue.service(ServiceID("steg.bill.pay")!, version: 2) == nil)
    }

    @Test func aBrokenServiceIsNamedByFileAndPlace() throws {
        let folder = try TestWorld.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(atPath: TestWorld.project + "/Schemas", toPath: folder + "/Schemas")
        let file = folder + "/Schemas/services/tt/bill.pay/1/service.yaml"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try text.replacingOccurrences(of: "level: 2 min", with: "level: 2").write(toFile: file, atomically: true, encoding: .utf8)
        let error = #expect(throws: SettingsError.self) { try Catalogue(folder: folder + "/Schemas") }
        #expect(error?.file == file)
        #expect(error?.key == "level")
    }
}

@Suite struct TranslatorTests {
    private func translator(_ programs: [String: String]) throws -> Translator {
        try Translator(programs: programs, executable: TestWorld.executable)
    }

    @Test func everyProgramOfTheCatalogueCompilesAndRuns() async throws {
        let catalogue = try TestWorld().catalogue
        let translator = try translator(catalogue.programs)
        let call = try await translator.run(
            "steg.bill.pay@1/call", ["reference": "ref", "fields": ["reference": "123456789", "amount": 5, "payment": "cash"]])
        #expect(call["body"]?["reference_externe"] == "ref")
        let answer = try await translator.run(
            "steg.bill.pay@1/answer", ["phase": "call", "status": 201, "headers": [:], "body": ["numero_quittance": "Q1"]])
        #expect(answer == ["result": "completed", "fields": ["receipt_number": "Q1"]])
        translator.close()
    }

    @Test func aProgramThatDoesNotCompileIsNamed() {
        let error = #expect(throws: TranslationError.self) { try translator(["bad": "{", "good": "."]) }
        #expect(error?.reason.hasPrefix("bad:") == true, "\(String(describing: error))")
    }

    @Test func twoValuesOrNoneAreAnError() async throws {
        let translator = try translator(["two": "1, 2", "none": "empty", "fails": "error(\"no\")"])
        for name in ["two", "none", "fails"] {
            await #expect(throws: TranslationError.self) { try await translator.run(name, .null) }
        }
        translator.close()
    }

    @Test func aHelperThatLoopsOrEatsMemoryIsKilledAndTheNextTranslationRuns() async throws {
        let translator = try translator(["loop": "def f: f; f", "memory": "[range(1e9)]", "good": ".a + 1"])
        for name in ["loop", "memory"] {
            let error = await #expect(throws: TranslationError.self) { try await translator.run(name, .null) }
            #expect(error?.code == .killed)
            #expect(try await translator.run("good", ["a": 1]) == 2)
        }
        translator.close()
    }

    @Test func aProgramSeesNeitherEnvironmentNorFiles() async throws {
        let translator = try translator(["environment": "$ENV | length", "env": "env | length"])
        #expect(try await translator.run("environment", .null) == 0)
        #expect(try await translator.run("env", .null) == 0)
        translator.close()
        #expect(throws: TranslationError.self) {
            try self.translator(["import": "import \"a\" as a {search: \"/tmp\"}; 1"])
        }
    }

    @Test func manyTranslationsAtOnceGetTheirOwnAnswers() async throws {
        let translator = try translator(["twice": ".n * 2"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<500 {
                group.addTask {
                    let twice = try await translator.run("twice", ["n": JSON(number)])
                    #expect(twice == JSON(number * 2))
                }
            }
            try await group.waitForAll()
        }
        translator.close()
    }
}
