import Foundation

/// The process's file descriptors.
enum Descriptors {
    /// More are of no use to us, and a few programs are slow where the limit is in the millions.
    private static let wanted: rlim_t = 65_536

    /// Raises the soft limit towards the hard one.
    ///
    /// - Returns: how many the process may open.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_024 }
        if limit.rlim_cur < wanted {
            var raised = limit
            raised.rlim_cur = min(wanted, limit.rlim_max)
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(min(limit.rlim_cur, 1 << 20))
    }
}
