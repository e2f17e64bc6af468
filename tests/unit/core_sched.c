/* The scheduler, on CPUs that run in step: shares, slices, wake-ups, pinning, VMs that end. */
#include <stdio.h>

#include "core_host.h"
#include "cu.h"
#include "hv/page.h"

#define MS    1000000ull
#define SLICE (10 * MS)

static struct vm *vms[16];
static unsigned int made;

/* The test itself plays one CPU more, on which nothing runs. */
static void machine(unsigned int cpus)
{
    fake_ram_size(MiB(128));
    core_boot_map(cpus + 1, cpus);
    fake_play(cpus);
    made = 0;
    fake_start_in_step(cpus * 77u);
}

static struct vcpu *guest(uint32_t weight, uint64_t affinity)
{
    vms[made] = core_vm("guest", 1, weight, affinity);
    return vms[made++]->vcpu[0];
}

static struct vcpu *hog(void)
{
    return guest(100, UINT64_MAX);
}

static void pass(uint64_t ns)
{
    fake_run_until(time_ns() + ns);
}

static void start_all(void)
{
    for (unsigned int i = 0; i < made; i++) {
        vm_start(vms[i]);
    }
}

/* All VMs end, are reaped, and left nothing. */
static void finish(void)
{
    for (unsigned int i = 0; i < made; i++) {
        vm_end(vms[i], VM_DESTROYED, "by the test");
    }
    pass(100 * MS);
    fake_stop();
    core_done();
}

static bool near(uint64_t ns, uint64_t want, uint64_t slack)
{
    if (ns + slack < want || ns > want + slack) {
        fprintf(stderr, "%lu ms, not %lu ms\n", (unsigned long)(ns / MS),
                (unsigned long)(want / MS));
        return false;
    }
    return true;
}

/* With what is not booked yet. */
static uint64_t ran(const struct vcpu *v)
{
    return v->ran + (v->cpu->current == v ? time_ns() - v->cpu->accounted : 0);
}

#define ASSERT_SHARE(v, ms) CU_ASSERT(near(ran(v), (uint64_t)(ms) * MS, 2 * SLICE))

static void equal_guests_share_a_cpu_equally(void)
{
    struct vcpu *v[3];

    machine(1);
    for (unsigned int i = 0; i < 3; i++) {
        v[i] = hog();
    }
    start_all();
    pass(3000 * MS);
    for (unsigned int i = 0; i < 3; i++) {
        ASSERT_SHARE(v[i], 1000);
    }
    finish();
}

static void weights_decide_the_shares(void)
{
    struct vcpu *light, *heavy;

    machine(1);
    light = guest(100, UINT64_MAX);
    heavy = guest(300, UINT64_MAX);
    start_all();
    pass(4000 * MS);
    ASSERT_SHARE(light, 1000);
    ASSERT_SHARE(heavy, 3000);
    finish();
}

static void three_guests_share_two_cpus_fairly(void)
{
    struct vcpu *v[3];

    machine(2);
    for (unsigned int i = 0; i < 3; i++) {
        v[i] = hog();
    }
    start_all();
    pass(3000 * MS);
    for (unsigned int i = 0; i < 3; i++) {
        ASSERT_SHARE(v[i], 2000);
    }
    finish();
}

static void eleven_guests_share_four_cpus_fairly(void)
{
    struct vcpu *v[11];

    machine(4);
    for (unsigned int i = 0; i < 11; i++) {
        v[i] = hog();
    }
    start_all();
    pass(11000 * MS);
    for (unsigned int i = 0; i < 11; i++) {
        CU_ASSERT(near(ran(v[i]), 4000 * MS, 120 * MS));
    }
    finish();
}

static enum run_end stays_on_cpu_1(struct vcpu *v)
{
    CU_ASSERT_EQUAL(this_cpu()->index, 1);
    fake_wait(time_ns() + 3 * MS);
    return (load_once(&v->requests) & REQ_STOP) != 0 ? RUN_STOPPED : RUN_RESCHED;
}

static void a_pinned_vcpu_runs_only_where_it_may(void)
{
    struct vcpu *pinned;

    machine(3);
    pinned = guest(100, BIT(1));
    pinned->arch.run = stays_on_cpu_1;
    for (unsigned int i = 0; i < 4; i++) {
        (void)hog();
    }
    start_all();
    pass(1000 * MS);
    CU_ASSERT(pinned->arch.runs > 20);
    CU_ASSERT_EQUAL(pinned->cpu->index, 1);
    finish();
}

/* One came that may run on CPU 0 only; who ran there waits, and CPU 1 has nothing to do. */
static void no_cpu_idles_beside_a_queue(void)
{
    struct vcpu *roams, *pinned;

    machine(2);
    roams = hog();
    start_all();
    pass(50 * MS);
    pinned = guest(100, BIT(roams->cpu->index));
    vm_start(vms[1]);
    pass(1000 * MS);
    ASSERT_SHARE(roams, 1050);
    ASSERT_SHARE(pinned, 1000);
    finish();
}

