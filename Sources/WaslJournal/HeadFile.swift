import Foundation
public import WaslModel

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
    }

    deinit { close(descriptor) }

    static let remedy =
        "If a backup was put back, follow Docs/operate/recovery.md: a house's or worker's journal is rebuilt with `wasl journal rebuild`, the ledger's reopened with `wasl journal reopen`"

    func read() -> JournalHead? {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        let parts = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ").map(String.init)
        guard parts.count >= 3, let epoch = EpochID(parts[0]), let sequence = Int64(parts[1]) else { return nil }
        return JournalHead(
            lane: LaneHead(epoch: epoch, sequence: sequence, hash: parts[2] == "-" ? nil : parts[2]),
            commits: parts.count > 3 ? Int64(parts[3]) ?? 0 : 0)
    }

    func write(_ head: JournalHead, synced: Bool) throws {
        let (lane, commits) = (head.lane, head.commits)
        let line = Array(
            "\(lane.epoch) \(LanePosition.sequenceText(lane.sequence)) \(lane.hash ?? "-") \(commits) \n".utf8)
        let fixed = line + [UInt8](repeating: 0x20, count: max(0, 128 - line.count))
        guard pwrite(descriptor, fixed, fixed.count, 0) == fixed.count else {
            throw JournalError(
                .full, "\(path): cannot be written (\(String(cString: strerror(errno))))",
                remedy: "Make room on the disk and start again")
        }
        if synced {
            fsync(descriptor)
            let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if folder >= 0 {
                fsync(folder)
                close(folder)
            }
        }
    }
}
