public import WaslModel

extension Registry {
    /// One decision that lets participants take requests for services: so many services times so many participants in one row.
    public struct Delegation: Sendable, Hashable {
        public let services: [ServiceID]
        public let participants: [ParticipantID]
        /// The decree, or what else allows it, in words.
        public let text: String
        /// The decision's own date, `2026-01-31`.
        public let date: String?

        /// Each service and participant once, in the order of their names.
        public init(services: [ServiceID], participants: [ParticipantID], text: String, date: String? = nil) {
            self.services = Set(services).sorted()
            self.participants = Set(participants).sorted()
            self.text = text
            self.date = date
        }
    }

    /// Every delegation, grouped as it is written down.
    public var delegations: [Delegation] {
        var covered: [ParticipantID: Set<ServiceID>] = [:]
        for delegation in declared {
            for participant in delegation.participants { covered[participant, default: []].formUnion(delegation.services) }
        }
        return declared + Delegation.grouping(participants.values) { covered[$0]?.contains($1) == true }
    }

    /// What each delegation allows, put beside its participants; of two for the same service the later one stands.
    static func apply(_ delegations: [Delegation], to participants: inout [ParticipantID: Participant]) {
        for delegation in delegations {
            for id in delegation.participants {
                for service in delegation.services { participants[id]?.services[service] = delegation.text }
            }
        }
    }
}

extension Registry.Delegation {
    /// A row of the table before it is grouped.
    private struct Cell: Hashable {
        let service: ServiceID
        let text: String
    }

    private struct Group: Hashable {
        let participants: [ParticipantID]
        let text: String
    }

    /// The fewest rows that say what participants were allowed one by one: services that the same participants have by the same words.
    fileprivate static func grouping(
        _ participants: some Collection<Registry.Participant>, isCovered: (ParticipantID, ServiceID) -> Bool
    ) -> [Registry.Delegation] {
        var holders: [Cell: [ParticipantID]] = [:]
        for participant in participants.sorted(by: { $0.id < $1.id }) {
            for (service, text) in participant.services where !isCovered(participant.id, service) {
                holders[Cell(service: service, text: text), default: []].append(participant.id)
            }
        }
        var services: [Group: [ServiceID]] = [:]
        for (cell, participants) in holders {
            services[Group(participants: participants, text: cell.text), default: []].append(cell.service)
        }
        return services.map { Registry.Delegation(services: $0.value, participants: $0.key.participants, text: $0.key.text) }
            .sorted { ($0.text, $0.services[0], $0.participants[0]) < ($1.text, $1.services[0], $1.participants[0]) }
    }

    init(_ json: JSON, at place: String) throws(SealError) {
        var services: [ServiceID] = []
        for element in json["services"]?.array ?? [] {
            guard let service = element.string.flatMap({ ServiceID($0) }) else {
                throw SealError(.malformed, "\(place).services: expected a list of services, such as steg.bill.view")
            }
            services.append(service)
        }
        var participants: [ParticipantID] = []
        for element in json["participants"]?.array ?? [] {
            guard let participant = element.string.flatMap({ ParticipantID($0) }) else {
                throw SealError(.malformed, "\(place).participants: expected a list of participants' identifiers")
            }
            participants.append(participant)
        }
        guard !services.isEmpty, !participants.isEmpty, let text = json["delegation"]?.string else {
            throw SealError(.malformed, "\(place): expected services, participants and delegation")
        }
        let date = json["date"]?.string
        guard json["date"] == nil || date.map(Registry.isDate) == true else {
            throw SealError(.malformed, "\(place).date: expected a date, such as 2026-01-31")
        }
        self.init(services: services, participants: participants, text: text, date: date)
    }

    var json: JSON {
        var object: JSONObject = [
            "services": .array(services.map { .string($0.text) }), "participants": .array(participants.map { .string($0.text) }),
            "delegation": .string(text),
        ]
        if let date { object["date"] = .string(date) }
        return .object(object)
    }
}

extension Registry {
    /// Whether a text is a day of the calendar, `2026-01-31`.
    public static func isDate(_ text: String) -> Bool { text.utf8.count == 10 && Timestamp("\(text)T00:00:00Z") != nil }
}
