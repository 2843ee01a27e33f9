import JSONValue

/// One run of a schema over an instance.
final class Validation {
    /// What of an instance some keyword has already looked at, for `unevaluatedItems` and `unevaluatedProperties` (Core section 11).
    struct Evaluated {
        var properties: Set<String> = []
        var allProperties = false
        var itemCount = 0
        var items: Set<Int> = []
        var allItems = false

        mutating func merge(_ other: Evaluated) {
            properties.formUnion(other.properties)
            allProperties = allProperties || other.allProperties
            itemCount = max(itemCount, other.itemCount)
            items.formUnion(other.items)
            allItems = allItems || other.allItems
        }
    }

    struct Result {
        var isValid = true
        var evaluated = Evaluated()
    }

    /// One step into the instance.
    enum Step {
        case key(String)
        case index(Int)
    }

    private let dynamicAnchors: [String: [String: SchemaNode]]
    private(set) var violations: [Violation] = []
    /// Above zero inside a subschema whose failure is no violation by itself: nothing is written down.
    var quietDepth = 0
    var path: [Step] = []
    /// Resources entered and not left yet, outermost first: the dynamic scope.
    private var scope: [String] = []
    /// Above zero where some keyword will ask what was evaluated.
    private var trackingDepth = 0
    /// References followed at the same instance location; a circle would never end.
    private var depth = 0
    private static let depthMax = 256

    init(dynamicAnchors: [String: [String: SchemaNode]]) { self.dynamicAnchors = dynamicAnchors }

    var isTracking: Bool { trackingDepth > 0 }

    func report(_ node: SchemaNode, _ keyword: String, _ message: @autoclosure () -> Message, at extra: String? = nil) {
        guard quietDepth == 0 else { return }
        var location = ""
        for step in path {
            switch step {
            case .key(let key): location = location.appending(pointer: key)
            case .index(let index): location += "/\(index)"
            }
        }
        if let extra { location = location.appending(pointer: extra) }
        let keywordLocation = keyword.isEmpty ? node.location : node.location + "/" + keyword
        violations.append(Violation(instanceLocation: location, keywordLocation: keywordLocation, message: message()))
    }

    func quietly(_ node: SchemaNode, _ instance: JSON) -> Result {
        quietDepth += 1
        defer { quietDepth -= 1 }
        return apply(node, to: instance)
    }

    func apply(_ node: SchemaNode, to instance: JSON, at step: Step) -> Bool {
        path.append(step)
        defer { path.removeLast() }
        // What is evaluated further in says nothing of the level above.
        let outer = trackingDepth
        trackingDepth = 0
        defer { trackingDepth = outer }
        return apply(node, to: instance).isValid
    }

    func apply(_ node: SchemaNode, to instance: JSON) -> Result {
        if let always = node.always {
            if !always { report(node, "", .notAllowed) }
            return Result(isValid: always)
        }
        guard depth < Validation.depthMax else {
            report(node, "", .forbidden)
            return Result(isValid: false)
        }
        depth += 1
        defer { depth -= 1 }
        let isNewResource = scope.last != node.resource
        if isNewResource { scope.append(node.resource) }
        defer { if isNewResource { scope.removeLast() } }
        let asks = node.unevaluatedItems != nil || node.unevaluatedProperties != nil
        if asks { trackingDepth += 1 }
        defer { if asks { trackingDepth -= 1 } }

        var result = Result()
        applyInPlace(node, instance, &result)
        result.isValid = checkValue(node, instance) && result.isValid
        switch instance {
        case .object(let object):
            if node.isAboutObjects { checkObject(node, object, instance, &result) }
            if let unevaluated = node.unevaluatedProperties { checkUnevaluated(unevaluated, object, &result) }
        case .array(let elements):
            checkArray(node, elements, &result)
            if let unevaluated = node.unevaluatedItems { checkUnevaluated(unevaluated, elements, &result) }
        default: break
        }
        return result
    }

    /// Subschemas that are about the same instance (Core section 10.2).
    private func applyInPlace(_ node: SchemaNode, _ instance: JSON, _ result: inout Result) {
        func join(_ other: Result) {
            result.isValid = result.isValid && other.isValid
            if isTracking, other.isValid { result.evaluated.merge(other.evaluated) }
        }
        if let target = node.reference { join(apply(target, to: instance)) }
        if let (anchor, fallback) = node.dynamicReference {
            let nodes = anchor.flatMap { dynamicAnchors[$0] }
            join(apply(nodes.flatMap { nodes in scope.lazy.compactMap { nodes[$0] }.first } ?? fallback, to: instance))
        }
        for branch in node.allOf { join(apply(branch, to: instance)) }
        if !node.anyOf.isEmpty { applyAnyOf(node, instance, join) }
        if !node.oneOf.isEmpty {
            let fitting = node.oneOf.map { quietly($0, instance) }.filter(\.isValid)
            if fitting.count == 1 {
                join(fitting[0])
            } else {
                report(node, "oneOf", fitting.isEmpty ? .noneFits : .severalFit)
                result.isValid = false
            }
        }
        if let not = node.not, quietly(not, instance).isValid {
            report(node, "not", .forbidden)
            result.isValid = false
        }
        if let condition = node.condition {
            let holds = quietly(condition, instance)
            if holds.isValid, isTracking { result.evaluated.merge(holds.evaluated) }
            if let branch = holds.isValid ? node.consequence : node.alternative { join(apply(branch, to: instance)) }
        }
    }

    private func applyAnyOf(_ node: SchemaNode, _ instance: JSON, _ join: (Result) -> Void) {
        var isAny = false
        for branch in node.anyOf {
            let result = quietly(branch, instance)
            guard result.isValid else { continue }
            isAny = true
            join(result)
            // The others matter only for what they evaluate.
            if !isTracking { return }
        }
        guard !isAny else { return }
        report(node, "anyOf", .noneFits)
        join(Result(isValid: false))
    }
}
