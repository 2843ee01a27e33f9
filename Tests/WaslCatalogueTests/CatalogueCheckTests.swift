import Foundation
import TestSupport
import Testing
import WaslModel

@testable import WaslCatalogue

/// A copy of the project's catalogue, to spoil.
private struct Copy {
    let folder: String
    var schemas: String { folder + "/Schemas" }
    private let id: String
    var service: String { "services/" + id.replacing(".", with: "/", maxReplacements: 1) + "/1/" }

    init(_ id: String = "steg.bill.pay") throws {
        self.id = id
        folder = try TestWorld.makeFolder()
        try FileManager.default.copyItem(atPath: TestWorld.project + "/Schemas", toPath: folder + "/Schemas")
    }

    func replace(_ file: String, _ old: String, _ new: String) throws {
        let path = "\(schemas)/\(service)\(file)"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try #require(text.contains(old), "\(file) holds no \(old)")
        try text.replacing(old, with: new).write(toFile: path, atomically: true, encoding: .utf8)
    }

    func problems() async throws -> [String] {
        let catalogue = try Catalogue(folder: schemas)
        let service = try #require(catalogue.service(ServiceID(id)!))
        let translator = try Translator(
            programs: catalogue.programs.filter { $0.key.hasPrefix("\(id)@") }, executable: TestWorld.executable)
        defer { translator.close() }
        return await CatalogueCheck(catalogue, translator: translator).problems(of: service).map(\.description)
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }
}

@Suite struct CatalogueCheckTests {
    @Test func theProjectsOwnCatalogueHasNoProblem() async throws {
        let catalogue = try Catalogue(folder: TestWorld.project + "/Schemas")
        let translator = try Translator(programs: catalogue.programs, executable: TestWorld.executable)
        defer { translator.close() }
        let check = CatalogueCheck(catalogue, translator: translator)
        for service in catalogue.all {
            let problems = await check.problems(of: service)
            #expect(problems.isEmpty, "\(problems.map(\.description).joined(separator: "\n"))")
        }
    }

    @Test func everyServiceOfTheFactsIsThereAsTheySay() throws {
        let catalogue = try Catalogue(folder: TestWorld.project + "/Schemas")
        let counts = Dictionary(grouping: catalogue.all, by: \.agency).mapValues(\.count)
        #expect(catalogue.all.count == 26 + 14 + 5)
        #expect(counts[ParticipantID("poste")!] == 5)
        let text = try String(contentsOfFile: TestWorld.project + "/Schemas/facts/services.csv", encoding: .utf8)
        for line in text.split(separator: "\n").dropFirst() {
            let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            let service = try #require(ServiceID(cells[0]).flatMap { catalogue.service($0) }, "\(cells[0])")
            #expect(service.effect.rawValue == cells[7] && service.isProposed == (cells[9] == "P"), "\(cells[0])")
            #expect(service.names.ar == cells[2] && service.names.fr == cells[3], "\(cells[0])")
            #expect(service.level == ServiceLevel(text: cells[8], elapsed: { Duration(text: $0) }), "\(cells[0])")
            #expect(Set(cells[4].split(separator: " ").map(String.init)).isSubset(of: Set(service.request.propertyNames)), "\(cells[0])")
            #expect(Set(cells[5].split(separator: " ").map(String.init)) == Set(service.outcome.propertyNames), "\(cells[0])")
        }
    }

    @Test(arguments: [
        ("call.jq", "reference_facture:", "reference:", "/call/body"), ("lookup.jq", "reference_externe=", "ref=", "/lookup/path"),
        ("answer.jq", "result: \"absent\"", "result: \"doubt\"", "expected absent"),
        ("answer.jq", "$body.erreur == \"MONTANT_REFUSE\"", "$body.erreur == \"MONTANT\"", "expected refused"),
        ("answer.jq", "(.body | object)", ".body", "answer.jq"),
        ("call.jq", "{method", "1, {method", "more than one value"),
        ("request.schema.json", "\"amount\",\n    \"payment\"", "\"other\"", "required"),
        ("service.yaml", "- field: note", "- field: remark", "`note` of the request has no place"),
        ("examples/done.json", "\"amount\"", "\"montant\"", "/request"),
    ]) func aMistakeIsNamedWithFileAndPlace(_ file: String, _ old: String, _ new: String, _ expected: String) async throws {
        let copy = try Copy()
        defer { copy.remove() }
        try copy.replace(file, old, new)
        let problems = try await copy.problems()
        #expect(problems.contains { $0.contains(expected) && $0.contains("steg/bill.pay/1/") }, "\(problems)")
    }

