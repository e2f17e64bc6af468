/* New domains at the request of another: hand-over, quotas, records, and what fails on the way. */
#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "cu.h"
#include "hv/abi.h"
#include "hv/guestmem.h"
#include "hv/page.h"

#define AT       MiB(1)
#define DATA     MiB(2)
#define ALL      0x1ffu
#define NO_LIMIT UINT64_MAX

static struct vm *lord;
static uint64_t handle, data_handle;

static void begin(uint64_t memory_max, uint32_t domains_max)
{
    struct call c;

    lord = abi_controller("lord", ALL, memory_max, domains_max);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_BUF_REGISTER, AT, 8192, 0, 0), ABI_OK);
    handle = c.value[0];
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_BUF_REGISTER, DATA, MiB(2), 0, 0), ABI_OK);
    data_handle = c.value[0];
}

static void start(void)
{
    core_boot(MiB(64), 1);
    begin(NO_LIMIT, UINT32_MAX);
}

static void finish(void)
{
    core_end_all();
    core_done();
}

static uint64_t ask_with(uint64_t id, uint32_t operation, uint32_t domain, const void *more,
                         size_t len)
{
    struct abi_control r = {.id = id, .operation = operation, .domain = domain};
    struct call c;

    CU_ASSERT_EQUAL(guestmem_write(lord, gpa(AT), &r, sizeof(r)), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_write(lord, gpa(AT + sizeof(r)), more, len), ABI_OK);
    return abi_call(lord, &c, ABI_CALL_VM_CONTROL, handle, 0, 256, 0);
}

static uint64_t ask(uint64_t id, uint32_t operation, uint32_t domain)
{
    return ask_with(id, operation, domain, NULL, 0);
}

static uint64_t stage(uint64_t bytes)
{
    struct abi_bundle_stage s = {.bytes = bytes};

    return ask_with(1, ABI_CONTROL_STAGE, 0, &s, sizeof(s));
}

static uint64_t load(uint64_t offset, uint64_t length, uint64_t to)
{
    struct abi_buffer_part p = {
        .handle = (uint32_t)data_handle, .offset = offset, .length = length, .to = to};

    return ask_with(2, ABI_CONTROL_LOAD, 0, &p, sizeof(p));
}

static struct abi_control_domain told(void)
{
    struct abi_control_domain d;

    CU_ASSERT_EQUAL(guestmem_read(lord, gpa(AT), &d, sizeof(d)), ABI_OK);
    return d;
}

static uint64_t build(uint64_t id)
{
    CU_ASSERT_EQUAL(stage(4096), ABI_OK);
    return ask(id, ABI_CONTROL_BUILD, 0);
}

static void what_was_handed_over_in_parts_is_built_and_waits(void)
{
    static uint8_t bytes[10000];
    struct abi_control_domain d;

    start();
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 3 + i / 256);
    }
    CU_ASSERT_EQUAL(guestmem_write(lord, gpa(DATA), bytes, sizeof(bytes)), ABI_OK);
    CU_ASSERT_EQUAL(stage(sizeof(bytes)), ABI_OK);
    CU_ASSERT_EQUAL(load(7000, 3000, 7000), ABI_OK);
    CU_ASSERT_EQUAL(load(0, 7000, 0), ABI_OK);
    CU_ASSERT_EQUAL(ask(3, ABI_CONTROL_BUILD, 0), ABI_OK);
    CU_ASSERT_EQUAL(core_bundle_seen.len, sizeof(bytes));
    CU_ASSERT(IS_ALIGNED((uintptr_t)core_bundle_seen.fdt, 8));
    CU_ASSERT_EQUAL(memcmp(core_bundle_seen.fdt, bytes, sizeof(bytes)), 0);
    d = told();
    CU_ASSERT_STRING_EQUAL((const char *)d.name, "built");
    CU_ASSERT_EQUAL(d.state, VM_CREATED);
    CU_ASSERT_EQUAL(ask(4, ABI_CONTROL_RESUME, d.id), ABI_OK); /* does not start it */
    CU_ASSERT_EQUAL(ask(5, ABI_CONTROL_STATISTICS, d.id), ABI_OK);
    CU_ASSERT_EQUAL(told().state, VM_CREATED);
    finish();
}

