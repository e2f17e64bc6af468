/* Port accesses to a machine with every kind of device: four bytes and a value each. The first byte
 * says, too, whether a firmware's chipset is there. */
#include <string.h>

#include "fake_vm.h"
#include "hv/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define STEP 8u

static struct vm *machine(bool chipset)
{
    static const enum device_type types[] = {DEV_VIRTIO_CONSOLE, DEV_VIRTIO_BLK, DEV_VIRTIO_RNG,
                                             DEV_VIRTIO_NET};
    struct vm *vm = fake_vm_new("guest", 65536);

    CHECK(platform_create(vm) == ABI_OK);
    CHECK(!chipset || platform_add_chipset(vm) == ABI_OK);
    for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
        struct device_config cfg = {
            .type = types[i], .name = "dev", .size = 1 << 20, .writable = true, .network = "lan"};

        CHECK(device_create(vm, &cfg, i) == ABI_OK);
    }
    return vm;
}

/* Half of the accesses go to the well-known ports, half anywhere. */
static uint16_t port_of(const uint8_t *p)
{
    static const uint16_t known[] = {0xcf8, 0xcf8, 0xcfc, 0xcfc,  0xcf9,  0x3f8,  0x70,   0x71,
                                     0x600, 0x60,  0x64,  0xc100, 0xc200, 0xc300, 0xc400, 0x80,
                                     0xb000};

    if ((p[0] & 1) != 0) {
        return (uint16_t)(p[1] | p[2] << 8);
    }
    return (uint16_t)(known[p[1] % ARRAY_SIZE(known)] + (p[2] & (p[0] & 2 ? 0x3f : 7)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct vm *vm = machine(len > 0 && (data[0] & 0x80) != 0);

    for (; len >= STEP; data += STEP, len -= STEP) {
        uint16_t port = port_of(data);
        unsigned int size = 1u << (data[3] & 3) % 3;
        uint32_t value;

        memcpy(&value, data + 4, sizeof(value));
        if ((uint32_t)port + size > 65536) {
            continue;
        }
        if ((data[3] & 4) != 0) {
            (void)fake_in(vm, port, size);
        } else {
            fake_out(vm, port, size, value);
        }
        if ((data[3] & 8) != 0) {
            fake_poll(vm);
        }
        if ((data[3] & 16) != 0) {
            (void)fake_input(vm, STREAM_CONSOLE, &value, sizeof(value));
        }
    }
    fake_vm_free(vm);
    return 0;
}
