import Foundation
import JSONSchema
import WaslModel

/// Runs every example of every service, and looks for what the examples leave out.
public struct CatalogueCheck {
    /// Something that is not right, and where.
    public struct Problem: Sendable, CustomStringConvertible {
        public let file: String
        /// What in the file: a JSON Pointer, a key, or words.
        public let place: String
        public let reason: String

        public var description: String { "\(file): \(place.isEmpty ? "" : "\(place): ")\(reason)" }
    }

    private let catalogue: Catalogue
    private let translator: Translator

    public init(_ catalogue: Catalogue, translator: Translator) {
        self.catalogue = catalogue
        self.translator = translator
    }

    public func problems(of service: Service) async -> [Problem] {
        var problems = textProblems(service) + formProblems(service)
        let examples: [Example]
        do { examples = try Example.all(of: service) } catch {
            let error = error as? SettingsError
            return problems + [problem(service, error?.file ?? "examples", error?.key ?? "", error?.reason ?? "unreadable")]
        }
        if examples.isEmpty { problems.append(problem(service, "examples", "", "no example: the translations are not tried at all")) }
        if service.isDesk { return problems + examples.flatMap { deskProblems(service, $0) } }
        var reached: Set<String> = []
        for example in examples {
            problems += await callProblems(service, example)
            for answer in example.answers {
                let (found, verdict) = await answerProblems(service, example, answer)
                problems += found
                reached.formUnion(verdict.map(CatalogueCheck.rules) ?? [])
            }
        }
        problems += unreached(service, reached)
        problems += await hostileProblems(service)
        return problems
    }

    private func problem(_ service: Service, _ file: String, _ place: String, _ reason: String) -> Problem {
        Problem(file: file.hasPrefix("/") ? file : "\(service.folder)/\(file)", place: place, reason: reason)
    }

    private func deskProblems(_ service: Service, _ example: Example) -> [Problem] {
        let sides = [
            ("/request", service.request.validate(.object(example.request))),
            ("/outcome", service.outcome.validate(.object(example.outcome ?? [:]))),
        ]
        return sides.flatMap { side, violations in
            violations.map {
                problem(service, example.name, side + $0.instanceLocation, "\($0.message.en) (\($0.keywordLocation))")
            }
        }
    }

    // MARK: Calls

    private func callProblems(_ service: Service, _ example: Example) async -> [Problem] {
        var problems: [Problem] = []
        for violation in service.request.validate(.object(example.request)) {
            problems.append(
                problem(
                    service, example.name, "/request\(violation.instanceLocation)", "\(violation.message.en) (\(violation.keywordLocation))"
                ))
        }
        problems += await translationProblems(service, .call, example, expected: example.call)
        if service.attachments != nil {
            if let upload = example.upload {
                problems += await translationProblems(service, .upload, example, expected: upload)
            } else {
                problems.append(problem(service, example.name, "/upload", "missing: papers go along"))
            }
        }
        if service.effect == .queryable {
            if let lookup = example.lookup {
                problems += await translationProblems(service, .lookup, example, expected: lookup)
            } else {
                problems.append(problem(service, example.name, "/lookup", "missing: the service is queryable"))
            }
        }
        return problems
    }

    private func translationProblems(_ service: Service, _ program: Service.Program, _ example: Example, expected: JSON) async -> [Problem]
    {
        do {
            let value = try await translator.run(service.programName(program), Example.input(example.request, of: service, for: program))
            var problems: [Problem] = []
            if let place = CatalogueCheck.difference(value, expected, at: "") {
                problems.append(problem(service, example.name, "/\(program)\(place)", "\(program).jq gives something else there"))
            }
            let call = try AgencyCall(value)
            if let body = call.body, let style = catalogue.agencies[service.agency]?.style { _ = try style.encode(body) }
            return problems
        } catch {
            return [problem(service, "\(program).jq", "on \(example.name)", "\(error)")]
        }
    }

    /// Where two values differ first; `nil` where they are the same.
    static func difference(_ left: JSON, _ right: JSON, at place: String) -> String? {
        switch (left, right) {
        case (.object(let one), .object(let other)):
            for (key, value) in one.members {
                guard let match = other[key] else { return "\(place)/\(key)" }
                if let found = difference(value, match, at: "\(place)/\(key)") { return found }
            }
            return other.keys.first { one[$0] == nil }.map { "\(place)/\($0)" }
        case (.array(let one), .array(let other)):
            for (index, pair) in zip(one, other).enumerated() {
                if let found = difference(pair.0, pair.1, at: "\(place)/\(index)") { return found }
            }
            return one.count == other.count ? nil : "\(place)/\(min(one.count, other.count))"
        default: return left == right || left.double != nil && left.double == right.double ? nil : place
        }
    }

