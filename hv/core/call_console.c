/* The console ring and the time page. */
#include "arch/timer.h"
#include "hv/abi.h"
#include "hv/check.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define FIELD(at, name) gpa((at).v + offsetof(struct abi_console, name))
#define OUT_SIZE ((uint32_t)sizeof(((struct abi_console *)0)->out))
#define IN_SIZE  ((uint32_t)sizeof(((struct abi_console *)0)->in))

/* A part of the ring at an index, up to its end: two pieces at most. */
static enum abi_status copy_out(struct vm *vm, uint32_t index, uint8_t *buf, uint32_t len)
{
    gpa_t ring = FIELD(vm->abi->console_at, out);
    uint32_t first = MIN(len, OUT_SIZE - index % OUT_SIZE);
    enum abi_status st = guestmem_read(vm, gpa(ring.v + index % OUT_SIZE), buf, first);

    return st == ABI_OK ? guestmem_read(vm, ring, buf + first, len - first) : st;
}

static enum abi_status copy_in(struct vm *vm, uint32_t index, const uint8_t *buf, uint32_t len)
{
    gpa_t ring = FIELD(vm->abi->console_at, in);
    uint32_t first = MIN(len, IN_SIZE - index % IN_SIZE);
    enum abi_status st = guestmem_write(vm, gpa(ring.v + index % IN_SIZE), buf, first);

    return st == ABI_OK ? guestmem_write(vm, ring, buf + first, len - first) : st;
}

/* What a call may print at most is one ring full. The device lock is held. */
static enum abi_status pump_out(struct vm *vm)
{
    struct abi_vm *a = vm->abi;
    uint8_t text[256];
    uint32_t produced;
    enum abi_status st = guestmem_load32(vm, FIELD(a->console_at, out_produced), &produced);

    if (st == ABI_OK && produced - a->console_out > OUT_SIZE) {
        return ABI_BAD_FORMAT; /* more than there is room for */
    }
    while (st == ABI_OK && a->console_out != produced) {
        uint32_t len = MIN(produced - a->console_out, (uint32_t)sizeof(text));

        st = copy_out(vm, a->console_out, text, len);
        if (st == ABI_OK) {
            stream_write(vm, STREAM_CONSOLE, text, len);
            a->console_out += len;
        }
    }
    return st == ABI_OK
               ? guestmem_store32(vm, FIELD(a->console_at, out_consumed), a->console_out)
               : st;
}

/* stream_ops: a guest whose index makes no sense takes nothing. */
static size_t input(void *dev, const uint8_t *buf, size_t len)
{
    struct vm *vm = dev;
    struct abi_vm *a = vm->abi;
    uint32_t consumed, take;

    if (a->console == 0 ||
        guestmem_load32(vm, FIELD(a->console_at, in_consumed), &consumed) != ABI_OK ||
        a->console_in - consumed > IN_SIZE) {
        return 0;
    }
    take = MIN((uint32_t)MIN(len, (size_t)IN_SIZE), IN_SIZE - (a->console_in - consumed));
    if (take == 0 || copy_in(vm, a->console_in, buf, take) != ABI_OK) {
        return 0;
    }
    a->console_in += take;
    if (guestmem_store32(vm, FIELD(a->console_at, in_produced), a->console_in) == ABI_OK &&
        a->console_port != NULL) {
        event_raise(a->console_port);
    }
    return take;
}

static const struct stream_ops ring_ops = {.input = input};

enum abi_status console_kick(struct vm *vm)
{
    enum abi_status st = ABI_BAD_STATE;

    vm_dev_lock(vm);
    if (vm->abi->console != 0) {
        st = pump_out(vm);
        stream_ready(vm, STREAM_CONSOLE);
    }
    vm_dev_unlock(vm);
    return st;
}

/* The indices start where the guest's memory says: it clears the ring before. */
static enum abi_status attach(struct vm *vm, uint32_t handle, gpa_t at)
{
    struct abi_vm *a = vm->abi;
    uint32_t index[4];
    enum abi_status st = guestmem_read(vm, at, index, sizeof(index));

    if (st == ABI_OK && (index[0] | index[1] | index[2] | index[3]) != 0) {
        st = ABI_BAD_FORMAT;
    }
    if (st != ABI_OK || a->console != 0) {
        return st == ABI_OK ? ABI_EXISTS : st;
    }
    a->console = handle;
    a->console_at = at;
    a->console_out = 0;
    a->console_in = 0;
    stream_attach(vm, STREAM_CONSOLE, &ring_ops, vm);
    return ABI_OK;
}

static enum abi_status detach(struct vm *vm)
{
    uint32_t handle;

    vm_dev_lock(vm);
    handle = vm->abi->console;
    vm->abi->console = 0; /* input waits for whoever attaches next */
    vm_dev_unlock(vm);
    if (handle == 0) {
        return ABI_BAD_STATE;
    }
    buf_release(vm, handle);
    return ABI_OK;
}

enum abi_status call_CONSOLE_SETUP(struct vcpu *v, struct call *c)
{
    struct buf_range r = buf_of_call(c, sizeof(struct abi_console), 8);
    enum abi_status st;
    gpa_t at;

    if (r.handle == 0) {
        return detach(v->vm);
    }
    st = buf_acquire(v->vm, &r, &at);
    if (st != ABI_OK) {
        return st;
    }
    vm_dev_lock(v->vm);
    st = attach(v->vm, r.handle, at);
    vm_dev_unlock(v->vm);
    if (st != ABI_OK) {
        buf_release(v->vm, r.handle);
    }
    return st;
}

/* An odd sequence says that the rest is being written. */
static enum abi_status publish_time(struct vm *vm, gpa_t at)
{
    uint64_t zero = arch_vm_clock_zero(vm);
    struct abi_time t = {.flags = 1, .wall = time_wall() - (time_ns() - zero) / 1000000000u};
    enum abi_status st = guestmem_store32(vm, at, 1);
    int8_t shift;

    arch_clock_scale(&t.mul, &shift);
    t.shift = shift;
    if (st == ABI_OK) {
        st = guestmem_write(vm, gpa(at.v + sizeof(t.sequence)), &t.flags,
                            sizeof(t) - sizeof(t.sequence));
    }
    return st == ABI_OK ? guestmem_store32(vm, at, 2) : st;
}

enum abi_status call_TIME_SETUP(struct vcpu *v, struct call *c)
{
    struct buf_range r = buf_of_call(c, sizeof(struct abi_time), 8);
    enum abi_status st;
    gpa_t at;

    st = buf_acquire(v->vm, &r, &at);
    if (st == ABI_OK) {
        st = publish_time(v->vm, at);
        buf_release(v->vm, r.handle);
    }
    return st;
}
