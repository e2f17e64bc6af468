/*
 * A control port at once with all that meets it, under the thread sanitizer: its first vCPU, which
 * does what waits; its user space, which writes, closes and opens; its kernel, which makes calls
 * of its own; and a domain that writes to its console while that is read.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "cu.h"
#include "hv/guestmem.h"
#include "port_host.h"

#define ROUNDS 2000u
#define AT     MiB(1)

static struct vm *lord, *other;
static struct port_host port;
static uint64_t handle;
static uint32_t done; /* threads that are */
static uint32_t answers, calls, busy;

static void *first_vcpu(void *arg)
{
    fake_play((unsigned int)(uintptr_t)arg);
    while (atomic_load(&done) < 3) {
        vm_serve(lord);
        sched_yield();
    }
    vm_serve(lord);
    return NULL;
}

static void take_answers(uint64_t last_id)
{
    struct abi_port_frame f;

    vm_dev_lock(lord);
    while (port.have >= sizeof(f)) {
        memcpy(&f, port.got, sizeof(f));
        REQUIRE(f.id <= last_id && f.status == ABI_OK && port.have >= sizeof(f) + f.length);
        port.have -= sizeof(f) + f.length;
        memmove(port.got, port.got + sizeof(f) + f.length, port.have);
        (void)atomic_add(&answers, 1u);
    }
    vm_dev_unlock(lord);
}

/* Waits for the answer, which may never come: while the kernel's requests are done, this waits. */
static void wait_for_answer(uint64_t id)
{
    uint32_t before = atomic_load(&answers);

    for (unsigned int i = 0; i < 1000 && atomic_load(&answers) == before; i++) {
        take_answers(id);
        sched_yield();
    }
}

/* Each request in two pieces; now and then the port is closed before the answer. */
static void *user_space(void *arg)
{
    struct {
        struct abi_port_frame head;
        struct abi_console_part part;
    } f = {{.domain = vm_id(other)}, {0}};
    unsigned int seed = 1;
    uint64_t id = 1000000;

    fake_play((unsigned int)(uintptr_t)arg);
    for (unsigned int n = 0; n < ROUNDS; n++) {
        uint32_t cut = 1 + (uint32_t)rand_r(&seed) % (uint32_t)sizeof(f);

        f.head.operation = n % 2 == 0 ? ABI_CONTROL_CONSOLE_OUTPUT : ABI_CONTROL_PING;
        f.head.length = sizeof(f.part);
        f.head.id = ++id;
        port_write(&port, &f, cut);
        port_write(&port, (const uint8_t *)&f + cut, sizeof(f) - cut);
        if (rand_r(&seed) % 8 != 0) {
            wait_for_answer(id);
        }
        if (rand_r(&seed) % 8 == 0) {
            port_open(&port, false);
            port_open(&port, true);
        }
    }
    (void)atomic_add(&done, 1u);
    return NULL;
}

static void *kernel(void *arg)
{
    struct abi_control r = {.operation = ABI_CONTROL_PAUSE, .domain = vm_id(other)};

    fake_play((unsigned int)(uintptr_t)arg);
    for (unsigned int n = 0; n < ROUNDS; n++) {
        struct call c = {.arg = {handle, 0, 64}};
        uint64_t st;

        r.id = 1 + n;
        REQUIRE(guestmem_write(lord, gpa(AT), &r, sizeof(r)) == ABI_OK);
        st = call_dispatch(lord->vcpu[1], ABI_CALL_VM_CONTROL, &c);
        REQUIRE(st == ABI_OK || st == ABI_BUSY);
        (void)atomic_add(st == ABI_OK ? &calls : &busy, 1u);
        sched_yield();
    }
    (void)atomic_add(&done, 1u);
    return NULL;
}

static void *writer(void *arg)
{
    fake_play((unsigned int)(uintptr_t)arg);
    for (unsigned int n = 0; n < ROUNDS; n++) {
        vm_dev_lock(other);
        stream_write(other, STREAM_CONSOLE, "a line of some length\n", 22);
        vm_dev_unlock(other);
        sched_yield();
    }
    (void)atomic_add(&done, 1u);
    return NULL;
}

static void start(void)
{
    struct domain_config cfg = core_config(MiB(4), 2);
    struct call c = {.arg = {AT, 4096}};

    fake_ram_size(MiB(64));
    core_boot_map(6, 1);
    fake_play(5);
    strcpy(cfg.name, "lord");
    cfg.abi_version = ABI_VERSION_1_2;
    cfg.abi_features = PORT_FEATURES;
    REQUIRE(vm_create(&cfg, &lord) == ABI_OK);
    other = abi_vm("other", MiB(4), 1, 0x7f, NULL);
    REQUIRE(call_dispatch(lord->vcpu[0], ABI_CALL_BUF_REGISTER, &c) == ABI_OK);
    handle = c.value[0];
    port_begin(&port, lord);
    fake_start_free();
}

static void the_port_and_all_that_meets_it_at_once(void)
{
    void *(*const who[])(void *) = {first_vcpu, user_space, kernel, writer};
    pthread_t threads[ARRAY_SIZE(who)];

    start();
    for (uintptr_t i = 0; i < ARRAY_SIZE(who); i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, who[i], (void *)(i + 1)) == 0);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(who); i++) {
        pthread_join(threads[i], NULL);
    }
    port_open(&port, false);
    port_open(&port, true);
    port_write(&port, &(struct abi_port_frame){.id = 1, .operation = ABI_CONTROL_PING},
               sizeof(struct abi_port_frame));
    vm_serve(lord);
    CU_ASSERT_EQUAL(port.have, sizeof(struct abi_port_frame)); /* whatever there was */
    fake_stop();
    vm_destroy(lord);
    vm_destroy(other);
    core_done();
    CU_ASSERT(answers > 20);
    CU_ASSERT(calls > 20);
}

static const struct cu_test tests[] = {
    CU(the_port_and_all_that_meets_it_at_once),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_port_stress", tests, argc, argv);
}