    // MARK: Answers

    private func read(
        _ service: Service, status: Int, headers: JSONObject, body: JSON, in phase: Phase, fields: JSONObject = [:]
    ) async throws -> Verdict {
        var body = body
        let document = service.document.flatMap { FoundDocument.take($0, from: &body) }
        let value = try await translator.run(
            service.programName(.answer),
            ["phase": .string(phase.rawValue), "status": JSON(status), "headers": .object(headers), "body": body])
        return Verdict(value, of: service, in: phase, status: status, fields: fields).held(against: document, service)
    }

    private func answerProblems(_ service: Service, _ example: Example, _ answer: Example.Answer) async -> ([Problem], Verdict?) {
        let place = "answer `\(answer.about)`"
        let body = answer.raw.map { catalogue.agencies[service.agency]?.style.decode(Array($0.utf8)) ?? .null } ?? answer.body ?? .null
        do {
            let verdict = try await read(
                service, status: answer.status, headers: answer.headers, body: body, in: answer.phase, fields: example.request)
            guard let difference = CatalogueCheck.disagreement(verdict, answer.expected) else { return ([], verdict) }
            return ([problem(service, example.name, place, difference)], verdict)
        } catch {
            return ([problem(service, "answer.jq", "on \(example.name), \(place)", "\(error)")], nil)
        }
    }

    private static func disagreement(_ verdict: Verdict, _ expected: JSON) -> String? {
        let wanted = expected["result"]?.string ?? "nothing"
        switch (verdict, wanted) {
        case (.completed(let fields), "completed"):
            return difference(.object(fields), expected["fields"] ?? [:], at: "").map { "the field \($0) comes out otherwise" }
        case (.refused(let reason), "refused"):
            if reason["code"] != expected["code"] { return "refused with the code \(reason["code"]?.string ?? "none")" }
            return ["ar", "fr", "en"].first { reason[$0]?.string?.isEmpty != false }.map { "the refusal has no text in \($0)" }
        case (.definiteNo(_, let after), "definite-no"):
            return after == expected["after"]?.integer.map { .seconds($0) } ? nil : "another pause than expected"
        case (.progress(let note, let after), "progress"):
            if note["code"] != expected["code"] { return "in progress with the code \(note["code"]?.string ?? "none")" }
            return expected["after"]?.integer.map { Duration.seconds($0) == after } == false ? "another pause than expected" : nil
        case (.absent, "absent"), (.doubt, "doubt"), (.uploaded, "uploaded"), (.another, "another"): return nil
        default: return "expected \(wanted), comes out as \(verdict.summary)"
        }
    }

    /// What of `answer.jq` a verdict shows to be reached.
    private static func rules(_ verdict: Verdict) -> Set<String> {
        switch verdict {
        case .completed: ["completed"]
        case .refused(let reason): ["refused", reason["code"]?.string ?? ""]
        case .definiteNo: ["definite-no"]
        case .doubt: ["doubt"]
        case .absent: ["absent"]
        case .another: ["another"]
        case .progress(let note, _): ["progress", note["code"]?.string ?? ""]
        case .uploaded: ["uploaded"]
        }
    }

