/* CPUs that run at once: scheduling, requests from everywhere, VMs that end, under TSan. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "core_host.h"
#include "cu.h"
#include "hv/guestmem.h"
#include "hv/log.h"
#include "hv/page.h"

#define CPUS    3u
#define HELPERS 3u
#define MS      1000000ull

static void machine(void)
{
    fake_ram_size(MiB(256));
    core_boot_map(CPUS + HELPERS + 1, CPUS);
    fake_play(CPUS + HELPERS);
    fake_start_free();
}

/* False: it did not come true within some seconds. */
#define EVENTUALLY(condition)                                                                      \
    __extension__({                                                                                \
        uint64_t give_up_ = time_ns() + 10000 * MS;                                                \
        while (!(condition) && time_ns() < give_up_) {                                             \
            sched_yield();                                                                         \
        }                                                                                          \
        (condition);                                                                               \
    })

static void finish(void)
{
    CU_ASSERT(EVENTUALLY(vm_count() == 0));
    CU_ASSERT(EVENTUALLY(!vm_reap_pending()));
    fake_stop();
    core_done();
}

static void end_here(struct vm *vm)
{
    vm_end(vm, VM_DESTROYED, "by the test");
    vm_reap();
}

static void each_helper(void *(*fn)(void *arg))
{
    pthread_t threads[HELPERS];

    for (uintptr_t i = 0; i < HELPERS; i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, fn, (void *)(CPUS + i)) == 0);
    }
    for (unsigned int i = 0; i < HELPERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* A ball that a vCPU takes when an event comes, and throws to another. */
#define PLAYERS 7u
static struct vcpu *player[PLAYERS];
static uint64_t throws;
static bool ball_at[PLAYERS];

static enum run_end plays(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);
    unsigned int me = v->index;

    if ((bits & REQ_EVENT) != 0 && atomic_swap(&ball_at[me], false)) {
        unsigned int to = (unsigned int)((me * 5 + atomic_add(&throws, 1ull)) % PLAYERS);

        store_once(&ball_at[to], true);
        vcpu_request(player[to], REQ_EVENT);
    }
    return (bits & REQ_STOP) != 0 ? RUN_STOPPED : RUN_BLOCKED;
}

static void no_wake_up_is_lost_between_vcpus_that_block_at_once(void)
{
    struct vm *vm;

    machine();
    vm = core_vm("players", PLAYERS, 100, UINT64_MAX);
    store_once(&throws, 0ull);
    for (unsigned int i = 0; i < PLAYERS; i++) {
        player[i] = vm->vcpu[i];
        player[i]->arch.run = plays;
        ball_at[i] = false;
    }
    vm_start(vm);
    store_once(&ball_at[0], true);
    vcpu_request(player[0], REQ_EVENT);
    CU_ASSERT(EVENTUALLY(load_once(&throws) >= 20000));
    end_here(vm);
    finish();
}

/* Helpers throw requests at vCPUs that halt, run, and wait. */
static struct vm *target;
static bool storm_over;

static void *storms(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;

    fake_play(seed);
    while (!load_once(&storm_over)) {
        struct vcpu *v = target->vcpu[(unsigned int)rand_r(&seed) % target->vcpus];

        switch (rand_r(&seed) % 8) {
        case 0:
            arch_vm_flush(target);
            break;
        case 1:
            vm_serve_soon(target);
            break;
        case 2:
            sched_wake(v);
            break;
        case 3:
            store_once(&v->arch.wakeable, true);
            vcpu_request(v, REQ_EVENT);
            break;
        default:
            vcpu_request(v, REQ_EVENT);
        }
        if (rand_r(&seed) % 16 == 0) {
            sched_yield();
        }
    }
    return NULL;
}

static void *pauses_and_ends(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;

    if (seed != CPUS) {
        return storms(arg);
    }
    fake_play(seed);
    for (unsigned int i = 0; i < 400; i++) {
        if (rand_r(&seed) % 2 == 0) {
            vm_pause(target);
        } else {
            vm_resume(target);
        }
        for (unsigned int n = (unsigned int)rand_r(&seed) % 20; n > 0; n--) {
            sched_yield();
        }
    }
    vm_resume(target);
    CU_ASSERT(EVENTUALLY(load_acquire(&target->state) == VM_RUNNING));
    store_once(&storm_over, true);
    return NULL;
}

static void requests_pauses_and_resumes_may_come_at_any_time(void)
{
    machine();
    target = core_vm("target", 6, 100, UINT64_MAX);
    for (unsigned int i = 0; i < 6; i++) {
        target->vcpu[i]->arch.want = i < 2 ? UINT64_MAX : 0;
        target->vcpu[i]->arch.on_event = 20000;
    }
    vm_start(target);
    store_once(&storm_over, false);
    each_helper(pauses_and_ends);
    end_here(target);
    finish();
}

/* VMs are made, run, and ended by everybody who may, two causes at once. */
static enum run_end ends_its_vm(struct vcpu *v)
{
    if ((atomic_swap(&v->requests, 0u) & REQ_STOP) != 0) {
        return RUN_STOPPED;
    }
    vm_end(v->vm, VM_POWER_OFF, "vCPU %u", v->index);
    return RUN_RESCHED;
}