static void a_guest_alone_is_not_interrupted(void)
{
    struct vcpu *v;

    machine(2);
    v = hog();
    start_all();
    pass(10000 * MS);
    CU_ASSERT_EQUAL(v->arch.runs, 1);
    finish();
}

static void a_cpu_with_nothing_to_run_sleeps(void)
{
    machine(2);
    (void)guest(100, BIT(0));
    start_all();
    pass(1000 * MS);
    CU_ASSERT(fake_sleeps(1));
    CU_ASSERT_FALSE(fake_sleeps(0));
    finish();
}

/* CPU 1 slept while CPU 0's guest ran for long: newcomers on CPU 1 begin at no virtual time. */
static void newcomers_do_not_starve_who_ran_long_elsewhere(void)
{
    struct vcpu *old;
    uint64_t before;

    machine(2);
    old = guest(100, BIT(0));
    start_all();
    pass(20000 * MS);
    for (unsigned int i = 0; i < 3; i++) {
        (void)hog();
        vm_start(vms[1 + i]);
    }
    pass(20 * MS);
    before = ran(old);
    pass(2000 * MS);
    CU_ASSERT(near(ran(old) - before, 1000 * MS, 300 * MS));
    finish();
}

/* CPU 1 is crowded, so its virtual time goes slower; who wakes there may be taken to CPU 0. */
static void who_comes_from_a_slower_queue_does_not_starve_the_faster(void)
{
    struct vcpu *alone, *late;
    uint64_t before;

    machine(2);
    late = guest(100, UINT64_MAX);
    late->arch.want = 20 * MS;
    late->arch.on_event = UINT64_MAX;
    for (unsigned int i = 0; i < 4; i++) {
        (void)guest(100, BIT(1));
    }
    start_all();
    pass(200 * MS);
    alone = guest(100, BIT(0));
    vm_start(vms[5]);
    pass(20000 * MS);
    late->cpu = cpu_at(1); /* where it ran last */
    before = ran(alone);
    vcpu_request(late, REQ_EVENT);
    pass(1000 * MS);
    CU_ASSERT(near(ran(alone) - before, 500 * MS, 100 * MS));
    finish();
}

static uint64_t asked, answered;

static enum run_end answers(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);

    if ((bits & REQ_EVENT) != 0) {
        answered = MAX(answered, time_ns() - asked);
        fake_wait(time_ns() + MS);
    }
    return (bits & REQ_STOP) != 0 ? RUN_STOPPED : RUN_BLOCKED;
}

static void a_guest_that_wakes_comes_before_those_that_hog(void)
{
    struct vcpu *sleeper;

    machine(1);
    (void)hog();
    (void)hog();
    sleeper = guest(100, UINT64_MAX);
    sleeper->arch.run = answers;
    start_all();
    pass(100 * MS);
    answered = 0;
    for (unsigned int i = 0; i < 50; i++) {
        asked = time_ns();
        vcpu_request(sleeper, REQ_EVENT);
        pass(37 * MS);
    }
    CU_ASSERT(sleeper->arch.runs >= 50);
    CU_ASSERT(answered < MS);
    finish();
}

static void a_sleeper_earns_no_credit_for_its_sleep(void)
{
    struct vcpu *busy, *late;

    machine(1);
    busy = hog();
    late = hog();
    late->arch.want = 0;
    late->arch.on_event = UINT64_MAX;
    start_all();
    pass(5000 * MS);
    vcpu_request(late, REQ_EVENT);
    pass(2000 * MS);
    ASSERT_SHARE(busy, 6000);
    ASSERT_SHARE(late, 1000);
    finish();
}

static unsigned int rounds;

/* The event comes after the guest's last look, before the core lets go of it. */
static enum run_end blocks_as_an_event_comes(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);

    rounds++;
    if (rounds < 100) {
        (void)atomic_or(&v->requests, (uint32_t)REQ_EVENT);
    }
    return (bits & REQ_STOP) != 0 ? RUN_STOPPED : RUN_BLOCKED;
}

static enum run_end blocks_as_an_interrupt_comes(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);

    rounds++;
    v->arch.wakeable = rounds < 100;
    return (bits & REQ_STOP) != 0 ? RUN_STOPPED : RUN_BLOCKED;
}

static void what_comes_while_a_vcpu_blocks_is_not_lost(void)
{
    struct vcpu *v;

    machine(1);
    v = hog();
    v->arch.run = blocks_as_an_event_comes;
    rounds = 0;
    start_all();
    pass(MS);
    CU_ASSERT_EQUAL(rounds, 100);
    v->arch.run = blocks_as_an_interrupt_comes;
    rounds = 0;
    vcpu_request(v, REQ_EVENT);
    pass(MS);
    CU_ASSERT_EQUAL(rounds, 100);
    finish();
}

static void a_request_to_one_that_runs_kicks_its_cpu(void)
{
    struct vcpu *v;

    machine(2);
    v = hog();
    start_all();
    pass(30 * MS);
    vcpu_request(v, REQ_FLUSH);
    CU_ASSERT_EQUAL(v->arch.flushes, 0);
    pass(1);
    CU_ASSERT_EQUAL(v->arch.flushes, 1);
    CU_ASSERT_EQUAL(v->arch.runs, 1);
    finish();
}

