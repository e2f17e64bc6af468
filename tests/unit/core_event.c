/* Events and shares between VMs on the fake machine: ports, masks, timers, peers, revocation. */
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "cu.h"
#include "hv/abi.h"
#include "hv/guestmem.h"
#include "hv/page.h"

#define AREA MiB(1)
#define IRQ  64u

static struct vm *a, *b;

static uint64_t status(struct vm *vm, uint64_t number, uint64_t w, uint64_t x, uint64_t y,
                       uint64_t z)
{
    struct call c;

    return abi_call(vm, &c, number, w, x, y, z);
}

static uint64_t value(struct vm *vm, uint64_t number, uint64_t w, uint64_t x, uint64_t y,
                      uint64_t z)
{
    struct call c;

    CU_ASSERT_EQUAL(abi_call(vm, &c, number, w, x, y, z), ABI_OK);
    return c.value[0];
}

static struct vm *guest(const char *name, const char *peer)
{
    struct vm *vm = abi_vm(name, MiB(8), 2, 0x7f, peer);

    CU_ASSERT_EQUAL(status(vm, ABI_CALL_EVENT_SETUP,
                           value(vm, ABI_CALL_BUF_REGISTER, AREA, 4096, 0, 0), 0, 0, 0), ABI_OK);
    return vm;
}

static void start(void)
{
    core_boot(MiB(96), 1);
    a = guest("a", "b");
    b = guest("b", "a");
}

static void finish(void)
{
    if (a != NULL) {
        vm_destroy(a);
    }
    if (b != NULL) {
        vm_destroy(b);
    }
    core_done();
}

static uint64_t pending(struct vm *vm, unsigned int word)
{
    uint64_t w = 0;

    CU_ASSERT_EQUAL(guestmem_read(vm, gpa(AREA + word * 8), &w, 8), ABI_OK);
    return w;
}

static void take_pending(struct vm *vm)
{
    CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(AREA), 0, 32), ABI_OK);
}

static uint32_t raised(struct vm *vm, unsigned int vcpu)
{
    return atomic_swap(&vm->vcpu[vcpu]->arch.raised, 0u);
}

static uint64_t open_self(struct vm *vm)
{
    return value(vm, ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 1, IRQ);
}

static void an_event_sets_its_bit_and_interrupts_once_until_it_is_taken(void)
{
    uint64_t port;

    start();
    CU_ASSERT_EQUAL(open_self(a), 0);
    port = open_self(a);
    CU_ASSERT_EQUAL(port, 1);
    for (unsigned int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_OK);
    }
    CU_ASSERT_EQUAL(pending(a, 0), 2);
    CU_ASSERT_EQUAL(raised(a, 1), 1);
    CU_ASSERT_EQUAL(raised(a, 0), 0);
    CU_ASSERT_EQUAL(a->vcpu[1]->arch.irqs[1], 1);
    take_pending(a);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(raised(a, 1), 1);
    finish();
}

static void a_masked_port_waits_for_its_unmasking(void)
{
    start();
    CU_ASSERT_EQUAL(open_self(a), 0);
    CU_ASSERT_EQUAL(value(a, ABI_CALL_EVENT_MASK, 0, 1, 0, 0), 0);
    CU_ASSERT_EQUAL(value(a, ABI_CALL_EVENT_MASK, 0, 1, 0, 0), 1);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, 0, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(pending(a, 0), 1);
    CU_ASSERT_EQUAL(raised(a, 1), 0);
    CU_ASSERT_EQUAL(value(a, ABI_CALL_EVENT_MASK, 0, 0, 0, 0), 1);
    CU_ASSERT_EQUAL(raised(a, 1), 1);
    CU_ASSERT_EQUAL(value(a, ABI_CALL_EVENT_MASK, 0, 0, 0, 0), 0); /* not masked: no second one */
    CU_ASSERT_EQUAL(raised(a, 1), 0);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_MASK, 3, 0, 0, 0), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_MASK, 0, 2, 0, 0), ABI_BAD_ARG);
    finish();
}

static void what_cannot_be_opened_is_refused(void)
{
    start();
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, 0, 0, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, 5, 0, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 1, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 2, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 0, 31), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 0, 256), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, 1, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SETUP, 0, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 0, 0), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, 0, 0, 0, 0), ABI_NOT_FOUND);
    finish();
}

