import Foundation
public import WaslModel
import Yams

/// What is wrong in a file that a person wrote: which file, which key, what was expected.
public struct SettingsError: Error, Sendable, Hashable, CustomStringConvertible {
    public let file: String
    public let key: String
    public let reason: String

    public init(file: String, key: String, reason: String) {
        self.file = file
        self.key = key
        self.reason = reason
    }

    public var description: String { "\(file): \(key.isEmpty ? "" : "`\(key)`: ")\(reason)" }
}

/// A YAML file read key by key; a key that nobody asked for is an error, so that a slip of the pen is not silence.
///
/// Where an environment is given, `WASL_` and the key's path in capitals (`broker.port`: `WASL_BROKER_PORT`) overrides a scalar.
public final class Settings {
    private let file: String
    private let path: [String]
    private let members: JSONObject
    private let environment: [String: String]
    private var asked: Set<String> = []
    private var children: [Settings] = []

    public convenience init(file: String, environment: [String: String] = [:]) throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw SettingsError(file: file, key: "", reason: "cannot be read")
        }
        try self.init(yaml: String(decoding: data, as: UTF8.self), file: file, environment: environment)
    }

    public convenience init(yaml: String, file: String, environment: [String: String] = [:]) throws {
        guard !mayMultiply(yaml) else {
            throw SettingsError(file: file, key: "", reason: "too many aliases (`*`): none are accepted")
        }
        let (parser, node): (Yams.Parser, Node?)
        do {
            parser = try Yams.Parser(yaml: yaml)
            node = try parser.singleRoot()
        } catch {
            throw SettingsError(file: file, key: "", reason: "not YAML: \(error)")
        }
        // A node knows its anchor only as long as its parser is there.
        let top = try withExtendedLifetime(parser) { try node.map { try json($0, file: file, path: "") } ?? [:] }
        guard case .object(let members) = top else {
            throw SettingsError(file: file, key: "", reason: "expected keys and values at the top")
        }
        self.init(file: file, path: [], members: members, environment: environment)
    }

    private init(file: String, path: [String], members: JSONObject, environment: [String: String]) {
        self.file = file
        self.path = path
        self.members = members
        self.environment = environment
    }

    private func name(_ key: String) -> String { (path + [key]).joined(separator: ".") }

    public func error(_ key: String, _ reason: String) -> SettingsError {
        SettingsError(file: file, key: name(key), reason: reason)
    }

    /// The raw value, for what is data rather than a setting.
    public func value(_ key: String) -> JSON? {
        asked.insert(key)
        let variable = "WASL_" + (path + [key]).joined(separator: "_").uppercased().replacing("-", with: "_")
        if let text = environment[variable] { return Int64(text).map(JSON.integer) ?? .string(text) }
        return members[key]
    }

    public func string(_ key: String) throws -> String? {
        guard let value = value(key), !value.isNull else { return nil }
        if case .integer(let number) = value { return String(number) }
        guard let text = value.string else { throw error(key, "expected a text, found \(value.shape)") }
        return text
    }

    public func requiredString(_ key: String) throws -> String {
        guard let text = try string(key) else { throw error(key, "missing") }
        return text
    }

    public func integer(_ key: String, in range: ClosedRange<Int64>) throws -> Int64? {
        guard let value = value(key), !value.isNull else { return nil }
        guard let number = value.integer, range.contains(number) else {
            throw error(key, "expected a whole number from \(range.lowerBound) to \(range.upperBound), found \(value.shape)")
        }
        return number
    }

    public func bool(_ key: String) throws -> Bool? {
        guard let value = value(key), !value.isNull else { return nil }
        if let flag = value.bool { return flag }
        guard let text = value.string, let flag = Bool(text) else {
            throw error(key, "expected true or false, found \(value.shape)")
        }
        return flag
    }

    /// A time with its unit: `500 ms`, `30 s`, `2 min`, `24 h`, `7 d`.
    public func duration(_ key: String) throws -> Duration? {
        guard let text = try string(key) else { return nil }
        guard let duration = Duration(text: text) else {
            throw error(key, "expected a number and a unit (ms, s, min, h, d), such as `30 s`")
        }
        return duration
    }

    /// One of an enumeration's words.
    public func word<Word: RawRepresentable & CaseIterable>(_ key: String, _ type: Word.Type) throws -> Word?
    where Word.RawValue == String {
        guard let text = try string(key) else { return nil }
        guard let word = Word(rawValue: text) else {
            throw error(key, "expected one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return word
    }

    public func texts(_ key: String) throws -> LocalizedText? {
        guard let group = try group(key) else { return nil }
        return LocalizedText(
            ar: try group.requiredString("ar"), fr: try group.requiredString("fr"), en: try group.requiredString("en"))
    }

    public func requiredTexts(_ key: String) throws -> LocalizedText {
        guard let texts = try texts(key) else { throw error(key, "missing") }
        return texts
    }

    /// A list of groups; empty where the key is not there.
    public func groups(_ key: String) throws -> [Settings] {
        asked.insert(key)
        guard let value = members[key], !value.isNull else { return [] }
        guard let elements = value.array else { throw error(key, "expected a list, found \(value.shape)") }
        return try elements.enumerated().map { index, element in
            guard case .object(let object) = element else {
                throw error("\(key)[\(index)]", "expected keys and values, found \(element.shape)")
            }
            let child = Settings(file: file, path: path + ["\(key)[\(index)]"], members: object, environment: [:])
            children.append(child)
            return child
        }
    }

    /// A nested group of keys.
    public func group(_ key: String) throws -> Settings? {
        asked.insert(key)
        guard let value = members[key], !value.isNull else { return nil }
        guard case .object(let object) = value else { throw error(key, "expected keys and values, found \(value.shape)") }
        let child = Settings(file: file, path: path + [key], members: object, environment: environment)
        children.append(child)
        return child
    }

    /// - Throws: ``SettingsError`` naming a key that nobody asked for, and the keys there are.
    public func finish() throws {
        if let unknown = members.keys.first(where: { !asked.contains($0) }) {
            throw error(unknown, "unknown key; known here: \(asked.sorted().joined(separator: ", "))")
        }
        for child in children { try child.finish() }
    }
}

/// Whether a text has so many aliases that a few kilobytes of it could stand for gigabytes.
///
/// The library puts in an alias's place what it stands for, and compares keys before we see anything, so this looks at the text alone.
/// It may count stars inside a comment or a quoted text too; no file of ours comes near. With fewer, whatever they multiply is small.
private func mayMultiply(_ yaml: String) -> Bool {
    let before = Set(" \t\r\n[{,:?-".utf8)
    var count = 0
    var previous = UInt8(ascii: "\n")
    for byte in yaml.utf8 {
        if byte == UInt8(ascii: "*"), before.contains(previous) { count += 1 }
        previous = byte
    }
    return count > aliasesMax
}

private let aliasesMax = 20

/// YAML to JSON, a key twice refused.
private func json(_ node: Node, file: String, path: String) throws -> JSON {
    // An alias comes here as a copy of what it stands for: what gives it something to stand for is refused before.
    guard node.anchor == nil else { throw SettingsError(file: file, key: path, reason: "anchors (`&`) and aliases are not accepted") }
    switch node {
    case .scalar(let scalar):
        if scalar.style != .plain { return .string(scalar.string) }
        if let number = Int64(scalar.string) { return .integer(number) }
        if scalar.string == "true" || scalar.string == "false" { return .bool(scalar.string == "true") }
        if scalar.string.isEmpty || scalar.string == "null" || scalar.string == "~" { return .null }
        return .string(scalar.string)
    case .sequence(let sequence):
        return .array(try sequence.map { try json($0, file: file, path: path) })
    case .mapping(let mapping):
        var object = JSONObject()
        for (keyNode, value) in mapping {
            guard keyNode.anchor == nil else {
                throw SettingsError(file: file, key: path, reason: "anchors (`&`) and aliases are not accepted")
            }
            guard let key = keyNode.string else { throw SettingsError(file: file, key: path, reason: "a key is not a text") }
            let place = path.isEmpty ? key : path + "." + key
            guard object[key] == nil else { throw SettingsError(file: file, key: place, reason: "comes twice") }
            object[key] = try json(value, file: file, path: place)
        }
        return .object(object)
    case .alias:
        throw SettingsError(file: file, key: path, reason: "aliases are not accepted")
    }
}

extension Duration {
    /// Reads `500 ms`, `30 s`, `2 min`, `24 h`, `7 d`.
    public init?(text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 2, let amount = Int64(parts[0]), amount >= 0, amount < 1_000_000 else { return nil }
        switch parts[1] {
        case "ms": self = .milliseconds(amount)
        case "s": self = .seconds(amount)
        case "min": self = .seconds(amount * 60)
        case "h": self = .seconds(amount * 3600)
        case "d": self = .seconds(amount * 86_400)
        default: return nil
        }
    }
}
