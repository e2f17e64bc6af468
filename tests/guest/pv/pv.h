/* PV64 micro-guests (tests/guest/list.xen): a table of sentences, as in ../frame/frame.h. */
#ifndef GUEST_PV_H
#define GUEST_PV_H

#include "../../../hv/xenpv/box/pv_abi.h"

struct test {
    const char *name;
    void (*fn)(void);
};
extern const struct test tests[];
#define TEST(fn) {#fn, fn}
#define TEST_END {NULL, NULL}

extern struct pv_start_info *pv_info;
extern struct xen_shared_info *pv_shared;
extern volatile uint32_t pv_events; /* upcalls that came */

void say(const char *fmt, ...) PRINTF(1, 2);
void fail(const char *file, int line, const char *what);
NORETURN void power_off(void);
#define expect(cond)                                                                               \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fail(__FILE__, __LINE__, #cond);                                                       \
        }                                                                                          \
    } while (0)

int64_t pv_hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
/* The vector of the exception that a write raises; 0: none. */
uint64_t pv_write(volatile uint64_t *at, uint64_t value);
uint64_t pv_random(void);
int64_t pv_map(uint64_t va, uint64_t entry);
extern const char pv_trap_6[], pv_trap_13[], pv_trap_14[], pv_event_entry[];

/* The frame of one of the kernel's own pages. */
static inline uint64_t pv_frame(const volatile void *at)
{
    return ((const uint64_t *)pv_info->mfn_list)[(uint64_t)at >> 12];
}

#endif