static void there_are_256_ports_and_the_area_stays_while_one_is_open(void)
{
    start();
    for (unsigned int i = 0; i < ABI_MAX_PORTS; i++) {
        CU_ASSERT_EQUAL(open_self(a), i);
    }
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 0, 0), ABI_LIMIT);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, 255, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(pending(a, 3), BIT(63));
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, 256, 0, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SETUP, 0, 0, 0, 0), ABI_BUSY);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_CLOSE, 255, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_CLOSE, 255, 0, 0, 0), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(open_self(a), 255);
    CU_ASSERT_EQUAL(pending(a, 3), 0); /* a new port's bit is clear */
    finish();
}

static void a_timer_fires_at_its_time_on_the_domains_clock(void)
{
    uint64_t port, now;

    start();
    a->arch.clock_zero = time_ns();
    port = value(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_TIMER, 0, 0, IRQ);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_TIMER, port, 5000, 0, 0), ABI_OK);
    now = time_ns();
    CU_ASSERT(now < a->arch.clock_zero + 5000);
    fake_advance(4000);
    CU_ASSERT_EQUAL(pending(a, 0), 0);
    fake_advance(2000);
    CU_ASSERT_EQUAL(pending(a, 0), 1);
    CU_ASSERT_EQUAL(raised(a, 0), 1);
    take_pending(a);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_TIMER, port, 9000, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_TIMER, port, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_TIMER, port, UINT64_MAX, 0, 0), ABI_OK);
    fake_advance(9000);
    CU_ASSERT_EQUAL(pending(a, 0), 0);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_TIMER, port, 1, 0, 0), ABI_OK); /* long ago */
    fake_advance(1);
    CU_ASSERT_EQUAL(pending(a, 0), 1);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_TIMER, open_self(a), 1, 0, 0), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_TIMER, 99, 1, 0, 0), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_TIMER, port, 20000, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_CLOSE, port, 0, 0, 0), ABI_OK);
    finish();
}

static uint64_t open_peer(struct vm *vm, uint64_t tag)
{
    return value(vm, ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, tag << 32, 0, IRQ);
}

static void peers_meet_by_tag_and_hear_each_other(void)
{
    uint64_t pa_, pb;

    start();
    (void)open_self(b);
    pa_ = open_peer(a, 7);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, 7ull << 32, 0, 0), ABI_EXISTS);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, pa_, 0, 0, 0), ABI_BAD_STATE);
    (void)open_peer(b, 8); /* another tag */
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, pa_, 0, 0, 0), ABI_BAD_STATE);
    pb = open_peer(b, 7);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, pa_, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(pending(b, 0), BIT(pb));
    CU_ASSERT_EQUAL(raised(b, 0), 1);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_EVENT_SEND, pb, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(pending(a, 0), BIT(pa_));
    take_pending(a);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_EVENT_CLOSE, pb, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(pending(a, 0), BIT(pa_)); /* it hears that */
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, pa_, 0, 0, 0), ABI_BAD_STATE);
    pb = open_peer(b, 7);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, pa_, 0, 0, 0), ABI_OK);
    finish();
}

static void a_peer_that_ends_leaves_a_port_that_waits(void)
{
    uint64_t port;

    start();
    port = open_peer(a, 1);
    (void)open_peer(b, 1);
    vm_destroy(b);
    CU_ASSERT_EQUAL(pending(a, 0), BIT(port));
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_BAD_STATE);
    b = guest("b", "a"); /* it comes again */
    (void)open_peer(b, 1);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_OK);
    finish();
}

