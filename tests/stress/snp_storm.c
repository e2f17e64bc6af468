/*
 * A guest whose vCPUs convert, touch and validate the same pages at once, on CPUs that run at once,
 * while the host pauses it: the production driver above the emulated chip, under TSan.
 */
#include "cu.h"
#include "snp_host.h"

#include "arch_impl/svm.h"
#include "hv/page.h"

#include <sched.h>
#include <stdlib.h>

#define CPUS    3u
#define VCPUS   3u
#define PAGES   64u /* that they fight for */
#define BATTLE  MiB(2)
#define GHCB(i) (LAY_FREE + (i) * PAGE_SIZE)
#define REQ     (LAY_FREE + 8 * PAGE_SIZE)
#define RSP     (LAY_FREE + 9 * PAGE_SIZE)
#define MS      1000000ull

#define EVENTUALLY(condition)                                                                      \
    __extension__({                                                                                \
        uint64_t give_up_ = time_ns() + 60000 * MS;                                                \
        while (!(condition) && time_ns() < give_up_) {                                             \
            sched_yield();                                                                         \
        }                                                                                          \
        (condition);                                                                               \
    })

static unsigned int seeds[64][VCPUS]; /* by VM, by vCPU */
static uint64_t acts;

static unsigned int dice(struct vcpu *v)
{
    return (unsigned int)rand_r(&seeds[v->vm->id % 64][v->index]);
}

static bool stands_still(struct vm *vm)
{
    bool yes;

    lock(&vm->lock);
    yes = vm->active == 0;
    unlock(&vm->lock);
    return yes;
}

static uint64_t some_page(struct vcpu *v)
{
    return BATTLE + dice(v) % PAGES * PAGE_SIZE;
}

static void list(struct vcpu *v)
{
    uint64_t entries[20];
    unsigned int cur;

    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        entries[i] = some_page(v) | (uint64_t)(1 + dice(v) % 2) << 52;
    }
    if (dice(v) % 8 == 0) {
        entries[0] = BATTLE | (uint64_t)(1 + dice(v) % 2) << 52 | 1ull << 56;
    }
    (void)snp_psc(v, entries, ARRAY_SIZE(entries), &cur);
}

static void fault(struct vcpu *v)
{
    v->arch.vmcb->exit_code = EXIT_NPF;
    v->arch.vmcb->exit_info1 = (dice(v) % 2 != 0 ? NPF_ENC : 0) | NPF_WRITE |
                               (dice(v) % 8 == 0 ? NPF_SIZE : 0);
    v->arch.vmcb->exit_info2 = some_page(v);
    v->arch.encrypted->handle_exit(v);
}

static void act(struct vcpu *v)
{
    switch (dice(v) % 8) {
    case 0:
    case 1:
        list(v);
        break;
    case 2:
        snp_event(v, NAE_GUEST_REQUEST, REQ, RSP);
        break;
    case 3:
        (void)snp_pvalidate(v->vm, some_page(v), dice(v) % 2 != 0);
        break;
    case 4:
        fault(v);
        break;
    default:
        (void)snp_msr(v, GHCB_PSC_REQ | some_page(v) | (uint64_t)(1 + dice(v) % 2) << 52);
        break;
    }
    (void)atomic_add(&acts, 1ull);
}

static enum run_end storms(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);

    for (unsigned int i = 0; i < 20 && (bits & REQ_STOP) == 0; i++) {
        act(v);
        bits |= atomic_swap(&v->requests, 0u);
    }
    return (bits & REQ_STOP) != 0 ? RUN_STOPPED : RUN_RESCHED;
}

static struct vm *stormy(void)
{
    struct vm *vm = snp_guest(CC_SEV_SNP, VCPUS);

    for (unsigned int i = 0; i < VCPUS; i++) {
        seeds[vm->id % 64][i] = i + 1;
        snp_ghcb_register(vm->vcpu[i], GHCB(i));
        vm->vcpu[i]->arch.run = storms;
    }
    return vm;
}

