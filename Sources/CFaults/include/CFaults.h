#ifndef WASL_CFAULTS_H
#define WASL_CFAULTS_H

/// Preloaded (`LD_PRELOAD`) into a role's process, for tests: makes a chosen system call on a chosen file fail.
///
/// | variable | meaning |
/// | --- | --- |
/// | `WASL_FAULT_PATH` | only calls on files whose path holds this text; without it nothing is touched |
/// | `WASL_FAULT_NOT` | and does not hold this one |
/// | `WASL_FAULT_CALL` | `write` (also pwrite), `sync` (fsync, fdatasync), `truncate`, or `any` |
/// | `WASL_FAULT_AT` | the call that fails, counted from 1 |
/// | `WASL_FAULT_WHILE` | instead: every such call fails while this file exists |
/// | `WASL_FAULT_DO` | `EIO`, `ENOSPC`, `short` (half of a write), or `kill` (SIGKILL before the call) |
/// | `WASL_FAULT_MARK` | a line `fault` goes to standard output when it strikes |
/// | `WASL_FAULT_LOG` | a byte is appended here for each such call, so that they can be counted |
extern int wasl_faults_are_here;

#endif
