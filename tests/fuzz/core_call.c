/* Sequences of calls by two domains that name each other, with a third that comes and goes, and one
 * that controls them, and has others built. */
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "core_ops.h"
#include "hv/abi.h"
#include "hv/guestmem.h"

#define MEMORY MiB(4)

#define SLOTS      4u
#define RING_BYTES (sizeof(struct abi_request_ring) + SLOTS * sizeof(struct abi_request_slot))

static struct vm *vms[3], *lord;
static uint16_t ids[3];

/* The least and the most of each argument; of flags, the mask is the most. */
#define ABI_CALL(name, index, feature, arguments, values, meaning) INDEX_##name = index,
enum {
#include "abi/call.def"
};
#define ABI_CALL(name, index, feature, arguments, values, meaning)
#define ABI_ARG(call, n, name, low, high, meaning) [INDEX_##call][n] = {low, high},
#define ABI_FLAGS(call, n, name, mask, meaning)    [INDEX_##call][n] = {0, mask},
static const struct {
    uint64_t low, high;
} range[32][4] = {
#include "abi/call.def"
};

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* Arguments near what means something: handles, ports, addresses with edges; or any bits. */
static uint64_t argument(struct ops *o)
{
    static const uint64_t near[] = {0, 4096, SIZE_2M, MEMORY, GiB(4), GiB(8), BIT(47), 1ull << 32,
                                    MiB(16), UINT32_MAX, 64, 128};
    uint64_t kind = ops_take(o, 1), v = 0;

    if (kind < 96) {
        return kind % 24;
    }
    if (kind < 160) {
        return 64 * (1 + kind % 4) + ops_take(o, 1) % 64; /* a handle */
    }
    if (kind < 240) {
        return near[kind % ARRAY_SIZE(near)] + ops_take(o, 1) - 128;
    }
    for (unsigned int i = 0; i < 8; i++) {
        v |= ops_take(o, 1) << 8 * i; /* as the dictionary has them */
    }
    return v;
}

/* What mostly fits: handles, whole pages, offsets that are small, or the first few of a range. */
static uint64_t likely(struct ops *o, uint64_t index, unsigned int n)
{
    uint64_t low = range[index][n].low, high = range[index][n].high;
    uint64_t v = ops_take(o, 1);

    switch (high) {
    case 0xffffffff:
        return index == INDEX_SHARE_ACCEPT || index == INDEX_SHARE_END || n == 2 ? v % 2
                                                                                  : 64 + v % 8;
    case 0xffffff:
        return v % 3 * 64;
    case 0x7fffffffffff:
        return v % 64 * 4096;
    case 0x7ffffffff000:
        return GiB(8) + v % 4 * 4096;
    case 0x1000000:
        return v % 8 == 0 ? 8192 : 4096;
    case UINT64_MAX:
        return v % 2 == 0 ? 0 : (v / 2 % 3) << 32;
    case 1019:
        return v % 2 == 0 ? 0 : 64;
    default:
        return low + v % (high - low < 3 ? high - low + 1 : 4);
    }
}

/* A domain that is past its beginnings: some pages registered, its ports possible. */
static void begin(struct vm *vm)
{
    struct call c;

    for (uint64_t i = 0; i < 4; i++) {
        require(abi_call(vm, &c, ABI_CALL_BUF_REGISTER, SIZE_2M + i * 8192, 4096, 0, 0) == ABI_OK);
    }
    require(abi_call(vm, &c, ABI_CALL_EVENT_SETUP, 64, 0, 0, 0) == ABI_OK);
}

static struct vm *guest(unsigned int i)
{
    static const char *const names[] = {"a", "b", "b"};
    struct vm *vm = abi_vm(names[i], MEMORY, 2, i == 2 ? 0xff : 0x7f, i == 0 ? "b" : "a");

    ids[i] = (uint16_t)vm_id(vm);
    return vm;
}

/* The third has the second's name: it lives only while the second does not. */
static void come_or_go(struct ops *o)
{
    unsigned int i = ops_take(o, 1) % 2;

    if (i == 1 && vms[2] != NULL) {
        i = 2;
    }
    if (vms[i] != NULL) {
        vm_destroy(vms[i]);
        vms[i] = NULL;
    }
    i = i == 0 ? 0 : i == 1 ? 2 : 1;
    vms[i] = guest(i);
}

static void one_call(struct ops *o, struct vm *vm)
{
    uint64_t number = ABI_CALL_BASE + ops_take(o, 1) % 21;
    unsigned int vcpu = ops_take(o, 1) % 2;
    struct call c;
    uint64_t st;

    for (unsigned int i = 0; i < 4; i++) {
        c.arg[i] = ops_take(o, 1) % 16 != 0 && number < ABI_CALL_BASE + 19
                       ? likely(o, number - ABI_CALL_BASE, i)
                       : argument(o);
        c.value[i % 3] = UINT64_MAX;
    }
    if (number == ABI_CALL_BUF_REGISTER && c.arg[1] > 65536 && ops_take(o, 1) != 0) {
        c.arg[1] %= 65536; /* big ones are slow */
    }
    st = call_dispatch(vm->vcpu[vcpu], number, &c);
    require(st <= ABI_HARDWARE);
    require(st == ABI_OK || (c.value[0] | c.value[1] | c.value[2]) == 0);
}

