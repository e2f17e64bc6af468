/* Control requests in a ring: order, answers in place, and rings that make no sense. */
#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "cu.h"
#include "hv/abi.h"
#include "hv/guestmem.h"

#define AT    MiB(1)
#define RING  (AT + 4096)
#define SLOTS 4u
#define BYTES (sizeof(struct abi_request_ring) + SLOTS * sizeof(struct abi_request_slot))

static struct vm *lord, *other;
static uint64_t handle;
static struct abi_request_ring ring;

static void start(void)
{
    struct call c;

    core_boot(MiB(64), 1);
    lord = abi_controller("lord", 0xff, 0, 0);
    other = abi_vm("other", MiB(4), 1, 0x7f, NULL);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_BUF_REGISTER, AT, 16384, 0, 0), ABI_OK);
    handle = c.value[0];
    ring = (struct abi_request_ring){.slots = SLOTS};
}

static void finish(void)
{
    vm_destroy(lord);
    vm_destroy(other);
    core_done();
}

static void write_at(uint64_t at, const void *from, size_t len)
{
    CU_ASSERT_EQUAL(guestmem_write(lord, gpa(at), from, len), ABI_OK);
}

static uint64_t slot_at(uint32_t n)
{
    return RING + sizeof(ring) + n % SLOTS * sizeof(struct abi_request_slot);
}

static void put(uint64_t id, uint32_t operation, uint32_t domain, const char *data)
{
    struct abi_request_slot s = {.id = id, .operation = operation, .domain = domain};

    s.length = (uint32_t)strlen(data);
    memcpy(s.data, data, s.length);
    write_at(slot_at(ring.produced++), &s, sizeof(s));
}

static struct abi_request_slot got(uint32_t n)
{
    struct abi_request_slot s;

    CU_ASSERT_EQUAL(guestmem_read(lord, gpa(slot_at(n)), &s, sizeof(s)), ABI_OK);
    return s;
}

static uint64_t kick_with(const struct abi_buffer_part *p)
{
    struct abi_control r = {.id = 1, .operation = ABI_CONTROL_RING};
    struct call c;

    write_at(RING, &ring, sizeof(ring));
    write_at(AT, &r, sizeof(r));
    write_at(AT + sizeof(r), p, sizeof(*p));
    return abi_call(lord, &c, ABI_CALL_VM_CONTROL, handle, 0, sizeof(r) + sizeof(*p), 0);
}

static uint64_t kick(void)
{
    struct abi_buffer_part p = {.handle = (uint32_t)handle, .offset = RING - AT, .length = BYTES};
    uint64_t st = kick_with(&p);

    CU_ASSERT_EQUAL(guestmem_read(lord, gpa(RING), &ring, sizeof(ring)), ABI_OK);
    return st;
}

static void what_waits_is_answered_in_order_and_in_place(void)
{
    const struct abi_control_domain *d;
    struct abi_request_slot s;

    start();
    put(11, ABI_CONTROL_CONSOLE, vm_id(other), "one");
    put(12, ABI_CONTROL_CONSOLE, vm_id(other), "two");
    put(13, ABI_CONTROL_STATISTICS, vm_id(other), "");
    put(14, ABI_CONTROL_DESTROY, 999, "");
    CU_ASSERT_EQUAL(kick(), ABI_OK);
    CU_ASSERT_EQUAL(ring.consumed, 4);
    CU_ASSERT_EQUAL(memcmp(other->stream[STREAM_CONSOLE].input, "onetwo", 6), 0);
    CU_ASSERT_EQUAL(got(0).status, ABI_OK);
    CU_ASSERT_EQUAL(got(0).length, 0);
    s = got(2);
    d = (const void *)s.data;
    CU_ASSERT_EQUAL(s.status, ABI_OK);
    CU_ASSERT_EQUAL(s.length, sizeof(*d));
    CU_ASSERT_EQUAL(s.id, 13);
    CU_ASSERT_STRING_EQUAL((const char *)d->name, "other");
    CU_ASSERT_EQUAL(got(3).status, ABI_NOT_FOUND);
    put(15, ABI_CONTROL_LIST, 0, "");
    CU_ASSERT_EQUAL(kick(), ABI_OK);
    CU_ASSERT_EQUAL(ring.consumed, 5);
    CU_ASSERT_EQUAL(got(4).length, 2 * sizeof(*d)); /* which is in slot 0 again */
    finish();
}

/* The hypervisor's index lies in the guest's memory: a wrong one only asks for old ones again. */
static void what_comes_again_is_answered_and_not_done(void)
{
    start();
    put(11, ABI_CONTROL_CONSOLE, vm_id(other), "one");
    CU_ASSERT_EQUAL(kick(), ABI_OK);
    ring.produced = 0;
    ring.consumed = 0;
    put(11, ABI_CONTROL_CONSOLE, vm_id(other), "one");
    CU_ASSERT_EQUAL(kick(), ABI_OK);
    CU_ASSERT_EQUAL(got(0).status, ABI_OK);
    CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 3);
    finish();
}

static void indices_run_freely(void)
{
    start();
    ring.produced = UINT32_MAX - 1;
    ring.consumed = UINT32_MAX - 1;
    put(11, ABI_CONTROL_CONSOLE, vm_id(other), "a");
    put(12, ABI_CONTROL_CONSOLE, vm_id(other), "b");
    put(13, ABI_CONTROL_CONSOLE, vm_id(other), "c");
    CU_ASSERT_EQUAL(kick(), ABI_OK);
    CU_ASSERT_EQUAL(ring.consumed, 1);
    CU_ASSERT_EQUAL(memcmp(other->stream[STREAM_CONSOLE].input, "abc", 3), 0);
    finish();
}

