public import WaslModel
import WaslSeal

extension Topology {
    /// What a broker has otherwise than this topology says, one line a difference; empty when they agree.
    ///
    /// - Parameter definitions: the broker's answer to `GET /api/definitions`.
    public func differences(from definitions: JSON) -> [String] {
        func here(_ key: String) -> [JSON] {
            (definitions[key]?.array ?? []).filter { $0["vhost"]?.string == Topology.virtualHost }
        }
        return exchangeDifferences(here("exchanges")) + differences(queues: here("queues"), bindings: here("bindings"))
            + userDifferences(definitions) + permissionDifferences(here("permissions"))
            + topicDifferences(here("topic_permissions")) + strangers(in: definitions)
    }

    /// What is missing or too many among queues and bindings alone, for whoever may see no more than these.
    ///
    /// - Parameters: as `GET /api/queues/wasl` and `GET /api/bindings/wasl` list them: see ``BrokerManagement/queuesAndBindings()``.
    public func differences(queues found: [JSON], bindings foundBindings: [JSON]) -> [String] {
        let foundQueues = Topology.named(found, "name")
        var lines: [String] = []
        for queue in queues {
            guard let found = foundQueues[queue] else {
                lines.append("queue \(queue): missing")
                continue
            }
            if found["arguments"] != Topology.queueArguments(queue) || found["durable"] != true {
                lines.append("queue \(queue): its arguments differ: \(found["arguments"]?.text ?? "none")")
            }
        }
        let expected = Set(queues)
        for name in foundQueues.keys.sorted() where !expected.contains(name) && !Topology.isFederation(name) {
            lines.append("queue \(name): not expected")
        }
        return lines + bindingDifferences(foundBindings)
    }

    /// Users that this program once made for participants that are suspended or gone. Applying the topology deletes them.
    ///
    /// Ours are known by their tag. Those of an earlier version had no tag at all; they are known by a registered participant's name.
    /// An administrator is never ours, nor is anybody that others made.
    public func surplusUsers(in definitions: JSON) -> [String] {
        (definitions["users"]?.array ?? []).compactMap { user -> String? in
            guard let name = user["name"]?.string, !active.contains(name), name != Topology.monitorUser else { return nil }
            let tags = Topology.tags(user)
            guard tags.contains(Topology.userTag) ? !tags.contains("administrator") : tags.isEmpty && registered.contains(name)
            else { return nil }
            return name
        }.sorted()
    }

    /// RabbitMQ writes tags as a list; before 3.9 it wrote a text with commas.
    private static func tags(_ user: JSON) -> Set<String> {
        if let list = user["tags"]?.array { return Set(list.compactMap(\.string)) }
        return Set((user["tags"]?.string ?? "").split(separator: ",").map(String.init))
    }

    private static func named(_ list: [JSON], _ key: String) -> [String: JSON] {
        Dictionary(list.compactMap { item in item[key]?.string.map { ($0, item) } }, uniquingKeysWith: { $1 })
    }

    /// Federation keeps queues and exchanges of its own between two brokers.
    private static func isFederation(_ name: String) -> Bool { name.hasPrefix("federation: ") }

    private func exchangeDifferences(_ list: [JSON]) -> [String] {
        let found = Topology.named(list, "name")
        return Exchange.allCases.compactMap { exchange in
            guard let has = found[exchange.rawValue] else { return "exchange \(exchange.rawValue): missing" }
            let isSame =
                has["type"]?.string == Topology.exchangeType(exchange) && has["durable"] == true
                && has["arguments"] == Topology.exchangeArguments(exchange)
            return isSame ? nil : "exchange \(exchange.rawValue): its type, durability or arguments differ"
        }
    }

    private func bindingDifferences(_ found: [JSON]) -> [String] {
        let found = Set(
            found.compactMap { item -> Binding? in
                // Every queue is bound to the nameless exchange by its own name; that is no binding of anybody's.
                guard let source = item["source"]?.string, !source.isEmpty, let queue = item["destination"]?.string,
                    let key = item["routing_key"]?.string, !Topology.isFederation(source), !Topology.isFederation(queue)
                else { return nil }
                return Binding(source: source, queue: queue, routingKey: key)
            })
        let expected = Set(bindings)
        func line(_ binding: Binding, _ what: String) -> String {
            "binding \(binding.source) -> \(binding.queue) by `\(binding.routingKey)`: \(what)"
        }
        return expected.subtracting(found).map { line($0, "missing") }.sorted()
            + found.subtracting(expected).map { line($0, "not expected") }.sorted()
    }

    private func userDifferences(_ definitions: JSON) -> [String] {
        let users = Topology.named(definitions["users"]?.array ?? [], "name")
        return permissions.compactMap { permission in
            guard let user = users[permission.user] else { return "user \(permission.user): missing" }
            let tags = Topology.tags(user)
            guard tags != Set(permission.tags) else { return nil }
            return "user \(permission.user): its tags are \(tags.sorted()), expected \(permission.tags.sorted())"
        }
    }

    private func permissionDifferences(_ list: [JSON]) -> [String] {
        let found = Topology.named(list, "user")
        return permissions.flatMap { permission -> [String] in
            guard let has = found[permission.user] else { return ["permissions of \(permission.user): missing"] }
            return [("configure", "^$"), ("write", permission.write), ("read", permission.read)].compactMap { key, expected in
                guard has[key]?.string != expected else { return nil }
                return "permissions of \(permission.user): \(key) is `\(has[key]?.string ?? "")`, expected `\(expected)`"
            }
        }
    }

    private func topicDifferences(_ list: [JSON]) -> [String] {
        let found = Set(
            list.compactMap { item -> TopicPermission? in
                guard let user = item["user"]?.string, let exchange = item["exchange"]?.string,
                    let write = item["write"]?.string, item["read"]?.string == "^$"
                else { return nil }
                return TopicPermission(user: user, exchange: exchange, write: write)
            })
        return Set(topicPermissions).subtracting(found)
            .map { "topic permission of \($0.user) on \($0.exchange): missing, expected write `\($0.write)` and read `^$`" }.sorted()
    }

    /// Who can get in and should not.
    private func strangers(in definitions: JSON) -> [String] {
        let surplus = surplusUsers(in: definitions)
        let known = Set(permissions.map(\.user)).union(surplus)
        let administrators = Set(
            (definitions["users"]?.array ?? []).filter { Topology.tags($0).contains("administrator") }.compactMap { $0["name"]?.string })
        let allowed = (definitions["permissions"]?.array ?? []).filter { $0["vhost"]?.string == Topology.virtualHost }
            .compactMap { $0["user"]?.string }
        return surplus.map { "user \($0): its participant is suspended or gone, but it can log in" }
            + Set(allowed).subtracting(known).subtracting(administrators).sorted().map {
                "user \($0): may use the virtual host, but is not an active participant"
            }
    }
}
