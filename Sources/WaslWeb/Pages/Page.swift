public import WaslModel

/// A language of the pages. Arabic is the first, and reads from right to left.
public enum Language: String, Sendable, CaseIterable {
    case ar, fr, en

    public var direction: String { self == .ar ? "rtl" : "ltr" }

    var ownName: String {
        switch self {
        case .ar: "العربية"
        case .fr: "Français"
        case .en: "English"
        }
    }

    /// A path as the pages of this language link to it.
    public func link(_ path: String) -> String { "\(path)?lang=\(rawValue)" }

    public func pick(_ text: LocalizedText) -> String {
        switch self {
        case .ar: text.ar
        case .fr: text.fr
        case .en: text.en
        }
    }

    /// Latin digits in every language; groups as CLDR has them: `.` for ar-TN, a narrow space for fr, `,` for en.
    public func number(_ value: Int64) -> String {
        let separator = self == .ar ? "." : self == .fr ? "\u{202F}" : ","
        let digits = String(value.magnitude)
        var groups: [Substring] = []
        var rest = digits[...]
        while rest.count > 3 {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        groups.insert(rest, at: 0)
        return (value < 0 ? "-" : "") + groups.joined(separator: separator)
    }
}

/// Text as HTML text or attribute value.
public func escape(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        .replacing("\"", with: "&quot;")
}

/// The shell that every page shares: language, direction, title, the choice of language.
public struct Page: Sendable {
    let language: Language
    let title: LocalizedText
    let path: String
    let refresh: String?
    let body: String

    /// - Parameters:
    ///   - refresh: the address that takes the page's place after ten seconds: its own for a page of figures; `nil` for one with a form, or
    ///     it would take what is typed.
    ///   - body: HTML, escaped by whoever made it.
    public init(language: Language, title: LocalizedText, path: String, refresh: String?, body: String) {
        self.refresh = refresh
        self.language = language
        self.title = title
        self.path = path
        self.body = body
    }

    public var html: String {
        let choices = Language.allCases.map { other in
            other == language
                ? "<span aria-current=\"page\" lang=\"\(other.rawValue)\">\(other.ownName)</span>"
                : "<a href=\"\(path)?lang=\(other.rawValue)\" lang=\"\(other.rawValue)\">\(other.ownName)</a>"
        }.joined(separator: " · ")
        let title = escape(language.pick(title))
        return """
            <!doctype html>
            <html lang="\(language.rawValue)" dir="\(language.direction)">
            <head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            \(refresh.map { "<meta http-equiv=\"refresh\" content=\"10;url=\(escape($0))\">" } ?? "")<title>\(title)</title><style>\(Page.style)</style></head>
            <body><header><h1>\(title)</h1><nav>\(choices)</nav></header><main>\(body)</main></body></html>
            """
    }

    private static let style = """
        :root { color-scheme: light; --ink: #1d2733; --soft: #5b6875; --line: #d8dee5; --accent: #8a1f2b; }
        body { font: 16px/1.5 "Noto Sans Arabic", "Noto Sans", "DejaVu Sans", system-ui, sans-serif; color: var(--ink); margin: 0; background: #f6f7f9; }
        header { display: flex; justify-content: space-between; align-items: baseline; flex-wrap: wrap; gap: 1rem; padding: 1rem 1.5rem; background: #fff; border-bottom: 3px solid var(--accent); }
        h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; }
        main { max-width: 70rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }
        .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 0; }
        .figures div { background: #fff; border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; }
        dt { color: var(--soft); } dd { margin: 0; font-size: 1.8rem; font-variant-numeric: tabular-nums; }
        table { width: 100%; border-collapse: collapse; background: #fff; border: 1px solid var(--line); }
        th, td { text-align: start; padding: .35rem .7rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
        th { color: var(--soft); font-weight: 600; } code { direction: ltr; unicode-bidi: isolate; }
        form { margin: .4rem 0; } button { font: inherit; padding: .3rem .9rem; border: 1px solid var(--line); border-radius: .4rem; background: #fff; }
        button[disabled] { background: var(--accent); color: #fff; }
        .card { background: #fff; border: 1px solid var(--line); border-radius: .5rem; padding: .2rem 1rem 1rem; margin: .8rem 0; max-width: 40rem; }
        .who { display: flex; gap: .8rem; justify-content: flex-end; align-items: baseline; color: var(--soft); }
        label { display: block; font-weight: 600; } small { display: block; color: var(--soft); } .text { white-space: pre-wrap; unicode-bidi: plaintext; }
        input, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .35rem .6rem; border: 1px solid var(--line); border-radius: .4rem; }
        button.main { background: var(--accent); color: #fff; } .bad { color: #a3121f; }
        tbody th { width: 14rem; vertical-align: top; }
        time { direction: ltr; unicode-bidi: isolate; white-space: nowrap; } .at { color: var(--soft); } .good { color: #19692c; }
        """
}
