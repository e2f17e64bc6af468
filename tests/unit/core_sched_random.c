/* The scheduler under random loads: what must hold at every moment, whatever happens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_host.h"
#include "cu.h"

#define MS       1000000ull
#define SLICE    (10 * MS)
#define VMS_MOST 6u
#define SEEDS    40u

struct load {
    struct vm *vm;
    bool hogs; /* its vCPUs never halt by themselves */
};

static struct load loads[VMS_MOST];
static uint64_t seen_ran[VMS_MOST][4], seen_at[VMS_MOST][4];

static unsigned int dice(unsigned int n)
{
    return (unsigned int)rand() % n;
}

/* A vCPU is in the queue of its CPU, or current there, or nowhere: as its state says. */
static bool is_where_it_says(const struct vcpu *v)
{
    unsigned int queued = 0, running = 0;

    for (unsigned int i = 0; i < cpu_count(); i++) {
        const struct cpu *c = cpu_at(i);

        for (const struct vcpu *q = c->queue.head; q != NULL; q = q->next) {
            queued += q == v && v->cpu == c;
        }
        running += c->current == v && v->cpu == c;
    }
    return queued == (v->state == VCPU_QUEUED) && running == (v->state == VCPU_RUNNING);
}

static bool queues_are_sorted_and_say_so(const struct cpu *c)
{
    uint64_t last = 0, wanted = 0;

    for (const struct vcpu *v = c->queue.head; v != NULL; v = v->next) {
        if (v->vruntime < last) {
            return false;
        }
        last = v->vruntime;
        wanted |= v->affinity;
    }
    return c->queue.wanted == wanted &&
           c->queue.first == (c->queue.head == NULL ? UINT64_MAX : c->queue.head->vruntime);
}

/* Nobody who may run on a CPU waits while that CPU sleeps. */
static bool nobody_waits_beside_a_sleeper(void)
{
    for (unsigned int i = 0; i < cpu_count(); i++) {
        for (unsigned int j = 0; fake_sleeps(i) && j < cpu_count(); j++) {
            for (const struct vcpu *v = cpu_at(j)->queue.head; v != NULL; v = v->next) {
                if ((v->affinity & BIT(i)) != 0) {
                    return false;
                }
            }
        }
    }
    return true;
}

static void check(void)
{
    for (unsigned int i = 0; i < cpu_count(); i++) {
        CU_ASSERT(queues_are_sorted_and_say_so(cpu_at(i)));
    }
    CU_ASSERT(nobody_waits_beside_a_sleeper());
    for (unsigned int i = 0; i < VMS_MOST; i++) {
        for (unsigned int j = 0; loads[i].vm != NULL && j < loads[i].vm->vcpus; j++) {
            CU_ASSERT(is_where_it_says(loads[i].vm->vcpu[j]));
        }
    }
}

/* Of equal weight and free to run anywhere, nobody waits long, whoever wakes before it. */
static void check_nobody_starves(void)
{
    for (unsigned int i = 0; i < VMS_MOST; i++) {
        for (unsigned int j = 0; loads[i].vm != NULL && j < loads[i].vm->vcpus; j++) {
            const struct vcpu *v = loads[i].vm->vcpu[j];

            if (v->state != VCPU_QUEUED || v->ran != seen_ran[i][j]) {
                seen_ran[i][j] = v->ran;
                seen_at[i][j] = time_ns();
            }
            CU_ASSERT(time_ns() - seen_at[i][j] < VMS_MOST * 4 * 3 * SLICE);
        }
    }
}

static void make(unsigned int i, bool equal, unsigned int cpus)
{
    struct load *l = &loads[i];
    uint64_t affinity = equal || dice(3) > 0 ? UINT64_MAX : BIT(dice(cpus));

    l->vm = core_vm("guest", 1 + dice(4), equal ? 100 : 1 + dice(500), affinity);
    l->hogs = dice(2) == 0;
    for (unsigned int j = 0; j < l->vm->vcpus; j++) {
        struct arch_vcpu *a = &l->vm->vcpu[j]->arch;

        a->want = l->hogs ? UINT64_MAX : dice(30) * MS;
        a->on_event = 1 + dice(20000000);
        seen_ran[i][j] = 0;
        seen_at[i][j] = time_ns();
    }
    vm_start(l->vm);
}