static void *makes_and_ends(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;

    fake_play(seed);
    for (unsigned int i = 0; i < 60; i++) {
        uint64_t affinity = i % 3 == 0 ? BIT(i % CPUS) : UINT64_MAX;
        struct vm *vm = core_vm("short", 3, 100 + 50 * (i % 5), affinity);
        bool by_itself = rand_r(&seed) % 2 == 0;

        for (unsigned int j = 0; j < 3; j++) {
            vm->vcpu[j]->arch.want = j == 0 ? UINT64_MAX : 30000;
            vm->vcpu[j]->arch.run = by_itself && j > 0 ? ends_its_vm : NULL;
        }
        (void)!guestmem_fill(vm, gpa(0), 0x77, SIZE_2M);
        vm_start(vm);
        if (!by_itself) {
            for (unsigned int n = (unsigned int)rand_r(&seed) % 10; n > 0; n--) {
                sched_yield();
            }
            end_here(vm);
        }
    }
    return NULL;
}

static void vms_come_and_go_on_all_cpus(void)
{
    machine();
    each_helper(makes_and_ends);
    finish();
}

/* Memory of one VM touched by many at once. */
static void *touches(void *arg)
{
    unsigned int me = (unsigned int)(uintptr_t)arg;
    unsigned int seed = me;

    fake_play(me);
    for (unsigned int i = 0; i < 300; i++) {
        uint64_t at = ((unsigned int)rand_r(&seed) % 16) * SIZE_2M + 64 * me;
        uint32_t word = 1;

        switch (rand_r(&seed) % 4) {
        case 0:
            CU_ASSERT_EQUAL(vm_fault(target, gpa(at), false), ABI_OK);
            break;
        case 1:
            CU_ASSERT_EQUAL(guestmem_load32(target, gpa(at), &word), ABI_OK);
            CU_ASSERT(word == 0 || word == me);
            break;
        case 2:
            (void)!vm_fault(target, gpa(GiB(1) + at), false);
            CU_ASSERT_PTR_NOT_NULL(vm_alloc(target, 100));
            CU_ASSERT_PTR_NOT_NULL(vm_alloc_page(target));
            break;
        default:
            CU_ASSERT_EQUAL(guestmem_store32(target, gpa(at), me), ABI_OK);
        }
    }
    return NULL;
}

static void memory_may_be_touched_by_all_at_once(void)
{
    struct domain_config cfg = core_config(MiB(32), 1);

    machine();
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &target), ABI_OK);
    each_helper(touches);
    vm_destroy(target);
    finish();
}

static void *takes_pages(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    uint16_t owner = (uint16_t)seed;
    static _Thread_local pa_t got[64];
    unsigned int n = 0;

    fake_play(seed);
    for (unsigned int i = 0; i < 4000; i++) {
        if (n < ARRAY_SIZE(got) && rand_r(&seed) % 2 == 0) {
            if (page_alloc(3, PAGE_GUEST, owner, &got[n])) {
                *(volatile uint8_t *)pa_to_hva(got[n]) = (uint8_t)owner;
                n++;
            }
        } else if (n > 0) {
            n--;
            CU_ASSERT_EQUAL(*(volatile uint8_t *)pa_to_hva(got[n]), owner);
            CU_ASSERT_EQUAL(page_owner_of(got[n]), owner);
            page_free(got[n], PAGE_GUEST, owner);
        }
        if (page_count_free() > page_count_total()) {
            CU_FAIL("more is free than there is");
        }
    }
    while (n > 0) {
        page_free(got[--n], PAGE_GUEST, owner);
    }
    return NULL;
}

static void pages_may_be_taken_and_given_back_by_all_at_once(void)
{
    machine();
    each_helper(takes_pages);
    finish();
}

/* Console, log, link and ticks of VMs that run and end. */
static void *talks(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;

    fake_play(seed);
    for (unsigned int i = 0; i < 500; i++) {
        switch (rand_r(&seed) % 5) {
        case 0:
            vm_dev_lock(target);
            stream_write(target, STREAM_CONSOLE, "hello\x1b\nw", 8);
            vm_dev_unlock(target);
            break;
        case 1:
            vm_dev_lock(target);
            stream_write(target, STREAM_CHANNEL, "abc", 3);
            vm_dev_unlock(target);
            break;
        case 2:
            stream_input(target, STREAM_CHANNEL, (const uint8_t *)"xyz", 3);
            break;
        case 3:
            log_vm(target, LOG_INFO, "message %u", i);
            break;
        default:
            vms_lock();
            stream_tick(target);
            vms_unlock();
        }
    }
    return NULL;
}

static void everybody_may_talk_at_once(void)
{
    machine();
    link_init();
    target = core_vm("talker", 1, 100, UINT64_MAX);
    vm_start(target);
    each_helper(talks);
    end_here(target);
    finish();
}

static const struct cu_test tests[] = {
    CU(no_wake_up_is_lost_between_vcpus_that_block_at_once),
    CU(requests_pauses_and_resumes_may_come_at_any_time),
    CU(vms_come_and_go_on_all_cpus),
    CU(memory_may_be_touched_by_all_at_once),
    CU(pages_may_be_taken_and_given_back_by_all_at_once),
    CU(everybody_may_talk_at_once),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_sched_stress", tests, argc, argv);
}
