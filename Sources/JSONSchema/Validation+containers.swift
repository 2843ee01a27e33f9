import JSONValue

extension Validation {
    /// Core section 10.3.2, Validation section 6.5.
    func checkObject(_ node: SchemaNode, _ object: JSONObject, _ instance: JSON, _ result: inout Result) {
        for name in node.required where object[name] == nil {
            report(node, "required", .missing, at: name)
            result.isValid = false
        }
        for (name, others) in node.dependentRequired where object[name] != nil {
            for other in others where object[other] == nil {
                report(node, "dependentRequired", .missing, at: other)
                result.isValid = false
            }
        }
        if let bound = node.propertiesMin, object.count < bound {
            report(node, "minProperties", .elementsAtLeast(bound))
            result.isValid = false
        }
        if let bound = node.propertiesMax, object.count > bound {
            report(node, "maxProperties", .elementsAtMost(bound))
            result.isValid = false
        }
        for (name, dependent) in node.dependentSchemas where object[name] != nil {
            let other = apply(dependent, to: instance)
            result.isValid = result.isValid && other.isValid
            if isTracking, other.isValid { result.evaluated.merge(other.evaluated) }
        }
        if let names = node.propertyNames {
            for name in object.keys { result.isValid = apply(names, to: .string(name), at: .key(name)) && result.isValid }
        }
        checkMembers(node, object, &result)
    }

    private func checkMembers(_ node: SchemaNode, _ object: JSONObject, _ result: inout Result) {
        guard !node.properties.isEmpty || !node.patternProperties.isEmpty || node.additionalProperties != nil else { return }
        for (name, value) in object.members {
            var isKnown = false
            if let property = node.properties[name] {
                isKnown = true
                result.isValid = apply(property, to: value, at: .key(name)) && result.isValid
            }
            for (pattern, property) in node.patternProperties where pattern.matches(name) {
                isKnown = true
                result.isValid = apply(property, to: value, at: .key(name)) && result.isValid
            }
            if !isKnown, let additional = node.additionalProperties {
                isKnown = true
                result.isValid = apply(additional, to: value, at: .key(name)) && result.isValid
            }
            if isKnown, isTracking { result.evaluated.properties.insert(name) }
        }
    }

    func checkUnevaluated(_ unevaluated: SchemaNode, _ object: JSONObject, _ result: inout Result) {
        guard !result.evaluated.allProperties else { return }
        for (name, value) in object.members where !result.evaluated.properties.contains(name) {
            result.isValid = apply(unevaluated, to: value, at: .key(name)) && result.isValid
        }
        result.evaluated.allProperties = true
    }

    /// Core section 10.3.1, Validation section 6.4.
    func checkArray(_ node: SchemaNode, _ elements: [JSON], _ result: inout Result) {
        if let bound = node.itemsMin, elements.count < bound {
            report(node, "minItems", .elementsAtLeast(bound))
            result.isValid = false
        }
        if let bound = node.itemsMax, elements.count > bound {
            report(node, "maxItems", .elementsAtMost(bound))
            result.isValid = false
        }
        if node.isUnique, hasRepetition(elements) {
            report(node, "uniqueItems", .repeated)
            result.isValid = false
        }
        for (index, (prefix, element)) in zip(node.prefixItems, elements).enumerated() {
            result.isValid = apply(prefix, to: element, at: .index(index)) && result.isValid
        }
        result.evaluated.itemCount = max(result.evaluated.itemCount, min(node.prefixItems.count, elements.count))
        if let items = node.items {
            for index in elements.indices.dropFirst(node.prefixItems.count) {
                result.isValid = apply(items, to: elements[index], at: .index(index)) && result.isValid
            }
            result.evaluated.allItems = true
        }
        if let contains = node.contains { checkContains(node, contains, elements, &result) }
    }

    private func checkContains(_ node: SchemaNode, _ contains: SchemaNode, _ elements: [JSON], _ result: inout Result) {
        var count = 0
        for (index, element) in elements.enumerated() {
            quietDepth += 1
            let isFitting = apply(contains, to: element, at: .index(index))
            quietDepth -= 1
            guard isFitting else { continue }
            count += 1
            if isTracking { result.evaluated.items.insert(index) }
        }
        if count < node.containsMin {
            report(node, node.containsMin == 1 ? "contains" : "minContains", .lacksElement)
            result.isValid = false
        }
        if let bound = node.containsMax, count > bound {
            report(node, "maxContains", .tooManyElements)
            result.isValid = false
        }
    }

    func checkUnevaluated(_ unevaluated: SchemaNode, _ elements: [JSON], _ result: inout Result) {
        guard !result.evaluated.allItems else { return }
        for index in elements.indices.dropFirst(result.evaluated.itemCount) where !result.evaluated.items.contains(index) {
            result.isValid = apply(unevaluated, to: elements[index], at: .index(index)) && result.isValid
        }
        result.evaluated.allItems = true
    }

    private func hasRepetition(_ elements: [JSON]) -> Bool {
        var seen: Set<SameValue> = []
        return elements.contains { !seen.insert(SameValue(value: $0)).inserted }
    }
}
