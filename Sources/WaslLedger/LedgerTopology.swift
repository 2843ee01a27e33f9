import GRDB
import WaslJournal
import WaslModel

/// Who compared the broker with the registry.
enum TopologyLooker {
    /// The ledger itself, each minute: queues and bindings, by a user that may only look.
    case ledger
    /// `wasl topology check`, by an operator's timer: users and permissions too, of one broker.
    case check(broker: String)

    /// How the keys of its findings begin: each look answers for its own alone.
    var prefix: String {
        switch self {
        case .ledger: "ledger "
        case .check(let broker): "check \(broker) "
        }
    }

    var name: String {
        switch self {
        case .ledger: "ledger"
        case .check(let broker): "wasl topology check of \(broker)"
        }
    }
}

/// A broker that is not as the registry asks: a deleted queue or binding is otherwise silent.
extension LedgerSteps {
    /// So many differences are named one by one; what is beyond is counted.
    static let differencesNamedMax = 100
    static let lookPatience: Duration = .seconds(600)

    /// One finding for each difference; those that are no more are cleared.
    func record(_ differences: [String], by looker: TopologyLooker, in transaction: JournalTransaction) throws {
        var found = differences.prefix(LedgerSteps.differencesNamedMax).map { difference in
            Findings.Found(
                key: looker.prefix + String(difference.prefix(300)),
                evidence: ["difference": .string(String(difference.prefix(1_000))), "by": .string(looker.name)])
        }
        if differences.count > found.count {
            found.append(
                Findings.Found(
                    key: looker.prefix + "and more",
                    evidence: ["more": JSON(differences.count - found.count), "by": .string(looker.name)]))
        }
        try Findings(transaction: transaction).agree(
            .topologyChanged, prefix: looker.prefix, with: found, cause: "the broker is as the registry asks")
    }

    /// That nobody can look is a finding too, once it lasts: what may be wrong meanwhile is not known.
    func record(lookFailed reason: String, since: Timestamp, in transaction: JournalTransaction) throws {
        guard transaction.now.since(since) >= LedgerSteps.lookPatience else { return }
        try Findings(transaction: transaction).open(
            .topologyChanged, key: TopologyLooker.ledger.prefix + "cannot look",
            evidence: ["reason": .string(String(reason.prefix(500))), "since": .string(since.description), "by": "ledger"])
    }
}
