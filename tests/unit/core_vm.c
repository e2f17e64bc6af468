/* The life of VMs: made, started, paused, ended, reaped; and what fails on the way. */
#include <stdio.h>
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/guestmem.h"
#include "hv/page.h"

#define MS 1000000ull

static void machine(unsigned int cpus)
{
    fake_ram_size(MiB(128));
    core_boot_map(cpus + 1, cpus);
    fake_play(cpus);
    fake_start_in_step(5);
}

static void pass(uint64_t ns)
{
    fake_run_until(time_ns() + ns);
}

/* What ends on the CPU that the test plays is reaped there, too. */
static void finish(void)
{
    vm_reap();
    pass(100 * MS);
    fake_stop();
    core_done();
}

static bool link_says(const char *text)
{
    size_t len;
    const uint8_t *link = fake_link(&len);

    return memmem(link, len, text, strlen(text)) != NULL;
}

static void a_creation_that_fails_anywhere_gives_every_page_back(void)
{
    struct domain_config cfg = core_config(SIZE_2M * 5, 3);
    unsigned int steps;
    struct vm *vm;

    core_boot(MiB(64), 1);
    cfg.prefault = true;
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    vm_destroy(vm);
    steps = core_allocs();
    CU_ASSERT(steps > 10);
    for (unsigned int n = 1; n <= steps; n++) {
        core_fail_alloc(n, false);
        CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_NO_MEMORY);
        core_done();
    }
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    vm_destroy(vm);
    core_done();
}

static void an_architecture_that_refuses_is_believed(void)
{
    struct domain_config cfg = core_config(SIZE_2M, 3);
    struct vm *vm;

    core_boot(MiB(64), 1);
    for (unsigned int n = 1; n <= 4; n++) {
        fake_fail_arch(n);
        CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_HARDWARE);
        core_done();
    }
    fake_fail_arch(0);
}

static void more_memory_than_there_is_is_refused_before_any_is_taken(void)
{
    struct domain_config cfg = core_config(MiB(64), 1);
    struct vm *vm;

    core_boot(MiB(64), 1);
    CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_NO_MEMORY);
    CU_ASSERT_EQUAL(core_allocs(), 1);
    cfg.memory = 1ull << 46;
    CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_NO_MEMORY);
    core_done();
}

static void a_vm_for_cpus_that_do_not_exist_is_refused(void)
{
    struct domain_config cfg = core_config(SIZE_2M, 1);
    struct vm *vm;

    core_boot(MiB(64), 2);
    cfg.affinity = BIT(2) | BIT(63);
    CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_NOT_SUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "guest: affinity 8000000000000004: none"));
    cfg.affinity = BIT(1) | BIT(63);
    CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_OK);
    vm_destroy(vm);
    core_done();
}

static void the_table_holds_64_vms_and_refuses_the_next(void)
{
    static struct vm *vms[VMS_MAX];
    struct domain_config cfg = core_config(SIZE_2M, 1);
    struct vm *vm;

    core_boot(MiB(512), 1);
    for (unsigned int i = 0; i < VMS_MAX; i++) {
        CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vms[i]), ABI_OK);
    }
    CU_ASSERT_EQUAL(vm_count(), VMS_MAX);
    CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_LIMIT);
    for (unsigned int i = 0; i < VMS_MAX; i++) {
        vms_lock();
        CU_ASSERT_PTR_EQUAL(vm_by_id((uint16_t)vm_id(vms[i])), vms[i]);
        vms_unlock();
        vm_destroy(vms[i]);
    }
    core_done();
}

static void ids_are_unique_and_never_zero(void)
{
    struct domain_config cfg = core_config(SIZE_2M, 1);
    struct vm *keep, *vm;
    uint32_t last = 0;

    core_boot(MiB(64), 1);
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &keep), ABI_OK);
    for (unsigned int i = 0; i < 65600; i++) {
        CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
        if (vm_id(vm) == 0 || vm_id(vm) == vm_id(keep) || vm_id(vm) == last) {
            CU_FAIL("an id was used twice");
        }
        last = vm_id(vm);
        vm_destroy(vm);
    }
    vm_destroy(keep);
    core_done();
}

static void a_vm_that_runs_cannot_be_destroyed(void)
{
    struct vm *vm;

    machine(1);
    vm = core_vm("guest", 1, 100, UINT64_MAX);
    vm_start(vm);
    ASSERT_PANICS(vm_destroy(vm));
    ASSERT_PANICS(vm_start(vm));
    vm->lock = (struct lock){0}; /* vm_start panicked with it */
    vm_end(vm, VM_DESTROYED, "by the test");
    finish();
}

