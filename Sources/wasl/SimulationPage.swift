import Hummingbird
import WaslModel
import WaslSimulation
import WaslWeb

/// The switchboard of a simulated agency: what every call meets from now on, and what has been done.
struct SimulationPage {
    let agency: String
    let office: SimulatedOffice
    let language: Language

    static func addRoutes(to router: Router<BasicRequestContext>, agency: String, office: SimulatedOffice) {
        router.get("/_simulation") { request, _ in
            let language = request.uri.queryParameters["lang"].flatMap { Language(rawValue: String($0)) } ?? .ar
            return Response.text(
                SimulationPage(agency: agency, office: office, language: language).html, type: "text/html; charset=utf-8")
        }
        router.post("/_simulation/fault/:fault") { request, context in
            let name = context.parameters.get("fault") ?? ""
            let fault = FaultPlan.Fault(rawValue: name)
            guard fault != nil || name == "none" else {
                let known = ["none"] + FaultPlan.Fault.allCases.map(\.rawValue)
                return Response.text(
                    "\(name): expected one of \(known.joined(separator: ", "))\n", type: "text/plain; charset=utf-8", status: .badRequest)
            }
            office.force(fault)
            // A form's button comes back to its page; a program reads the status.
            guard let language = request.uri.queryParameters["lang"] else { return Response(status: .ok) }
            return Response(status: .seeOther, headers: [.location: "/_simulation?lang=\(language)"])
        }
    }

    private func say(_ text: LocalizedText) -> String { escape(language.pick(text)) }

    private static func name(_ fault: FaultPlan.Fault?) -> LocalizedText {
        switch fault {
        case nil: LocalizedText(ar: "كما تقرره البذرة", fr: "Selon la graine", en: "As the seed says")
        case .errorBeforeActing: LocalizedText(ar: "خطأ قبل التنفيذ", fr: "Erreur avant d'agir", en: "Error before acting")
        case .errorAfterActing: LocalizedText(ar: "خطأ بعد التنفيذ", fr: "Erreur après avoir agi", en: "Error after acting")
        case .timeoutAfterActing: LocalizedText(ar: "صمت بعد التنفيذ", fr: "Silence après avoir agi", en: "Time-out after acting")
        case .lostConnectionAfterActing:
            LocalizedText(ar: "انقطاع بعد التنفيذ", fr: "Connexion perdue après avoir agi", en: "Connection lost after acting")
        case .malformedAnswerAfterActing:
            LocalizedText(ar: "جواب غير مقروء بعد التنفيذ", fr: "Réponse illisible après avoir agi", en: "Unreadable answer after acting")
        case .maintenance: LocalizedText(ar: "صيانة", fr: "Maintenance", en: "Maintenance")
        case .dark: LocalizedText(ar: "لا جواب لأحد", fr: "Ne répond à personne", en: "Answers nobody")
        }
    }

    private var html: String {
        let now = office.forced
        let buttons = ([nil] + FaultPlan.Fault.allCases.map { $0 }).map { fault -> String in
            let isNow = fault == now
            return """
                <form method="post" action="/_simulation/fault/\(fault?.rawValue ?? "none")?lang=\(language.rawValue)">\
                <button\(isNow ? " disabled aria-current=\"true\"" : "")>\(say(SimulationPage.name(fault)))</button></form>
                """
        }.joined(separator: "\n")
        let heading = LocalizedText(
            ar: "ما يلقاه كل نداء من الآن", fr: "Ce que rencontre désormais chaque appel", en: "What every call meets from now on")
        let effects = LocalizedText(ar: "ما تم تنفيذه", fr: "Actes accomplis", en: "Things done")
        let calls = LocalizedText(ar: "نداءات", fr: "Appels", en: "Calls")
        let counts = office.counts
        return Page(
            language: language,
            title: LocalizedText(ar: "هيكل محاكى: \(agency)", fr: "Structure simulée : \(agency)", en: "Simulated agency: \(agency)"),
            path: "/_simulation", refresh: "/_simulation?lang=\(language.rawValue)",
            body: """
                <dl class="figures"><div><dt>\(say(calls))</dt><dd>\(language.number(Int64(counts.calls)))</dd></div>
                <div><dt>\(say(effects))</dt><dd>\(language.number(Int64(counts.effects)))</dd></div></dl>
                <h2>\(say(heading))</h2>\(buttons)
                """
        ).html
    }
}
