import Hummingbird
import WaslCatalogue
import WaslModel
import WaslSeal
import WaslWeb

/// The desk's pages, in three languages. Every text of a citizen is escaped.
struct DeskPage {
    let language: Language
    let session: Sessions.Session
    /// Who is signed in, and the way out: HTML.
    let who: String

    private func link(_ path: String) -> String { language.link(path) }

    private func say(_ ar: String, _ fr: String, _ en: String) -> String {
        escape(language.pick(LocalizedText(ar: ar, fr: fr, en: en)))
    }

    private func say(_ text: LocalizedText) -> String { escape(language.pick(text)) }

    static let title = LocalizedText(ar: "مكتب الأعوان", fr: "Guichet des agents", en: "The agents' desk")

    private func page(_ title: LocalizedText = DeskPage.title, path: String, refresh: String? = nil, _ body: String) -> String {
        Page(language: language, title: title, path: path, refresh: refresh, body: body).html
    }

    /// Answered meanwhile, or never here.
    func gone() -> String {
        page(
            path: "/desk",
            who
                + "<p>"
                + say(
                    "هذا المطلب لم يعد في المكتب: أجيب عنه، أو لم يكن هنا.",
                    "Cette demande n'est plus au guichet : elle a reçu une réponse, ou n'y a jamais été.",
                    "This request is no longer at the desk: it has been answered, or never was here.")
                + "</p><p><a href=\"\(link("/desk"))\">\(say("العودة إلى القائمة", "Retour à la liste", "Back to the list"))</a></p>")
    }

    // MARK: The list

    func list(
        _ jobs: [(job: Job, holder: String?)], _ catalogue: Catalogue, _ registry: Registry, now: Timestamp
    ) -> String {
        let rows = jobs.map { job, holder -> String in
            let service = catalogue.service(job.service, version: job.contract)
            let due = service.map { catalogue.calendar.due($0.level, from: job.accepted) }
            let isLate = due.map { $0 < now } ?? false
            return """
                <tr><td><a href="\(link("/desk/requests/\(job.request.path)"))">\(service.map { say($0.names) } ?? escape(job.service.text))</a></td>
                <td>\(registry.participants[job.house].map { say($0.names) } ?? escape(job.house.text))</td><td>\(time(job.accepted))</td>
                <td\(isLate ? " class=\"bad\"" : "")>\(due.map(time) ?? "")</td><td>\(holder.map { "<bdi>\(escape($0))</bdi>" } ?? "—")</td></tr>
                """
        }.joined(separator: "\n")
        let heads = [
            say("الخدمة", "Service", "Service"), say("دار الخدمات", "Maison", "House"), say("تاريخ الإيداع", "Déposée le", "Received"),
            say("الأجل", "À répondre avant", "Due"), say("بيد", "En main de", "In hand of"),
        ].map { "<th scope=\"col\">\($0)</th>" }.joined()
        let table =
            jobs.isEmpty
            ? "<p class=\"good\">" + say("لا شيء ينتظر.", "Rien n'attend.", "Nothing is waiting.") + "</p>"
            : "<table><thead><tr>\(heads)</tr></thead><tbody>\(rows)</tbody></table>"
        return page(
            path: "/desk", refresh: link("/desk") + "&again=1",
            who + "<h2>" + say("مطالب في الانتظار", "Demandes en attente", "Requests that wait")
                + " (\(language.number(Int64(jobs.count))))</h2>" + table)
    }

    /// In the country's own time, which has no summer.
    private func time(_ time: Timestamp) -> String {
        let local = time.advanced(by: .seconds(3600)).description
        return "<time datetime=\"\(time)\">\(local.prefix(10)) \(local.dropFirst(11).prefix(5))</time>"
    }

    // MARK: One request

    func request(
        _ job: Job, _ service: Service, _ fields: JSONObject, failures: [String: LocalizedText],
        typed: [String: String], house: LocalizedText?
    ) -> String {
        let path = "/desk/requests/\(job.request.path)"
        let rows = service.form.compactMap { field -> String? in
            guard let value = fields[field.field] else { return nil }
            return "<tr><th scope=\"row\">\(say(field.label))</th><td>\(shown(value, field.field, service, path))</td></tr>"
        }.joined()
        let inHand =
            job.heard > 0
            ? "<p class=\"good\">" + say("المطلب بين الأيدي.", "La demande est en main.", "The request is in hand.") + "</p>"
            : act(path, "take", "<button>" + say("آخذه على عاتقي", "Je la prends en main", "I take it in hand") + "</button>")
        let answers = service.answerForm.map { input($0, failures[$0.field], typed["field." + $0.field] ?? "") }.joined()
        let refusal = failures["reason"].map { "<span class=\"bad\">\(say($0))</span>" } ?? ""
        return page(
            service.names, path: path,
            """
            \(who)<p><a href="\(link("/desk"))">\(say("القائمة", "La liste", "The list"))</a></p>
            <p class="at">\(house.map(say) ?? escape(job.house.text)) · \(time(job.accepted)) · <code>\(job.subject)</code></p>
            \(failures.isEmpty ? "" : "<p class=\"bad\" role=\"alert\">" + say("لم يسجل شيء: صحح ما يلي.", "Rien n'est enregistré : corrigez ce qui suit.", "Nothing is recorded: correct what follows.") + "</p>")
            <table><tbody>\(rows)</tbody></table>\(inHand)
            <h2>\(say("الجواب", "La réponse", "The answer"))</h2>
            \(act(path, "complete", answers + "<button class=\"main\">" + say("إرسال الجواب", "Envoyer la réponse", "Send the answer") + "</button>"))
            <h2>\(say("أو الرفض", "Ou le refus", "Or the refusal"))</h2>
            \(act(path, "refuse", "<p><label for=\"reason\">" + say("السبب، كما يقرؤه المواطن", "Le motif, tel que le citoyen le lira", "The reason, as the citizen will read it") + "</label><textarea id=\"reason\" name=\"reason\" rows=\"3\" maxlength=\"1000\">\(escape(typed["reason"] ?? ""))</textarea>\(refusal)</p><button>" + say("رفض المطلب", "Refuser la demande", "Refuse the request") + "</button>"))
            """)
    }

    private func act(_ path: String, _ act: String, _ inner: String) -> String {
        """
        <form method="post" action="\(link(path))" class="card"><input type="hidden" name="token" value="\(session.formToken)">\
        <input type="hidden" name="act" value="\(act)">\(inner)</form>
        """
    }

    private func input(_ field: Service.FormField, _ failure: LocalizedText?, _ typed: String) -> String {
        let id = "field." + field.field
        return """
            <p><label for="\(escape(id))">\(say(field.label))</label><input id="\(escape(id))" name="\(escape(id))" value="\(escape(typed))">\
            \(field.hint.map { "<small>\(say($0))</small>" } ?? "")\(failure.map { "<span class=\"bad\">\(say($0))</span>" } ?? "")</p>
            """
    }

    private func shown(_ value: JSON, _ field: String, _ service: Service, _ path: String) -> String {
        if field == service.attachments?.field, let papers = value.array {
            return papers.enumerated().map { place, paper in
                "<a href=\"\(link("\(path)/papers/\(place)"))\"><bdi>\(escape(paper["name"]?.string ?? String(place + 1)))</bdi></a>"
            }.joined(separator: "<br>")
        }
        if field == service.amountField, let amount = value.integer { return "<bdi>\(Millimes(amount)) TND</bdi>" }
        return "<bdi class=\"text\">\(escape(value.string ?? value.text))</bdi>"
    }
}
