import WaslModel
import WaslSeal

/// What changed from one registry to another, in words.
struct RegistryDifferences {
    let from: Registry
    let to: Registry

    var lines: [String] {
        let (before, after) = (from.participants, to.participants)
        let came = after.keys.filter { before[$0] == nil }.sorted()
        let went = before.keys.filter { after[$0] == nil }.sorted()
        var lines = came.map { "came: \($0) (\(after[$0]?.role.rawValue ?? "")), \(after[$0]?.names.fr ?? "")" }
        lines += went.map { "went: \($0) (\(before[$0]?.role.rawValue ?? ""))" }
        for id in after.keys.sorted() {
            guard let old = before[id], let new = after[id] else { continue }
            lines += changes(old, new)
        }
        for id in came { lines += keys(of: id, from: [], to: after[id]?.keys ?? []) }
        return lines + services() + approvals() + root()
    }

    private func changes(_ old: Registry.Participant, _ new: Registry.Participant) -> [String] {
        var lines: [String] = []
        func compare(_ what: String, _ before: String?, _ after: String?) {
            if before != after { lines.append("\(new.id): \(what) was \(before ?? "not there"), is \(after ?? "not there")") }
        }
        if old.state != new.state { lines.append(new.state == .active ? "\(new.id): active again" : "\(new.id): suspended") }
        compare("role", old.role.rawValue, new.role.rawValue)
        compare("name in Arabic", old.names.ar, new.names.ar)
        compare("name in French", old.names.fr, new.names.fr)
        compare("name in English", old.names.en, new.names.en)
        compare("governorate", old.governorate, new.governorate)
        compare("mobile", String(old.isMobile), String(new.isMobile))
        compare("placeholder", String(old.isPlaceholder), String(new.isPlaceholder))
        return lines + keys(of: new.id, from: old.keys, to: new.keys)
    }

    private func keys(of id: ParticipantID, from old: [Registry.Key], to new: [Registry.Key]) -> [String] {
        func named(_ list: [Registry.Key]) -> [String: Registry.Key] {
            Dictionary(list.map { ($0.jwk.thumbprint, $0) }, uniquingKeysWith: { $1 })
        }
        func words(_ key: Registry.Key) -> String {
            "key \(key.jwk.thumbprint.prefix(12))… (\(key.use.rawValue)\(key.holder.map { " of \($0)" } ?? ""))"
        }
        let (before, after) = (named(old), named(new))
        return new.compactMap { key in
            guard let was = before[key.jwk.thumbprint] else { return "\(id): \(words(key)) is new, from \(key.from)" }
            if key.revoked != was.revoked {
                return "\(id): \(words(key)) is \(key.revoked.map { "revoked from \($0)" } ?? "no longer revoked")"
            }
            if key.until != was.until { return "\(id): \(words(key)) ends \(key.until.map(\.description) ?? "never")" }
            if key.from != was.from { return "\(id): \(words(key)) is valid from \(key.from), was from \(was.from)" }
            return key.holder == was.holder ? nil : "\(id): \(words(key)) was \(was.holder ?? "nobody")'s"
        } + old.filter { after[$0.jwk.thumbprint] == nil }.map { "\(id): \(words($0)) is in use no longer" }
    }

    /// The same change of many participants is one line.
    private func services() -> [String] {
        struct Change: Hashable {
            let gained: [ServiceID]
            let lost: [ServiceID]
            let reworded: [ServiceID]
        }
        var holders: [Change: [ParticipantID]] = [:]
        for (id, participant) in to.participants {
            let (old, new) = (from.participants[id]?.services ?? [:], participant.services)
            let change = Change(
                gained: new.keys.filter { old[$0] == nil }.sorted(), lost: old.keys.filter { new[$0] == nil }.sorted(),
                reworded: new.keys.filter { old[$0] != nil && old[$0] != new[$0] }.sorted())
            holders[change, default: []].append(id)
        }
        return holders.flatMap { change, ids -> [String] in
            let who = ids.sorted().map(\.text).joined(separator: ", ")
            func line(_ services: [ServiceID], _ what: String) -> [String] {
                services.isEmpty ? [] : ["\(who): \(what) \(services.map(\.text).joined(separator: ", "))"]
            }
            return line(change.gained, "may now ask for") + line(change.lost, "may no longer ask for")
                + line(change.reworded, "by another delegation than before:")
        }.sorted()
    }

    private func approvals() -> [String] {
        let (before, after) = (Set(from.approvals), Set(to.approvals))
        return to.approvals.filter { !before.contains($0) }.map { "decided: \(RegistryDescription.text($0))" }
            + from.approvals.filter { !after.contains($0) }.map { "decision taken back: \(RegistryDescription.text($0))" }
    }

    private func root() -> [String] {
        guard from.root != to.root else { return [] }
        return ["the root key is \(to.root?.thumbprint ?? "not named")"]
    }
}
