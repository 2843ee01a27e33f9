#ifndef WASL_CFUZZER_H
#define WASL_CFUZZER_H

#include <stddef.h>
#include <stdint.h>

/// libFuzzer's entry for programs with a `main` of their own (compiler-rt, FuzzerInterface).
int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*callback)(const uint8_t *bytes, size_t length));

#endif