static void a_vcpu_that_is_off_ignores_events_until_it_is_started(void)
{
    struct vcpu *v;

    machine(1);
    v = hog();
    vcpu_request(v, REQ_EVENT);
    sched_wake(v);
    pass(10 * MS);
    CU_ASSERT_EQUAL(v->arch.runs, 0);
    vm_start(vms[0]);
    pass(10 * MS);
    CU_ASSERT_EQUAL(v->arch.runs, 1);
    CU_ASSERT_EQUAL(v->arch.events, 1);
    finish();
}

/* Four vCPUs on one CPU: one runs, two wait, one sleeps. */
static void a_vm_can_end_with_vcpus_in_every_state(void)
{
    for (unsigned int t = 41; t < 80; t += 7) {
        struct vm *vm;

        machine(1);
        vm = core_vm("four", 4, 100, UINT64_MAX);
        vms[made++] = vm;
        vm->vcpu[3]->arch.want = 0;
        start_all();
        pass(t * MS);
        CU_ASSERT_EQUAL(vm->vcpu[3]->state, VCPU_BLOCKED);
        CU_ASSERT_EQUAL(vm->active, 4);
        vm_end(vm, VM_ERROR, "at %u ms", t);
        pass(1);
        CU_ASSERT_EQUAL(vm_count(), 0);
        made = 0;
        finish();
    }
}

static void a_vm_of_many_vcpus_runs_on_one_cpu_and_its_neighbour_gets_half_by_weight(void)
{
    struct vcpu *alone;
    struct vm *crowd;
    uint64_t sum = 0;

    machine(1);
    crowd = core_vm("crowd", 8, 100, UINT64_MAX);
    vms[made++] = crowd;
    alone = guest(800, UINT64_MAX);
    start_all();
    pass(4000 * MS);
    for (unsigned int i = 0; i < 8; i++) {
        CU_ASSERT(near(ran(crowd->vcpu[i]), 250 * MS, 3 * SLICE));
        sum += ran(crowd->vcpu[i]);
    }
    CU_ASSERT(near(sum, 2000 * MS, 4 * SLICE));
    CU_ASSERT(near(ran(alone), 2000 * MS, 9 * SLICE));
    finish();
}

static void who_is_to_stop_does_not_wait_for_its_turn(void)
{
    struct vm *vm;

    machine(1);
    for (unsigned int i = 0; i < 15; i++) {
        (void)hog();
    }
    vm = core_vm("four", 4, 100, UINT64_MAX);
    vms[made++] = vm;
    start_all();
    pass(1000 * MS);
    vm_pause(vm);
    pass(2 * SLICE);
    for (unsigned int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(vm->vcpu[i]->state, VCPU_OFF);
    }
    finish();
}

static void a_spare_cpu_runs_no_guest(void)
{
    struct vcpu *a, *b;

    machine(2);
    CU_ASSERT_FALSE(sched_spare_cpus(cpu_count()));
    CU_ASSERT_TRUE(sched_spare_cpus(1));
    CU_ASSERT_FALSE(sched_has_cpu(BIT(0)));
    CU_ASSERT_TRUE(sched_has_cpu(BIT(1)));
    a = hog();
    b = hog();
    start_all();
    pass(1000 * MS);
    CU_ASSERT_PTR_EQUAL(a->cpu, cpu_at(1));
    CU_ASSERT_PTR_EQUAL(b->cpu, cpu_at(1));
    CU_ASSERT(near(ran(a), 500 * MS, 2 * SLICE));
    CU_ASSERT(near(ran(b), 500 * MS, 2 * SLICE));
    finish();
    CU_ASSERT_TRUE(sched_spare_cpus(0));
}

static const struct cu_test tests[] = {
    CU(equal_guests_share_a_cpu_equally),
    CU(weights_decide_the_shares),
    CU(three_guests_share_two_cpus_fairly),
    CU(eleven_guests_share_four_cpus_fairly),
    CU(a_pinned_vcpu_runs_only_where_it_may),
    CU(no_cpu_idles_beside_a_queue),
    CU(a_guest_alone_is_not_interrupted),
    CU(a_cpu_with_nothing_to_run_sleeps),
    CU(newcomers_do_not_starve_who_ran_long_elsewhere),
    CU(who_comes_from_a_slower_queue_does_not_starve_the_faster),
    CU(a_guest_that_wakes_comes_before_those_that_hog),
    CU(a_sleeper_earns_no_credit_for_its_sleep),
    CU(what_comes_while_a_vcpu_blocks_is_not_lost),
    CU(a_request_to_one_that_runs_kicks_its_cpu),
    CU(a_vcpu_that_is_off_ignores_events_until_it_is_started),
    CU(a_vm_can_end_with_vcpus_in_every_state),
    CU(who_is_to_stop_does_not_wait_for_its_turn),
    CU(a_spare_cpu_runs_no_guest),
    CU(a_vm_of_many_vcpus_runs_on_one_cpu_and_its_neighbour_gets_half_by_weight),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_sched", tests, argc, argv);
}
