/* Events that one vCPU sends another as fast as they are taken, by a vector that has no EOI. */
#include "xen.h"

#define EVENTS 3000u

static volatile unsigned int upcalls;
static volatile bool over;
static uint32_t port;

static void callback(struct frame *f)
{
    (void)f;
    xen_shared->pending[0] = 0;
    xen_shared->vcpu_info[0].pending_sel = 0;
    xen_shared->vcpu_info[0].upcall_pending = 0;
    upcalls++;
}

/* The next one goes as soon as the last was counted: often while its handler still runs. */
static void storm(void *arg)
{
    (void)arg;
    for (unsigned int i = 0; i < EVENTS; i++) {
        unsigned int before = upcalls;

        (void)xen(HC_EVENT_CHANNEL_OP, EVTCHN_SEND, &port, 0);
        within_ms(1000, upcalls != before);
        if (upcalls == before) {
            break;
        }
    }
    over = true;
}

static void no_event_of_another_vcpu_is_lost(void)
{
    struct xen_hvm_param p = {DOMID_SELF, 0, HVM_PARAM_CALLBACK_IRQ, (2ull << 56) | 0x61};

    on[0x61] = callback;
    xen_setup(0);
    expect_eq(xen(HC_HVM_OP, HVMOP_SET_PARAM, &p, 0), 0);
    expect(smp_start(2));
    port = xen_bind_ipi(0);
    irqs_on();
    cpu_run(1, storm, NULL);
    while (!over) {
        __asm__ volatile("pause");
    }
    irqs_off();
    expect_eq(upcalls, EVENTS);
}

const struct test tests[] = {
    TEST(no_event_of_another_vcpu_is_lost),
    TEST_END,
};
