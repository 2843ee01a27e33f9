import JSONValue

/// Reads one schema object's keywords into its node.
struct Filling {
    let node: SchemaNode
    let schema: JSONObject
    let place: SchemaCompiler.Place
    let owner: String
    let location: String
    let options: SchemaOptions
    var excluded: Set<Vocabulary> = []

    mutating func fill(_ compiler: inout SchemaCompiler) throws(SchemaError) {
        for (name, value) in schema.members {
            guard let vocabulary = Vocabulary.of[name] else {
                if options.refusesUnknownKeywords { throw failure(name, "the keyword is not known") }
                continue
            }
            guard !excluded.contains(vocabulary) else { continue }
            switch vocabulary {
            case .core: try core(name, value, &compiler)
            case .applicator, .unevaluated: try applicator(name, value, &compiler)
            case .validation: try validation(name, value)
            case .format: try format(value)
            case .metaData, .content: break
            }
        }
    }

    private func failure(_ name: String, _ reason: String) -> SchemaError {
        SchemaError(location: location.appending(pointer: name), reason: reason)
    }

    // MARK: References

    private func core(_ name: String, _ value: JSON, _ compiler: inout SchemaCompiler) throws(SchemaError) {
        guard name == "$ref" || name == "$dynamicRef" else { return }
        guard let reference = value.string else { throw failure(name, "expected a URI reference, found \(value.shape)") }
        let target = try compiler.resolve(reference, from: owner, at: location.appending(pointer: name))
        let resolved = try compiler.node(at: target)
        if name == "$ref" {
            node.reference = resolved
        } else {
            // Only a reference by a name that is dynamic where it points first looks outward (Core section 8.2.3.2).
            let anchor = URIReference(reference).fragment.flatMap { compiler.isDynamicAnchor(target, $0) ? $0 : nil }
            node.dynamicReference = (anchor, resolved)
        }
    }

    // MARK: Subschemas

    private func applicator(_ name: String, _ value: JSON, _ compiler: inout SchemaCompiler) throws(SchemaError) {
        switch name {
        case "allOf": node.allOf = try list(name, value, &compiler)
        case "anyOf": node.anyOf = try list(name, value, &compiler)
        case "oneOf": node.oneOf = try list(name, value, &compiler)
        case "not": node.not = try one(name, &compiler)
        case "if": node.condition = try one(name, &compiler)
        case "then": node.consequence = try one(name, &compiler)
        case "else": node.alternative = try one(name, &compiler)
        case "dependentSchemas": node.dependentSchemas = try map(name, value, &compiler).map { (name: $0.key, node: $0.node) }
        case "prefixItems": node.prefixItems = try list(name, value, &compiler)
        case "items": node.items = try one(name, &compiler)
        case "contains": node.contains = try one(name, &compiler)
        case "properties":
            let members = try map(name, value, &compiler)
            node.properties = Dictionary(members.map { ($0.key, $0.node) }) { first, _ in first }
            node.propertyNamesInOrder = members.map(\.key)
        case "patternProperties":
            for (key, subschema) in try map(name, value, &compiler) {
                node.patternProperties.append((try pattern(key, name), subschema))
            }
        case "additionalProperties": node.additionalProperties = try one(name, &compiler)
        case "propertyNames": node.propertyNames = try one(name, &compiler)
        case "unevaluatedItems": node.unevaluatedItems = try one(name, &compiler)
        case "unevaluatedProperties": node.unevaluatedProperties = try one(name, &compiler)
        default: break
        }
    }

    private func one(_ name: String, _ compiler: inout SchemaCompiler) throws(SchemaError) -> SchemaNode {
        try compiler.node(at: SchemaCompiler.Place(document: place.document, pointer: place.pointer.appending(pointer: name)))
    }

    private func list(_ name: String, _ value: JSON, _ compiler: inout SchemaCompiler) throws(SchemaError) -> [SchemaNode] {
        guard let elements = value.array, !elements.isEmpty else { throw failure(name, "expected a list of schemas, found \(value.shape)") }
        var nodes: [SchemaNode] = []
        for index in elements.indices {
            let pointer = place.pointer.appending(pointer: name) + "/\(index)"
            nodes.append(try compiler.node(at: SchemaCompiler.Place(document: place.document, pointer: pointer)))
        }
        return nodes
    }

