#ifndef HV_CRASH_H
#define HV_CRASH_H

/* One of crash.c's list; comes back when it does not know what. */
void crash_on_request(const char *what);

#endif