    @Test(arguments: [
        // A document that is not where the folder says, or that the outcome need not speak of.
        ("cnss.career.statement", "service.yaml", "Reponse/Contenu", "Reponse/Contenus", "comes out as doubt"),
        (
            "cnss.career.statement", "outcome.schema.json", "\"required\": [\n    \"document\"\n  ]", "\"required\": []",
            "it says what the document is"
        ),
        // Papers that are brought elsewhere than the example says, and an upload that may have acted.
        ("cnam.claim.submit", "upload.jq", "/api/pieces/", "/api/piece/", "/upload/path"),
        (
            "cnam.claim.submit", "answer.jq", "{result: \"uploaded\"}", "{result: \"completed\", fields: {case_number: \"x\"}}",
            "expected uploaded"
        ),
        ("sonede.bill.dispute", "answer.jq", "code: \"being-studied\"", "code: \"\"", "comes out as doubt"),
        ("sonede.bill.dispute", "answer.jq", "else 86400 end", "else 60 end", "another pause"),
        // A desk's answer that its contract does not take, and a form that does not ask for it.
        ("eid.complaint.submit", "examples/done.json", "EID-2026-17", "", "/outcome/case_number"),
        ("eid.complaint.submit", "service.yaml", "- field: case_number", "- field: number", "not both on the desk's form"),
    ]) func aMistakeAboutDocumentsProgressOrADeskIsNamed(
        _ id: String, _ file: String, _ old: String, _ new: String, _ expected: String
    ) async throws {
        let copy = try Copy(id)
        defer { copy.remove() }
        try copy.replace(file, old, new)
        let problems = try await copy.problems()
        #expect(problems.contains { $0.contains(expected) }, "\(problems)")
    }

    @Test(arguments: [
        ("eid.complaint.submit", "answer-form:", "answer-forms:", "answer-form"),
        ("steg.bill.pay", "effect: queryable", "effect: queryable\nstyle: desk", "answer-form"),
        ("cnss.career.statement", "content: /", "content: ", "document.content"),
        ("eid.complaint.submit", "style: desk", "style: table", "style"),
    ]) func aDocumentOrADeskThatIsNoneIsNamedWhenTheCatalogueIsLoaded(_ id: String, _ old: String, _ new: String, _ key: String) throws {
        let copy = try Copy(id)
        defer { copy.remove() }
        try copy.replace("service.yaml", old, new)
        let error = #expect(throws: SettingsError.self) { try Catalogue(folder: copy.schemas) }
        #expect(error?.key == key, "\(String(describing: error))")
    }

    @Test func aRuleThatNoExampleReachesIsNamed() async throws {
        let copy = try Copy()
        defer { copy.remove() }
        try copy.replace(
            "answer.jq", "if .phase == \"lookup\" then",
            "if .status == 299 then reason(\"never-said\"; \"ع\"; \"f\"; \"e\") elif .phase == \"lookup\" then")
        #expect(try await copy.problems().contains { $0.contains("never-said") && $0.contains("no example reaches") })
    }

    @Test func aMissingTranslationIsNamed() async throws {
        let copy = try Copy()
        defer { copy.remove() }
        try copy.replace("service.yaml", "fr: Paiement de facture", "fr: \" \"")
        #expect(try await copy.problems().contains { $0.contains("names: no translation in fr") })
    }

    @Test(arguments: [
        ("request.schema.json", "\"maxLength\"", "\"maxLenght\"", "/properties/note/maxLenght"),
        ("request.schema.json", "\"type\": \"object\"", "\"$ref\": \"other.json\", \"type\": \"object\"", "/$ref"),
        ("service.yaml", "level: 2 min", "level: 2", "level"), ("service.yaml", "retention: 3650 d", "retention: 3650", "retention"),
        ("service.yaml", "effect: queryable", "effect: maybe", "effect"),
        ("service.yaml", "date: 2026-11-23", "date: yesterday", "approval.date"),
    ]) func whatCannotBeReadIsNamedWhenTheCatalogueIsLoaded(_ file: String, _ old: String, _ new: String, _ key: String) throws {
        let copy = try Copy()
        defer { copy.remove() }
        try copy.replace(file, old, new)
        let error = #expect(throws: SettingsError.self) { try Catalogue(folder: copy.schemas) }
        #expect(error?.key == key)
        #expect(error?.file.hasSuffix(copy.service + file) == true)
    }

