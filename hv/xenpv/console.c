/* The console ring (public/io/console.h): hvc0. Its indexes are the guest's own words. */
#include "xenpv.h"

#include "hv/log.h"

#define CHUNK 512u

static bool load(struct xenpv *x, uint32_t offset, uint32_t *value)
{
    return guestmem_load32(x->vm, gpa(GPA_XEN_CONSOLE + offset), value) == ABI_OK;
}

static bool store(struct xenpv *x, uint32_t offset, uint32_t value)
{
    return guestmem_store32(x->vm, gpa(GPA_XEN_CONSOLE + offset), value) == ABI_OK;
}

/* Bytes that are in the ring, or none when its indexes contradict each other. */
static bool output(struct xenpv *x, uint32_t cons, uint32_t prod)
{
    uint8_t buf[CHUNK];

    while (cons != prod) {
        uint32_t at = cons % CONSOLE_OUT_SIZE;
        uint32_t n = MIN(MIN(prod - cons, CONSOLE_OUT_SIZE - at), CHUNK);

        if (guestmem_read(x->vm, gpa(GPA_XEN_CONSOLE + CONSOLE_OUT + at), buf, n) != ABI_OK) {
            return false;
        }
        stream_write(x->vm, STREAM_CONSOLE, buf, n);
        cons += n;
    }
    return true;
}

void xenpv_console_kick(struct xenpv *x)
{
    uint32_t cons, prod;

    if (!load(x, CONSOLE_OUT_CONS, &cons) || !load(x, CONSOLE_OUT_PROD, &prod)) {
        return;
    }
    if (prod - cons > CONSOLE_OUT_SIZE) {
        log_vm(x->vm, LOG_WARN, "console ring: %u bytes in %u", prod - cons, CONSOLE_OUT_SIZE);
        return;
    }
    if (cons != prod && output(x, cons, prod) && store(x, CONSOLE_OUT_CONS, prod)) {
        xenpv_port_raise(x, x->console_port); /* it may wait for room */
    }
    stream_ready(x->vm, STREAM_CONSOLE);
}

static size_t input(void *dev, const uint8_t *buf, size_t len)
{
    struct xenpv *x = dev;
    uint32_t cons, prod, n = 0;

    if (!load(x, CONSOLE_IN_CONS, &cons) || !load(x, CONSOLE_IN_PROD, &prod) ||
        prod - cons >= CONSOLE_IN_SIZE) {
        return 0;
    }
    for (uint32_t room = CONSOLE_IN_SIZE - (prod - cons); n < room && n < len; n++) {
        gpa_t at = gpa(GPA_XEN_CONSOLE + CONSOLE_IN + (prod + n) % CONSOLE_IN_SIZE);

        if (guestmem_write(x->vm, at, &buf[n], 1) != ABI_OK) {
            return 0;
        }
    }
    if (!store(x, CONSOLE_IN_PROD, prod + n)) {
        return 0;
    }
    xenpv_port_raise(x, x->console_port);
    return n;
}

static const struct stream_ops console_stream = {.input = input};

void xenpv_console_attach(struct xenpv *x)
{
    stream_attach(x->vm, STREAM_CONSOLE, &console_stream, x);
}