static void pause_stops_every_vcpu_and_resume_lets_them_run(void)
{
    struct vm *vm;
    uint64_t ran;

    machine(2);
    link_init();
    vm = core_vm("guest", 3, 100, UINT64_MAX);
    vm_start(vm);
    pass(50 * MS);
    vm_pause(vm);
    pass(MS);
    CU_ASSERT_EQUAL(vm->state, VM_PAUSED);
    CU_ASSERT_EQUAL(vm->active, 0);
    CU_ASSERT(link_says("\"state\":\"paused\""));
    for (unsigned int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(vm->vcpu[i]->state, VCPU_OFF);
    }
    ran = vm->vcpu[0]->ran;
    vcpu_request(vm->vcpu[0], REQ_EVENT);
    pass(100 * MS);
    CU_ASSERT_EQUAL(vm->vcpu[0]->ran, ran);
    vm_resume(vm);
    vm_resume(vm);
    pass(100 * MS);
    CU_ASSERT_EQUAL(vm->state, VM_RUNNING);
    CU_ASSERT(vm->vcpu[0]->ran > ran);
    CU_ASSERT_EQUAL(vm->vcpu[0]->arch.events, 1);
    vm_end(vm, VM_DESTROYED, "by the test");
    finish();
}

/* What sleeps has no translations in use: it flushes when it is woken for another reason. */
static void a_flush_wakes_no_vcpu_that_sleeps(void)
{
    struct arch_vcpu *asleep, *busy;
    struct vm *vm;
    uint64_t runs;

    machine(2);
    vm = core_vm("guest", 2, 100, UINT64_MAX);
    asleep = &vm->vcpu[0]->arch;
    busy = &vm->vcpu[1]->arch;
    asleep->want = 0;
    vm_start(vm);
    pass(30 * MS);
    CU_ASSERT_EQUAL(vm->vcpu[0]->state, VCPU_BLOCKED);
    runs = asleep->runs;
    arch_vm_flush(vm);
    pass(30 * MS);
    CU_ASSERT(asleep->runs == runs && asleep->flushes == 0 && busy->flushes == 1);
    vcpu_request(vm->vcpu[0], REQ_EVENT);
    pass(30 * MS);
    CU_ASSERT(asleep->runs > runs && asleep->flushes == 1);
    vm_end(vm, VM_DESTROYED, "by the test");
    finish();
}

static void a_resume_that_comes_before_the_pause_is_complete_is_not_lost(void)
{
    struct vm *vm;

    machine(1);
    vm = core_vm("guest", 3, 100, UINT64_MAX);
    vm_start(vm);
    pass(5 * MS);
    vm_pause(vm);
    vm_resume(vm);
    pass(50 * MS);
    CU_ASSERT_EQUAL(vm->state, VM_RUNNING);
    CU_ASSERT_EQUAL(vm->active, 3);
    vm_pause(vm);
    vm_resume(vm);
    vm_pause(vm);
    pass(50 * MS);
    CU_ASSERT_EQUAL(vm->state, VM_PAUSED);
    CU_ASSERT_EQUAL(vm->active, 0);
    vm_end(vm, VM_DESTROYED, "by the test");
    finish();
}

/* Each way to the end: (state it is in) x (how far the last change has come). */
static void a_vm_can_end_at_every_point_of_its_life(void)
{
    static const char *const lives[] = {"", "s", "sr", "sp", "srp", "srpr", "srprR", "srprRr",
                                        "spR", "spRp", "srpRr", "sppRR", "srprRrpr"};

    for (unsigned int i = 0; i < ARRAY_SIZE(lives); i++) {
        struct vm *vm;

        machine(2);
        vm = core_vm("guest", 3, 100, UINT64_MAX);
        vm->vcpu[2]->arch.want = 0;
        for (const char *step = lives[i]; *step != '\0'; step++) {
            switch (*step) {
            case 's':
                vm_start(vm);
                break;
            case 'r':
                pass(7 * MS);
                break;
            case 'p':
                vm_pause(vm);
                break;
            default:
                vm_resume(vm);
            }
        }
        vm_end(vm, VM_ERROR, "life %u", i);
        vm_pause(vm);
        vm_resume(vm);
        if (lives[i][0] == '\0') {
            vm_start(vm); /* the builder goes on, unaware */
        }
        vm_reap();
        pass(MS);
        CU_ASSERT_EQUAL(vm_count(), 0);
        finish();
    }
}

static void of_two_causes_the_first_wins(void)
{
    struct vm *vm;

    machine(1);
    link_init();
    vm = core_vm("guest", 2, 100, UINT64_MAX);
    vm_start(vm);
    pass(MS);
    vm_end(vm, VM_TRIPLE_FAULT, "vCPU %u", 1u);
    vm_end(vm, VM_POWER_OFF, "later");
    pass(MS);
    CU_ASSERT(link_says("\"cause\":\"triple-fault\",\"detail\":\"vCPU 1\""));
    CU_ASSERT_FALSE(link_says("later"));
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "guest: triple-fault: vCPU 1\r\n"));
    finish();
}

static unsigned int restarts;

static enum abi_status restart(const struct bundle *b, uint32_t i)
{
    struct vm *vm;

    CU_ASSERT_EQUAL(i, 3);
    restarts++;
    if (restarts == 3) {
        return ABI_NO_MEMORY;
    }
    vm = core_vm("again", 1, 100, UINT64_MAX);
    vm->restart_on_reboot = true;
    vm_set_origin(vm, b, i);
    vm_start(vm);
    return ABI_OK;
}