    @Test func aProgramThatDoesNotCompileIsNamed() throws {
        let copy = try Copy()
        defer { copy.remove() }
        try copy.replace("call.jq", "{method", "{{method")
        let catalogue = try Catalogue(folder: copy.schemas)
        let error = #expect(throws: TranslationError.self) {
            try Translator(programs: catalogue.programs(of: ParticipantID("steg")!), executable: TestWorld.executable)
        }
        #expect(error?.reason.contains("steg.bill.pay@1/call") == true, "\(String(describing: error))")
    }

    @Test func aPriceThatIsNotWholeMillimesIsFoundBeforeTheCounter() async throws {
        let copy = try Copy()
        defer { copy.remove() }
        try copy.replace("request.schema.json", "\"type\": \"integer\"", "\"type\": \"number\"")
        try copy.replace("request.schema.json", "\"format\": \"millimes\"", "\"title\": \"amount\"")
        #expect(try await copy.problems().contains { $0.contains("not whole millimes") })
    }

    @Test func changesThatBreakRequestsInFlightAreTold() throws {
        let (old, new) = (try Copy(), try Copy())
        defer {
            old.remove()
            new.remove()
        }
        try new.replace("request.schema.json", "\"cash\",", "")
        try new.replace("service.yaml", "effect: queryable", "effect: neither")
        let found = try CatalogueDifference.all(from: try Catalogue(folder: old.schemas), to: try Catalogue(folder: new.schemas))
        #expect(found.contains { $0.isBreaking && $0.change.contains("no longer allows \"cash\"") })
        #expect(found.contains { $0.isBreaking && $0.change.contains("effect") })
        #expect(try CatalogueDifference.all(from: try Catalogue(folder: old.schemas), to: try Catalogue(folder: old.schemas)).isEmpty)
    }

    @Test func aReloadTakesWhatIsNewAndKeepsWhatRequestsWereWrittenUnder() async throws {
        let copy = try Copy()
        defer { copy.remove() }
        let holder = try CatalogueHolder(folder: copy.schemas)
        let service = try #require(ServiceID("steg.bill.pay"))
        let translator = try Translator(programs: holder.catalogue.programs(of: ParticipantID("steg")!), executable: TestWorld.executable)
        defer { translator.close() }
        let before = try #require(holder.catalogue.service(service))
        let order = try #require(try CatalogueTrial.orders(of: before).first)
        func path() async throws -> String? {
            let current = try #require(holder.catalogue.service(service))
            return try await translator.run("steg.bill.pay@1/call", CatalogueTrial.input(order, of: current))["path"]?.string
        }
        #expect(try await path() == "/api/paiements")

        // A second version beside the first, and another path for the first.
        let second = copy.schemas + "/services/steg/bill.pay/2"
        try FileManager.default.copyItem(atPath: copy.schemas + "/services/steg/bill.pay/1", toPath: second)
        let yaml = try String(contentsOfFile: second + "/service.yaml", encoding: .utf8).replacing("version: 1", with: "version: 2")
        try yaml.write(toFile: second + "/service.yaml", atomically: true, encoding: .utf8)
        try copy.replace("call.jq", "/api/paiements", "/api/v2/paiements")
        try holder.reload { try translator.replace(programs: $0.programs(of: ParticipantID("steg")!)) }
        #expect(holder.catalogue.service(service)?.version == 2 && holder.catalogue.service(service, version: 1) != nil)
        #expect(try await path() == "/api/v2/paiements")

        // What does not compile, what changes under a request, and what is gone leaves everything as it was.
        try copy.replace("call.jq", "{method", "{{method")
        #expect(throws: TranslationError.self) {
            try holder.reload { try translator.replace(programs: $0.programs(of: ParticipantID("steg")!)) }
        }
        try copy.replace("call.jq", "{{method", "{method")
        try copy.replace("service.yaml", "effect: queryable", "effect: neither")
        #expect(throws: SettingsError.self) { try holder.reload() }
        try FileManager.default.removeItem(atPath: second)
        try copy.replace("service.yaml", "effect: neither", "effect: queryable")
        #expect(throws: SettingsError.self) { try holder.reload() }
        #expect(holder.catalogue.service(service)?.version == 2)
        #expect(try await path() == "/api/v2/paiements")
    }
}
