import WaslModel
import WaslSeal

/// A registry in lines that a person reads.
struct RegistryDescription {
    let registry: Registry
    let now: Timestamp

    var lines: [String] {
        let staleness = registry.isStale(at: now) ? "  STALE: the directorate should have issued a newer one" : ""
        var lines = ["Version \(registry.version), issued \(registry.issued), expires \(registry.expires)\(staleness)"]
        if let root = registry.root { lines.append("Root key \(root.thumbprint), after \(registry.rotations.count) rotations") }
        if let archive = registry.archive { lines.append("Archive of retired keys: version \(archive.version), \(archive.digest)") }
        for role in Role.allCases {
            let all = registry.participants(role)
            if all.isEmpty { continue }
            lines += ["", "\(role.rawValue): \(all.count)"] + all.flatMap(participant)
        }
        if !registry.delegations.isEmpty { lines += ["", "delegations: \(registry.delegations.count)"] }
        for delegation in registry.delegations {
            lines.append("  \(delegation.text)\(delegation.date.map { ", \($0)" } ?? "")")
            lines.append("    \(delegation.services.count) services: \(delegation.services.map(\.text).joined(separator: ", "))")
            lines.append(
                "    \(delegation.participants.count) participants: \(delegation.participants.map(\.text).joined(separator: ", "))")
        }
        if !registry.approvals.isEmpty { lines += ["", "approvals: \(registry.approvals.count)"] }
        return lines
            + registry.approvals.map { approval in
                let isSigned = (try? approval.signers(in: registry)) == approval.reviewers
                return "  \(RegistryDescription.text(approval))\(isSigned ? "" : "  (by the root key's word alone)")"
            }
    }

    private func participant(_ participant: Registry.Participant) -> [String] {
        let state = participant.state == .active ? "" : "  \(participant.state.rawValue.uppercased())"
        return ["  \(participant.id)  \(participant.names.fr)  \(participant.names.ar)\(state)"]
            + participant.keys.map { "    \(RegistryDescription.text($0, at: now))" }
    }

    static func text(_ key: Registry.Key, at now: Timestamp) -> String {
        let holder = key.holder.map { " of \($0)" } ?? ""
        let until = key.until.map { " until \($0)" } ?? ""
        let state: String
        if let revoked = key.revoked {
            state = "  REVOKED from \(revoked)"
        } else {
            state = key.isValid(at: now) ? "" : key.from > now ? "  not yet in use" : "  ended"
        }
        return "\(key.use.rawValue)\(holder) \(key.jwk.thumbprint) from \(key.from)\(until)\(state)"
    }

    static func text(_ approval: Registry.Approval) -> String {
        "\(approval.participant) \(approval.epoch) \(approval.range.lowerBound) to \(approval.range.upperBound): \(approval.decision.rawValue) by \(approval.reviewers.joined(separator: ", ")) at \(approval.at)"
    }
}
