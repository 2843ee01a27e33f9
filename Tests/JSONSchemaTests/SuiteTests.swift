import Foundation
import JSONSchema
import JSONValue
import Testing

/// The published suite of the 2020-12 dialect, read in place: every case of its required part.
@Suite struct SuiteTests {
    static let folder = ProcessInfo.processInfo.environment["WASL_TESTDATA"].map { $0 + "/json-schema-suite" }
    static let isThere = folder.map { FileManager.default.fileExists(atPath: $0 + "/tests") } ?? false
    static let files =
        (try? FileManager.default.contentsOfDirectory(atPath: (folder ?? "") + "/tests/draft2020-12"))?
        .filter { $0.hasSuffix(".json") }.sorted() ?? []

    private static func json(_ path: String) throws -> JSON {
        try JSON.parse([UInt8](try #require(FileManager.default.contents(atPath: path), "\(path)")))
    }

    private static var options: SchemaOptions {
        var options = SchemaOptions()
        options.refusesUnknownKeywords = false
        // The suite's required part holds `format` to be an annotation.
        options.formats = nil
        options.document = { uri in
            guard uri.hasPrefix("http://localhost:1234/"), let folder else { return nil }
            return try? json(folder + "/remotes/" + uri.dropFirst("http://localhost:1234/".count))
        }
        return options
    }

    @Test(
        .enabled(
            if: isThere,
            "SKIPPED: the published JSON Schema suite is not there; set WASL_TESTDATA to the folder that holds json-schema-suite"),
        arguments: files)
    func everyCaseOfTheFileComesOutAsPublished(_ file: String) throws {
        let groups = try #require(try Self.json(Self.folder! + "/tests/draft2020-12/" + file).array)
        #expect(!groups.isEmpty)
        for group in groups {
            let title = group["description"]?.string ?? ""
            let schema: Schema
            do { schema = try Schema(try #require(group["schema"]), options: Self.options) } catch {
                Issue.record("\(file): \(title): does not compile: \(error)")
                continue
            }
            for test in group["tests"]?.array ?? [] {
                let data = try #require(test["data"])
                let expected = test["valid"] == true
                let name = "\(file): \(title): \(test["description"]?.string ?? "")"
                #expect(schema.accepts(data) == expected, "\(name)")
                #expect(schema.validate(data).isEmpty == expected, "\(name), listed")
            }
        }
    }

    @Test(.enabled(if: isThere, "SKIPPED: the published JSON Schema suite is not there")) func theSuiteIsWhole() throws {
        let cases = try Self.files.reduce(0) { sum, file in
            let groups = try Self.json(Self.folder! + "/tests/draft2020-12/" + file).array ?? []
            return sum + groups.reduce(0) { $0 + ($1["tests"]?.array?.count ?? 0) }
        }
        #expect(cases == 1299)
    }
}
