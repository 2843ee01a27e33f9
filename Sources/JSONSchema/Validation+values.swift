import JSONValue

extension Validation {
    /// Keywords that look at the value alone (Validation sections 6.1 to 6.3 and 7).
    func checkValue(_ node: SchemaNode, _ instance: JSON) -> Bool {
        if !node.types.isEmpty, !node.types.contains(where: { $0.matches(instance) }) {
            report(node, "type", .wrongType(expected: node.types))
            // Whatever else might be said of a value of the wrong type would only confuse.
            return false
        }
        var isValid = true
        func expect(_ holds: Bool, _ keyword: String, _ message: @autoclosure () -> Message) {
            guard !holds else { return }
            report(node, keyword, message())
            isValid = false
        }
        if let allowed = node.allowed { expect(allowed.contains { $0.isSame(as: instance) }, "enum", .notOneOf) }
        if let constant = node.constant { expect(constant.isSame(as: instance), "const", .notOneOf) }
        switch instance {
        case .integer, .number:
            if let bound = node.minimum { expect(!precedes(instance, bound), "minimum", .atLeast(bound.text)) }
            if let bound = node.maximum { expect(!precedes(bound, instance), "maximum", .atMost(bound.text)) }
            if let bound = node.exclusiveMinimum { expect(precedes(bound, instance), "exclusiveMinimum", .above(bound.text)) }
            if let bound = node.exclusiveMaximum { expect(precedes(instance, bound), "exclusiveMaximum", .below(bound.text)) }
            if let divisor = node.multipleOf { expect(instance.isMultiple(of: divisor), "multipleOf", .notMultiple) }
        case .string(let text):
            if node.lengthMin != nil || node.lengthMax != nil {
                let length = text.unicodeScalars.count
                if let bound = node.lengthMin { expect(length >= bound, "minLength", .charactersAtLeast(bound)) }
                if let bound = node.lengthMax { expect(length <= bound, "maxLength", .charactersAtMost(bound)) }
            }
            if let pattern = node.pattern { expect(pattern.matches(text), "pattern", .wrongForm) }
        default: break
        }
        if let format = node.format?.format { expect(format.isValid(instance), "format", format.message) }
        return isValid
    }

    private func precedes(_ left: JSON, _ right: JSON) -> Bool {
        if case .integer(let left) = left, case .integer(let right) = right { return left < right }
        return (left.double ?? 0) < (right.double ?? 0)
    }
}
