/* What the legacy Xen ABI's calls cost, in instructions: bench.c says how. */
#include "sample.h"
#include "xen.h"

/* `before` runs outside the readings; the wrapper's own instructions are in the figure. */
static void measure(const char *name, void (*before)(void), uint64_t number, uint64_t op,
                    const volatile void *arg)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t from;

        before();
        from = rdtsc();
        (void)xen(number, op, arg, 0);
        sample[i] = rdtsc() - from;
    }
    say("bench %-24s %lu", name, (unsigned long)median());
}

static void nothing(void)
{
}

/* Interrupts are off: each send finds nobody told yet, and goes all the way. */
static void forget_events(void)
{
    xen_shared->pending[0] = 0;
    xen_shared->vcpu_info[0].pending_sel = 0;
    xen_shared->vcpu_info[0].upcall_pending = 0;
}

static void instructions_of_a_call(void)
{
    struct xen_feature_info f = {0, 0};
    uint32_t port;

    xen_setup(0x60);
    port = xen_bind_ipi(0);
    measure("xen-null-hypercall", nothing, HC_XEN_VERSION, XENVER_VERSION, NULL);
    measure("xen-event-send", forget_events, HC_EVENT_CHANNEL_OP, EVTCHN_SEND, &port);
    measure("xen-event-send-again", nothing, HC_EVENT_CHANNEL_OP, EVTCHN_SEND, &port);
    measure("xen-set-timer", nothing, HC_SET_TIMER_OP, 1ull << 50, NULL);
    measure("xen-copy-in-and-out", nothing, HC_XEN_VERSION, XENVER_GET_FEATURES, &f);
    expect(f.map != 0);
}

const struct test tests[] = {
    TEST(instructions_of_a_call),
    TEST_END,
};
