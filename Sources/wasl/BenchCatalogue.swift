import ArgumentParser
import Foundation
import WaslCatalogue
import WaslModel

extension BenchCommand {
    struct CatalogueBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "catalogue",
            abstract: "Validation and translation of an order for each service, and how long a catalogue of 1,000 services takes to load.",
            discussion: "Example: wasl bench catalogue --out catalogue.json")

        @Option(help: "Rounds for each service.") var rounds = 2000
        @Option(help: "How many services the large catalogue has.") var services = 1000
        @Option(help: "How often each measurement is taken; the median counts.") var repetitions = 3
        @Option(help: "Where to write the figures.") var out: String?
        @Option(help: "The Schemas folder.") var schemas: String?

        func run() async throws {
            let folder = try Program.schemas(schemas)
            let catalogue = try Catalogue(folder: folder)
            let translator = try Translator(programs: catalogue.programs, executable: Program.path)
            defer { translator.close() }
            var report = BenchReport("catalogue")
            var rows: [JSON] = []
            var together: [Double] = []
            var validations: [Double] = []
            for service in catalogue.all where !service.isDesk {
                guard let order = try CatalogueTrial.orders(of: service).first else { continue }
                let validation = try median { try validate(service, order) }
                var translations: [Double] = []
                for _ in 0..<repetitions { translations.append(try await translate(service, order, translator)) }
                let translation = translations.quantile(0.5)
                together.append(validation + translation)
                validations.append(1e6 / validation)
                rows.append([
                    "service": .string(service.id.text), "validationMicroseconds": .number(validation.rounded2),
                    "translationMicroseconds": .number(translation.rounded2),
                ])
            }
            report["services"] = .array(rows)
            report["validationAndTranslationMicrosecondsMedian"] = .number(together.quantile(0.5).rounded2)
            report["validationAndTranslationMicrosecondsMax"] = .number((together.max() ?? 0).rounded2)
            report["validationsPerSecondMedian"] = .number(validations.quantile(0.5).rounded())
            report["loadServices"] = JSON(services)
            report["loadSeconds"] = .number(try load(folder, catalogue).rounded2)
            try report.finish(out)
        }

        private func median(_ measure: () throws -> Double) rethrows -> Double {
            try (0..<repetitions).map { _ in try measure() }.quantile(0.5)
        }

        /// Microseconds a validation, one after the other.
        private func validate(_ service: Service, _ order: JSONObject) throws -> Double {
            let instance = JSON.object(order)
            let start = ContinuousClock.now
            var violations = 0
            for _ in 0..<rounds { violations += service.request.validate(instance).count }
            guard violations == 0 else { throw Failure.notAsItShouldBe("\(service.id): its example is not valid") }
            return (ContinuousClock.now - start).microseconds / Double(rounds)
        }

        /// Microseconds a translation, 32 under way at a time, as a busy worker has them: the helper works on another core while this
        /// process writes and reads, so what one core would take is at most twice as much.
        private func translate(_ service: Service, _ order: JSONObject, _ translator: Translator) async throws -> Double {
            let input = CatalogueTrial.input(order, of: service)
            let program = service.programName(.call)
            let start = ContinuousClock.now
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<32 {
                    group.addTask { for _ in 0..<(rounds / 32) { _ = try await translator.run(program, input) } }
                }
            }
            return (ContinuousClock.now - start).microseconds / Double(rounds / 32 * 32)
        }

        /// Seconds to load so many services: copies of those that are there, under other names.
        private func load(_ folder: String, _ catalogue: Catalogue) throws -> Double {
            let large = FileManager.default.temporaryDirectory.path + "/wasl-catalogue-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: large) }
            try FileManager.default.createDirectory(atPath: large + "/services", withIntermediateDirectories: true)
            for name in ["agencies", "facts"] { try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: "\(large)/\(name)") }
            let models = catalogue.all
            for index in 0..<services {
                let model = models[index % models.count]
                let name = "copy\(index)." + model.id.text.dropFirst(model.agency.text.count + 1)
                let target = "\(large)/services/\(model.agency)/\(name)"
                try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: model.folder, toPath: "\(target)/\(model.version)")
                let file = "\(target)/\(model.version)/service.yaml"
                try String(contentsOfFile: file, encoding: .utf8).replacing(
                    "service: \(model.id)\n", with: "service: \(model.agency).\(name)\n"
                )
                .write(toFile: file, atomically: true, encoding: .utf8)
            }
            return try median {
                let start = ContinuousClock.now
                let loaded = try Catalogue(folder: large)
                guard loaded.all.count == services else { throw Failure.notAsItShouldBe("\(loaded.all.count) services loaded") }
                return (ContinuousClock.now - start).microseconds / 1e6
            }
        }
    }
}

extension Duration {
    fileprivate var microseconds: Double { Double(components.seconds) * 1e6 + Double(components.attoseconds) / 1e12 }
}

extension Double {
    fileprivate var rounded2: Double { (self * 100).rounded() / 100 }
}
