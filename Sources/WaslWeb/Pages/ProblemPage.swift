/// A problem as a person sees it, in their language; what to do about it is for whoever runs the service.
struct ProblemPage {
    let problem: Problem
    let language: Language

    var html: String {
        let word = language.pick(problem.title)
        return Page(
            language: language, title: problem.title, path: "", refresh: nil,
            body: """
                <p class="bad" role="alert">\(escape(word)) (<bdi>\(problem.status.code)</bdi>)</p>
                <p class="text" lang="en" dir="ltr">\(escape(problem.detail))</p>
                """
        ).html
    }
}
