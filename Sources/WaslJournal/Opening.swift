import WaslModel

/// How a journal is opened.
public enum Opening {
    /// It goes on where it ended.
    case usual
    /// A new epoch in the same file, for an operator who put a backup back.
    case reopened(reason: String)
    /// A new file in the place of a lost one: the steps put back what others know of it.
    case rebuilt(reason: String, previous: LaneHead?, steps: (JournalTransaction) throws -> Void)

    var isAnew: Bool {
        if case .usual = self { false } else { true }
    }
}

extension Draft {
    /// The version of the wire contract that this journal's words follow from here on.
    package static let contractVersion = "1.1"

    /// - Parameter previous: the end of the epoch before, as far as it is known.
    static func journalOpened(_ epoch: EpochID, previous: LaneHead?, _ reason: String) -> Draft {
        var data: JSONObject = [
            "epoch": .string(epoch.text), "reason": .string(reason), "contract": .string(contractVersion),
        ]
        if let previous {
            data["previous"] = .string(previous.epoch.text)
            data["previoussequence"] = .string(LanePosition.sequenceText(previous.sequence))
            if let hash = previous.hash { data["previoushash"] = .string(hash) }
        }
        return Draft(type: .journalOpened, data: data)
    }
}
