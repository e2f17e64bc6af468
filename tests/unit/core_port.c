/* The control port: frames out of a stream, answers into one, and streams that make no sense. */
#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "cu.h"
#include "hv/abi.h"
#include "hv/guestmem.h"
#include "port_host.h"

#define HEAD sizeof(struct abi_port_frame)
#define MOST ((uint32_t)(ABI_MAX_PORT_BYTES - HEAD))

static struct port_host port;
static struct vm *lord, *other;
static uint64_t last_id;

static void start(void)
{
    core_boot(MiB(64), 1);
    lord = abi_controller("lord", PORT_FEATURES, UINT64_MAX, 9);
    other = abi_vm("other", MiB(4), 1, 0x7f, NULL);
    port = (struct port_host){0};
    port_begin(&port, lord);
}

static void finish(void)
{
    core_end_all();
    core_done();
}

static struct abi_port_frame frame(uint32_t operation, uint32_t domain, uint32_t length)
{
    return (struct abi_port_frame){
        .id = ++last_id, .operation = operation, .domain = domain, .length = length};
}

static void put(uint32_t operation, uint32_t domain, const void *data, uint32_t len)
{
    struct abi_port_frame f = frame(operation, domain, len);

    port_write(&port, &f, sizeof(f));
    port_write(&port, data, len);
}

/* The next answer; its data are in text. */
static uint8_t text[ABI_MAX_PORT_BYTES];
static struct abi_port_frame got(void)
{
    struct abi_port_frame f = {.status = 999};

    memset(text, 0, sizeof(text));
    if (port.have < HEAD) {
        return f;
    }
    memcpy(&f, port.got, HEAD);
    CU_ASSERT_FATAL(f.length <= MOST && port.have >= HEAD + f.length);
    memcpy(text, port.got + HEAD, f.length);
    port.have -= HEAD + f.length;
    memmove(port.got, port.got + HEAD + f.length, port.have);
    return f;
}

static struct abi_port_frame ask(uint32_t operation, uint32_t domain, const void *data,
                                 uint32_t len)
{
    put(operation, domain, data, len);
    vm_serve(lord);
    return got();
}

static void the_port_is_for_a_domain_with_the_feature(void)
{
    struct vm *without;

    start();
    without = abi_controller("without", 0x1ff, 0, 0);
    CU_ASSERT(stream_exists(lord, STREAM_CONTROL));
    CU_ASSERT_FALSE(stream_exists(without, STREAM_CONTROL));
    CU_ASSERT_FALSE(stream_exists(other, STREAM_CONTROL));
    CU_ASSERT(stream_exists(other, STREAM_CHANNEL));
    vm_serve(without);
    vm_serve(other);
    finish();
}

static void a_request_is_answered_with_its_id(void)
{
    const struct abi_control_domain *d = (const void *)text;
    struct abi_port_frame f;

    start();
    f = ask(ABI_CONTROL_LIST, 0, NULL, 0);
    CU_ASSERT_EQUAL(f.status, ABI_OK);
    CU_ASSERT_EQUAL(f.id, last_id);
    CU_ASSERT_EQUAL(f.operation, ABI_CONTROL_LIST);
    CU_ASSERT_EQUAL(f.length, 2 * sizeof(*d));
    CU_ASSERT_STRING_EQUAL((const char *)d[0].name, "lord");
    CU_ASSERT_STRING_EQUAL((const char *)d[1].name, "other");
    f = ask(ABI_CONTROL_CONSOLE, vm_id(other), "hello", 5);
    CU_ASSERT_EQUAL(f.status, ABI_OK);
    CU_ASSERT_EQUAL(f.length, 0);
    CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 5);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_DESTROY, vm_id(lord), NULL, 0).status, ABI_DENIED);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_DESTROY, 999, NULL, 0).status, ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(ask(77, 0, NULL, 0).status, ABI_BAD_FORMAT);
    finish();
}

/* Byte by byte, and it is done when the last has come. */
static void a_frame_is_done_when_it_is_whole(void)
{
    struct {
        struct abi_port_frame head;
        char data[5];
    } __attribute__((packed)) f = {frame(ABI_CONTROL_CONSOLE, 0, 5), {'h', 'e', 'l', 'l', 'o'}};

    start();
    f.head.domain = vm_id(other);
    for (size_t i = 0; i < sizeof(f); i++) {
        vm_serve(lord);
        CU_ASSERT_EQUAL(port.have, 0);
        CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 0);
        port_write(&port, (const uint8_t *)&f + i, 1);
    }
    vm_serve(lord);
    CU_ASSERT_EQUAL(got().status, ABI_OK);
    CU_ASSERT_EQUAL(memcmp(other->stream[STREAM_CONSOLE].input, "hello", 5), 0);
    finish();
}

