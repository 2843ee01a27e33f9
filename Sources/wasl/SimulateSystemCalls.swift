import ArgumentParser
import Foundation
import GRDB
import WaslCatalogue
import WaslJournal
import WaslLedger
import WaslModel

/// `wasl simulate role`: what the next command runs and breaks.
struct SimulateRole: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "role", abstract: "A short run of one role's steps on a real file.", shouldDisplay: false)

    @Argument var role: String
    @Option var db: String
    @Option var schemas: String?

    func run() async throws {
        guard let role = Role(rawValue: role) else { throw Failure.usage("role: house, agency or ledger") }
        let catalogue = try Catalogue(folder: try Program.schemas(schemas))
        let exercise = try RoleExercise(role: role, path: db, catalogue: catalogue) { table, column, value in
            // One write, so that a line is there whole or not at all.
            FileHandle.standardOutput.write(Data("\(table) \(column) \(value)\n".utf8))
        }
        try await exercise.run()
    }
}

/// `wasl simulate syscalls`
struct SimulateSystemCalls: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "syscalls",
        abstract: "Fails every single write, sync and truncation of a short run of each role, one after the other.",
        discussion: """
            For each role and each system call on its journal: the call fails with an I/O error, fails for want of room, writes half, or the \\
            process is killed before it. Then nothing that was acknowledged may be missing, `wasl journal check` must be clean, and the \\
            same run must go through to its end.

            Needs libwaslfaults.so beside the program (`swift build` makes it). Where it is absent everything is counted as not tried.
            Example: wasl simulate syscalls --json
            """)

    @Option(help: "Where the journals are made; a new folder there.") var data: String?
    @Option(help: "Try every so-manieth call only; 1 is all of them.") var every = 1
    @Flag(help: "Print one JSON object.") var json = false
    @Option(help: "The Schemas folder.") var schemas: String?

    private struct Tally {
        var points = 0
        var died = 0
        var lost: [String] = []
        var damaged: [String] = []
        var stuck: [String] = []
        var notEnded: [String] = []

        var isClean: Bool { lost.isEmpty && damaged.isEmpty && stuck.isEmpty && notEnded.isEmpty }
    }

    func run() async throws {
        guard every >= 1 else { throw Failure.usage("--every is at least 1") }
        let library = URL(fileURLWithPath: Program.path).deletingLastPathComponent().appendingPathComponent("libwaslfaults.so").path
        guard FileManager.default.fileExists(atPath: library) else {
            say("not tried: \(library) is not there; `swift build` makes it")
            if json { print(JSON.object(["tried": false]).text) }
            throw Failure.unavailable("no fault was injected: this proves nothing")
        }
        let folder = (data ?? NSTemporaryDirectory()) + "/wasl-syscalls-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var rows = JSONObject()
        var isClean = true
        for role in RoleExercise.roles {
            for (call, actions) in [
                ("write", ["EIO", "ENOSPC", "short", "kill"]), ("sync", ["EIO", "kill"]), ("truncate", ["EIO", "kill"]),
            ] {
                for action in actions {
                    let tally = try probe(role, call, action, library, folder)
                    isClean = isClean && tally.isClean
                    say(
                        "\(role.rawValue) \(call) \(action): \(tally.points) points, \(tally.died) ended early, \(tally.lost.count) lost, \(tally.damaged.count) damaged, \(tally.stuck.count) not recovered"
                    )
                    for problem in (tally.lost + tally.damaged + tally.stuck + tally.notEnded).prefix(5) { say("  \(problem)") }
                    rows["\(role.rawValue) \(call) \(action)"] = [
                        "points": JSON(tally.points), "endedEarly": JSON(tally.died), "lost": JSON(tally.lost.count),
                        "damaged": JSON(tally.damaged.count), "notRecovered": JSON(tally.stuck.count),
                    ]
                }
            }
        }
        if json { print(JSON.object(["tried": true, "runs": .object(rows)]).text) }
        guard isClean else { throw Failure.notAsItShouldBe("something acknowledged was lost, or a journal did not recover: see above") }
    }

    private func probe(_ role: Role, _ call: String, _ action: String, _ library: String, _ folder: String) throws -> Tally {
        var tally = Tally()
        // The rollback journal serves only while the file is being made: SQLite itself does without its sync.
        let what = ["WASL_FAULT_CALL": call, "WASL_FAULT_NOT": "-journal"]
        let count = try exercise(role, folder, library, what).calls
        for number in stride(from: 1, through: count, by: every) {
            tally.points += 1
            let place = "\(role.rawValue), \(call) \(number) of \(count), \(action)"
            let run = try exercise(
                role, folder, library, what.merging(["WASL_FAULT_AT": String(number), "WASL_FAULT_DO": action]) { $1 })
            if run.status != 0 { tally.died += 1 }
            // After a failed sync nobody knows what the disk holds: only the end of the process is right.
            // (The first is of the empty file, before there is a table.)
            if call == "sync", action == "EIO", number > 1, run.acknowledgedAfterFault {
                tally.notEnded.append("\(place): it went on acknowledging")
            }
            let path = folder + "/journal.sqlite"
            if FileManager.default.fileExists(atPath: path) {
                try check(run.acknowledged, path, place, &tally)
            } else if !run.acknowledged.isEmpty {
                tally.lost.append("\(place): the whole journal")
            }
            let again = try exercise(role, folder, library, [:], isFresh: false)
            if again.status != 0 { tally.stuck.append("\(place): the next run ended with \(again.status): \(again.errors.suffix(200))") }
            try check(run.acknowledged + again.acknowledged, path, place + ", after recovery", &tally)
        }
        return tally
    }

    private func check(_ acknowledged: [String], _ path: String, _ place: String, _ tally: inout Tally) throws {
        // A copy, so that looking changes nothing for the run that follows.
        let copy = path + ".looked-at"
        for suffix in ["", "-wal"] {
            try? FileManager.default.removeItem(atPath: copy + suffix)
            try? FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
        }
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: copy + suffix) } }
        do {
            let queue = try DatabaseQueue(path: copy)
            defer { try? queue.close() }
            let missing = try queue.read { db in
                try acknowledged.filter { line in
                    let parts = line.split(separator: " ").map(String.init)
                    guard parts.count == 3, try db.tableExists(parts[0]) else { return true }
                    return try Bool.fetchOne(db, sql: "SELECT 1 FROM \(parts[0]) WHERE \(parts[1]) = ?", arguments: [parts[2]]) == nil
                }
            }
            for line in missing { tally.lost.append("\(place): \(line)") }
            try queue.close()
            if let damage = try JournalCheck.damage(path: copy) { tally.damaged.append("\(place): \(damage)") }
        } catch {
            tally.damaged.append("\(place): \(error)")
        }
    }

    private struct Run {
        let status: Int32
        let acknowledged: [String]
        let acknowledgedAfterFault: Bool
        let errors: String
        let calls: Int
    }

    private func exercise(
        _ role: Role, _ folder: String, _ library: String, _ faults: [String: String], isFresh: Bool = true
    ) throws -> Run {
        if isFresh { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let log = folder + "/calls"
        try? FileManager.default.removeItem(atPath: log)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Program.path)
        process.arguments = [
            "simulate", "role", role.rawValue, "--db", folder + "/journal.sqlite", "--schemas", try Program.schemas(schemas),
        ]
        var environment = [
            "PATH": "/usr/bin:/bin", "WASL_FAULT_MARK": "1", "LD_PRELOAD": library, "WASL_FAULT_PATH": "journal.sqlite",
            "WASL_FAULT_LOG": log,
        ]
        if let libraries = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"] { environment["LD_LIBRARY_PATH"] = libraries }
        process.environment = environment.merging(faults) { $1 }
        for name in ["/out", "/err"] { try Data().write(to: URL(fileURLWithPath: folder + name)) }
        process.standardOutput = FileHandle(forWritingAtPath: folder + "/out")
        process.standardError = FileHandle(forWritingAtPath: folder + "/err")
        try process.run()
        process.waitUntilExit()
        func text(_ path: String) -> String { String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self) }
        let lines = text(folder + "/out").split(separator: "\n").map(String.init)
        return Run(
            status: process.terminationReason == .uncaughtSignal ? 128 + process.terminationStatus : process.terminationStatus,
            acknowledged: lines.filter { $0 != "fault" },
            acknowledgedAfterFault: lines.firstIndex(of: "fault").map { $0 + 1 < lines.count } ?? false, errors: text(folder + "/err"),
            calls: FileManager.default.contents(atPath: log)?.count ?? 0)
    }
}
