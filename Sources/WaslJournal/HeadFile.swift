import Foundation
public import WaslModel
import WaslSeal

/// A journal's head: epoch, last number, hash of that message.
public struct LaneHead: Sendable, Hashable {
    public var epoch: EpochID
    /// 0 before the first message.
    public var sequence: Int64
    /// Base64url SHA-256 of the last message's body; `nil` before the first.
    public var hash: String?
}

/// A journal's head, and how many commits it has made: what it took in moves no lane, and must not be forgotten unnoticed either.
struct JournalHead: Sendable, Hashable {
    var lane: LaneHead
    var commits: Int64
}

/// Where a journal's head is noted once more.
protocol HeadRecord: AnyObject {
    func read() -> JournalHead?
    /// - Parameter synced: once at the start, so that the note outlives a power cut.
    func write(_ head: JournalHead, synced: Bool) throws
    /// Forgets every earlier head: an operator has said that the journal goes on from here.
    func replace(with head: JournalHead) throws
}

/// The head once more, in a small file kept outside backups: a journal that was put back from a backup is behind it.
///
/// Written after each commit and not synced: after a power cut the file may be behind the journal, never ahead of it.
/// A journal ahead of its head file is the normal trace of a crash; one behind it has lost commits that others have seen.
final class HeadFile: HeadRecord {
    private let path: String
    private let descriptor: Int32

    /// - Parameter isNew: the journal was just created; otherwise an absent file is itself a sign of a restored backup.
    init(path: String, isNew: Bool) throws {
        self.path = path
        let flags = O_RDWR | O_CLOEXEC | (isNew ? O_CREAT : 0)
        descriptor = open(path, flags, 0o600)
        guard descriptor >= 0 else {
            throw JournalError(
                .restored, "\(path): the journal's head file cannot be opened (\(String(cString: strerror(errno))))",
                remedy: HeadFile.remedy)
        }
        fchmod(descriptor, 0o600)
    }

    deinit { close(descriptor) }

    static let remedy =
        "If a backup was put back, follow Docs/operate/recovery.md: a house's or worker's journal is rebuilt with `wasl journal rebuild`, the ledger's reopened with `wasl journal reopen`"

    /// The newer of the two places that is whole.
    func read() -> JournalHead? {
        var buffer = [UInt8](repeating: 0, count: 2 * HeadFile.placeBytes)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        return [0, HeadFile.placeBytes].filter { $0 < count }
            .compactMap { HeadFile.parse(buffer[$0..<min(count, $0 + HeadFile.placeBytes)]) }
            .max { $0.commits < $1.commits }
    }

    private static func parse(_ bytes: ArraySlice<UInt8>) -> JournalHead? {
        let parts = String(decoding: bytes, as: UTF8.self).split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)
        guard parts.count >= 3, let epoch = EpochID(parts[0]), let sequence = Int64(parts[1]) else { return nil }
        let lane = LaneHead(epoch: epoch, sequence: sequence, hash: parts[2] == "-" ? nil : parts[2])
        // Version 0.1 wrote one place, without commits and mark.
        if parts.count == 3 { return JournalHead(lane: lane, commits: 0) }
        // The mark is the end of what is written: a torn write lacks it.
        guard parts.count == 5, let commits = Int64(parts[3]), parts[4] == mark(parts[0...3].joined(separator: " ")) else { return nil }
        return JournalHead(lane: lane, commits: commits)
    }

    private static func mark(_ text: String) -> String { "#" + digestText(Array(text.utf8)).prefix(11) }

    private static let placeBytes = 160

    /// Two places in turn, so that a torn write leaves the one before.
    func write(_ head: JournalHead, synced: Bool) throws {
        let (lane, commits) = (head.lane, head.commits)
        let text = "\(lane.epoch) \(LanePosition.sequenceText(lane.sequence)) \(lane.hash ?? "-") \(commits)"
        let line = Array("\(text) \(HeadFile.mark(text)) \n".utf8)
        try put(line, at: commits % 2 == 0 ? 0 : HeadFile.placeBytes)
        if synced { try sync() }
    }

    func replace(with head: JournalHead) throws {
        try write(head, synced: false)
        try put([], at: head.commits % 2 == 0 ? HeadFile.placeBytes : 0)
        try sync()
    }

    private func put(_ line: [UInt8], at place: Int) throws {
        let fixed = line + [UInt8](repeating: 0x20, count: max(0, HeadFile.placeBytes - line.count))
        guard pwrite(descriptor, fixed, fixed.count, off_t(place)) == fixed.count else {
            throw JournalError(
                .full, "\(path): cannot be written (\(String(cString: strerror(errno))))",
                remedy: "Make room on the disk and start again")
        }
    }

    private func sync() throws {
        let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if folder >= 0 { close(folder) } }
        guard fsync(descriptor) == 0, folder < 0 || fsync(folder) == 0 else {
            throw JournalError(
                .full, "\(path): cannot be made durable (\(String(cString: strerror(errno))))",
                remedy: "Check the disk and start again; nothing was acknowledged")
        }
    }
}
