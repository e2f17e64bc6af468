/*
 * Events, buffers and shares from many CPUs at once, under the thread sanitizer: no wake-up is
 * lost, whatever is masked meanwhile; and whoever opens, closes, shares and ends does no harm.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "cu.h"
#include "hv/abi.h"

#define CPUS   4u
#define EVENTS 20000u
#define ROUNDS 3000u
#define RACES  30000u
#define AREA   MiB(1)
#define PATIENCE 20000000000ull /* ns without an interrupt that is due */

static struct vm *a, *b;
static uint64_t *area_of_b;
static uint64_t sent, masks;
static bool finished, lost;

static uint64_t call(struct vm *vm, unsigned int vcpu, uint64_t number, uint64_t w, uint64_t x,
                     uint64_t y, uint64_t z, uint64_t *value)
{
    struct call c = {.arg = {w, x, y, z}};
    uint64_t st = call_dispatch(vm->vcpu[vcpu], number, &c);

    if (value != NULL) {
        *value = c.value[0];
    }
    return st;
}

static struct vm *guest(const char *name, const char *peer)
{
    struct vm *vm = abi_vm(name, MiB(8), 2, 0x7f, peer);
    uint64_t h;

    REQUIRE(call(vm, 0, ABI_CALL_BUF_REGISTER, AREA, 4096, 0, 0, &h) == ABI_OK);
    REQUIRE(call(vm, 0, ABI_CALL_EVENT_SETUP, h, 0, 0, 0, NULL) == ABI_OK);
    return vm;
}

static void start(void)
{
    uint64_t run;
    void *at;

    fake_ram_size(MiB(128));
    core_boot_map(CPUS + 2, 1); /* CPU 0 runs what there is to run: nothing */
    fake_play(CPUS + 1);
    a = guest("a", "b");
    b = guest("b", "a");
    REQUIRE(vm_mem_host(b, gpa(AREA), &at, &run) == ABI_OK);
    area_of_b = at;
    finished = false;
    lost = false;
    sent = 0;
    masks = 0;
    fake_start_free();
}

static void join(void *(*const fn[CPUS])(void *arg))
{
    pthread_t threads[CPUS];

    for (uintptr_t i = 0; i < CPUS; i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, fn[i], (void *)i) == 0);
    }
    for (unsigned int i = 0; i < CPUS; i++) {
        pthread_join(threads[i], NULL);
    }
    fake_stop();
    vm_destroy(a);
    vm_destroy(b);
    core_done();
}

/* Two of them send for the peer; what an event stands for is there before it. */
static void *sends(void *arg)
{
    fake_play((unsigned int)(uintptr_t)arg + 1);
    for (unsigned int i = 0; i < EVENTS; i++) {
        (void)atomic_add(&sent, 1u);
        REQUIRE(call(a, (unsigned int)(uintptr_t)arg % 2, ABI_CALL_EVENT_SEND, 0, 0, 0, 0, NULL) ==
                ABI_OK);
    }
    return NULL;
}

/* The receiver's other vCPU masks and unmasks until all was received. */
static void *masks_and_unmasks(void *arg)
{
    fake_play((unsigned int)(uintptr_t)arg + 1);
    while (!load_acquire(&finished)) {
        REQUIRE(call(b, 1, ABI_CALL_EVENT_MASK, 0, 1, 0, 0, NULL) == ABI_OK);
        REQUIRE(call(b, 1, ABI_CALL_EVENT_MASK, 0, 0, 0, 0, NULL) == ABI_OK);
        (void)atomic_add(&masks, 1u);
        sched_yield();
    }
    return NULL;
}

/* Looks only when it was interrupted: what it saw then must come to all that was sent. */
static void *receives(void *arg)
{
    uint64_t seen = 0, since = 0;

    fake_play((unsigned int)(uintptr_t)arg + 1);
    while (seen < 2 * EVENTS && !lost) {
        if (atomic_swap(&b->vcpu[0]->arch.raised, 0u) != 0) {
            since = 0;
            if (atomic_swap(&area_of_b[0], 0ul) != 0) {
                seen = atomic_load(&sent);
            }
        } else if (since == 0) {
            since = time_ns();
        } else if (time_ns() - since > PATIENCE) {
            lost = true;
        }
        sched_yield();
    }
    store_release(&finished, true);
    return NULL;
}

static void no_wake_up_is_lost_between_peers_that_send_and_mask(void)
{
    static void *(*const roles[CPUS])(void *arg) = {sends, sends, masks_and_unmasks, receives};

    start();
    REQUIRE(call(a, 0, ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, 0, 0, 64, NULL) == ABI_OK);
    REQUIRE(call(b, 0, ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, 0, 0, 64, NULL) == ABI_OK);
    join(roles);
    CU_ASSERT_FALSE(lost);
    CU_ASSERT_EQUAL(sent, 2 * EVENTS);
    CU_ASSERT(masks > 10);
}

/* A spinning barrier for two: both sides of a race begin at the same moment. */
static uint32_t meeting;

static void meet(uint32_t round)
{
    (void)atomic_add(&meeting, 1u);
    while (atomic_load(&meeting) < 2 * round) {
    }
}

