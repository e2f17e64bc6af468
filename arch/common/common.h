/* What the architectures of the images share, and what it asks of each of them. */
#ifndef ARCH_COMMON_H
#define ARCH_COMMON_H

#include "arch/boot.h"
#include "hv/cpu.h"
#include "hv/pt.h"
#include "hv/types.h"

/* ---- smp.c ---- */

extern struct cpu boot_cpu; /* index 0 */

/* One more, with its stacks, in the table: what the architecture knows of it is the caller's. */
struct cpu *smp_new_cpu(void);
/* Here came the interrupt that smp_call_others() sends. */
void smp_called(void);

/* The architecture's own: that interrupt to all others; a CPU's stacks, with a guard below each. */
void smp_call_others(void);
void stacks_create(struct cpu *c);

/* ---- ranges.c: lists of BOOT_RANGES_MAX entries; the caller tells of what has no room ---- */

struct ranges {
    struct boot_range *range;
    unsigned int *count;
};
#define RANGES_RAM      ((struct ranges){boot_info.ram, &boot_info.ram_count})
#define RANGES_RESERVED ((struct ranges){boot_info.reserved, &boot_info.reserved_count})

/* [base, end) joins the list, and those that it touches. False: it has no room, and is left out. */
MUST_CHECK bool range_add(struct ranges l, uint64_t base, uint64_t end);
/* Nothing of [base, end) stays. False: what was behind it in its range has no room, and goes. */
MUST_CHECK bool range_cut(struct ranges l, uint64_t base, uint64_t end);
/* base + len, or the last page's start where that is more than 64 bits have. */
#define RANGE_LAST (UINT64_MAX & PAGE_MASK)
uint64_t range_end(uint64_t base, uint64_t len);

/* ---- clock.c: clock_ns() is the architecture's own, and which counter it reads ---- */

extern struct own_clock {
    uint64_t start;        /* count */
    uint64_t ns_per_tick;  /* 32.32 fixed point */
    uint64_t ticks_per_ns; /* 32.32 */
    uint64_t wall;
} own_clock;

/* That counter's frequency (below 2^34), what it shows now, and the wall clock. */
void clock_start(uint64_t hz, uint64_t count, uint64_t wall);
uint64_t clock_to_count(uint64_t ns);

/* ns since then; 0 before. */
static inline uint64_t clock_from_count(uint64_t count)
{
    const struct own_clock *c = &own_clock;

    return count <= c->start
               ? 0
               : (uint64_t)(((unsigned __int128)(count - c->start) * c->ns_per_tick) >> 32);
}

/* ---- map.c ---- */

extern struct pt own_map; /* the hypervisor's own address space */

/* What arch_map_hypervisor() has on every CPU; nobody uses it yet. */
void map_create(void);
/* Adds to it; boot only, so no other CPU holds a stale entry. */
void paging_map(uint64_t va, pa_t to, uint64_t len, unsigned int attr);

/* The architecture's own: what was added is found from now on; what is gone, no more. */
void paging_added(void);
void paging_forget(uint64_t va, uint64_t len);

#endif