static void one_that_is_not_named_back_is_nobodys_peer(void)
{
    struct vm *stranger;
    uint64_t port;

    start();
    stranger = guest("c", "a");
    (void)open_peer(a, 1);
    port = open_peer(stranger, 1);
    CU_ASSERT_EQUAL(status(stranger, ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(pending(a, 0), 0);
    CU_ASSERT_EQUAL(status(stranger, ABI_CALL_SHARE_ACCEPT, 0, 1, GiB(64), 0), ABI_NOT_FOUND);
    vm_destroy(stranger);
    finish();
}

static uint64_t offer(struct vm *vm, uint64_t at, uint64_t len, uint64_t tag)
{
    uint64_t h = value(vm, ABI_CALL_BUF_REGISTER, at, len, 0, 0);

    CU_ASSERT_EQUAL(status(vm, ABI_CALL_SHARE_OFFER, h, 0, tag, 0), ABI_OK);
    return h;
}

static void shared_memory_is_the_same_memory_until_it_ends(void)
{
    unsigned int attr, level;
    uint64_t h;
    pa_t at;

    start();
    h = offer(a, MiB(2), 8192, 5);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_BUSY);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_ACCEPT, 0, 6, GiB(8), 0), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_ACCEPT, 0, 5, MiB(4), 0), ABI_EXISTS);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(8) + 8, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(value(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(8), 0), 8192);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(9), 0), ABI_EXISTS);
    CU_ASSERT(pt_lookup(&b->stage2, GiB(8) + 4096, &at, &attr, &level));
    CU_ASSERT_EQUAL(attr, PT_W | PT_GUEST);
    CU_ASSERT_EQUAL(guestmem_store32(a, gpa(MiB(2) + 4100), 77), ABI_OK);
    CU_ASSERT_EQUAL(*(uint32_t *)pa_to_hva(pa(at.v + 4)), 77);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_BUF_REGISTER, GiB(8), 64, 0, 0), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_END, 0, 5, 0, 0), ABI_OK);
    CU_ASSERT_FALSE(pt_lookup(&b->stage2, GiB(8), &at, &attr, &level));
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_END, 0, 5, 1, 0), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_OK);
    finish();
}

static void a_share_that_does_not_fit_is_never_mapped_in_part(void)
{
    unsigned int attr, level;
    pa_t at;

    start();
    (void)offer(a, MiB(2), 2 * 4096, 5);
    CU_ASSERT_EQUAL(vm_fault(b, gpa(GiB(8) + 4096), false), ABI_OK); /* a page of ones is there */
    this_cpu()->current = b->vcpu[1]; /* as if it ran here: it could use the first page meanwhile */
    b->vcpu[1]->cpu = this_cpu();
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(8), 0), ABI_EXISTS);
    CU_ASSERT_EQUAL(b->vcpu[1]->requests & REQ_FLUSH, 0); /* there is nothing to forget */
    CU_ASSERT_FALSE(pt_lookup(&b->stage2, GiB(8), &at, &attr, &level));
    core_fail_alloc(2, false); /* a table of the second page */
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(9) - 4096, 0), ABI_NO_MEMORY);
    CU_ASSERT_FALSE(pt_lookup(&b->stage2, GiB(9) - 4096, &at, &attr, &level));
    CU_ASSERT_EQUAL(b->vcpu[1]->requests & REQ_FLUSH, 0);
    this_cpu()->current = NULL;
    CU_ASSERT_EQUAL(value(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(9) - 4096, 0), 2 * 4096);
    finish();
}

static void accepting_here_and_there_does_not_use_up_the_machine(void)
{
    uint64_t free, taken = ABI_OK;

    start();
    (void)offer(a, MiB(2), 4096, 5);
    free = page_count_free();
    for (uint64_t i = 0; i < 4096 && taken == ABI_OK; i++) {
        taken = status(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(512) * (1 + i % 200) + i * SIZE_2M, 0);
        if (taken == ABI_OK) {
            CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_END, 0, 5, 1, 0), ABI_OK);
        }
    }
    CU_ASSERT_EQUAL(taken, ABI_LIMIT);
    CU_ASSERT(free - page_count_free() < 1100); /* 4.3 MiB */
    finish();
}

static void who_accepted_may_give_it_back_and_take_it_again(void)
{
    start();
    (void)offer(a, MiB(2), 4096, 5);
    CU_ASSERT_EQUAL(value(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(8), 0), 4096);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_END, 0, 5, 1, 0), ABI_OK);
    CU_ASSERT_EQUAL(value(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(9), 0), 4096);
    finish();
}

static void the_end_of_a_share_waits_for_a_vcpu_that_runs(void)
{
    struct vcpu *v;

    start();
    v = b->vcpu[1];
    (void)offer(a, MiB(2), 4096, 5);
    CU_ASSERT_EQUAL(value(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(8), 0), 4096);
    this_cpu()->current = v; /* as if it ran here */
    v->cpu = this_cpu();
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_END, 0, 5, 0, 0), ABI_BUSY);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_END, 0, 5, 0, 0), ABI_BUSY);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(9), 0), ABI_NOT_FOUND);
    CU_ASSERT((atomic_and(&v->requests, ~(uint32_t)REQ_FLUSH) & REQ_FLUSH) != 0);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_END, 0, 5, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_END, 0, 5, 0, 0), ABI_NOT_FOUND);
    this_cpu()->current = NULL;
    finish();
}

