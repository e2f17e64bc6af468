/* What hypercalls of a PV64 kernel cost in the box, in instructions: ../bench.c says how. */
#include "pv.h"
#include "../frame/sample.h"

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* The wrapper's own instructions are in the figure. */
static void measure(const char *name, void (*before)(void), uint64_t number, uint64_t op,
                    const void *arg)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t from;

        before();
        from = rdtsc();
        (void)pv_hypercall(number, op, (uint64_t)arg, 0, 0);
        sample[i] = rdtsc() - from;
    }
    say("bench %s %lu", name, (unsigned long)median());
}

static void nothing(void)
{
}

/* Upcalls are masked: each send finds nobody told yet, and goes all the way. */
static void forget_events(void)
{
    pv_shared->pending[0] = 0;
    pv_shared->vcpu_info[0].pending_sel = 0;
    pv_shared->vcpu_info[0].upcall_pending = 0;
}

static void instructions_of_a_call(void)
{
    struct xen_evtchn_ipi ipi = {0, 0};

    expect(pv_hypercall(HC_EVENT_CHANNEL_OP, EVTCHN_BIND_IPI, (uint64_t)&ipi, 0, 0) == 0);
    pv_shared->mask[0] = 0;
    measure("pv64-null-hypercall", nothing, HC_XEN_VERSION, XENVER_VERSION, NULL);
    measure("pv64-event-send", forget_events, HC_EVENT_CHANNEL_OP, EVTCHN_SEND, &ipi.port);
}

const struct test tests[] = {
    TEST(instructions_of_a_call),
    TEST_END,
};
