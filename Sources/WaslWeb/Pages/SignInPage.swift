import WaslModel

/// The page where people sign in, in three languages.
struct SignInPage {
    enum Failure { case wrong, tooManyTries, noAccounts }

    struct Texts {
        let title: LocalizedText
        /// The paths that its forms go to.
        let signIn: String
        let signOut: String
    }

    let texts: Texts
    let language: Language

    private func say(_ ar: String, _ fr: String, _ en: String) -> String {
        escape(language.pick(LocalizedText(ar: ar, fr: fr, en: en)))
    }

    func html(failure: Failure?) -> String {
        Page(
            language: language, title: texts.title, path: texts.signIn, refresh: nil,
            body: """
                \(failure.map { "<p class=\"bad\" role=\"alert\">\(words($0))</p>" } ?? "")
                <form method="post" action="\(language.link(texts.signIn))" class="card">
                <p><label for="name">\(say("الاسم", "Nom", "Name"))</label><input id="name" name="name" autocomplete="username" required autofocus></p>
                <p><label for="password">\(say("كلمة السر", "Mot de passe", "Password"))</label>\
                <input id="password" name="password" type="password" autocomplete="current-password" required></p>
                <button class="main">\(say("دخول", "Entrer", "Sign in"))</button></form>
                """
        ).html
    }

    private func words(_ failure: Failure) -> String {
        switch failure {
        case .wrong: say("الاسم أو كلمة السر خاطئة.", "Nom ou mot de passe erroné.", "Wrong name or password.")
        case .tooManyTries:
            say(
                "محاولات كثيرة؛ انتظر خمس دقائق.", "Trop d'essais ; attendez cinq minutes.", "Too many tries; wait five minutes.")
        case .noAccounts:
            say(
                "لم تضبط الحسابات بعد؛ اتصل بالمشرف.", "Les comptes ne sont pas encore réglés ; prévenez l'exploitant.",
                "The accounts are not set up yet; tell the operator.")
        }
    }

    func who(_ session: Sessions.Session) -> String {
        """
        <form method="post" action="\(language.link(texts.signOut))" class="who"><bdi>\(escape(session.name))</bdi>
        <input type="hidden" name="token" value="\(session.formToken)"><button>\(say("خروج", "Sortir", "Sign out"))</button></form>
        """
    }
}
