import JSONValue

/// Turns schema documents into nodes: first every identifier is found, then references are followed.
struct SchemaCompiler {
    /// A place in a document.
    struct Place: Hashable {
        let document: String
        let pointer: String
    }

    private let options: SchemaOptions
    /// By URI, as first given.
    private var documents: [String: JSON] = [:]
    /// Where each resource (a schema with a URI of its own) begins.
    private var resources: [String: Place] = [:]
    /// By resource and name.
    private var anchors: [String: Place] = [:]
    private var dynamicAnchors: [String: [String: Place]] = [:]
    /// The resource that a place belongs to.
    private var owners: [Place: String] = [:]
    /// The vocabularies that a resource's meta-schema leaves out.
    private var dialects: [String: Set<Vocabulary>] = [:]
    private var nodes: [Place: SchemaNode] = [:]
    private(set) var dynamicNodes: [String: [String: SchemaNode]] = [:]

    init(options: SchemaOptions) { self.options = options }

    private static let root = "schema:"

    mutating func compile(_ json: JSON) throws(SchemaError) -> SchemaNode {
        try index(json, as: SchemaCompiler.root)
        let node = try node(at: Place(document: SchemaCompiler.root, pointer: ""))
        // Following references may bring in documents with dynamic anchors of their own, and their nodes more references.
        while let (name, resource, place) = uncompiledDynamicAnchor() {
            dynamicNodes[name, default: [:]][resource] = try self.node(at: place)
        }
        return node
    }

    private func uncompiledDynamicAnchor() -> (String, String, Place)? {
        for (name, places) in dynamicAnchors.sorted(by: { $0.key < $1.key }) {
            for (resource, place) in places.sorted(by: { $0.key < $1.key }) where dynamicNodes[name]?[resource] == nil {
                return (name, resource, place)
            }
        }
        return nil
    }

    // MARK: Finding identifiers

    private mutating func index(_ json: JSON, as uri: String) throws(SchemaError) {
        documents[uri] = json
        resources[uri] = Place(document: uri, pointer: "")
        try index(json, Place(document: uri, pointer: ""), owner: uri)
    }

    private mutating func index(_ json: JSON, _ place: Place, owner: String) throws(SchemaError) {
        var owner = owner
        guard case .object(let schema) = json else {
            owners[place] = owner
            return
        }
        if let id = schema["$id"]?.string {
            let uri = URIReference(id).resolved(against: URIReference(owner))
            guard uri.fragment ?? "" == "" else {
                throw SchemaError(location: place.pointer + "/$id", reason: "an identifier has no fragment")
            }
            owner = uri.resource
            resources[owner] = place
        }
        owners[place] = owner
        for keyword in ["$anchor", "$dynamicAnchor"] {
            guard let name = schema[keyword]?.string else { continue }
            anchors[owner + "#" + name] = place
            if keyword == "$dynamicAnchor" { dynamicAnchors[name, default: [:]][owner] = place }
        }
        for (name, value) in schema.members {
            guard let holds = SchemaCompiler.subschemas[name] else { continue }
            let pointer = place.pointer.appending(pointer: name)
            switch (holds, value) {
            case (.one, _): try index(value, Place(document: place.document, pointer: pointer), owner: owner)
            case (.list, .array(let elements)):
                for (index, element) in elements.enumerated() {
                    try self.index(element, Place(document: place.document, pointer: "\(pointer)/\(index)"), owner: owner)
                }
            case (.map, .object(let members)):
                for (key, member) in members.members {
                    try index(member, Place(document: place.document, pointer: pointer.appending(pointer: key)), owner: owner)
                }
            default: break
            }
        }
    }

    // MARK: Following references

