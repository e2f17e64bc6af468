/*
 * Controllers that build, start, stop and destroy domains on many CPUs at once, each other's too,
 * under the thread sanitizer; another CPU runs the domains and takes down what has ended.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "cu.h"
#include "hv/abi.h"
#include "hv/guestmem.h"

#define CPUS   4u
#define ROUNDS 1500u
#define AT     MiB(1)

static struct vm *lords[CPUS];
static uint32_t built, refused;

struct asker {
    struct vm *vm;
    unsigned int seed;
    uint64_t id;
};

static uint64_t ask(struct asker *a, uint32_t operation, uint32_t domain, const void *more,
                    size_t len)
{
    struct abi_control head = {.id = ++a->id, .operation = operation, .domain = domain};
    struct call c = {.arg = {64, 0, 256}};

    REQUIRE(guestmem_write(a->vm, gpa(AT), &head, sizeof(head)) == ABI_OK);
    REQUIRE(guestmem_write(a->vm, gpa(AT + sizeof(head)), more, len) == ABI_OK);
    return call_dispatch(a->vm->vcpu[0], ABI_CALL_VM_CONTROL, &c);
}

/* A few names for all: some are taken. What was built is told; it may be gone by then. */
static uint32_t build(struct asker *a)
{
    struct abi_bundle_stage stage = {.bytes = 100 + (uint64_t)rand_r(&a->seed) % 9000};
    struct abi_buffer_part part = {.handle = 64, .offset = 1024, .length = 8};
    char name[8] = {'n', (char)('a' + rand_r(&a->seed) % 6)};
    struct abi_control_domain made;

    REQUIRE(guestmem_write(a->vm, gpa(AT + 1024), name, sizeof(name)) == ABI_OK);
    if (ask(a, ABI_CONTROL_STAGE, 0, &stage, sizeof(stage)) != ABI_OK ||
        ask(a, ABI_CONTROL_LOAD, 0, &part, sizeof(part)) != ABI_OK ||
        ask(a, ABI_CONTROL_BUILD, 0, NULL, 0) != ABI_OK) {
        (void)atomic_add(&refused, 1u);
        return 0;
    }
    (void)atomic_add(&built, 1u);
    REQUIRE(guestmem_read(a->vm, gpa(AT), &made, sizeof(made)) == ABI_OK);
    return made.id;
}

/* One that LIST tells, whoever made it; a controller among them now and then, which is spared. */
static uint32_t any_domain(struct asker *a)
{
    struct abi_control_domain d[3];

    if (ask(a, ABI_CONTROL_LIST, CPUS + (uint32_t)rand_r(&a->seed) % 5, NULL, 0) != ABI_OK) {
        return 0;
    }
    REQUIRE(guestmem_read(a->vm, gpa(AT), d, sizeof(d)) == ABI_OK);
    return d[rand_r(&a->seed) % 3].id;
}

static void *controls(void *arg)
{
    static const uint32_t operations[] = {ABI_CONTROL_START, ABI_CONTROL_PAUSE, ABI_CONTROL_RESUME,
                                          ABI_CONTROL_STOP, ABI_CONTROL_DESTROY,
                                          ABI_CONTROL_STATISTICS};
    unsigned int i = (unsigned int)(uintptr_t)arg;
    struct asker a = {.vm = lords[i], .seed = i + 1};

    fake_play(i + 1);
    for (unsigned int n = 0; n < ROUNDS; n++) {
        uint32_t id = rand_r(&a.seed) % 3 == 0 ? build(&a) : any_domain(&a);

        for (unsigned int k = 0; k < 2 && id > CPUS; k++) {
            size_t which = (size_t)rand_r(&a.seed) % ARRAY_SIZE(operations);

            (void)ask(&a, operations[which], id, NULL, 0);
        }
        if (rand_r(&a.seed) % 8 == 0) {
            vm_reap();
        }
        sched_yield();
    }
    return NULL;
}

static void start(void)
{
    static const char *const names[CPUS] = {"lord0", "lord1", "lord2", "lord3"};

    fake_ram_size(MiB(256));
    core_boot_map(CPUS + 2, 1);
    fake_play(CPUS + 1);
    core_built_by_content = true;
    core_built.memory = SIZE_2M;
    for (unsigned int i = 0; i < CPUS; i++) {
        struct call c = {.arg = {AT, 4096}};

        lords[i] = abi_controller(names[i], 0x1ff, MiB(5), 2);
        REQUIRE(call_dispatch(lords[i]->vcpu[0], ABI_CALL_BUF_REGISTER, &c) == ABI_OK);
        REQUIRE(c.value[0] == 64 && vm_id(lords[i]) <= CPUS);
    }
    fake_start_free();
}

static void end_one(struct vm *vm, void *arg)
{
    (void)arg;
    if (vm->id > CPUS) {
        vm_end(vm, VM_DESTROYED, "at the end");
    }
}

static void finish(void)
{
    while (vm_count() > CPUS) {
        vms_lock();
        vm_for_each(end_one, NULL);
        vms_unlock();
        vm_reap();
        sched_yield();
    }
    fake_stop();
    for (unsigned int i = 0; i < CPUS; i++) {
        CU_ASSERT_EQUAL(lords[i]->abi->controller->domains, 0);
        vm_destroy(lords[i]);
    }
    core_done();
}

static void controllers_build_and_destroy_at_once_and_nothing_is_left(void)
{
    pthread_t threads[CPUS];

    start();
    for (uintptr_t i = 0; i < CPUS; i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, controls, (void *)i) == 0);
    }
    for (unsigned int i = 0; i < CPUS; i++) {
        pthread_join(threads[i], NULL);
    }
    finish();
    CU_ASSERT(built > 100);
    CU_ASSERT(refused > 100);
}

static const struct cu_test tests[] = {
    CU(controllers_build_and_destroy_at_once_and_nothing_is_left),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_control_stress", tests, argc, argv);
}
