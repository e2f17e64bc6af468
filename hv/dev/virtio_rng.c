/* virtio entropy device (virtio 1.2, 5.4). */
#include "device_types.h"
#include "hv/string.h"
#include "virtio.h"

#define CHUNK 256u /* bytes for one buffer; the driver asks again */

struct rng {
    struct virtio_dev dev; /* first */
    struct virtq queue[1];
};

static void rng_serve(struct virtio_dev *dev, struct virtq *q, unsigned int index)
{
    uint8_t bytes[CHUNK];

    (void)index;
    while (virtq_pop(q)) {
        size_t n = (size_t)MIN(virtq_writable(q), (uint64_t)sizeof(bytes));

        if (!random_bytes(bytes, n)) {
            virtio_fail(dev, "the machine's random numbers have failed");
            return;
        }
        if (!virtq_put(q, bytes, n) || !virtq_push(q)) {
            return;
        }
    }
}

static void rng_reset(struct virtio_dev *dev)
{
    (void)dev;
}

static const struct virtio_ops rng_ops = {
    .id = VIRTIO_ID_RNG,
    .class_code = 0x108000,
    .queues = 1,
    .reset = rng_reset,
    .serve = rng_serve,
};

enum abi_status virtio_rng_create(struct vm *vm, const struct device_config *cfg, unsigned int slot)
{
    struct rng *r;
    uint8_t byte;

    if (!random_bytes(&byte, sizeof(byte))) {
        return ABI_NOT_SUPPORTED;
    }
    r = vm_alloc(vm, sizeof(*r));
    if (r == NULL) {
        return ABI_NO_MEMORY;
    }
    (void)str_copy(r->dev.name, sizeof(r->dev.name), cfg->name);
    r->dev.ops = &rng_ops;
    return virtio_create(&r->dev, vm, slot, r->queue);
}
