/* Anything may arrive on the host link: at most the domains it names feel it. */
#include <stdlib.h>

#include "core_host.h"

static struct vm *vm[2];

static size_t input(void *dev, const uint8_t *buf, size_t len)
{
    volatile uint8_t sum = 0;

    (void)dev;
    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + buf[i]);
    }
    return sum % 3 == 0 ? len : len / 2;
}

static const struct stream_ops ops = {.input = input};

/* Of one domain, which has asked for something; the other has not. */
static void answered(struct vm *owner, const uint8_t *p, size_t len)
{
    if (owner != vm[0] || input(NULL, p, len) > len) {
        abort();
    }
}

static void boot(void)
{
    core_boot(MiB(64), 1);
    link_init();
}

static void make(void)
{
    for (unsigned int i = 0; i < 2; i++) {
        vm[i] = core_vm("guest", 2, 100, UINT64_MAX);
        stream_attach(vm[i], STREAM_CONSOLE, &ops, NULL);
        stream_attach(vm[i], STREAM_CHANNEL, &ops, NULL);
    }
    vm[0]->host_answer = answered;
}

/* Everything that left is whole frames with known types and lengths. */
static void check_output(void)
{
    size_t len, at = 0;
    const uint8_t *p = fake_link(&len);

    while (at + 8 <= len) {
        size_t n = p[at + 6] | (size_t)p[at + 7] << 8;

        if (p[at] != 'C' || p[at + 1] != 'L' || p[at + 2] < 1 || p[at + 2] > 6 || n > 4096) {
            abort();
        }
        at += 8 + n;
    }
    if (at != len && len < KiB(500)) {
        abort();
    }
}

/* The ids of the two VMs move on; bytes 4 and 5 of the input's frames are made to follow. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[20000];
    static bool booted;
    uint16_t id;

    if (!booted) {
        boot();
        booted = true;
    }
    size = MIN(size, sizeof(bytes));
    make();
    id = (uint16_t)vm_id(vm[0]);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = data[i];
        if (i >= 5 && data[i - 5] == 'C' && data[i - 4] == 'L' && data[i - 1] < 4) {
            uint16_t to = (uint16_t)(id + data[i - 1]);

            bytes[i - 1] = (uint8_t)to;
            bytes[i] = (uint8_t)(to >> 8);
        }
    }
    fake_link_clear();
    fake_console_clear();
    fake_link_input(bytes, size);
    while (link_poll()) {
    }
    fake_link_input("CL\xff\0\0\0\0\0", 8); /* ends a frame that was begun, or another does */
    for (unsigned int i = 0; i < 4200; i += 256) {
        static const uint8_t zeros[256];

        fake_link_input(zeros, sizeof(zeros));
        while (link_poll()) {
        }
    }
    check_output();
    for (unsigned int i = 0; i < 2; i++) {
        core_end(vm[i]);
    }
    if (!core_is_clean()) {
        abort();
    }
    return 0;
}
