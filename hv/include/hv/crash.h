#ifndef HV_CRASH_H
#define HV_CRASH_H

/* One of crash.c's list or of those that others add; comes back when it does not know what. */
void crash_on_request(const char *what);

/* A way that is not the core's: a technology's own. It registers itself in a linker section. */
struct crash_way {
    const char *name;
    void (*fn)(void);
};
#define CRASH_WAY(way)                                                                             \
    static const struct crash_way *const crash_way_entry                                           \
        __attribute__((used, section("crash_ways"))) = &(way)

#endif