    private func map(
        _ name: String, _ value: JSON, _ compiler: inout SchemaCompiler
    ) throws(SchemaError) -> [(key: String, node: SchemaNode)] {
        guard let members = value.object else { throw failure(name, "expected an object of schemas, found \(value.shape)") }
        var nodes: [(key: String, node: SchemaNode)] = []
        for key in members.keys {
            let pointer = place.pointer.appending(pointer: name).appending(pointer: key)
            nodes.append((key, try compiler.node(at: SchemaCompiler.Place(document: place.document, pointer: pointer))))
        }
        return nodes
    }

    // MARK: Values

    private func validation(_ name: String, _ value: JSON) throws(SchemaError) {
        switch name {
        case "type": node.types = try types(value)
        case "enum":
            guard let allowed = value.array else { throw failure(name, "expected a list, found \(value.shape)") }
            node.allowed = allowed
        case "const": node.constant = value
        case "multipleOf":
            guard let divisor = value.double, divisor > 0 else { throw failure(name, "expected a number above 0") }
            node.multipleOf = value
        case "minimum": node.minimum = try number(name, value)
        case "maximum": node.maximum = try number(name, value)
        case "exclusiveMinimum": node.exclusiveMinimum = try number(name, value)
        case "exclusiveMaximum": node.exclusiveMaximum = try number(name, value)
        case "minLength": node.lengthMin = try count(name, value)
        case "maxLength": node.lengthMax = try count(name, value)
        case "pattern":
            guard let text = value.string else { throw failure(name, "expected a regular expression, found \(value.shape)") }
            node.pattern = try pattern(text, name)
        case "minItems": node.itemsMin = try count(name, value)
        case "maxItems": node.itemsMax = try count(name, value)
        case "uniqueItems":
            guard let flag = value.bool else { throw failure(name, "expected true or false, found \(value.shape)") }
            node.isUnique = flag
        case "minContains": node.containsMin = try count(name, value)
        case "maxContains": node.containsMax = try count(name, value)
        case "minProperties": node.propertiesMin = try count(name, value)
        case "maxProperties": node.propertiesMax = try count(name, value)
        case "required": node.required = try strings(name, value)
        case "dependentRequired":
            guard let members = value.object else { throw failure(name, "expected an object, found \(value.shape)") }
            for (key, others) in members.members { node.dependentRequired.append((key, try strings(name, others))) }
        default: break
        }
    }

    private func format(_ value: JSON) throws(SchemaError) {
        guard let formats = options.formats else { return }
        guard let name = value.string, let format = formats[name] else {
            throw failure("format", "the format is not known; known: \(formats.keys.sorted().joined(separator: ", "))")
        }
        node.format = (name, format)
    }

    private func types(_ value: JSON) throws(SchemaError) -> [JSONType] {
        var types: [JSONType] = []
        let names = if let name = value.string { [name] } else { try strings("type", value) }
        for name in names {
            guard let type = JSONType(rawValue: name) else {
                throw failure("type", "`\(name)` is no type; known: \(JSONType.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            types.append(type)
        }
        return types
    }

    private func number(_ name: String, _ value: JSON) throws(SchemaError) -> JSON {
        guard value.double != nil else { throw failure(name, "expected a number, found \(value.shape)") }
        return value
    }

    private func count(_ name: String, _ value: JSON) throws(SchemaError) -> Int {
        guard let number = value.double, number >= 0, let count = Int(exactly: number) else {
            throw failure(name, "expected a whole number from 0, found \(value.shape)")
        }
        return count
    }

    private func strings(_ name: String, _ value: JSON) throws(SchemaError) -> [String] {
        guard let elements = value.array else { throw failure(name, "expected a list of texts, found \(value.shape)") }
        var texts: [String] = []
        for element in elements {
            guard let text = element.string else { throw failure(name, "expected a list of texts, found \(element.shape) in it") }
            texts.append(text)
        }
        return texts
    }

    private func pattern(_ text: String, _ name: String) throws(SchemaError) -> Pattern {
        do { return try Pattern(text) } catch { throw failure(name, "`\(text)`: \((error as? Pattern.Failure)?.reason ?? "\(error)")") }
    }
}