static void something_happens(bool equal, unsigned int cpus)
{
    unsigned int i = dice(VMS_MOST);
    struct vm *vm = loads[i].vm;

    if (vm == NULL) {
        make(i, equal, cpus);
        return;
    }
    switch (dice(12)) {
    case 0:
        vm_end(vm, VM_DESTROYED, "by the test");
        vm_reap();
        fake_run_until(time_ns() + MS / 2); /* who runs it notices, and reaps it */
        loads[i].vm = NULL;
        break;
    case 1:
        vm_pause(vm);
        break;
    case 2:
    case 3:
        vm_resume(vm);
        break;
    default:
        vcpu_request(vm->vcpu[dice(vm->vcpus)], REQ_EVENT);
    }
}

static void one_run(unsigned int seed, bool equal)
{
    unsigned int cpus = 1 + seed % 4;

    srand(seed);
    memset(loads, 0, sizeof(loads));
    fake_ram_size(MiB(128));
    core_boot_map(cpus + 1, cpus);
    fake_play(cpus);
    fake_start_in_step(seed);
    for (unsigned int n = 0; n < 800; n++) {
        something_happens(equal, cpus);
        fake_run_until(time_ns() + dice(3000000));
        check();
        if (equal) {
            check_nobody_starves();
        }
    }
    for (unsigned int i = 0; i < VMS_MOST; i++) {
        if (loads[i].vm != NULL) {
            vm_end(loads[i].vm, VM_DESTROYED, "by the test");
        }
    }
    vm_reap();
    fake_run_until(time_ns() + 1000 * MS);
    fake_stop();
    core_done();
}

static void whatever_happens_everything_is_where_it_says_and_no_cpu_sleeps_beside_a_queue(void)
{
    for (unsigned int seed = 1; seed <= SEEDS; seed++) {
        one_run(seed, false);
    }
}

static void among_equals_nobody_starves(void)
{
    for (unsigned int seed = 1; seed <= SEEDS; seed++) {
        one_run(1000 + seed, true);
    }
}

/* Time is neither lost nor booked twice. */
static void what_guests_ran_and_cpus_slept_is_all_the_time_there_was(void)
{
    for (unsigned int cpus = 1; cpus <= 4; cpus++) {
        uint64_t start, sum = 0, slept = 0;
        struct vm *vm[5];

        fake_ram_size(MiB(128));
        core_boot_map(cpus + 1, cpus);
        fake_play(cpus);
        fake_start_in_step(cpus);
        fake_run_until(time_ns() + MS);
        start = time_ns();
        for (unsigned int i = 0; i < 5; i++) {
            vm[i] = core_vm("guest", 1, 50 + 70 * i, i % 2 == 0 ? UINT64_MAX : BIT(i % cpus));
            vm[i]->vcpu[0]->arch.want = (1 + i) * 150 * MS;
            vm_start(vm[i]);
        }
        fake_run_until(start + 4000 * MS); /* all have halted by then */
        for (unsigned int i = 0; i < 5; i++) {
            CU_ASSERT_EQUAL(vm[i]->vcpu[0]->state, VCPU_BLOCKED);
            CU_ASSERT_EQUAL(vm[i]->vcpu[0]->ran, (1 + i) * 150 * MS);
            sum += vm[i]->vcpu[0]->ran;
        }
        for (unsigned int i = 0; i < cpus; i++) {
            cpu_kick(cpu_at(i)); /* books its sleep */
        }
        fake_run_until(time_ns());
        for (unsigned int i = 0; i < cpus; i++) {
            slept += fake_idle_ns(i);
        }
        CU_ASSERT(slept + sum >= cpus * 4000 * MS && slept + sum <= cpus * 4001 * MS);
        for (unsigned int i = 0; i < 5; i++) {
            vm_end(vm[i], VM_DESTROYED, "by the test");
        }
        fake_run_until(time_ns() + 10 * MS);
        fake_stop();
        core_done();
    }
}

static const struct cu_test tests[] = {
    CU(whatever_happens_everything_is_where_it_says_and_no_cpu_sleeps_beside_a_queue),
    CU(among_equals_nobody_starves),
    CU(what_guests_ran_and_cpus_slept_is_all_the_time_there_was),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_sched_random", tests, argc, argv);
}
