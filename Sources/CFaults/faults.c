#define _GNU_SOURCE
#include "CFaults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int wasl_faults_are_here = 1;

enum action { NOTHING, FAIL_EIO, FAIL_ENOSPC, SHORT, KILL };

static const char *path_part, *path_not, *call_kind, *while_file;
static long fail_at;
static enum action what;
static int log_file = -1;
static atomic_long seen;

__attribute__((constructor)) static void read_environment(void) {
    path_part = getenv("WASL_FAULT_PATH");
    path_not = getenv("WASL_FAULT_NOT");
    call_kind = getenv("WASL_FAULT_CALL");
    while_file = getenv("WASL_FAULT_WHILE");
    const char *at = getenv("WASL_FAULT_AT");
    fail_at = at ? atol(at) : 0;
    const char *action = getenv("WASL_FAULT_DO");
    if (action) {
        what = !strcmp(action, "EIO") ? FAIL_EIO : !strcmp(action, "ENOSPC") ? FAIL_ENOSPC : !strcmp(action, "short") ? SHORT
            : !strcmp(action, "kill") ? KILL : NOTHING;
    }
    const char *log = getenv("WASL_FAULT_LOG");
    if (log) { log_file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600); }
}

static int concerns(int descriptor, const char *kind) {
    if (!path_part || !call_kind || (strcmp(call_kind, "any") && strcmp(call_kind, kind))) { return 0; }
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) { return 0; }
    path[length] = 0;
    return strstr(path, path_part) && !(path_not && strstr(path, path_not));
}

/// What is to happen to this call. The raw system call writes the log, so that this library never meets itself.
static enum action decide(int descriptor, const char *kind) {
    if (!concerns(descriptor, kind)) { return NOTHING; }
    if (log_file >= 0) { syscall(SYS_write, log_file, ".", 1); }
    long number = atomic_fetch_add(&seen, 1) + 1;
    int strikes = while_file ? access(while_file, F_OK) == 0 : fail_at > 0 && number == fail_at;
    if (!strikes) { return NOTHING; }
    if (getenv("WASL_FAULT_MARK")) { syscall(SYS_write, 1, "fault\n", 6); }
    if (what == KILL) { kill(getpid(), SIGKILL); }
    return what;
}

/// -1 where the call fails, with errno set; else 0.
static int fails(enum action action) {
    if (action == FAIL_EIO) { errno = EIO; return -1; }
    if (action == FAIL_ENOSPC) { errno = ENOSPC; return -1; }
    return 0;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    enum action action = decide(descriptor, "write");
    if (fails(action)) { return -1; }
    return syscall(SYS_write, descriptor, bytes, action == SHORT ? count / 2 : count);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    enum action action = decide(descriptor, "write");
    if (fails(action)) { return -1; }
    return syscall(SYS_pwrite64, descriptor, bytes, action == SHORT ? count / 2 : count, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) { return pwrite64(descriptor, bytes, count, offset); }

int fsync(int descriptor) { return fails(decide(descriptor, "sync")) ? -1 : (int)syscall(SYS_fsync, descriptor); }

int fdatasync(int descriptor) { return fails(decide(descriptor, "sync")) ? -1 : (int)syscall(SYS_fdatasync, descriptor); }

int ftruncate64(int descriptor, off64_t length) {
    return fails(decide(descriptor, "truncate")) ? -1 : (int)syscall(SYS_ftruncate, descriptor, length);
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }
