import CJQ
import Foundation
public import WaslModel

/// Why a translation gave nothing.
public struct TranslationError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// A program does not compile, or failed on this input.
        case program
        /// The helper process died or took too long over this input.
        case killed
        /// The helper process does not start: no input is to blame.
        case unavailable
        case closed
    }

    public let code: Code
    public let reason: String

    public var description: String { reason }
}

/// Runs the catalogue's jq programs in a confined helper process; one thread speaks with it.
///
/// The helper is started again when it dies; what it was working on fails as `killed`. Neither that nor a helper that does not start says
/// anything about a request: before a call nothing was sent, and it is tried again.
public final class Translator: @unchecked Sendable {
    private struct Job {
        let program: String
        let input: [UInt8]
        let finish: (Result<JSON, TranslationError>) -> Void
    }

    // `condition` guards `waiting` and `isClosing`; the rest belongs to the thread.
    private let condition = NSCondition()
    private var waiting: [Job] = []
    private var isClosing = false
    private let executable: String
    private var programs: [String: String]
    private var helper: Helper?
    /// Compiled and waiting for the thread to take it; guarded by `condition`.
    private var replacement: (programs: [String: String], helper: Helper)?

    private static let timeout: Duration = .seconds(3)

    /// Starts the helper and compiles every program.
    ///
    /// - Parameter executable: the `wasl` program, which serves as helper with the argument `jq-helper`.
    /// - Throws: ``TranslationError`` naming the program that does not compile.
    public init(programs: [String: String], executable: String) throws {
        self.programs = programs
        self.executable = executable
        helper = try Helper(executable: executable, programs: programs)
        let thread = Thread { [self] in serve() }
        thread.name = "translator"
        thread.start()
    }

    /// Runs a program over a value: exactly one value comes out, or an error.
    public func run(_ program: String, _ input: JSON) async throws(TranslationError) -> JSON {
        let bytes = input.bytes
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<JSON, TranslationError>, Never>) in
            let isOpen = condition.withLock {
                guard !isClosing else { return false }
                waiting.append(Job(program: program, input: bytes) { continuation.resume(returning: $0) })
                condition.signal()
                return true
            }
            if !isOpen { continuation.resume(returning: .failure(TranslationError(code: .closed, reason: "closing"))) }
        }
        return try result.get()
    }

    /// Goes by other programs from the next job on.
    ///
    /// - Throws: ``TranslationError`` naming the program that does not compile; the old ones stay.
    public func replace(programs: [String: String]) throws {
        let fresh = try Helper(executable: executable, programs: programs)
        let unused = condition.withLock {
            defer { replacement = (programs, fresh) }
            return replacement?.helper
        }
        unused?.stop()
    }

    public func close() {
        condition.withLock {
            isClosing = true
            condition.signal()
        }
    }

    private func serve() {
        while true {
            condition.lock()
            while waiting.isEmpty, !isClosing { condition.wait() }
            let jobs = Array(waiting.prefix(32))
            waiting.removeFirst(jobs.count)
            let fresh = replacement
            replacement = nil
            condition.unlock()
            if let fresh {
                helper?.stop()
                (programs, helper) = fresh
            }
            if jobs.isEmpty {
                helper?.stop()
                return
            }
            serve(jobs[...])
        }
    }

    /// One write for all, then their answers in order. When the helper dies, the job it was at fails and the rest go to a new one.
    private func serve(_ jobs: ArraySlice<Job>) {
        var jobs = jobs
        while !jobs.isEmpty {
            let running: Helper
            do { running = try helper ?? Helper(executable: executable, programs: programs) } catch {
                // Its programs compiled at the start, so whatever it is now is this machine's trouble. It would be the next job's too.
                let failure = TranslationError(code: .unavailable, reason: "\(error)")
                for job in jobs { job.finish(.failure(failure)) }
                return
            }
            helper = running
            do {
                // Bounded, so that neither side waits for the other to read.
                let total = jobs.reduce(0) { $0 + $1.input.count }
                let batch = total < 32 << 10 ? jobs : jobs.prefix(1)
                guard running.send(batch.map { ($0.program, $0.input) }) else { throw Translator.killed }
                for job in batch {
                    let answer = try running.receive(until: .now + Translator.timeout)
                    jobs.removeFirst()
                    job.finish(answer)
                }
            } catch {
                helper?.stop()
                helper = nil
                jobs.removeFirst().finish(.failure(error as? TranslationError ?? Translator.killed))
            }
        }
    }

    fileprivate static let killed = TranslationError(
        code: .killed, reason: "the translation took too much time or memory and was stopped")
}

/// The running helper process and its two pipes.
///
/// Not by Foundation's `Process`: on a thread without a run loop its `waitUntilExit` spins, and may do so for ever.
private final class Helper {
    private let process: pid_t
    private let input: Int32
    private let output: Int32
    private var reader: FrameReader
    private var isStopped = false

    init(executable: String, programs: [String: String]) throws {
        var (child, toHelper, fromHelper): (pid_t, Int32, Int32) = (0, -1, -1)
        let status = wasl_jq_spawn(executable, &child, &toHelper, &fromHelper)
        (process, input, output) = (child, toHelper, fromHelper)
        reader = FrameReader(descriptor: output)
        guard status == 0 else {
            isStopped = true
            throw TranslationError(
                code: .unavailable, reason: "\(executable): the translation helper does not start: \(String(cString: strerror(status)))")
        }
        do { try begin(programs) } catch {
            stop()
            throw error
        }
    }

    deinit { stop() }

    private func begin(_ programs: [String: String]) throws {
        var frames: [UInt8] = []
        for (name, text) in programs.sorted(by: { $0.key < $1.key }) {
            frames += Array("PROGRAM \(name) \(text.utf8.count)\n".utf8) + Array(text.utf8)
        }
        guard writeAll(input, frames + Array("GO\n".utf8)) else {
            throw (try? receive(until: .now + .seconds(5)).failure) ?? Translator.killed
        }
        // jq takes some 13 ms to compile a program, its own library included.
        let patience: Duration = .seconds(10) + .milliseconds(60 * programs.count)
        if let failure = try receive(until: .now + patience).failure { throw failure }
    }

    func send(_ jobs: [(program: String, input: [UInt8])]) -> Bool {
        var frames: [UInt8] = []
        for job in jobs { frames += Array("RUN \(job.program) \(job.input.count)\n".utf8) + job.input }
        return writeAll(input, frames)
    }

    /// - Throws: ``TranslationError`` `killed` when the helper is gone; a program's own failure is a result.
    func receive(until deadline: ContinuousClock.Instant) throws -> Result<JSON, TranslationError> {
        guard let words = reader.line(until: deadline)?.split(separator: " "), words.count == 2, let length = Int(words[1]),
            let bytes = reader.bytes(length, until: deadline)
        else { throw Translator.killed }
        if words[0] == "OK" {
            if bytes.isEmpty { return .success(.null) }
            guard let json = try? JSON.parse(bytes) else {
                return .failure(TranslationError(code: .program, reason: "the program's value cannot be read again"))
            }
            return .success(json)
        }
        return .failure(TranslationError(code: .program, reason: String(decoding: bytes, as: UTF8.self)))
    }

    /// Ends the process and waits for its end.
    func stop() {
        guard !isStopped else { return }
        isStopped = true
        close(input)
        close(output)
        kill(process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) == -1, errno == EINTR {}
    }
}

extension Result where Success == JSON, Failure == TranslationError {
    fileprivate var failure: TranslationError? { if case .failure(let error) = self { error } else { nil } }
}