static struct vm *only_vm(void)
{
    struct vm *vm = NULL;

    vms_lock();
    for (uint16_t id = 1; id < 100 && vm == NULL; id++) {
        vm = vm_by_id(id);
    }
    vms_unlock();
    return vm;
}

static void a_reboot_starts_the_domain_again_until_that_fails(void)
{
    static const struct bundle b = {0};

    machine(1);
    restarts = 0;
    core_domain_create = restart;
    CU_ASSERT_EQUAL(restart(&b, 3), ABI_OK);
    for (unsigned int i = 2; i <= 3; i++) {
        CU_ASSERT_EQUAL(vm_count(), 1);
        vm_end(only_vm(), VM_REBOOT, "asked");
        pass(MS);
        CU_ASSERT_EQUAL(restarts, i);
    }
    CU_ASSERT_EQUAL(vm_count(), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "again: could not be started again"));
    finish();
}

static void other_ends_and_domains_that_do_not_want_it_are_not_started_again(void)
{
    static const struct bundle b = {0};
    struct vm *vm;

    machine(1);
    restarts = 0;
    core_domain_create = restart;
    CU_ASSERT_EQUAL(restart(&b, 3), ABI_OK);
    vm_end(only_vm(), VM_POWER_OFF, "asked");
    vm = core_vm("once", 1, 100, UINT64_MAX);
    vm_set_origin(vm, &b, 3);
    vm_start(vm);
    vm_end(vm, VM_REBOOT, "asked");
    pass(MS);
    CU_ASSERT_EQUAL(restarts, 1);
    CU_ASSERT_EQUAL(vm_count(), 0);
    finish();
}

/* A paused VM has no vCPU to notice; and the CPU that ended it runs another guest for ever. */
static struct vm *paused;

static void end_paused(struct timer *t)
{
    (void)t;
    vm_end(paused, VM_DESTROYED, "by the host");
}

static enum run_end arms_then_runs(struct vcpu *v)
{
    static struct timer t;

    t = (struct timer){.fn = end_paused};
    timer_arm(&t, time_ns() + MS);
    v->arch.run = NULL;
    return arch_vcpu_run(v);
}

static void a_paused_vm_is_reaped_though_other_guests_never_leave_their_cpu(void)
{
    struct vm *busy;

    machine(1);
    paused = core_vm("paused", 1, 100, UINT64_MAX);
    vm_start(paused);
    vm_pause(paused);
    pass(MS);
    busy = core_vm("busy", 1, 100, UINT64_MAX);
    busy->vcpu[0]->arch.run = arms_then_runs;
    vm_start(busy);
    pass(5 * MS);
    CU_ASSERT_EQUAL(vm_count(), 1);
    vm_end(busy, VM_DESTROYED, "by the test");
    finish();
}

struct dying {
    struct vm_hook hook;
    unsigned int destroyed, served;
};

static void on_destroy(struct vm_hook *h)
{
    container_of(h, struct dying, hook)->destroyed++;
}

static void on_serve(struct vm_hook *h)
{
    container_of(h, struct dying, hook)->served++;
}

static void hooks_serve_on_request_and_are_told_of_the_end(void)
{
    struct dying d = {.hook = {.destroy = on_destroy, .serve = on_serve}};
    struct dying none = {.hook = {.next = NULL}};
    struct vm *vm;

    machine(1);
    vm = core_vm("guest", 1, 100, UINT64_MAX);
    vm_hook_add(vm, &d.hook);
    vm_hook_add(vm, &none.hook);
    vm_start(vm);
    vm_serve_soon(vm);
    pass(MS);
    CU_ASSERT_EQUAL(d.served, 1);
    vm_end(vm, VM_POWER_OFF, "asked");
    pass(MS);
    CU_ASSERT_EQUAL(d.destroyed, 1);
    finish();
}

static const struct cu_test tests[] = {
    CU(a_creation_that_fails_anywhere_gives_every_page_back),
    CU(an_architecture_that_refuses_is_believed),
    CU(more_memory_than_there_is_is_refused_before_any_is_taken),
    CU(a_vm_for_cpus_that_do_not_exist_is_refused),
    CU(the_table_holds_64_vms_and_refuses_the_next),
    CU(ids_are_unique_and_never_zero),
    CU(a_vm_that_runs_cannot_be_destroyed),
    CU(pause_stops_every_vcpu_and_resume_lets_them_run),
    CU(a_flush_wakes_no_vcpu_that_sleeps),
    CU(a_resume_that_comes_before_the_pause_is_complete_is_not_lost),
    CU(a_vm_can_end_at_every_point_of_its_life),
    CU(of_two_causes_the_first_wins),
    CU(a_reboot_starts_the_domain_again_until_that_fails),
    CU(other_ends_and_domains_that_do_not_want_it_are_not_started_again),
    CU(a_paused_vm_is_reaped_though_other_guests_never_leave_their_cpu),
    CU(hooks_serve_on_request_and_are_told_of_the_end),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_vm", tests, argc, argv);
}