/* Each round begins masked and clear, and must end with one interrupt. */
static void *sends_once(void *arg)
{
    fake_play((unsigned int)(uintptr_t)arg + 1);
    for (uint32_t i = 1; i <= RACES; i++) {
        meet(2 * i - 1);
        REQUIRE(call(a, 0, ABI_CALL_EVENT_SEND, 0, 0, 0, 0, NULL) == ABI_OK);
        meet(2 * i);
    }
    return NULL;
}

static void *unmasks_once(void *arg)
{
    fake_play((unsigned int)(uintptr_t)arg + 1);
    for (uint32_t i = 1; i <= RACES; i++) {
        REQUIRE(call(b, 1, ABI_CALL_EVENT_MASK, 0, 1, 0, 0, NULL) == ABI_OK);
        meet(2 * i - 1);
        REQUIRE(call(b, 1, ABI_CALL_EVENT_MASK, 0, 0, 0, 0, NULL) == ABI_OK);
        meet(2 * i);
        lost |= atomic_swap(&b->vcpu[0]->arch.raised, 0u) == 0;
        (void)atomic_swap(&area_of_b[0], 0ul);
    }
    return NULL;
}

static void *does_nothing(void *arg)
{
    return arg;
}

static void one_sent_while_one_unmasks_always_interrupts(void)
{
    static void *(*const roles[CPUS])(void *arg) = {sends_once, unmasks_once, does_nothing,
                                                    does_nothing};

    start();
    meeting = 0;
    REQUIRE(call(a, 0, ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, 0, 0, 64, NULL) == ABI_OK);
    REQUIRE(call(b, 0, ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, 0, 0, 64, NULL) == ABI_OK);
    join(roles);
    CU_ASSERT_FALSE(lost);
}

static void one_call(struct vm *vm, unsigned int vcpu, unsigned int *seed)
{
    uint64_t r = (uint64_t)rand_r(seed), tag = r % 3;
    uint64_t number = ABI_CALL_BASE + 2 + (uint64_t)rand_r(seed) % 15, h;

    switch (number) {
    case ABI_CALL_BUF_REGISTER:
        (void)call(vm, vcpu, number, MiB(2) + r % 64 * 2048, 4096, 0, 0, NULL);
        break;
    case ABI_CALL_BUF_QUERY:
    case ABI_CALL_BUF_UNREGISTER:
    case ABI_CALL_EVENT_SETUP:
        (void)call(vm, vcpu, number, 64 * (1 + r % 8) + r % 5, 0, 0, 0, NULL);
        break;
    case ABI_CALL_EVENT_OPEN:
        (void)call(vm, vcpu, number, 1 + r % 4, r % 4 == 0 ? tag << 32 : 0, 0, 64, NULL);
        break;
    case ABI_CALL_EVENT_TIMER:
        (void)call(vm, vcpu, number, r % 8, time_ns() + r % 5000, 0, 0, NULL);
        break;
    case ABI_CALL_SHARE_OFFER:
        if (call(vm, vcpu, ABI_CALL_BUF_REGISTER, MiB(4) + tag * 4096, 4096, 0, 0, &h) == ABI_OK) {
            (void)call(vm, vcpu, number, h, 0, tag, 0, NULL);
        }
        break;
    case ABI_CALL_SHARE_ACCEPT:
        (void)call(vm, vcpu, number, 0, tag, GiB(8) + r % 4 * 4096, 0, NULL);
        break;
    case ABI_CALL_SHARE_END:
        (void)call(vm, vcpu, number, 0, tag, r / 8 % 2, 0, NULL);
        break;
    default:
        (void)call(vm, vcpu, number, r % 8, r / 8 % 2, 0, 0, NULL);
    }
}

static void *does_anything(void *arg)
{
    unsigned int cpu = (unsigned int)(uintptr_t)arg, seed = cpu + 1;

    fake_play(cpu + 1);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        one_call(cpu % 2 == 0 ? a : b, cpu / 2, &seed);
        fake_wait(time_ns() + 100);
    }
    return NULL;
}

static void everybody_may_call_everything_at_once(void)
{
    static void *(*const roles[CPUS])(void *arg) = {does_anything, does_anything, does_anything,
                                                    does_anything};

    start();
    join(roles);
}

/* One with the name of a peer comes and goes. */
static void *comes_and_goes(void *arg)
{
    unsigned int cpu = (unsigned int)(uintptr_t)arg, seed = cpu + 1;

    fake_play(cpu + 1);
    for (unsigned int i = 0; i < ROUNDS / 100; i++) {
        struct vm *vm = guest("b", "a");

        for (unsigned int j = 0; j < 40; j++) {
            one_call(vm, 0, &seed);
        }
        vm_destroy(vm);
    }
    return NULL;
}

static void a_peer_may_end_while_others_talk_to_it(void)
{
    static void *(*const roles[CPUS])(void *arg) = {does_anything, comes_and_goes, does_anything,
                                                    comes_and_goes};

    start();
    vm_destroy(b);
    b = guest("else", "a");
    join(roles);
}

static const struct cu_test tests[] = {
    CU(no_wake_up_is_lost_between_peers_that_send_and_mask),
    CU(one_sent_while_one_unmasks_always_interrupts),
    CU(everybody_may_call_everything_at_once),
    CU(a_peer_may_end_while_others_talk_to_it),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_event_stress", tests, argc, argv);
}
