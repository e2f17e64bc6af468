/* The log's own side: what boot and panic code need of it. */
#ifndef HV_LOG_RING_H
#define HV_LOG_RING_H

#include "hv/log.h"

void log_set_level(enum log_level level);
bool log_level_by_name(const char *name, enum log_level *level);

/* Whole lines, as they are: guests' consoles. */
void log_raw(const char *text, size_t len);

/* From now on nobody else runs: print without the lock. */
void log_panic_mode(void);

#endif