static void what_follows_waits_until_the_answer_is_taken(void)
{
    start();
    port.room = 0;
    put(ABI_CONTROL_CONSOLE, vm_id(other), "a", 1);
    put(ABI_CONTROL_CONSOLE, vm_id(other), "b", 1);
    put(ABI_CONTROL_CONSOLE, vm_id(other), "c", 1);
    vm_serve(lord);
    vm_serve(lord);
    CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 1);
    port_ready(&port, HEAD - 1);
    vm_serve(lord);
    CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 1);
    port_ready(&port, HEAD + 1); /* the first answer's end, and the second */
    vm_serve(lord);
    CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 2);
    vm_serve(lord);
    CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 3);
    port_ready(&port, SIZE_MAX);
    CU_ASSERT_EQUAL(memcmp(other->stream[STREAM_CONSOLE].input, "abc", 3), 0);
    CU_ASSERT_EQUAL(got().id, last_id - 2);
    CU_ASSERT_EQUAL(got().id, last_id - 1);
    CU_ASSERT_EQUAL(got().id, last_id);
    finish();
}

static void a_length_that_lies_is_told_and_the_rest_passed_over(void)
{
    static const uint32_t lies[] = {MOST + 1, 65536, INT32_MAX, UINT32_MAX};
    static uint8_t junk[3 * ABI_MAX_PORT_BYTES];
    struct abi_port_frame f;

    start();
    memset(junk, 0xa5, sizeof(junk));
    for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++) {
        f = frame(ABI_CONTROL_DESTROY, vm_id(other), lies[i]);
        port_write(&port, &f, sizeof(f));
        vm_serve(lord);
        f = got();
        CU_ASSERT_EQUAL(f.status, ABI_BAD_FORMAT);
        CU_ASSERT_EQUAL(f.id, last_id);
        CU_ASSERT_PTR_NOT_NULL(strstr((const char *)text, "at most 32736"));
        port_write(&port, junk, sizeof(junk));
        put(ABI_CONTROL_PING, 0, NULL, 0);
        vm_serve(lord);
        CU_ASSERT_EQUAL(port.have, 0);
        port_open(&port, false);
        port_open(&port, true);
        CU_ASSERT_EQUAL(ask(ABI_CONTROL_PING, 0, NULL, 0).status, ABI_OK);
    }
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_FILL, 0, junk, MOST).status, ABI_RESERVED_BITS);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_PING, 0, junk, MOST).status, ABI_OK); /* the longest */
    CU_ASSERT_EQUAL(vm_count(), 2);
    finish();
}

static void half_a_frame_goes_when_the_port_is_closed(void)
{
    struct abi_port_frame f;

    start();
    for (uint32_t cut = 1; cut < HEAD + 4; cut += 5) {
        f = frame(ABI_CONTROL_CONSOLE, vm_id(other), 4);
        port_write(&port, &f, MIN(cut, HEAD));
        port_write(&port, "abcd", cut > HEAD ? cut - HEAD : 0);
        port_open(&port, false);
        put(ABI_CONTROL_DESTROY, vm_id(other), NULL, 0); /* closed: nobody hears it */
        vm_serve(lord);
        port_open(&port, true);
        vm_serve(lord);
        CU_ASSERT_EQUAL(port.have, 0);
        CU_ASSERT_EQUAL(ask(ABI_CONTROL_PING, 0, NULL, 0).status, ABI_OK);
    }
    CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 0);
    CU_ASSERT_FALSE(other->end_asked);
    put(ABI_CONTROL_CONSOLE, vm_id(other), "abcd", 4); /* whole, not begun yet */
    port_open(&port, false);
    vm_serve(lord);
    CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 0);
    finish();
}

static void an_answer_that_was_not_taken_is_not_the_next_ones(void)
{
    start();
    port.room = 7;
    put(ABI_CONTROL_LIST, 0, NULL, 0);
    vm_serve(lord);
    CU_ASSERT_EQUAL(port.have, 7);
    port_open(&port, false);
    port_open(&port, true);
    port_ready(&port, SIZE_MAX);
    CU_ASSERT_EQUAL(port.have, 0);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_PING, 0, NULL, 0).id, last_id);
    finish();
}

/* The other's device closes and opens our port, in the middle of our request to it. */
static size_t closing_input(void *dev, const uint8_t *buf, size_t len)
{
    (void)dev;
    (void)buf;
    port_open(&port, false);
    port_open(&port, true);
    return len;
}

static const struct stream_ops closing_ops = {.input = closing_input};

