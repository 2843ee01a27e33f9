/// What jq says of a failure, without what it says it of: its messages quote the values that they are about, and these are citizens'.
///
/// A message is held against the templates of jq's own messages. Only a template's words and the types come out; whatever fits none, a
/// program's own `error(…)` above all, is told by its length.
enum JQComplaint {
    static func shape(of message: String) -> String {
        let words = message.split(separator: " ", omittingEmptySubsequences: false)
        for template in templates {
            if let shown = template.fit(words) { return shown.joined(separator: " ") }
        }
        return "an error that the program made itself, \(message.utf8.count) bytes"
    }

    private static let types: Set<Substring> = ["null", "boolean", "number", "string", "array", "object"]

    /// `…` stands for any words, which do not come out; `TYPE` for the name of a type.
    private struct Template {
        private let words: [Substring]

        init(_ text: String) { words = text.split(separator: " ") }

        func fit(_ message: [Substring]) -> [Substring]? {
            // Most templates are told apart by their last word.
            guard words.last == "…" || words.last == "TYPE" || words.last == message.last else { return nil }
            return fit(words[...], message[...])
        }

        private func fit(_ rest: ArraySlice<Substring>, _ message: ArraySlice<Substring>) -> [Substring]? {
            guard let word = rest.first else { return message.isEmpty ? [] : nil }
            if word == "…" {
                if rest.count == 1 { return [] }
                for start in message.indices {
                    if let shown = fit(rest.dropFirst(), message[start...]) { return shown }
                }
                return nil
            }
            guard let said = message.first, word == "TYPE" ? types.contains(said) : word == said,
                let shown = fit(rest.dropFirst(), message.dropFirst())
            else { return nil }
            return [said] + shown
        }
    }

    private static let templates: [Template] =
        [
            "cannot be added", "cannot be subtracted", "cannot be multiplied", "cannot be divided",
            "cannot be divided because the divisor is zero", "cannot be divided (remainder)",
            "cannot be divided (remainder) because the divisor is zero", "cannot have their containment checked",
            "cannot be sorted, as they are not both arrays", "cannot be grouped, as they are not both arrays",
        ].map { Template("TYPE … and TYPE … " + $0) }
        + [
            "cannot be negated", "cannot be parsed as a number", "cannot be matched, as it is not a string",
            "cannot be searched, as it is not a string", "cannot be sorted, as it is not an array",
            "cannot be grouped, as it is not an array", "cannot be csv-formatted, only array", "cannot be tsv-formatted, only array",
            "has no keys", "has no length", "is not a string", "is not valid base64 data", "is not valid in a csv row",
            "can not be escaped for shell", "number required", "can't be imploded, unicode codepoint needs to be numeric",
        ].map { Template("TYPE … " + $0) }
        + [
            "Cannot iterate over TYPE …", "Cannot index TYPE with TYPE …", "Cannot index TYPE with …", "Cannot use TYPE … as object key",
            "Cannot check whether TYPE has a TYPE key", "Cannot delete fields from TYPE …", "Cannot delete TYPE element of TYPE",
            "Cannot delete TYPE field of TYPE", "Cannot update field at TYPE index of TYPE", "Invalid path expression …",
            "Path must be specified as an array", "Path must be specified as array, not TYPE", "Paths must be specified as an array",
            "Path too deep", "Start and end indices of an array slice must be numbers",
            "Start and end indices of an string slice must be numbers", "Out of bounds negative array index",
            "Range bounds must be numeric", "… not a string or array", "… is not a valid modifier string", "… is not a valid format",
            "… is not a valid regex: …", "Regex failure: …", "date … does not match format …", "Invalid numeric literal …",
            "Invalid literal …", "Invalid escape …", "Unfinished string …", "Unfinished JSON term …", "Unfinished abandoned text …",
            "Unmatched …", "Expected separator between values …", "Expected value before …", "Expected JSON value …",
            "Expected another key-value pair …", "Expected another array element …", "Object keys must be strings …",
            "Objects must consist of key:value pairs …", "Exceeds depth limit for parsing …",
            "Potentially truncated top-level numeric value …", "split input and separator must be strings",
            "explode input must be a string", "implode input must be an array", "startswith() requires string inputs",
            "endswith() requires string inputs", "mktime requires array inputs", "mktime requires array of 6 numbers",
            "mktime requires parsed datetime inputs", "strptime/1 requires string inputs and arguments",
            "strftime/1 requires parsed datetime inputs", "strflocaltime/1 requires parsed datetime inputs",
            "localtime() requires numeric inputs", "gmtime() requires numeric inputs", "flatten depth must not be negative",
            "nth doesn't support negative indices", "Repeat string result too long", "Object merge too deep", "Equality check too deep",
            "Comparison too deep", "String too long", "invalid gmtime representation", "module not found: …", "break",
            // Our own words: `CJQ/shim.c`.
            "an error of the type TYPE", "the input is not JSON", "the program gave no value", "the program gave more than one value",
            "the program failed after its first value",
        ].map { Template($0) }
}
