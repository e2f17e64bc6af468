/* The log: levels, an in-memory ring, the console. Guest-triggered lines go through log_vm. */
#ifndef HV_LOG_H
#define HV_LOG_H

#include <stdarg.h>

#include "hv/types.h"

struct vm;

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* One line, no newline needed. Up to 240 characters; longer ones are cut. */
void log_at(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
void log_vat(enum log_level level, const char *fmt, va_list ap) PRINTF(2, 0);

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/*
 * A line that a guest can provoke: prefixed with the domain's name, and limited to a burst of 20
 * and 5 a second for each domain; how many were dropped is told by the next that passes.
 */
void log_vm(struct vm *vm, enum log_level level, const char *fmt, ...) PRINTF(3, 4);

#endif
