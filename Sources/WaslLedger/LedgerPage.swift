import Hummingbird
import WaslModel
import WaslWeb

/// The first plain page: the overview, in Arabic first. The dashboards are built on the same figures.
extension Ledger {
    func page(language: String?) async throws -> Response {
        let overview = try await overview()
        let language = language.flatMap(Language.init(rawValue:)) ?? .ar
        let page = OverviewPage(overview: overview, registry: parts.registry.registry, language: language)
        return .text(page.html, type: "text/html; charset=utf-8")
    }
}
