/* A guest that does anything to a device on the MMIO transport, and to the memory of its rings. */
#include <stdlib.h>
#include <string.h>

#include "fake_vm.h"
#include "hv/check.h"
#include "hv/device.h"
#include "hv/mmio_map.h"

#define BASE   (MMIO_VIRTIO + MMIO_CELL_SIZE)
#define MEMORY 0x4000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct input {
    const uint8_t *data;
    size_t left;
};

static uint32_t take(struct input *in, unsigned int bytes)
{
    uint32_t v = 0;

    while (bytes-- > 0 && in->left > 0) {
        v = v << 8 | *in->data++;
        in->left--;
    }
    return v;
}

static void step(struct vm *vm, struct input *in)
{
    uint32_t op = take(in, 1);
    uint64_t at = BASE + (op & 0x7c);
    uint32_t v;

    switch (op & 3) {
    case 0: /* a register, as drivers write it; one in two values is small */
        v = take(in, 1);
        (void)fake_mmio_out(vm, at, 4, (v & 1) != 0 ? take(in, 4) : v >> 1);
        break;
    case 1: /* any register, any width */
        at = BASE + (take(in, 2) & (MMIO_VIRTIO_SIZE - 1));
        (void)fake_mmio_in(vm, at, 1u << take(in, 1) % 3, &v);
        (void)fake_mmio_out(vm, at, 1u << take(in, 1) % 3, take(in, 1));
        break;
    case 2: /* memory */
        v = take(in, 2) & (MEMORY - 1);
        *(uint8_t *)fake_ram(vm, v, 1) = (uint8_t)take(in, 1);
        break;
    default:
        (void)fake_mmio_out(vm, BASE + 0x80 + (op & 0x7c), 4, take(in, 2));
        fake_poll(vm);
    }
}

/* Features and one queue are set up: most inputs would not get there. */
static void begin(struct vm *vm)
{
    static const uint32_t writes[][2] = {
        {0x70, 3},      {0x24, 1},      {0x20, 1},      {0x70, 11},  {0x30, 0},   {0x38, 16},
        {0x80, 0x1000}, {0x90, 0x2000}, {0xa0, 0x3000}, {0x44, 1}, {0x70, 15},
    };

    for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
        CHECK(fake_mmio_out(vm, BASE + writes[i][0], 4, writes[i][1]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const enum device_type types[] = {DEV_VIRTIO_RNG, DEV_VIRTIO_CONSOLE, DEV_VIRTIO_BLK,
                                             DEV_VIRTIO_NET};
    struct input in = {data, len};
    struct device_config cfg = {.name = "device", .size = 8192, .writable = true, .network = "n"};
    struct vm *vm = fake_vm_new("guest", MEMORY);

    cfg.type = types[take(&in, 1) % ARRAY_SIZE(types)];
    CHECK(platform_create(vm) == ABI_OK && device_create(vm, &cfg, 0) == ABI_OK);
    begin(vm);
    while (in.left > 0) {
        step(vm, &in);
    }
    fake_vm_free(vm);
    return 0;
}