static void a_bad_request_is_refused_in_its_slot(void)
{
    struct abi_request_slot s = {.id = 1, .operation = ABI_CONTROL_PING, .status = 1};

    start();
    put(1, ABI_CONTROL_RING, 0, "");
    put(0, ABI_CONTROL_PING, 0, "");
    put(1, ABI_CONTROL_BUILD, 0, "");
    write_at(slot_at(ring.produced++), &s, sizeof(s));
    CU_ASSERT_EQUAL(kick(), ABI_OK);
    CU_ASSERT_EQUAL(got(0).status, ABI_BAD_FORMAT);
    CU_ASSERT_EQUAL(got(1).status, ABI_BAD_FORMAT);
    CU_ASSERT_EQUAL(got(2).status, ABI_DENIED);
    CU_ASSERT_EQUAL(got(3).status, ABI_RESERVED_BITS);
    s.status = 0;
    s.length = sizeof(s.data) + 1;
    write_at(slot_at(ring.produced++), &s, sizeof(s));
    s.length = 0;
    s.reserved = BIT(63);
    write_at(slot_at(ring.produced++), &s, sizeof(s));
    CU_ASSERT_EQUAL(kick(), ABI_OK);
    CU_ASSERT_EQUAL(got(4).status, ABI_BAD_FORMAT);
    CU_ASSERT_EQUAL(got(5).status, ABI_RESERVED_BITS);
    finish();
}

static void the_reason_of_a_failure_is_text(void)
{
    struct abi_request_slot s = {.id = 1, .operation = ABI_CONTROL_STAGE, .length = 16};
    struct abi_bundle_stage size = {.bytes = 4096};
    struct call c;

    start();
    vm_destroy(lord);
    lord = abi_controller("king", 0x1ff, UINT64_MAX, 9);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_BUF_REGISTER, AT, 16384, 0, 0), ABI_OK);
    handle = c.value[0];
    core_bundle_status = ABI_BAD_FORMAT;
    memcpy(s.data, &size, sizeof(size));
    write_at(slot_at(ring.produced++), &s, sizeof(s));
    put(2, ABI_CONTROL_BUILD, 0, "");
    CU_ASSERT_EQUAL(kick(), ABI_OK);
    CU_ASSERT_EQUAL(got(0).status, ABI_OK);
    s = got(1);
    CU_ASSERT_EQUAL(s.status, ABI_BAD_FORMAT);
    CU_ASSERT_EQUAL(s.length, strlen("/domains/x: no such thing"));
    CU_ASSERT_EQUAL(memcmp(s.data, "/domains/x: no such thing", s.length + 1), 0);
    finish();
}

static void a_ring_that_makes_no_sense_is_refused(void)
{
    static const struct {
        uint32_t slots, produced;
        enum abi_status st;
    } heads[] = {
        {0, 0, ABI_BAD_FORMAT}, {3, 0, ABI_BAD_FORMAT}, {2, 0, ABI_BAD_FORMAT},
        {8, 0, ABI_BAD_FORMAT}, {32, 0, ABI_BAD_FORMAT}, {UINT32_MAX, 0, ABI_BAD_FORMAT},
        {SLOTS, SLOTS + 1, ABI_BAD_FORMAT}, {SLOTS, UINT32_MAX, ABI_BAD_FORMAT},
    };
    struct abi_buffer_part p = {.handle = (uint32_t)handle};

    start();
    for (unsigned int i = 0; i < ARRAY_SIZE(heads); i++) {
        ring = (struct abi_request_ring){.slots = heads[i].slots, .produced = heads[i].produced};
        CU_ASSERT_EQUAL(kick(), heads[i].st);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(ring.reserved); i++) {
        ring = (struct abi_request_ring){.slots = SLOTS};
        ring.reserved[i] = BIT(i);
        CU_ASSERT_EQUAL(kick(), ABI_RESERVED_BITS);
    }
    ring = (struct abi_request_ring){.slots = SLOTS};
    p = (struct abi_buffer_part){.handle = (uint32_t)handle, .offset = 4097, .length = BYTES};
    CU_ASSERT_EQUAL(kick_with(&p), ABI_BAD_ARG); /* not aligned */
    p.offset = 16384 - BYTES + 8;
    CU_ASSERT_EQUAL(kick_with(&p), ABI_BAD_ARG);
    p.offset = 4096;
    p.length = 319;
    CU_ASSERT_EQUAL(kick_with(&p), ABI_BAD_ARG);
    p.length = UINT64_MAX;
    CU_ASSERT_EQUAL(kick_with(&p), ABI_BAD_ARG);
    p.length = BYTES;
    p.to = 1;
    CU_ASSERT_EQUAL(kick_with(&p), ABI_RESERVED_BITS);
    p.to = 0;
    p.handle += 64;
    CU_ASSERT_EQUAL(kick_with(&p), ABI_NOT_FOUND);
    finish();
}

static const struct cu_test tests[] = {
    CU(what_waits_is_answered_in_order_and_in_place),
    CU(what_comes_again_is_answered_and_not_done),
    CU(indices_run_freely),
    CU(a_bad_request_is_refused_in_its_slot),
    CU(the_reason_of_a_failure_is_text),
    CU(a_ring_that_makes_no_sense_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_ring", tests, argc, argv);
}
