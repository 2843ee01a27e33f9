import Foundation
import WaslModel

/// What changed from one catalogue to another, and whether it breaks requests that are on their way.
public struct CatalogueDifference: Sendable, CustomStringConvertible {
    public let service: String
    public let change: String
    /// A request that was written before would be read otherwise, or refused.
    public let isBreaking: Bool

    public var description: String {
        "\(service): \(change)\(isBreaking ? " — BREAKS requests in flight: make a new version instead" : "")"
    }

    /// Every difference, by service.
    public static func all(from old: Catalogue, to new: Catalogue) throws -> [CatalogueDifference] {
        var found: [CatalogueDifference] = []
        for before in old.all {
            let name = "\(before.id) \(before.version)"
            guard let after = new.service(before.id, version: before.version) else {
                found.append(.init(service: name, change: "is gone", isBreaking: true))
                continue
            }
            if before.effect != after.effect {
                found.append(
                    .init(service: name, change: "effect \(before.effect.rawValue) is now \(after.effect.rawValue)", isBreaking: true))
            }
            if before.isDesk != after.isDesk {
                found.append(
                    .init(
                        service: name, change: after.isDesk ? "is now answered at a desk" : "is no longer answered at a desk",
                        isBreaking: true))
            }
            if before.agency != after.agency { found.append(.init(service: name, change: "another agency", isBreaking: true)) }
            for example in try Example.all(of: before) {
                for violation in after.request.validate(.object(example.request)) {
                    found.append(
                        .init(
                            service: name,
                            change: "\(example.name) is no longer accepted: \(violation.instanceLocation) (\(violation.keywordLocation))",
                            isBreaking: true))
                }
            }
            found += try schemaChanges(name, before, after)
            for program in Service.Program.allCases where before.programs[program] != after.programs[program] {
                found.append(.init(service: name, change: "\(program.rawValue).jq changed", isBreaking: false))
            }
            if before.level != after.level {
                found.append(.init(service: name, change: "level \(before.level) is now \(after.level)", isBreaking: false))
            }
        }
        for after in new.all where old.service(after.id, version: after.version) == nil {
            found.append(.init(service: "\(after.id) \(after.version)", change: "is new", isBreaking: false))
        }
        return found
    }

    /// By the schemas' own words: what was allowed and is no longer.
    private static func schemaChanges(_ name: String, _ before: Service, _ after: Service) throws -> [CatalogueDifference] {
        let old = try Service.json(before.folder + "/request.schema.json")
        let new = try Service.json(after.folder + "/request.schema.json")
        guard old != new else { return [] }
        var changes: [String] = []
        let oldRequired = Set((old["required"]?.array ?? []).compactMap(\.string))
        for field in (new["required"]?.array ?? []).compactMap(\.string) where !oldRequired.contains(field) {
            changes.append("`\(field)` is now required")
        }
        for (field, rule) in old["properties"]?.object?.members ?? [] {
            guard let now = new["properties"]?[field] else {
                changes.append("`\(field)` is gone")
                continue
            }
            if rule["type"] != now["type"] { changes.append("`\(field)` has another type") }
            for keyword in ["pattern", "format", "minLength", "maxLength", "minimum", "maximum"]
            where now[keyword] != nil && rule[keyword] != now[keyword] {
                changes.append("`\(field)` has another \(keyword)")
            }
            for value in rule["enum"]?.array ?? [] where now["enum"]?.array?.contains(value) == false {
                changes.append("`\(field)` no longer allows \(value.text)")
            }
        }
        return changes.isEmpty
            ? [.init(service: name, change: "request.schema.json changed", isBreaking: false)]
            : changes.map { .init(service: name, change: $0, isBreaking: true) }
    }
}
