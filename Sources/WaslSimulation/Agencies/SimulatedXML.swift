import WaslModel

/// The elements with text in a document, by local name: all that these agencies' old parsers know of XML.
struct SimulatedXML {
    /// In the order of the document; a name may come more than once.
    let leaves: [(name: String, text: String)]
    /// Every element that holds others.
    let containers: Set<String>

    /// `nil` when tags do not pair.
    init?(_ document: String) {
        var leaves: [(name: String, text: String)] = []
        var containers: Set<String> = []
        var open: [(name: String, text: String, isContainer: Bool)] = []
        var rest = document[...]
        while let start = rest.firstIndex(of: "<") {
            let text = String(rest[..<start])
            if !open.isEmpty { open[open.count - 1].text += text }
            guard let end = rest[start...].firstIndex(of: ">") else { return nil }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("?") { continue }
            let name = String(tag.drop { $0 == "/" }.prefix { $0 != " " && $0 != "/" }.split(separator: ":").last ?? "")
            if tag.hasPrefix("/") {
                guard let closed = open.popLast(), closed.name == name else { return nil }
                if closed.isContainer { containers.insert(name) } else { leaves.append((name, SimulatedXML.plain(closed.text))) }
            } else {
                if !open.isEmpty { open[open.count - 1].isContainer = true }
                if tag.hasSuffix("/") { leaves.append((name, "")) } else { open.append((name, "", false)) }
            }
        }
        guard open.isEmpty else { return nil }
        self.leaves = leaves
        self.containers = containers
    }

    /// One value a name; `nil` where a name comes twice.
    var values: JSONObject? {
        var values = JSONObject()
        for (name, text) in leaves {
            guard values[name] == nil else { return nil }
            values[name] = .string(text)
        }
        return values
    }

    private static func plain(_ text: String) -> String {
        text.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"").replacing("&amp;", with: "&")
    }

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    /// The members of an object as elements under a prefix.
    static func elements(_ object: JSONObject, prefix: String = "") -> String {
        object.members.map { name, value in
            let inner = value.object.map { elements($0, prefix: prefix) } ?? escaped(value.string ?? value.text)
            return "<\(prefix)\(name)>\(inner)</\(prefix)\(name)>"
        }.joined()
    }
}