static void every_page_keeps_one_owner_while_vcpus_fight_for_it(void)
{
    struct vm *vm;

    snp_boot_cpus(MiB(64), CPUS + 1, CPUS);
    vm = stormy();
    fake_play(CPUS);
    fake_start_free();
    store_once(&acts, 0ull);
    vm_start(vm);
    for (unsigned int round = 1; round <= 10; round++) {
        CU_ASSERT(EVENTUALLY(load_once(&acts) >= round * 500));
        vm_pause(vm);
        CU_ASSERT_FATAL(EVENTUALLY(stands_still(vm)));
        CU_ASSERT_FALSE(snp_ended(vm));
        CU_ASSERT(snp_agrees(vm));
        vm_resume(vm);
    }
    vm_end(vm, VM_DESTROYED, "by the test");
    CU_ASSERT(EVENTUALLY(vm_count() == 0));
    CU_ASSERT(EVENTUALLY(!vm_reap_pending()));
    fake_stop();
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

static void guests_come_and_go_beside_each_other(void)
{
    struct vm *vm[4];

    snp_boot_cpus(MiB(64), CPUS + 1, CPUS);
    fake_play(CPUS);
    fake_start_free();
    for (unsigned int round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(vm); i++) {
            vm[i] = stormy();
            vm_start(vm[i]);
        }
        store_once(&acts, 0ull);
        CU_ASSERT(EVENTUALLY(load_once(&acts) >= 1000));
        for (size_t i = 0; i < ARRAY_SIZE(vm); i++) {
            vm_end(vm[i], VM_DESTROYED, "by the test");
        }
        CU_ASSERT(EVENTUALLY(vm_count() == 0 && !vm_reap_pending()));
    }
    fake_stop();
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

/* The first vCPU takes the second one's GHCB while that is in its exits. */
static enum run_end takes(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);

    if (load_once(&acts) >= 20 + dice(v) % 100) {
        (void)snp_msr(v, GHCB_PSC_REQ | GHCB(1) | (uint64_t)PSC_PRIVATE << 52);
    }
    return (bits & REQ_STOP) != 0 ? RUN_STOPPED : RUN_RESCHED;
}

static enum run_end asks(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);

    for (unsigned int i = 0; i < 20 && !snp_ended(v->vm); i++) {
        snp_event(v, NAE_FEATURES, 0, 0);
        (void)atomic_add(&acts, 1ull);
    }
    return (bits & REQ_STOP) != 0 ? RUN_STOPPED : RUN_RESCHED;
}

/* What the hypervisor touches after it is private ends the test: it is not mapped any more. */
static void a_ghcb_that_is_taken_in_the_middle_of_an_exit_ends_its_guest_alone(void)
{
    snp_boot_cpus(MiB(64), CPUS + 1, CPUS);
    fake_play(CPUS);
    fake_start_free();
    for (unsigned int round = 0; round < 100; round++) {
        struct vm *vm = snp_guest(CC_SEV_SNP, 2);

        store_once(&acts, 0ull);
        seeds[vm->id % 64][0] = round;
        snp_ghcb_register(vm->vcpu[0], GHCB(0));
        snp_ghcb_register(vm->vcpu[1], GHCB(1));
        vm->vcpu[0]->arch.run = takes;
        vm->vcpu[1]->arch.run = asks;
        vm->vcpu[1]->arch.wait = WAIT_NONE;
        vm_start(vm);
        CU_ASSERT(EVENTUALLY(vm_count() == 0 && !vm_reap_pending()));
    }
    fake_stop();
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(every_page_keeps_one_owner_while_vcpus_fight_for_it),
        CU(guests_come_and_go_beside_each_other),
        CU(a_ghcb_that_is_taken_in_the_middle_of_an_exit_ends_its_guest_alone),
        CU_END,
    };

    return cu_main("snp_storm", tests, argc, argv);
}