static void a_request_is_done_though_the_port_is_closed_meanwhile(void)
{
    start();
    stream_attach(other, STREAM_CONSOLE, &closing_ops, NULL);
    put(ABI_CONTROL_CONSOLE, vm_id(other), "abc", 3);
    vm_serve(lord);
    CU_ASSERT_EQUAL(port.have, 0);
    CU_ASSERT_EQUAL(other->stream[STREAM_CONSOLE].count, 0); /* it was taken */
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_PING, 0, NULL, 0).id, last_id);
    last_id -= 2;
    stream_attach(other, STREAM_CONSOLE, &port_host_ops, &port); /* who asks again is told */
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_CONSOLE, vm_id(other), "abc", 3).status, ABI_OK);
    CU_ASSERT_EQUAL(port.have, 0);
    finish();
}

static void buffers_are_the_kernels_affair(void)
{
    struct abi_buffer_part p = {.handle = 64, .offset = 0xfee00000, .length = 4096};
    struct abi_port_frame f;

    start();
    f = ask(ABI_CONTROL_LOAD, 0, &p, sizeof(p));
    CU_ASSERT_EQUAL(f.status, ABI_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL((const char *)text, "operation: not here: it names a buffer");
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_RING, 0, &p, sizeof(p)).status, ABI_BAD_FORMAT);
    f = frame(ABI_CONTROL_PING, 0, 0);
    f.status = 1;
    port_write(&port, &f, sizeof(f));
    vm_serve(lord);
    CU_ASSERT_EQUAL(got().status, ABI_RESERVED_BITS);
    f = frame(ABI_CONTROL_PING, 0, 0);
    f.reserved = BIT(63);
    port_write(&port, &f, sizeof(f));
    vm_serve(lord);
    f = got();
    CU_ASSERT_EQUAL(f.status, ABI_RESERVED_BITS);
    CU_ASSERT_EQUAL(f.reserved, 0);
    finish();
}

static void a_bundle_comes_through_the_port(void)
{
    static uint8_t bundle[40000];
    static struct {
        struct abi_bundle_part part;
        uint8_t bytes[20000];
    } fill;
    struct abi_bundle_stage s = {.bytes = sizeof(bundle)};
    const struct abi_control_domain *d = (const void *)text;

    start();
    for (size_t i = 0; i < sizeof(bundle); i++) {
        bundle[i] = (uint8_t)(i * 3 + i / 256);
    }
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_FILL, 0, &fill, 17).status, ABI_BAD_STATE);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_STAGE, 0, &s, sizeof(s)).status, ABI_OK);
    for (unsigned int i = 0; i < 2; i++) {
        fill.part.to = i * sizeof(fill.bytes);
        memcpy(fill.bytes, bundle + fill.part.to, sizeof(fill.bytes));
        CU_ASSERT_EQUAL(ask(ABI_CONTROL_FILL, 0, &fill, sizeof(fill)).status, ABI_OK);
    }
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_BUILD, 0, NULL, 0).status, ABI_OK);
    CU_ASSERT_STRING_EQUAL((const char *)d->name, "built");
    CU_ASSERT_EQUAL(core_bundle_seen.len, sizeof(bundle));
    CU_ASSERT_EQUAL(memcmp(core_bundle_seen.fdt, bundle, sizeof(bundle)), 0);
    finish();
}

static void bytes_that_do_not_fit_the_bundle_are_refused(void)
{
    struct {
        struct abi_bundle_part part;
        uint8_t bytes[8];
    } fill = {.part = {.to = 4090}};
    struct abi_bundle_stage s = {.bytes = 4096};

    start();
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_STAGE, 0, &s, sizeof(s)).status, ABI_OK);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_FILL, 0, &fill, 15).status, ABI_BAD_ARG);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_FILL, 0, &fill, 16).status, ABI_BAD_ARG);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_FILL, 0, &fill, 22).status, ABI_OK);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_FILL, 0, &fill, 23).status, ABI_BAD_ARG);
    fill.part.to = UINT64_MAX - 3;
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_FILL, 0, &fill, 24).status, ABI_BAD_ARG);
    fill.part = (struct abi_bundle_part){.reserved = 1};
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_FILL, 0, &fill, 24).status, ABI_RESERVED_BITS);
    finish();
}

static void write_console(struct vm *vm, const char *bytes, size_t len)
{
    vm_dev_lock(vm);
    stream_write(vm, STREAM_CONSOLE, bytes, len);
    vm_dev_unlock(vm);
}