    /// The place that a reference means, as seen from a resource.
    mutating func resolve(_ reference: String, from owner: String, at location: String) throws(SchemaError) -> Place {
        let target = URIReference(reference).resolved(against: URIReference(owner))
        let uri = target.resource
        if resources[uri] == nil {
            guard let document = MetaSchema.document(uri) ?? options.document(uri) else {
                throw SchemaError(location: location, reason: "there is no schema `\(uri)`")
            }
            try index(document, as: uri)
        }
        guard let start = resources[uri], let fragment = URIReference.percentDecoded(target.fragment ?? "") else {
            throw SchemaError(location: location, reason: "`\(reference)` cannot be read")
        }
        if fragment.isEmpty { return start }
        guard fragment.hasPrefix("/") else {
            guard let place = anchors[uri + "#" + fragment] else {
                throw SchemaError(location: location, reason: "`\(uri)` has no anchor `\(fragment)`")
            }
            return place
        }
        let place = Place(document: start.document, pointer: start.pointer + fragment)
        guard let json = value(at: place) else { throw SchemaError(location: location, reason: "`\(reference)` points at nothing") }
        // A place that no keyword makes a schema becomes one by being pointed at.
        if owners[place] == nil { try index(json, place, owner: ownerAbove(place) ?? uri) }
        return place
    }

    private func ownerAbove(_ place: Place) -> String? {
        var pointer = place.pointer[...]
        while let slash = pointer.lastIndex(of: "/") {
            pointer = pointer[..<slash]
            if let owner = owners[Place(document: place.document, pointer: String(pointer))] { return owner }
        }
        return nil
    }

    private func value(at place: Place) -> JSON? {
        var value = documents[place.document]
        for token in place.pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let key = String(token).split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
                .split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
            switch value {
            case .object(let object): value = object[key]
            case .array(let elements): value = Int(key).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            default: return nil
            }
        }
        return value
    }

    // MARK: Making nodes

    mutating func node(at place: Place) throws(SchemaError) -> SchemaNode {
        if let node = nodes[place] { return node }
        guard let json = value(at: place), let owner = owners[place] else {
            throw SchemaError(location: place.pointer, reason: "there is nothing here")
        }
        let location = place.document == SchemaCompiler.root ? place.pointer : "\(place.document)#\(place.pointer)"
        let node = SchemaNode(location: location, resource: owner)
        nodes[place] = node
        switch json {
        case .bool(let always): node.always = always
        case .object(let schema):
            var filling = Filling(node: node, schema: schema, place: place, owner: owner, location: location, options: options)
            filling.excluded = try excludedVocabularies(schema, owner, place, location)
            try filling.fill(&self)
        default: throw SchemaError(location: location, reason: "expected a schema (an object, true or false), found \(json.shape)")
        }
        return node
    }

    /// A meta-schema of one's own may leave vocabularies out (Core section 8.1); their keywords then mean nothing.
    private mutating func excludedVocabularies(
        _ schema: JSONObject, _ owner: String, _ place: Place, _ location: String
    ) throws(SchemaError) -> Set<Vocabulary> {
        if let known = dialects[owner] { return known }
        var excluded: Set<Vocabulary> = []
        if let name = schema["$schema"]?.string {
            let uri = URIReference(name).resource
            if uri != MetaSchema.dialect {
                let meta = try resolve(name, from: owner, at: location + "/$schema")
                if let used = value(at: meta)?["$vocabulary"]?.object {
                    for (name, isRequired) in used.members where isRequired == true && Vocabulary(uri: name) == nil {
                        throw SchemaError(location: location + "/$schema", reason: "its vocabulary `\(name)` is not supported")
                    }
                    excluded = Set(Vocabulary.allCases).subtracting(used.keys.compactMap { Vocabulary(uri: $0) })
                }
            }
        } else if let above = ownerAbove(place), above != owner, let inherited = dialects[above] {
            excluded = inherited
        }
        dialects[owner] = excluded
        return excluded
    }

    enum Holding { case one, list, map }

    /// Keywords whose values are schemas: where identifiers may stand.
    static let subschemas: [String: Holding] = [
        "$defs": .map, "allOf": .list, "anyOf": .list, "oneOf": .list, "not": .one, "if": .one, "then": .one, "else": .one,
        "dependentSchemas": .map, "prefixItems": .list, "items": .one, "contains": .one, "properties": .map, "patternProperties": .map,
        "additionalProperties": .one, "propertyNames": .one, "unevaluatedItems": .one, "unevaluatedProperties": .one,
        "contentSchema": .one, "definitions": .map,
    ]

    func isDynamicAnchor(_ place: Place, _ name: String) -> Bool {
        owners[place].map { dynamicAnchors[name]?[$0] == place } ?? false
    }
}
