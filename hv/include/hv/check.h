/*
 * Three kinds of wrong: what comes from outside answers a status; a caller that breaks its promise
 * fails REQUIRE; our own broken logic fails CHECK. Both are always compiled in and end in panic().
 */
#ifndef HV_CHECK_H
#define HV_CHECK_H

#include "hv/types.h"

/* Prints the message, registers and a backtrace, and stops every CPU. Host tests long-jump. */
NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (UNLIKELY(!(cond))) {                                                                   \
            panic("%s: caller must ensure: %s", __func__, #cond);                                  \
        }                                                                                          \
    } while (0)

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (UNLIKELY(!(cond))) {                                                                   \
            panic("%s:%d: broken: %s", __FILE__, __LINE__, #cond);                                 \
        }                                                                                          \
    } while (0)

#endif