static void what_a_domain_wrote_is_read_from_a_place_on(void)
{
    struct abi_console_part at = {0};
    static char flood[ABI_MAX_OUTPUT_BYTES];
    struct abi_port_frame f;

    start();
    write_console(other, "one\ntwo\n", 8);
    f = ask(ABI_CONTROL_CONSOLE_OUTPUT, vm_id(other), &at, sizeof(at));
    CU_ASSERT_EQUAL(f.status, ABI_OK);
    CU_ASSERT_EQUAL(f.length, sizeof(at) + 8);
    CU_ASSERT_EQUAL(memcmp(text + sizeof(at), "one\ntwo\n", 8), 0);
    at.at = 4;
    f = ask(ABI_CONTROL_CONSOLE_OUTPUT, vm_id(other), &at, sizeof(at));
    CU_ASSERT_EQUAL(f.length, sizeof(at) + 4);
    at.at = 8;
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_CONSOLE_OUTPUT, vm_id(other), &at, sizeof(at)).length,
                    sizeof(at));
    at.at = 9;
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_CONSOLE_OUTPUT, vm_id(other), &at, sizeof(at)).status,
                    ABI_BAD_ARG);
    memset(flood, 'x', sizeof(flood));
    write_console(other, flood, sizeof(flood) - 4);
    at.at = 0;
    f = ask(ABI_CONTROL_CONSOLE_OUTPUT, vm_id(other), &at, sizeof(at));
    CU_ASSERT_EQUAL(f.length, sizeof(at) + ABI_MAX_OUTPUT_BYTES);
    memcpy(&at, text, sizeof(at));
    CU_ASSERT_EQUAL(at.at, 4);
    CU_ASSERT_EQUAL(memcmp(text + sizeof(at), "two\nxxxx", 8), 0);
    at.reserved = 1;
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_CONSOLE_OUTPUT, vm_id(other), &at, sizeof(at)).status,
                    ABI_RESERVED_BITS);
    CU_ASSERT_EQUAL(ask(ABI_CONTROL_CONSOLE_OUTPUT, vm_id(other), &at, 15).status, ABI_BAD_ARG);
    finish();
}

/* By VM_CONTROL, into a message that is just long enough; and by one who knows 1.1 alone. */
static void a_kernel_reads_a_console_by_its_call(void)
{
    struct {
        struct abi_control head;
        struct abi_console_part part;
    } m = {{.id = 1, .operation = ABI_CONTROL_CONSOLE_OUTPUT, .domain = 2}, {0}};
    struct vm *old;
    struct call c;
    uint64_t handle;

    start();
    write_console(other, "hello", 5);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_BUF_REGISTER, MiB(1), 4096, 0, 0), ABI_OK);
    handle = c.value[0];
    CU_ASSERT_EQUAL(guestmem_write(lord, gpa(MiB(1)), &m, sizeof(m)), ABI_OK);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_VM_CONTROL, handle, 0, sizeof(m) - 1, 0),
                    ABI_BAD_ARG);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_VM_CONTROL, handle, 0, sizeof(m), 0), ABI_OK);
    CU_ASSERT_EQUAL(c.value[0], sizeof(m.part) + 5);
    CU_ASSERT_EQUAL(guestmem_read(lord, gpa(MiB(1)), text, sizeof(m)), ABI_OK);
    CU_ASSERT_EQUAL(memcmp(text + sizeof(m.part), "hello", 5), 0);
    old = abi_controller("old", 0x1ff, 0, 0);
    CU_ASSERT_EQUAL(abi_call(old, &c, ABI_CALL_BUF_REGISTER, MiB(1), 4096, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_write(old, gpa(MiB(1)), &m, sizeof(m)), ABI_OK);
    CU_ASSERT_EQUAL(abi_call(old, &c, ABI_CALL_VM_CONTROL, c.value[0], 0, 64, 0), ABI_BAD_FORMAT);
    finish();
}

static void while_a_call_is_under_way_the_port_waits(void)
{
    start();
    CU_ASSERT(control_begin(lord));
    put(ABI_CONTROL_PING, 0, NULL, 0);
    vm_serve(lord);
    CU_ASSERT_EQUAL(port.have, 0);
    CU_ASSERT_FALSE(control_begin(lord));
    lord->vcpu[0]->requests = 0;
    control_end(lord);
    CU_ASSERT_EQUAL(lord->vcpu[0]->requests, REQ_SERVE);
    vm_serve(lord);
    CU_ASSERT_EQUAL(got().status, ABI_OK);
    finish();
}

static const struct cu_test tests[] = {
    CU(the_port_is_for_a_domain_with_the_feature),
    CU(a_request_is_answered_with_its_id),
    CU(a_frame_is_done_when_it_is_whole),
    CU(what_follows_waits_until_the_answer_is_taken),
    CU(a_length_that_lies_is_told_and_the_rest_passed_over),
    CU(half_a_frame_goes_when_the_port_is_closed),
    CU(an_answer_that_was_not_taken_is_not_the_next_ones),
    CU(a_request_is_done_though_the_port_is_closed_meanwhile),
    CU(buffers_are_the_kernels_affair),
    CU(a_bundle_comes_through_the_port),
    CU(bytes_that_do_not_fit_the_bundle_are_refused),
    CU(what_a_domain_wrote_is_read_from_a_place_on),
    CU(a_kernel_reads_a_console_by_its_call),
    CU(while_a_call_is_under_way_the_port_waits),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_port", tests, argc, argv);
}
