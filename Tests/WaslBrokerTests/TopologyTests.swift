import TestSupport
import Testing
import WaslBroker
import WaslModel
import WaslSeal

/// A world's registry with one participant's state changed, or without it.
func registry(of world: TestWorld, suspending suspended: String? = nil, without gone: String? = nil) throws -> Registry {
    let held = world.registry.registry
    let participants = held.participants.values.filter { $0.id.text != gone }.map { one in
        Registry.Participant(
            id: one.id, role: one.role, names: one.names, state: one.id.text == suspended ? .suspended : one.state, keys: one.keys,
            services: one.services)
    }
    return try Registry(version: held.version + 1, issued: held.issued, expires: held.expires, participants: participants)
}

@Suite struct TopologyTests {
    /// What a broker lists that is exactly as the topology asks: through the document that makes it so.
    private func lists(_ topology: Topology) throws -> (queues: [JSON], bindings: [JSON]) {
        let definitions = topology.definitions(passwords: [:])
        let own: JSON = ["source": "", "destination": "ledger", "routing_key": "ledger"]
        return (try #require(definitions["queues"]?.array), try #require(definitions["bindings"]?.array) + [own])
    }

    @Test func queuesAndBindingsAsAskedMakeNoDifference() throws {
        let topology = Topology(try TestWorld().registry.registry)
        let found = try lists(topology)
        #expect(topology.differences(queues: found.queues, bindings: found.bindings) == [])
    }

    @Test func whatIsMissingOrTooManyIsNamed() throws {
        let topology = Topology(try TestWorld().registry.registry)
        var found = try lists(topology)
        found.queues.removeAll { $0["name"] == "house.hydra" }
        found.queues.append(["name": "spy", "durable": true, "arguments": [:]])
        found.queues.append(["name": "federation: wasl.requests -> center", "durable": true, "arguments": [:]])
        found.bindings.removeAll { $0["destination"] == "ledger" && $0["routing_key"] == "steg.#" }
        found.bindings.append(["source": "wasl.requests", "destination": "spy", "routing_key": "#"])
        #expect(
            topology.differences(queues: found.queues, bindings: found.bindings) == [
                "queue house.hydra: missing", "queue spy: not expected", "binding wasl.requests -> ledger by `steg.#`: missing",
                "binding wasl.requests -> spy by `#`: not expected",
            ])
    }

    @Test func aQueueOfAnotherKindIsNamed() throws {
        let topology = Topology(try TestWorld().registry.registry)
        let found = try lists(topology)
        let queues = found.queues.map { queue -> JSON in
            queue["name"] == "ledger" ? ["name": "ledger", "durable": true, "arguments": ["x-queue-type": "classic"]] : queue
        }
        let lines = topology.differences(queues: queues, bindings: found.bindings)
        #expect(lines.count == 1 && lines[0].hasPrefix("queue ledger: its arguments differ"), "\(lines)")
    }

    @Test func onlyUsersOfOursWhoseParticipantIsSuspendedOrGoneAreSurplus() throws {
        let world = try TestWorld()
        let topology = Topology(try registry(of: world, suspending: "hydra", without: "kerker"))
        func user(_ name: String, _ tags: JSON) -> JSON { ["name": .string(name), "tags": tags] }
        let definitions: JSON = [
            "users": [
                user("hydra", ["wasl-participant"]), user("kerker", ["wasl-participant"]), user("steg", ["wasl-participant"]),
                user("wasl.monitor", ["monitoring", "wasl-participant"]), user("watcher", []),
                user("boss", ["administrator", "wasl-participant"]), user("federation", ["policymaker"]),
            ]
        ]
        #expect(topology.surplusUsers(in: definitions) == ["hydra", "kerker"])
    }

    @Test func aUserOfAnEarlierVersionIsKnownByItsParticipantsName() throws {
        let world = try TestWorld()
        let topology = Topology(try registry(of: world, suspending: "hydra", without: "kerker"))
        let definitions: JSON = [
            "users": [
                ["name": "hydra", "tags": ""], ["name": "kerker", "tags": ""], ["name": "steg", "tags": ""],
            ]
        ]
        // Nobody can say whose a user without a tag is, once the registry does not know the name: an operator is told, and decides.
        #expect(topology.surplusUsers(in: definitions) == ["hydra"])
    }

    @Test func aSuspendedParticipantsUserIsADifference() throws {
        let world = try TestWorld()
        let before = Topology(world.registry.registry).definitions(passwords: [:])
        let lines = Topology(try registry(of: world, suspending: "hydra")).differences(from: before)
        #expect(lines == ["user hydra: its participant is suspended or gone, but it can log in"])
    }

    @Test func anotherPartsParticipantIsNotSurplus() throws {
        let world = try TestWorld()
        let whole = Topology(world.registry.registry).definitions(passwords: [:])
        #expect(Topology(world.registry.registry, part: .houses).surplusUsers(in: whole) == [])
    }
}
