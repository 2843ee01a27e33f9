import WaslModel
import WaslSeal
import WaslWeb

/// The overview as a page. Every figure on it is one of ``Overview``.
struct OverviewPage {
    let overview: Overview
    let registry: Registry
    let language: Language
    /// Who is signed in, and the way out: HTML.
    let who: String

    var html: String {
        Page(
            language: language, title: OverviewPage.title, path: "/", refresh: language.link("/") + "&again=1",
            body: who + summary + statuses + findings + participants
        ).html
    }

    static let title = LocalizedText(
        ar: "وصل: دفتر التسليم", fr: "Wasl : registre des échanges", en: "Wasl: the delivery ledger")

    private func say(_ ar: String, _ fr: String, _ en: String) -> String {
        language.pick(LocalizedText(ar: ar, fr: fr, en: en))
    }

    private var summary: String {
        let open = overview.openFindings.values.reduce(0, +)
        let figures: [(String, Int64)] = [
            (say("مطالب مرسلة", "Demandes envoyées", "Requests sent"), overview.submitted),
            (say("مطالب لها مآل نهائي", "Demandes conclues", "Requests concluded"), overview.terminal),
            (say("مآلات وصلت إلى الدور", "Suites remises aux maisons", "Outcomes with the houses"), overview.delivered),
            (say("وثائق وصلت كاملة", "Pièces arrivées entières", "Documents arrived whole"), overview.wholeAttachments),
            (say("إخلالات مفتوحة", "Écarts ouverts", "Open findings"), open),
        ]
        return "<dl class=\"figures\">"
            + figures.map { "<div><dt>\(escape($0.0))</dt><dd>\(language.number($0.1))</dd></div>" }.joined()
            + "</dl><p class=\"at\">" + escape(say("في", "Au", "As of")) + " <time>\(overview.at)</time></p>"
    }

    private static let statusNames: [String: LocalizedText] = [
        "sent": LocalizedText(ar: "مرسل", fr: "Envoyée", en: "Sent"),
        "taken": LocalizedText(ar: "عند الهيكل", fr: "Prise en charge", en: "Taken"),
        "completed": LocalizedText(ar: "منجز", fr: "Aboutie", en: "Completed"),
        "refused": LocalizedText(ar: "مرفوض", fr: "Refusée", en: "Refused"),
        "failed": LocalizedText(ar: "تعذر إنجازه", fr: "Échouée", en: "Failed"),
        "expired": LocalizedText(ar: "انتهى أجله", fr: "Expirée", en: "Expired"),
        "in-doubt": LocalizedText(ar: "مشكوك فيه", fr: "En doute", en: "In doubt"),
        "parked": LocalizedText(ar: "في انتظار قرار", fr: "En attente de décision", en: "Parked"),
        "progress": LocalizedText(ar: "بصدد الإنجاز", fr: "En cours", en: "In progress"),
    ]

    private var statuses: String {
        let rows = overview.byStatus.sorted { $0.value > $1.value }.map { status, count in
            [escape(OverviewPage.statusNames[status].map(language.pick) ?? status), language.number(count)]
        }
        return table(
            say("المطالب حسب الحالة", "Demandes par état", "Requests by state"),
            [say("الحالة", "État", "State"), say("العدد", "Nombre", "Count")], rows)
    }

    private var findings: String {
        let rows = FindingClass.allCases.compactMap { kind -> [String]? in
            guard let count = overview.openFindings[kind.rawValue], count > 0 else { return nil }
            return [escape(language.pick(kind.names)), "<code>\(kind.rawValue)</code>", language.number(count)]
        }
        let caption = say("الإخلالات المفتوحة", "Écarts ouverts", "Open findings")
        guard !rows.isEmpty else {
            return "<h2>\(escape(caption))</h2><p class=\"good\">"
                + escape(say("لا يوجد أي إخلال مفتوح.", "Aucun écart ouvert.", "No finding is open.")) + "</p>"
        }
        return table(caption, [say("الإخلال", "Écart", "Finding"), say("الصنف", "Classe", "Class"), say("العدد", "Nombre", "Count")], rows)
    }

    private var participants: String {
        let byID = Dictionary(overview.participants.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        let known = registry.participants.values.filter { $0.role != .ledger }
            .sorted { ($0.role.rawValue, $0.id) < ($1.role.rawValue, $1.id) }
        let rows = known.map { participant -> [String] in
            let row = byID[participant.id.text]
            let name = language.pick(participant.names)
            return [
                escape(name), language.number(row?.submitted ?? 0), language.number(row?.terminal ?? 0),
                language.number(row?.backlog ?? 0),
                row?.seen.map { "<time>\($0)</time>" } ?? escape(say("لم يتصل بعد", "jamais vu", "never seen")),
            ]
        }
        return table(
            say("الدور والهياكل", "Maisons et structures", "Houses and agencies"),
            [
                say("الاسم", "Nom", "Name"), say("مطالب", "Demandes", "Requests"), say("منتهية", "Conclues", "Concluded"),
                say("في الانتظار محليا", "En attente locale", "Waiting there"), say("آخر اتصال", "Vu", "Last seen"),
            ], rows)
    }

    private func table(_ caption: String, _ heads: [String], _ rows: [[String]]) -> String {
        "<h2>\(escape(caption))</h2><table><thead><tr>"
            + heads.map { "<th scope=\"col\">\(escape($0))</th>" }.joined() + "</tr></thead><tbody>"
            + rows.map { "<tr>" + $0.map { "<td>\($0)</td>" }.joined() + "</tr>" }.joined() + "</tbody></table>"
    }
}
