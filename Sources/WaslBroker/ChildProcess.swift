public import Foundation

/// A child process in a session of its own, its output in a file.
///
/// Foundation's `Process` cannot start a session, without which a signal to the terminal's foreground group would stop every child
/// before its parent had a say.
public final class ChildProcess: @unchecked Sendable {
    // Only `processID`, which never changes, and the kernel's own state are read.
    public let processID: pid_t
    /// `POSIX_SPAWN_SETSID` of <spawn.h>, which glibc shows to GNU sources only.
    private let startsSession: Int16 = 0x80

    /// - Parameters:
    ///   - output: the file to which standard output and error are appended.
    ///   - input: a descriptor for standard input, or nothing (`/dev/null`).
    public init(
        _ executable: String, _ arguments: [String], environment: [String: String], output: String, input: Int32? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, startsSession | Int16(POSIX_SPAWN_SETSIGMASK))
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        let argv = ([executable] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var child: pid_t = 0
        let status = posix_spawn(&child, executable, &actions, &attributes, argv, envp)
        guard status == 0 else {
            throw BrokerError(.node, "\(executable): \(String(cString: strerror(status)))")
        }
        processID = child
    }

    /// The exit status if the child has ended: its code, or 128 and the signal. Call until it answers, and not after.
    public func reap() -> Int32? {
        var status: Int32 = 0
        guard waitpid(processID, &status, WNOHANG) == processID else { return nil }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    public func signal(_ number: Int32) { kill(processID, number) }

    /// Signals the child and everything it started.
    public func signalSession(_ number: Int32) { kill(-processID, number) }

    /// Asks, waits, then kills.
    ///
    /// - Parameter asks: not where the child was asked before: the second time it would end at once.
    public func stop(grace: Duration, asks: Bool = true) {
        if asks { signalSession(SIGTERM) }
        let end = ContinuousClock.now + grace
        while ContinuousClock.now < end {
            if reap() != nil { return signalSession(SIGKILL) }
            Thread.sleep(forTimeInterval: 0.02)
        }
        signalSession(SIGKILL)
        var status: Int32 = 0
        waitpid(processID, &status, 0)
    }
}
