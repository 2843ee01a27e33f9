// Shims over libjq for the helper process that translates: see WaslCatalogue/JQHelper.swift.
#ifndef WASL_CJQ_H
#define WASL_CJQ_H

#include <stddef.h>
#include <sys/types.h>

/// A compiled jq program.
typedef struct wasl_jq wasl_jq;

/// Compiles; NULL when it does not, with the reason in `message` (cut to `capacity`).
wasl_jq *wasl_jq_compile(const char *program, char *message, size_t capacity);

/// Runs over one JSON text. Returns 0 and an allocated JSON text in `*output` when the program gave exactly one value;
/// otherwise non-zero and the reason in `message`. The caller frees `*output`.
int wasl_jq_run(wasl_jq *jq, const char *input, size_t length, char **output, char *message, size_t capacity);

/// Starts `executable jq-helper` with an empty environment, its standard input and output on pipes, and no other descriptor.
/// Returns 0, or the error's number; the caller closes both ends and waits for the process.
int wasl_jq_spawn(const char *executable, pid_t *process, int *to_helper, int *from_helper);

/// Confines this process for good: address space, no new files, no core dump.
int wasl_jq_confine(size_t address_space_bytes);

/// Kills this process (SIGPROF) after that much CPU time; 0 disarms.
void wasl_jq_cpu_limit(int milliseconds);

#endif
