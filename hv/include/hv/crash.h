#ifndef HV_CRASH_H
#define HV_CRASH_H

/* null, write-text, execute-data, write-alias, stack, smash, lock, free. Comes back when unknown. */
void crash_on_request(const char *what);

#endif
