#define _GNU_SOURCE
#include "CJQ.h"
#include <jq.h>
#include <jv.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

struct wasl_jq {
    jq_state *state;
};

struct complaint {
    char *message;
    size_t capacity;
};

static void put(char *message, size_t capacity, const char *text) {
    if (capacity && !message[0]) snprintf(message, capacity, "%s", text);
}

static void on_error(void *data, jv error) {
    struct complaint *complaint = data;
    error = jq_format_error(error);
    put(complaint->message, complaint->capacity, jv_string_value(error));
    jv_free(error);
}

wasl_jq *wasl_jq_compile(const char *program, char *message, size_t capacity) {
    message[0] = 0;
    jq_state *state = jq_init();
    if (!state) {
        put(message, capacity, "jq could not start");
        return NULL;
    }
    struct complaint complaint = {message, capacity};
    jq_set_error_cb(state, on_error, &complaint);
    jq_set_attr(state, jv_string("JQ_LIBRARY_PATH"), jv_array());
    int compiled = jq_compile(state, program);
    jq_set_error_cb(state, NULL, NULL);
    if (!compiled) {
        put(message, capacity, "the program does not compile");
        jq_teardown(&state);
        return NULL;
    }
    wasl_jq *jq = malloc(sizeof *jq);
    jq->state = state;
    return jq;
}

static int fail_with(jv invalid, char *message, size_t capacity, const char *otherwise) {
    jv reason = jv_invalid_get_msg(invalid);
    if (jv_get_kind(reason) == JV_KIND_STRING) {
        put(message, capacity, jv_string_value(reason));
    } else if (jv_is_valid(reason) && jv_get_kind(reason) != JV_KIND_NULL) {
        char text[64];
        snprintf(text, sizeof text, "an error of the type %s", jv_kind_name(jv_get_kind(reason)));
        put(message, capacity, text);
    } else {
        put(message, capacity, otherwise);
    }
    jv_free(reason);
    return 1;
}

int wasl_jq_run(wasl_jq *jq, const char *input, size_t length, char **output, char *message, size_t capacity) {
    message[0] = 0;
    *output = NULL;
    jv value = jv_parse_sized(input, (int)length);
    if (!jv_is_valid(value)) return fail_with(value, message, capacity, "the input is not JSON");
    jq_start(jq->state, value, 0);
    jv first = jq_next(jq->state);
    if (!jv_is_valid(first)) return fail_with(first, message, capacity, "the program gave no value");
    jv second = jq_next(jq->state);
    if (jv_is_valid(second)) {
        jv_free(second);
        jv_free(first);
        put(message, capacity, "the program gave more than one value");
        return 1;
    }
    if (jv_invalid_has_msg(jv_copy(second))) {
        jv_free(first);
        return fail_with(second, message, capacity, "the program failed after its first value");
    }
    jv_free(second);
    jv text = jv_dump_string(first, 0);
    *output = strdup(jv_string_value(text));
    jv_free(text);
    return 0;
}

static int limit(int resource, rlim_t value) {
    struct rlimit both = {value, value};
    return setrlimit(resource, &both);
}

int wasl_jq_confine(size_t address_space_bytes) {
    int failed = limit(RLIMIT_CORE, 0);
    failed |= limit(RLIMIT_NOFILE, 3);
    failed |= limit(RLIMIT_FSIZE, 0);
    if (address_space_bytes) failed |= limit(RLIMIT_AS, address_space_bytes);
    return failed;
}

void wasl_jq_cpu_limit(int milliseconds) {
    struct itimerval timer = {{0, 0}, {milliseconds / 1000, (milliseconds % 1000) * 1000}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

int wasl_jq_spawn(const char *executable, pid_t *process, int *to_helper, int *from_helper) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC)) return errno;
    if (pipe2(out, O_CLOEXEC)) {
        int failed = errno;
        close(in[0]);
        close(in[1]);
        return failed;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    // Whatever a library may have left open without O_CLOEXEC is none of its business.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    char *arguments[] = {(char *)executable, "jq-helper", NULL};
    char *environment[] = {NULL};
    int failed = posix_spawn(process, executable, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (failed) {
        close(in[1]);
        close(out[0]);
        return failed;
    }
    *to_helper = in[1];
    *from_helper = out[0];
    return 0;
}
