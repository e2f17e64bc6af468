/*
 * The control port under any bytes, in any pieces, opened and closed at any time, beside calls of
 * the kernel: its answers are those of the frames of the same stream, in their order.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "core_ops.h"
#include "hv/abi.h"
#include "port_host.h"

#define HEAD ((uint32_t)sizeof(struct abi_port_frame))
#define MOST ((uint32_t)(ABI_MAX_PORT_BYTES - HEAD))

static struct port_host port;
static struct vm *lord;

/* What was written since the port was opened, and how far its answers came. */
static uint8_t sent[1 << 17];
static uint32_t sent_len, answered;
static bool deaf;

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void reopen(void)
{
    port_open(&port, false);
    port_open(&port, true);
    sent_len = 0;
    answered = 0;
    deaf = false;
}

static void send(const void *bytes, uint32_t len)
{
    if (sent_len + len > sizeof(sent)) {
        reopen();
    }
    memcpy(sent + sent_len, bytes, len);
    sent_len += len;
    port_write(&port, bytes, len);
}

/* The next answer is to the next frame of the stream. */
static bool check_one(void)
{
    struct abi_port_frame asked, f;

    if (port.have < HEAD) {
        return false;
    }
    memcpy(&f, port.got, HEAD);
    require(f.length <= MOST && f.reserved == 0 && f.status <= ABI_HARDWARE);
    if (port.have < HEAD + f.length) {
        return false;
    }
    require(!deaf && sent_len - answered >= HEAD);
    memcpy(&asked, sent + answered, HEAD);
    require(f.id == asked.id && f.operation == asked.operation && f.domain == asked.domain);
    deaf = asked.length > MOST;
    require(!deaf || f.status == ABI_BAD_FORMAT);
    answered += deaf ? HEAD : HEAD + asked.length;
    require(answered <= sent_len);
    port.have -= HEAD + f.length;
    memmove(port.got, port.got + HEAD + f.length, port.have);
    return true;
}

static void check_answers(void)
{
    while (check_one()) {
    }
}

/* One that mostly makes sense, with what mostly belongs to it. */
static void send_request(struct ops *o)
{
    static uint8_t more[600];
    struct abi_port_frame f = {
        .id = ops_take(o, 1) % 32,
        .operation = (uint32_t)ops_take(o, 1) % 17,
        .domain = (uint32_t)ops_take(o, 1) % 6,
    };
    uint64_t kind = ops_take(o, 1);

    f.length = kind % 8 == 0 ? (uint32_t)ops_take(o, 2) % sizeof(more) : 16;
    if (kind == 1) {
        f.length = (uint32_t)ops_take(o, 4);
    }
    f.status = kind == 2;
    f.reserved = kind == 3;
    for (unsigned int i = 0; i < 16; i++) {
        more[i] = i < 8 && kind >= 64 ? 0 : (uint8_t)ops_take(o, 1);
    }
    more[0] = (uint8_t)ops_take(o, 1);
    memset(more + 8, 0, kind >= 16 ? 8 : 0);
    send(&f, HEAD);
    send(more, MIN(f.length, (uint32_t)sizeof(more)));
}

static void send_raw(struct ops *o)
{
    uint64_t n = 1 + ops_take(o, 1) % 64;

    n = MIN(n, o->size);
    if (n > 0) {
        send(o->data, (uint32_t)n);
        o->data += n;
        o->size -= n;
    }
}

/* The kernel makes a call while user space has its port. */
static void call_under_way(struct ops *o)
{
    if (!control_begin(lord)) {
        return;
    }
    send_request(o);
    vm_serve(lord);
    control_end(lord);
}

static void one_step(struct ops *o)
{
    uint64_t op = ops_take(o, 1);

    if (op < 8) {
        reopen();
    } else if (op < 16) {
        call_under_way(o);
    } else if (op < 48) {
        send_raw(o);
    } else if (op < 96) {
        check_answers();
        port_ready(&port, op % 2 != 0 ? SIZE_MAX : ops_take(o, 1));
    } else if (op < 160) {
        vm_serve(lord);
    } else {
        send_request(o);
        vm_serve(lord);
    }
    check_answers();
    if (op % 8 == 0) {
        vm_reap();
    }
}

/* Whatever it was: who opens the port anew is served. */
static void the_next_is_served(void)
{
    struct abi_port_frame f = {.id = UINT64_MAX, .operation = ABI_CONTROL_PING};

    reopen();
    port.room = SIZE_MAX;
    vm_serve(lord);
    require(port.have == 0);
    send(&f, HEAD);
    vm_serve(lord);
    require(port.have == HEAD);
    memcpy(&f, port.got, HEAD);
    require(f.id == UINT64_MAX && f.status == ABI_OK && f.length == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ops o = {data, MIN(size, 2000)};
    static bool booted;

    if (!booted) {
        core_boot(MiB(48), 1);
        booted = true;
    }
    lord = abi_controller("lord", PORT_FEATURES, MiB(14), 3);
    memset(&lord->abi->controller->journal, 0, sizeof(struct journal)); /* the last input's */
    port = (struct port_host){0};
    port_begin(&port, lord);
    reopen();
    while (o.size > 0) {
        one_step(&o);
    }
    the_next_is_served();
    core_end_all();
    fake_console_clear();
    require(core_is_clean());
    return 0;
}
