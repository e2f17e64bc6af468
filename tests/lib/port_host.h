/* User space of a domain with a control port, and the device between: on the fake machine. */
#ifndef TESTS_LIB_PORT_HOST_H
#define TESTS_LIB_PORT_HOST_H

#include <string.h>

#include "abi_host.h"
#include "hv/control.h"

#define PORT_FEATURES 0x3ffu /* all there are */

struct port_host {
    struct vm *vm;
    size_t room; /* bytes that the guest takes now */
    uint8_t got[2 * ABI_MAX_PORT_BYTES];
    size_t have;
    uint8_t queue[4 * ABI_MAX_PORT_BYTES]; /* written, and not taken yet */
    size_t queued;
};

static inline void port_push(struct port_host *p)
{
    while (p->queued > 0) {
        size_t n = MIN(p->queued, stream_room(p->vm, STREAM_CONTROL));

        if (n == 0) {
            return;
        }
        stream_write(p->vm, STREAM_CONTROL, p->queue, n);
        REQUIRE(n <= p->queued);
        p->queued -= n;
        memmove(p->queue, p->queue + n, p->queued);
    }
}

static inline size_t port_input(void *dev, const uint8_t *buf, size_t len)
{
    struct port_host *p = dev;
    size_t n = MIN(MIN(len, p->room), sizeof(p->got) - p->have);

    memcpy(p->got + p->have, buf, n);
    p->have += n;
    p->room -= n;
    return n;
}

static inline void port_room(void *dev)
{
    port_push(dev);
}

static const struct stream_ops port_host_ops = {port_input, port_room};

static inline void port_open(struct port_host *p, bool open)
{
    vm_dev_lock(p->vm);
    p->have = 0;
    p->queued = 0;
    stream_open(p->vm, STREAM_CONTROL, open);
    vm_dev_unlock(p->vm);
}

/* The port of that domain, open, whose user space takes all that comes. */
static inline void port_begin(struct port_host *p, struct vm *vm)
{
    p->vm = vm;
    p->room = SIZE_MAX;
    stream_attach(vm, STREAM_CONTROL, &port_host_ops, p);
    port_open(p, true);
}

static inline void port_write(struct port_host *p, const void *bytes, size_t len)
{
    if (len == 0) {
        return;
    }
    vm_dev_lock(p->vm);
    REQUIRE(len <= sizeof(p->queue) - p->queued);
    memcpy(p->queue + p->queued, bytes, len);
    p->queued += len;
    port_push(p);
    vm_dev_unlock(p->vm);
}

static inline void port_ready(struct port_host *p, size_t room)
{
    vm_dev_lock(p->vm);
    p->room = room;
    stream_ready(p->vm, STREAM_CONTROL);
    vm_dev_unlock(p->vm);
}

#endif
