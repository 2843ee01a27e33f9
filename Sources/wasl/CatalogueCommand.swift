import ArgumentParser
import Foundation
import WaslCatalogue
import WaslModel

struct CatalogueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalogue", abstract: "The services and agencies, as data.",
        subcommands: [Check.self, Show.self, Try.self, Diff.self, New.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs every example of every service, and names what is wrong by file and place. Exits with 1 when anything is.",
            discussion: """
                Examples:
                  wasl catalogue check
                  wasl catalogue check --service steg.bill.pay
                  wasl catalogue check --against ../published/Schemas
                """)

        @Option(help: "The Schemas folder.") var schemas: String?
        @Option(help: "Only this service.") var service: String?
        @Option(help: "The published Schemas folder: changes that break requests in flight are problems.") var against: String?

        func run() async throws {
            let catalogue = try Catalogue(folder: try Program.schemas(schemas))
            let chosen = catalogue.all.filter { service == nil || $0.id.text == service }
            guard !chosen.isEmpty else { throw Failure.badInput("--service \(service ?? ""): the catalogue holds no such service") }
            let translator = try Translator(programs: catalogue.programs, executable: Program.path)
            defer { translator.close() }
            let check = CatalogueCheck(catalogue, translator: translator)
            var problems: [String] = []
            for service in chosen { problems += await check.problems(of: service).map(\.description) }
            if let against {
                problems += try CatalogueDifference.all(from: try Catalogue(folder: against), to: catalogue).filter(\.isBreaking)
                    .map(\.description)
            }
            problems.forEach { print($0) }
            if !problems.isEmpty { throw Failure.notAsItShouldBe("\(problems.count) problems in \(chosen.count) services") }
            print("\(chosen.count) services of \(Set(chosen.map(\.agency)).count) agencies: every example comes out as written.")
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the services, or says what a clerk needs to know of one.",
            discussion: "Examples:\n  wasl catalogue show\n  wasl catalogue show cnam.claim.submit --language ar")

        @Argument(help: "A service's identifier.") var service: String?
        @Option(help: "ar, fr or en.") var language = "fr"
        @Option(help: "The Schemas folder.") var schemas: String?

        func run() async throws {
            let catalogue = try Catalogue(folder: try Program.schemas(schemas))
            func pick(_ text: LocalizedText) throws -> String {
                switch language {
                case "ar": text.ar
                case "fr": text.fr
                case "en": text.en
                default: throw Failure.usage("--language is ar, fr or en")
                }
            }
            guard let name = service else {
                for service in catalogue.all {
                    print(
                        "\(service.id) \(service.version)  \(service.effect.rawValue)  \(service.level)\(service.isProposed ? "  proposed" : "")  \(try pick(service.names))"
                    )
                }
                return
            }
            guard let id = ServiceID(name), let service = catalogue.service(id) else {
                throw Failure.badInput("\(name): the catalogue holds no such service; `wasl catalogue show` lists them")
            }
            print("\(service.id), version \(service.version): \(try pick(service.names))\(service.isProposed ? " (proposed)" : "")")
            print(
                "effect \(service.effect.rawValue), level \(service.level), approved: \(service.approval.decision) \(service.approval.date)"
            )
            let guidance = service.guidance
            for text in [
                guidance.who, guidance.conditions, guidance.documents, guidance.steps, guidance.delays, guidance.fees, guidance.intervenes,
            ] { print("- " + (try pick(text))) }
            if service.isDesk { print("answered by the agency's staff, at the desk of its worker") }
            if let papers = service.attachments {
                print("papers: up to \(papers.countMax), \(papers.types.joined(separator: ", ")), \(papers.bytesMax >> 20) MB each")
            }
            if service.document != nil { print("comes back with a document") }
            for field in service.form {
                print("  \(field.field): \(try pick(field.label))\(try field.hint.map { " (\(try pick($0)))" } ?? "")")
            }
        }
    }

    struct Try: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the very call that an agency would get for an order, and sends nothing.",
            discussion: "Example: wasl catalogue try steg.bill.pay --file request.json")

        @Argument(help: "A service's identifier.") var service: String
        @Option(help: "A file with the order's fields; `-` reads standard input.") var file: String
        @Option(help: "The version; the newest without it.") var version: Int64?
        @Option(help: "The Schemas folder.") var schemas: String?

        func run() async throws {
            let catalogue = try Catalogue(folder: try Program.schemas(schemas))
            guard let id = ServiceID(service), let service = catalogue.service(id, version: version) else {
                throw Failure.badInput("\(service): the catalogue holds no such service; `wasl catalogue show` lists them")
            }
            let data = file == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: file)
            guard let data else { throw Failure.badInput("--file \(file): cannot be read") }
            let trial = try CatalogueTrial(service: service, catalogue: catalogue, fields: [UInt8](data))
            guard trial.violations.isEmpty else {
                trial.violations.forEach { print($0) }
                throw Failure.badInput("\(file) is not an order that \(service.id) accepts")
            }
            if service.isDesk {
                return print("# desk\nThe agency's staff sees these fields on the worker's page and answers there; nothing is called.")
            }
            let translator = try Translator(
                programs: catalogue.programs.filter { $0.key.hasPrefix("\(service.id)@") }, executable: Program.path)
            defer { translator.close() }
            for text in try await trial.calls(translator) { print(text) }
        }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says what changed between two Schemas folders. Exits with 1 when a change breaks requests in flight.",
            discussion: "Example: wasl catalogue diff published/Schemas Schemas")

        @Argument(help: "The older folder.") var old: String
        @Argument(help: "The newer folder.") var new: String

        func run() async throws {
            let differences = try CatalogueDifference.all(from: try Catalogue(folder: old), to: try Catalogue(folder: new))
            differences.forEach { print($0) }
            if differences.isEmpty { print("No difference.") }
            let breaking = differences.count { $0.isBreaking }
            if breaking > 0 { throw Failure.notAsItShouldBe("\(breaking) changes break requests in flight") }
        }
    }

    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Starts a service's folder from one that is there: a new service of an agency, or a new version.",
            discussion: """
                Everything is copied, identifier and version are changed; what remains to be written is yours, and `wasl catalogue check` \
                names it.

                Examples:
                  wasl catalogue new steg.deposit.view --like steg.bill.view
                  wasl catalogue new steg.bill.pay --like steg.bill.pay
                """)

        @Argument(help: "The identifier of the service to be.") var service: String
        @Option(help: "The service to start from.") var like: String
        @Option(help: "The Schemas folder.") var schemas: String?

        func run() async throws {
            let folder = try Program.schemas(schemas)
            let catalogue = try Catalogue(folder: folder)
            guard let id = ServiceID(service), let agency = id.agency, catalogue.agencies[agency] != nil else {
                throw Failure.badInput(
                    "\(service): expected an identifier that begins with one of \(catalogue.agencies.keys.map(\.text).sorted().joined(separator: ", "))"
                )
            }
            guard let model = ServiceID(like).flatMap({ catalogue.service($0) }) else {
                throw Failure.badInput("--like \(like): the catalogue holds no such service")
            }
            let version = (catalogue.service(id)?.version ?? 0) + 1
            let target = "\(folder)/services/\(agency)/\(id.text.dropFirst(agency.text.count + 1))/\(version)"
            try FileManager.default.createDirectory(
                atPath: URL(fileURLWithPath: target).deletingLastPathComponent().path, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: model.folder, toPath: target)
            let file = target + "/service.yaml"
            let text = try String(contentsOfFile: file, encoding: .utf8)
                .replacing("service: \(model.id)\n", with: "service: \(id)\n").replacing(
                    "version: \(model.version)\n", with: "version: \(version)\n")
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            _ = try Catalogue(folder: folder)
            print("\(target)\nNow edit it, then: wasl catalogue check --service \(id)")
        }
    }
}
