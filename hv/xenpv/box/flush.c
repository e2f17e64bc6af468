/* Flushes of TLBs, here and on other vCPUs; and the lock, whose waiters answer them. */
#include "page.h"

static uint64_t clock = 1;
static uint32_t locked;

uint64_t flush_clock(void)
{
    return __atomic_load_n(&clock, __ATOMIC_SEQ_CST);
}

/* The time before it: what goes away meanwhile, the processor may have looked up again. */
void flush_local(struct vcpu *v)
{
    uint64_t now;

    v->flush_wanted = false;
    now = __atomic_add_fetch(&clock, 1, __ATOMIC_SEQ_CST);
    cpu_set_table(v->kernel != 0 ? v->kernel_table : v->user_table);
    __atomic_store_n(&v->flushed, now, __ATOMIC_SEQ_CST);
}

static void answer(struct vcpu *v)
{
    if (__atomic_load_n(&v->flush_wanted, __ATOMIC_ACQUIRE)) {
        flush_local(v);
    }
}

/* One that sleeps looks when it wakes, before it touches anything of the guest. */
static bool owes(const struct vcpu *v, uint64_t since)
{
    return v->up && __atomic_load_n(&v->flushed, __ATOMIC_SEQ_CST) <= since &&
           !__atomic_load_n(&v->blocked, __ATOMIC_SEQ_CST);
}

/* Waits until every vCPU that runs was flushed after `since`; the caller holds the lock. */
static void flush_others(const struct vcpu *self, uint64_t since)
{
    for (uint32_t i = 0; i < box.vcpus; i++) {
        struct vcpu *o = box.vcpu[i];

        if (o != self && o->up) {
            __atomic_store_n(&o->flush_wanted, true, __ATOMIC_SEQ_CST);
            if (owes(o, since)) {
                outside_kick(o);
            }
        }
    }
    for (uint32_t i = 0; i < box.vcpus; i++) {
        while (box.vcpu[i] != self && owes(box.vcpu[i], since)) {
            __builtin_ia32_pause();
        }
    }
}

static struct vcpu *holder;

void flush_since(uint64_t freed)
{
    struct vcpu *v = holder;

    if (v == NULL) {
        return; /* nobody runs yet */
    }
    if (v->flushed <= freed) {
        flush_local(v);
    }
    flush_others(v, freed);
}

void flush_all(struct vcpu *v)
{
    uint64_t now = flush_clock();

    flush_local(v);
    flush_others(v, now);
}

void flush_address(struct vcpu *v, uint64_t va, bool all)
{
    if (canonical(va)) {
        __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
    }
    if (all) {
        flush_others(v, flush_clock());
    }
}

void box_lock(struct vcpu *v)
{
    while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE) != 0) {
        answer(v);
        __builtin_ia32_pause();
    }
    answer(v);
    holder = v;
}

void box_unlock(struct vcpu *v)
{
    (void)v;
    holder = NULL;
    __atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}

struct vcpu *box_holder(void)
{
    return holder;
}

void flush_if_wanted(struct vcpu *v)
{
    answer(v);
}