/* The guest writes what it likes where the hypervisor reads. */
static void scribble(struct ops *o, struct vm *vm)
{
    uint64_t at = argument(o);
    uint32_t word = (uint32_t)argument(o);

    if (at < MEMORY - 4) {
        require(guestmem_write(vm, gpa(at), &word, 4) == ABI_OK);
    }
}

/* What may follow a request: sizes, parts of buffers, mostly such that fit. */
static void put_more(struct ops *o, uint32_t operation, uint8_t *more)
{
    struct abi_bundle_stage s = {.bytes = ops_take(o, 2) % 20000};
    struct abi_buffer_part p = {
        .handle = 64 + (uint32_t)ops_take(o, 1) % 3,
        .offset = ops_take(o, 1) % 4 * 2048,
        .length = operation == ABI_CONTROL_RING ? RING_BYTES : ops_take(o, 2),
        .to = operation == ABI_CONTROL_LOAD ? ops_take(o, 2) : 0,
    };

    if (operation == ABI_CONTROL_STAGE) {
        memcpy(more, &s, sizeof(s));
    } else {
        memcpy(more, &p, sizeof(p));
    }
}

/* It may have destroyed one of ours. */
static void forget_the_gone(void)
{
    vms_lock();
    for (unsigned int i = 0; i < ARRAY_SIZE(vms); i++) {
        vms[i] = vms[i] != NULL && vm_by_id(ids[i]) != NULL ? vms[i] : NULL;
    }
    vms_unlock();
}

/* A request of the controller: direct, or for a slot of the ring that its RING requests name. What
 * follows a request lies 32 bytes behind its beginning. None is started: no CPU runs here. */
static void one_request(struct ops *o, uint32_t operation)
{
    static const char *const names[] = {"built", "more", "another", "lord"};
    struct abi_request_slot slot = {.id = ops_take(o, 1) % 8, .operation = operation};
    struct abi_request_ring ring = {.produced = (uint32_t)ops_take(o, 1) % 6, .slots = SLOTS};
    uint64_t kind = ops_take(o, 1);
    uint64_t at = SIZE_2M;
    struct call c;

    slot.domain = (uint32_t)ops_take(o, 1);
    strcpy(core_built.name, names[kind % 4]);
    core_bundle_status = kind / 4 % 8 == 0 ? ABI_BAD_FORMAT : ABI_OK;
    put_more(o, slot.operation, slot.data);
    if (kind >= 128) {
        slot.length = sizeof(struct abi_buffer_part);
        require(guestmem_write(lord, gpa(at + 2048), &ring, sizeof(ring)) == ABI_OK);
        at += 2048 + sizeof(ring) + sizeof(slot) * (kind / 32 % SLOTS);
    }
    require(guestmem_write(lord, gpa(at), &slot, sizeof(slot)) == ABI_OK);
    require(abi_call(lord, &c, ABI_CALL_VM_CONTROL, 64, 0, 96, 0) <= ABI_HARDWARE);
    vm_reap();
    forget_the_gone();
}

/* Any, or the three in a row that make a domain. */
static void requests(struct ops *o)
{
    uint32_t operation = (uint32_t)ops_take(o, 1) % 32;

    if (operation < ABI_CONTROL_START) {
        one_request(o, operation);
    } else {
        one_request(o, ABI_CONTROL_STAGE);
        one_request(o, ABI_CONTROL_LOAD);
        one_request(o, ABI_CONTROL_BUILD);
    }
}

static void begin_lord(void)
{
    struct call c;

    lord = abi_controller("lord", 0x1ff, MiB(14), 3);
    require(abi_call(lord, &c, ABI_CALL_BUF_REGISTER, SIZE_2M, 16384, 0, 0) == ABI_OK);
}

/* The controller crashes: what it had built stays, what it was about to build goes. */
static void restart_lord(void)
{
    vm_destroy(lord);
    begin_lord();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ops o = {data, MIN(size, 800)};
    static bool booted;

    if (!booted) {
        core_boot(MiB(48), 1);
        booted = true;
    }
    begin_lord();
    memset(&lord->abi->controller->journal, 0, sizeof(struct journal)); /* the last input's */
    vms[0] = guest(0);
    vms[1] = guest(1);
    vms[2] = NULL;
    if (ops_take(&o, 1) % 8 != 0) {
        begin(vms[0]);
        begin(vms[1]);
    }
    while (o.size > 0) {
        uint64_t op = ops_take(&o, 1);
        struct vm *vm = vms[op % 2] != NULL ? vms[op % 2] : vms[2];

        if (op < 3) {
            restart_lord();
        } else if (op < 110 || (vm == NULL && op < 250)) {
            requests(&o);
        } else if (op < 220) {
            one_call(&o, vm);
        } else if (op < 240) {
            scribble(&o, vm);
        } else if (op < 250) {
            fake_advance(1 + ops_take(&o, 1));
            stream_input(vm, STREAM_CONSOLE, (const uint8_t *)"input", 5);
        } else {
            come_or_go(&o);
        }
    }
    core_end_all();
    fake_console_clear();
    require(core_is_clean());
    return 0;
}
