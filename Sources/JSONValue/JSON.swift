/// A JSON value (RFC 8259), in the one representation that the whole project uses.
///
/// Objects keep the order in which their members were written, so that what is read and written again stays recognisable.
/// Integers that fit `Int64` are kept exact: money never passes through floating point.
public enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

extension JSON {
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
    public var isNull: Bool { self == .null }

    /// A whole or fractional number as `Double`.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    public subscript(key: String) -> JSON? { object?[key] }

    /// The value's shape in words, for error messages: the content itself may be a citizen's.
    public var shape: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "a whole number"
        case .number: "a number"
        case .string(let value): "a string of \(value.unicodeScalars.count) characters"
        case .array(let value): "an array of \(value.count)"
        case .object(let value): "an object of \(value.count) members"
        }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(JSONObject(elements)) }

    /// A string, or null where there is none.
    public init(_ value: String?) { self = value.map(JSON.string) ?? .null }
    public init(_ value: some BinaryInteger) { self = .integer(Int64(value)) }
}

/// The members of a JSON object, in order, keys unique.
public struct JSONObject: Sendable {
    public private(set) var members: [(key: String, value: JSON)]
    /// Where each key stands, kept once there are more than ``linearMax``: finding one among very many must not mean looking at all.
    private var places: [String: Int]?

    /// So many members are looked through quicker than they are hashed.
    static let linearMax = 16

    public init() { members = [] }

    /// Keeps the last value where a key comes twice: text from outside goes through the parser, which refuses it.
    public init(_ pairs: some Sequence<(String, JSON)>) {
        members = []
        for (key, value) in pairs { self[key] = value }
    }

    /// For whoever has made sure that no key comes twice.
    package init(unique members: [(key: String, value: JSON)]) { self.init(unique: members, places: JSONObject.places(of: members)) }

    /// For the parser, which has found out where each key stands while it looked for duplicates.
    init(unique members: [(key: String, value: JSON)], places: [String: Int]?) {
        self.members = members
        self.places = places
    }

    private static func places(of members: [(key: String, value: JSON)]) -> [String: Int]? {
        guard members.count > linearMax else { return nil }
        return Dictionary(members.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
    public var keys: [String] { members.map(\.key) }

    public subscript(key: String) -> JSON? {
        get { place(of: key).map { members[$0].value } }
        set {
            switch (place(of: key), newValue) {
            case (let place?, let value?): members[place].value = value
            case (let place?, nil):
                members.remove(at: place)
                places = JSONObject.places(of: members)
            case (nil, let value?):
                members.append((key, value))
                if places == nil { places = JSONObject.places(of: members) } else { places?[key] = members.count - 1 }
            case (nil, nil): break
            }
        }
    }

    private func place(of key: String) -> Int? {
        if let places { return places[key] }
        return members.firstIndex { $0.key == key }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}

/// Two objects are equal when they hold the same members, in whatever order (RFC 8259 section 4).
extension JSONObject: Hashable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        for key in keys.sorted() { hasher.combine(key) }
    }
}