/* A CPU that runs vCPUs beside the one that the test plays. */
static void it_is_started_once(void)
{
    uint32_t id;

    fake_ram_size(MiB(64));
    core_boot_map(2, 1);
    fake_play(1);
    fake_start_in_step(5);
    begin(NO_LIMIT, UINT32_MAX);
    CU_ASSERT_EQUAL(build(3), ABI_OK);
    id = told().id;
    CU_ASSERT_EQUAL(ask(6, ABI_CONTROL_START, id), ABI_OK);
    CU_ASSERT_EQUAL(ask(6, ABI_CONTROL_START, id), ABI_OK); /* answered, not done */
    CU_ASSERT_EQUAL(ask(7, ABI_CONTROL_START, id), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(ask(8, ABI_CONTROL_STATISTICS, id), ABI_OK);
    CU_ASSERT_EQUAL(told().state, VM_RUNNING);
    fake_run_until(time_ns() + 100000000);
    CU_ASSERT_EQUAL(ask(9, ABI_CONTROL_STOP, id), ABI_OK);
    fake_run_until(time_ns() + 100000000);
    CU_ASSERT_EQUAL(ask(10, ABI_CONTROL_STATISTICS, id), ABI_OK);
    CU_ASSERT_EQUAL(told().state, VM_ENDED);
    CU_ASSERT_EQUAL(ask(11, ABI_CONTROL_DESTROY, id), ABI_OK);
    vm_end(lord, VM_DESTROYED, "by the test");
    vm_reap();
    fake_run_until(time_ns() + 100000000);
    fake_stop();
    core_done();
}

static void parts_that_do_not_fit_are_refused(void)
{
    struct abi_bundle_stage s = {.bytes = 1, .reserved = 1};
    struct abi_buffer_part p = {.handle = (uint32_t)data_handle, .reserved = 1, .length = 1};

    start();
    CU_ASSERT_EQUAL(load(0, 1, 0), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(ask(1, ABI_CONTROL_BUILD, 0), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(ask_with(2, ABI_CONTROL_STAGE, 0, &s, sizeof(s)), ABI_RESERVED_BITS);
    CU_ASSERT_EQUAL(stage((uint64_t)ABI_MAX_STAGE_BYTES + 1), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(stage(UINT64_MAX), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(stage(GiB(1) / 2), ABI_NO_MEMORY);
    CU_ASSERT_EQUAL(stage(100), ABI_OK);
    CU_ASSERT_EQUAL(ask_with(2, ABI_CONTROL_LOAD, 0, &p, sizeof(p)), ABI_RESERVED_BITS);
    CU_ASSERT_EQUAL(load(0, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(load(0, 101, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(load(0, 1, 100), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(load(0, 2, UINT64_MAX), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(load(MiB(2), 1, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(load(UINT64_MAX, 2, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(load(0, 100, 0), ABI_OK);
    data_handle += 64;
    CU_ASSERT_EQUAL(load(0, 1, 0), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(stage(MiB(1) + 1), ABI_OK);
    data_handle -= 64;
    CU_ASSERT_EQUAL(load(0, MiB(1) + 1, 0), ABI_BAD_ARG); /* more than one LOAD copies */
    CU_ASSERT_EQUAL(load(0, MiB(1), 1), ABI_OK);
    CU_ASSERT_EQUAL(stage(0), ABI_OK);
    CU_ASSERT_EQUAL(load(0, 1, 0), ABI_BAD_STATE);
    finish();
}

static void a_bundle_that_is_none_or_has_several_domains_builds_nothing(void)
{
    start();
    core_bundle_status = ABI_BAD_FORMAT;
    CU_ASSERT_EQUAL(build(3), ABI_BAD_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "lord: cannot build: /domains/x: no such thing"));
    core_bundle_status = ABI_OK;
    core_bundle_domains = 2;
    CU_ASSERT_EQUAL(build(4), ABI_BAD_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "cannot build: domains: 2 of them, not one"));
    CU_ASSERT_EQUAL(ask(5, ABI_CONTROL_BUILD, 0), ABI_BAD_STATE); /* it was taken */
    CU_ASSERT_EQUAL(vm_count(), 1);
    finish();
}

static void a_failure_anywhere_gives_every_page_back(void)
{
    unsigned int steps;

    start();
    CU_ASSERT_EQUAL(stage(4096), ABI_OK); /* lord has all that it needs itself */
    (void)core_allocs();
    CU_ASSERT_EQUAL(build(3), ABI_OK);
    steps = core_allocs();
    finish();
    for (unsigned int n = 1; n <= steps; n++) {
        uint64_t free;

        start();
        CU_ASSERT_EQUAL(stage(0), ABI_OK);
        free = page_count_free();
        core_fail_alloc(n, false);
        CU_ASSERT_EQUAL(stage(4096) == ABI_NO_MEMORY || ask(3, ABI_CONTROL_BUILD, 0) != ABI_OK,
                        true);
        core_fail_alloc(0, false);
        CU_ASSERT_EQUAL(page_count_free(), free);
        CU_ASSERT_EQUAL(vm_count(), 1);
        CU_ASSERT_EQUAL(lord->abi->controller->memory, 0);
        CU_ASSERT_EQUAL(lord->abi->controller->domains, 0);
        finish();
    }
}

static void quotas_are_kept_and_given_back(void)
{
    struct abi_control_domain d;

    core_boot(MiB(64), 1);
    begin(MiB(9), 2); /* two of 4 MiB, and what they are made from */
    CU_ASSERT_EQUAL(stage(MiB(10)), ABI_LIMIT);
    CU_ASSERT_EQUAL(build(3), ABI_OK);
    d = told();
    snprintf(core_built.name, sizeof(core_built.name), "second");
    CU_ASSERT_EQUAL(build(4), ABI_OK);
    snprintf(core_built.name, sizeof(core_built.name), "third");
    core_built.memory = MiB(2);
    CU_ASSERT_EQUAL(build(5), ABI_LIMIT);
    CU_ASSERT_EQUAL(ask(6, ABI_CONTROL_DESTROY, d.id), ABI_OK);
    vm_reap();
    core_built.memory = MiB(6);
    CU_ASSERT_EQUAL(build(7), ABI_LIMIT); /* of memory */
    core_built.memory = MiB(2);
    core_built.devices = 1;
    core_built.device[0] = (struct device_config){.size = MiB(3), .writable = true};
    CU_ASSERT_EQUAL(build(8), ABI_LIMIT); /* a disk of its own counts, too */
    core_built.device[0].writable = false;
    CU_ASSERT_EQUAL(build(9), ABI_OK);
    CU_ASSERT_EQUAL(lord->abi->controller->domains, 2);
    finish();
}

static void a_name_that_lives_is_taken(void)
{
    start();
    CU_ASSERT_EQUAL(build(3), ABI_OK);
    CU_ASSERT_EQUAL(build(4), ABI_EXISTS);
    snprintf(core_built.name, sizeof(core_built.name), "lord");
    CU_ASSERT_EQUAL(build(5), ABI_EXISTS);
    CU_ASSERT_EQUAL(vm_count(), 2);
    finish();
}

static enum abi_status squat_and_restart(const struct bundle *b, uint32_t i)
{
    (void)b;
    (void)i;
    CU_ASSERT_EQUAL(vm_count(), 1);
    CU_ASSERT_EQUAL(build(7), ABI_EXISTS);
    CU_ASSERT_PTR_NOT_NULL(core_vm("web", 1, 100, UINT64_MAX));
    return ABI_OK;
}

static void the_name_of_one_that_reboots_is_its_own_meanwhile(void)
{
    static const struct bundle b = {0};
    struct vm *vm;

    start();
    snprintf(core_built.name, sizeof(core_built.name), "web");
    core_domain_create = squat_and_restart;
    vm = core_vm("web", 1, 100, UINT64_MAX);
    vm->restart_on_reboot = true;
    vm_set_origin(vm, &b, 3);
    vm_end(vm, VM_REBOOT, "asked");
    vm_reap();
    CU_ASSERT_EQUAL(vm_count(), 2);
    finish();
}

static void as_many_as_there_is_room_for(void)
{
    core_boot(MiB(512), 1);
    begin(NO_LIMIT, UINT32_MAX);
    core_built.memory = SIZE_2M;
    for (unsigned int i = 1; i < VMS_MAX; i++) {
        snprintf(core_built.name, sizeof(core_built.name), "n%u", i);
        CU_ASSERT_EQUAL(build(100 + i), ABI_OK);
    }
    snprintf(core_built.name, sizeof(core_built.name), "more");
    CU_ASSERT_EQUAL(build(3), ABI_LIMIT);
    finish();
}

/* It crashes after BUILD was done, perhaps before it saw the answer; and asks again. */
static void a_request_that_was_done_is_answered_after_a_restart(void)
{
    uint32_t id;

    start();
    CU_ASSERT_EQUAL(build(3), ABI_OK);
    id = told().id;
    CU_ASSERT_EQUAL(stage(MiB(3)), ABI_OK); /* goes with it */
    vm_end(lord, VM_TRIPLE_FAULT, "vCPU 0");
    vm_reap();
    begin(NO_LIMIT, UINT32_MAX);
    CU_ASSERT_EQUAL(build(3), ABI_OK);
    CU_ASSERT_EQUAL(told().id, id);
    CU_ASSERT_EQUAL(vm_count(), 2);
    CU_ASSERT_EQUAL(ask(4, ABI_CONTROL_DESTROY, id), ABI_OK);
    vm_reap();
    CU_ASSERT_EQUAL(ask(4, ABI_CONTROL_DESTROY, id), ABI_OK);
    CU_ASSERT_EQUAL(ask(3, ABI_CONTROL_BUILD, 0), ABI_OK);
    CU_ASSERT_EQUAL(told().id, id);
    CU_ASSERT_EQUAL(told().state, VM_ENDED);
    CU_ASSERT_EQUAL(told().memory, 0);
    CU_ASSERT_EQUAL(vm_count(), 1);
    finish();
}

static void the_last_sixteen_answers_are_remembered_each_for_its_request(void)
{
    uint32_t id;

    start();
    CU_ASSERT_EQUAL(build(1000), ABI_OK);
    id = told().id;
    for (uint64_t i = 1; i < ABI_MAX_RING_SLOTS; i++) {
        CU_ASSERT_EQUAL(ask(1000 + i, ABI_CONTROL_PAUSE, id + 7), ABI_NOT_FOUND);
        CU_ASSERT_EQUAL(ask(5000 + i, ABI_CONTROL_LIST, 0), ABI_OK); /* is not */
    }
    CU_ASSERT_EQUAL(ask(1000, ABI_CONTROL_BUILD, 0), ABI_OK);
    CU_ASSERT_EQUAL(ask(1000, ABI_CONTROL_BUILD, 1), ABI_EXISTS);
    CU_ASSERT_EQUAL(ask(1000, ABI_CONTROL_PAUSE, id), ABI_EXISTS);
    CU_ASSERT_EQUAL(ask(1001, ABI_CONTROL_PAUSE, id + 7), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(ask(2000, ABI_CONTROL_PAUSE, id), ABI_OK);
    CU_ASSERT_EQUAL(ask(1000, ABI_CONTROL_BUILD, 0), ABI_BAD_STATE); /* forgotten: a new one */
    finish();
}

static void one_of_1_0_sees_what_it_saw(void)
{
    struct vm *old;
    struct call c;

    core_boot(MiB(64), 1);
    old = abi_vm("lord", MiB(4), 1, 0xff, NULL);
    lord = old;
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_BUF_REGISTER, AT, 8192, 0, 0), ABI_OK);
    handle = c.value[0];
    for (uint32_t op = ABI_CONTROL_RING; op <= ABI_CONTROL_START + 1; op++) {
        CU_ASSERT_EQUAL(ask(1, op, 0), ABI_BAD_FORMAT);
    }
    CU_ASSERT_EQUAL(ask(1, ABI_CONTROL_CREATE, 0), ABI_NOT_BUILT);
    CU_ASSERT_EQUAL(ask(2, ABI_CONTROL_PAUSE, 999), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(ask(2, ABI_CONTROL_DESTROY, vm_id(old)), ABI_NOT_FOUND); /* the last id */
    CU_ASSERT_EQUAL(ask(1, ABI_CONTROL_DESTROY, vm_id(old)), ABI_DENIED);    /* not the last */
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_ABI_QUERY, ABI_QUERY_CONFIG, 0, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_ABI_QUERY, ABI_QUERY_FEATURE, 8, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(c.value[1], 0);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_ABI_QUERY, ABI_QUERY_LIMIT, 7, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(c.value[0] | c.value[1], 0);
    finish();
}

static void without_the_capability_nothing_is_made(void)
{
    struct call c;

    core_boot(MiB(64), 1);
    lord = abi_controller("lord", 0xff, NO_LIMIT, UINT32_MAX);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_BUF_REGISTER, AT, 8192, 0, 0), ABI_OK);
    handle = c.value[0];
    CU_ASSERT_EQUAL(stage(4096), ABI_DENIED);
    CU_ASSERT_EQUAL(load(0, 1, 0), ABI_DENIED);
    CU_ASSERT_EQUAL(ask(1, ABI_CONTROL_BUILD, 0), ABI_DENIED);
    CU_ASSERT_EQUAL(ask(1, ABI_CONTROL_START, 0), ABI_DENIED);
    finish();
}

static void more_controllers_than_are_remembered_are_refused(void)
{
    struct domain_config cfg = core_config(SIZE_2M, 1);
    struct vm *vm;

    core_boot(MiB(256), 1);
    for (unsigned int i = 0; i < ABI_MAX_CONTROLLERS; i++) {
        char name[16];

        snprintf(name, sizeof(name), "lord%u", i);
        (void)abi_controller(name, ALL, 0, 0);
    }
    cfg.abi_version = ABI_VERSION_1_1;
    cfg.abi_features = ALL;
    CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_LIMIT);
    snprintf(cfg.name, sizeof(cfg.name), "lord0"); /* again, after its end */
    finish();
    core_boot(MiB(64), 1);
    CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_OK);
    finish();
}

static void a_stopped_domain_stays_until_it_is_destroyed(void)
{
    uint32_t id;

    start();
    CU_ASSERT_EQUAL(build(3), ABI_OK);
    id = told().id;
    CU_ASSERT_EQUAL(ask(4, ABI_CONTROL_STOP, id), ABI_OK);
    vm_reap();
    CU_ASSERT_EQUAL(ask(5, ABI_CONTROL_STATISTICS, id), ABI_OK);
    CU_ASSERT_EQUAL(told().state, VM_ENDED);
    CU_ASSERT_EQUAL(told().memory, MiB(4));
    CU_ASSERT_EQUAL(ask(6, ABI_CONTROL_START, id), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(ask(7, ABI_CONTROL_STOP, id), ABI_OK);
    CU_ASSERT_EQUAL(ask(8, ABI_CONTROL_DESTROY, id), ABI_OK);
    vm_reap();
    CU_ASSERT_EQUAL(ask(9, ABI_CONTROL_STATISTICS, id), ABI_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "built: destroyed: stopped by domain lord"));
    finish();
}

/* Whoever destroys one in the making does not take it from under its builder. */
static void one_in_the_making_goes_when_its_builder_is_done(void)
{
    struct domain_config cfg = core_config(SIZE_2M, 1);
    struct vm *vm;

    core_boot(MiB(64), 1);
    cfg.building = true;
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    CU_ASSERT_EQUAL(vm_start_built(vm), ABI_BAD_STATE);
    vm_end(vm, VM_DESTROYED, "early");
    vm_reap();
    CU_ASSERT_EQUAL(vm_count(), 1);
    vm_built(vm);
    CU_ASSERT_EQUAL(vm_start_built(vm), ABI_BAD_STATE);
    vm_reap();
    core_done();
}

static const struct cu_test tests[] = {
    CU(what_was_handed_over_in_parts_is_built_and_waits),
    CU(it_is_started_once),
    CU(parts_that_do_not_fit_are_refused),
    CU(a_bundle_that_is_none_or_has_several_domains_builds_nothing),
    CU(a_failure_anywhere_gives_every_page_back),
    CU(quotas_are_kept_and_given_back),
    CU(a_name_that_lives_is_taken),
    CU(the_name_of_one_that_reboots_is_its_own_meanwhile),
    CU(as_many_as_there_is_room_for),
    CU(a_request_that_was_done_is_answered_after_a_restart),
    CU(the_last_sixteen_answers_are_remembered_each_for_its_request),
    CU(one_of_1_0_sees_what_it_saw),
    CU(without_the_capability_nothing_is_made),
    CU(more_controllers_than_are_remembered_are_refused),
    CU(a_stopped_domain_stays_until_it_is_destroyed),
    CU(one_in_the_making_goes_when_its_builder_is_done),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_build", tests, argc, argv);
}
