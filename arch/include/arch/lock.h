/* A fair spin lock that knows its holder. Interrupts are off wherever locks are taken. */
#ifndef ARCH_LOCK_H
#define ARCH_LOCK_H

#include "arch/barrier.h"
#include "arch/cpu.h"
#include "hv/check.h"

struct lock {
    uint16_t next;
    uint16_t owner;
    struct cpu *holder;
};

static inline void lock(struct lock *l)
{
    uint16_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
    struct cpu *self = this_cpu();

    REQUIRE(load_once(&l->holder) != self);
    while (UNLIKELY(load_acquire(&l->owner) != ticket)) {
        cpu_relax();
    }
    store_once(&l->holder, self);
}

static inline void unlock(struct lock *l)
{
    REQUIRE(l->holder == this_cpu());
    store_once(&l->holder, (struct cpu *)NULL);
    store_release(&l->owner, (uint16_t)(l->owner + 1));
}

static inline bool lock_held(const struct lock *l)
{
    return load_once(&l->holder) == this_cpu();
}

#endif
