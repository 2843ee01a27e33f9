import Foundation
import GRDB
import Hummingbird
import Logging
import TestSupport
import Testing
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSimulation

@testable import WaslAgency
@testable import WaslHouse
@testable import WaslLedger

/// The published descriptions of the HTTP APIs and the routers say the same, in both directions.
@Suite struct OpenAPITests {
    private func described(_ name: String) throws -> Set<String> {
        let path = "\(TestWorld.project)/Schemas/openapi/\(name).json"
        let document = try JSON.parse([UInt8](try #require(FileManager.default.contents(atPath: path))))
        var found: Set<String> = []
        for (path, operations) in document["paths"]?.object?.members ?? [] {
            // By place: the router has one name for one place, the description may have a better one for each address.
            let places = path.replacing(#/\{[a-z]+\}/#, with: "{}")
            for method in operations.object?.keys ?? [] where method != "parameters" { found.insert("\(method) \(places)") }
        }
        return found
    }

    private func routed(_ routes: [Router<BasicRequestContext>.RouteDescription]) -> Set<String> {
        Set(
            routes.map { route in
                let words = route.path.description.split(separator: "/").map { word in
                    word.hasPrefix("{") || word.hasPrefix(":") ? "{}" : String(word)
                }
                return "\(route.method.rawValue.lowercased()) /\(words.joined(separator: "/"))"
            })
    }

    @Test func houseAndAgency() async throws {
        let road = try await Road(agency: "eid")
        let token = "a token of sixteen characters"
        #expect(routed(road.house.router(token: token, hosts: [], description: "{}").routes) == (try described("house")))
        #expect(routed(road.worker.router(token: token, hosts: [], description: "{}").routes) == (try described("agency")))
        try await road.end()
    }

    @Test func ledger() async throws {
        let world = try TestWorld()
        let ledger = try Ledger(
            Ledger.Parts(
                journalPath: world.folder + "/ledger.sqlite", headPath: world.folder + "/ledger.head", keys: world.keys["ledger"]!,
                registry: world.registry,
                catalogue: CatalogueHolder(world.catalogue), times: LedgerTimes(), version: "test"), broker: SimulatedBroker(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let router = ledger.router(token: "a token of sixteen characters", hosts: [], description: "{}")
        #expect(routed(router.routes) == (try described("ledger")))
    }
}