    /// Refusals and results that the program names and no example reaches: perhaps nothing ever does.
    private func unreached(_ service: Service, _ reached: Set<String>) -> [Problem] {
        let text = (service.programs[.answer] ?? "").split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("#") }.joined(
            separator: "\n")
        var named: Set<String> = []
        for match in text.matches(of: #/reason\("([a-z-]+)"/#) { named.insert(String(match.output.1)) }
        for match in text.matches(of: #/result: *"([a-z-]+)"/#) where match.output.1 != "refused" { named.insert(String(match.output.1)) }
        return named.subtracting(reached).sorted().map {
            problem(service, "answer.jq", "`\($0)`", "no example reaches this rule")
        }
    }

    /// Whatever an agency may answer, the program says something, and never that it was done.
    private func hostileProblems(_ service: Service) async -> [Problem] {
        let bodies: [JSON] = [.null, "x", 5, true, [], [:], ["unreadable": true], [[]]]
        var problems: [Problem] = []
        let phases = [Phase.call] + (service.effect == .queryable ? [.lookup] : []) + (service.attachments == nil ? [] : [.upload])
        for phase in phases {
            for body in bodies {
                for status in [200, 201, 302, 404, 500, 503] {
                    let place = "status \(status) with \(body.shape)"
                    do {
                        let verdict = try await read(service, status: status, headers: [:], body: body, in: phase)
                        if case .completed = verdict { problems.append(problem(service, "answer.jq", place, "taken for completed")) }
                        if case .progress = verdict { problems.append(problem(service, "answer.jq", place, "taken for progress")) }
                        if case .absent = verdict { problems.append(problem(service, "answer.jq", place, "taken for an empty list")) }
                    } catch {
                        problems.append(problem(service, "answer.jq", place, "\(error)"))
                    }
                }
            }
        }
        return problems
    }

    // MARK: Texts and forms

    private func textProblems(_ service: Service) -> [Problem] {
        let guidance = service.guidance
        var texts = [("names", service.names), ("guidance.who", guidance.who), ("guidance.conditions", guidance.conditions)]
        texts += [("guidance.documents", guidance.documents), ("guidance.steps", guidance.steps), ("guidance.delays", guidance.delays)]
        texts += [("guidance.fees", guidance.fees), ("guidance.intervenes", guidance.intervenes)]
        for field in service.answerForm {
            texts.append(("answer-form.\(field.field).label", field.label))
            if let hint = field.hint { texts.append(("answer-form.\(field.field).hint", hint)) }
        }
        for field in service.form {
            texts.append(("form.\(field.field).label", field.label))
            if let hint = field.hint { texts.append(("form.\(field.field).hint", hint)) }
        }
        let arabic: ClosedRange<Unicode.Scalar> = "\u{600}"..."\u{6FF}"
        return texts.flatMap { place, text -> [Problem] in
            var missing: [String] = []
            if !text.ar.unicodeScalars.contains(where: arabic.contains) { missing.append("ar") }
            for (language, words) in [("fr", text.fr), ("en", text.en)]
            where words.allSatisfy(\.isWhitespace) || words.unicodeScalars.contains(where: arabic.contains) {
                missing.append(language)
            }
            return missing.map { problem(service, "service.yaml", place, "no translation in \($0)") }
        }
    }

    private func formProblems(_ service: Service) -> [Problem] {
        var problems: [Problem] = []
        let onForm = service.form.map(\.field)
        let inSchema = service.request.propertyNames
        for name in inSchema where !onForm.contains(name) {
            problems.append(problem(service, "service.yaml", "form", "the field `\(name)` of the request has no place on the form"))
        }
        for name in onForm where !inSchema.contains(name) {
            problems.append(problem(service, "service.yaml", "form", "`\(name)` is no field of the request"))
        }
        if service.isDesk {
            let onDesk = Set(service.answerForm.map(\.field))
            for name in Set(service.outcome.propertyNames).symmetricDifference(onDesk).sorted() {
                problems.append(
                    problem(service, "service.yaml", "answer-form", "`\(name)` is not both on the desk's form and in outcome.schema.json"))
            }
        }
        if let field = service.document?.field, !service.outcome.propertyNames.contains(field) {
            problems.append(problem(service, "service.yaml", "document.field", "`\(field)` is no field of the outcome"))
        } else if let field = service.document?.field,
            !service.outcome.validate([:]).contains(where: { $0.instanceLocation == "/" + field })
        {
            problems.append(problem(service, "outcome.schema.json", "/required", "`\(field)` must be there: it says what the document is"))
        }
        for name in [service.amountField, service.attachments?.field].compactMap({ $0 }) where !inSchema.contains(name) {
            problems.append(problem(service, "service.yaml", name, "is no field of the request"))
        }
        if let amount = service.amountField {
            for wrong: JSON in [.number(1.5), "1500", -1] {
                let isRefused = service.request.validate([amount: wrong]).contains { $0.instanceLocation == "/\(amount)" }
                if !isRefused {
                    problems.append(
                        problem(
                            service, "request.schema.json", "/properties/\(amount)", "accepts \(wrong.text), which is not whole millimes"))
                }
            }
        }
        return problems
    }
}