static void whoever_ends_first_takes_its_memory_out_of_the_other(void)
{
    unsigned int attr, level;
    pa_t at;

    for (unsigned int first = 0; first < 2; first++) {
        start();
        (void)offer(a, MiB(2), 4096, 5);
        CU_ASSERT_EQUAL(value(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(8), 0), 4096);
        if (first == 0) {
            vm_destroy(a);
            a = NULL;
            CU_ASSERT_FALSE(pt_lookup(&b->stage2, GiB(8), &at, &attr, &level));
        } else {
            vm_destroy(b);
            b = guest("b", "a");
            CU_ASSERT_EQUAL(value(b, ABI_CALL_SHARE_ACCEPT, 0, 5, GiB(8), 0), 4096);
        }
        finish();
    }
}

static void what_is_no_whole_granule_or_too_much_is_not_shared(void)
{
    uint64_t h;

    start();
    h = value(a, ABI_CALL_BUF_REGISTER, MiB(2) + 8, 4096, 0, 0);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_OFFER, h, 0, 1, 0), ABI_BAD_ARG);
    h = value(a, ABI_CALL_BUF_REGISTER, MiB(3), 4097, 0, 0);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_OFFER, h, 0, 1, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_OFFER, h, 1, 1, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_OFFER, h + 64, 0, 1, 0), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_OK);
    h = value(a, ABI_CALL_BUF_REGISTER, MiB(3), 4096, ABI_BUF_READ_ONLY, 0);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_OFFER, h, 0, 1, 0), ABI_DENIED);
    for (unsigned int i = 0; i < ABI_MAX_SHARES; i++) {
        (void)offer(a, MiB(4) + i * 4096, 4096, i);
    }
    h = value(a, ABI_CALL_BUF_REGISTER, MiB(5), 4096, 0, 0);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_OFFER, h, 0, 3, 0), ABI_EXISTS);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_SHARE_OFFER, h, 0, 99, 0), ABI_LIMIT);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_ACCEPT, 0, 3, BIT(47) - 4096, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(b, ABI_CALL_SHARE_ACCEPT, 0, 4, BIT(47), 0), ABI_BAD_ARG);
    finish();
}

static void waiting_ends_at_once_when_something_came_before(void)
{
    start();
    (void)open_self(a);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_WAIT, 0, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(a->vcpu[0]->arch.waits, 1);
    (void)value(a, ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 0, 0); /* no interrupt */
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_SEND, 1, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(raised(a, 0), 0);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_WAIT, 0, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(a->vcpu[0]->arch.waits, 1);
    CU_ASSERT_EQUAL(status(a, ABI_CALL_EVENT_WAIT, 0, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(a->vcpu[0]->arch.waits, 2);
    finish();
}

static const struct cu_test tests[] = {
    CU(an_event_sets_its_bit_and_interrupts_once_until_it_is_taken),
    CU(a_masked_port_waits_for_its_unmasking),
    CU(what_cannot_be_opened_is_refused),
    CU(there_are_256_ports_and_the_area_stays_while_one_is_open),
    CU(a_timer_fires_at_its_time_on_the_domains_clock),
    CU(peers_meet_by_tag_and_hear_each_other),
    CU(a_peer_that_ends_leaves_a_port_that_waits),
    CU(one_that_is_not_named_back_is_nobodys_peer),
    CU(shared_memory_is_the_same_memory_until_it_ends),
    CU(a_share_that_does_not_fit_is_never_mapped_in_part),
    CU(accepting_here_and_there_does_not_use_up_the_machine),
    CU(who_accepted_may_give_it_back_and_take_it_again),
    CU(the_end_of_a_share_waits_for_a_vcpu_that_runs),
    CU(whoever_ends_first_takes_its_memory_out_of_the_other),
    CU(what_is_no_whole_granule_or_too_much_is_not_shared),
    CU(waiting_ends_at_once_when_something_came_before),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_event", tests, argc, argv);
}
