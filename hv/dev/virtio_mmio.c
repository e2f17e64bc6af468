/*
 * The registers of a virtio device on the MMIO transport (virtio 1.2, 4.2.2). One wired interrupt
 * for each device: high while the interrupt status is not zero, and low for a moment when a part of
 * it is acknowledged.
 */
#include "bytes.h"
#include "hv/mmio_map.h"
#include "virtio.h"

enum {
    MAGIC_VALUE = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    QUEUE_SEL = 0x030,
    QUEUE_SIZE_MAX = 0x034,
    QUEUE_SIZE = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC_LOW = 0x080,
    QUEUE_DRIVER_LOW = 0x090,
    QUEUE_DEVICE_LOW = 0x0a0,
    SHM_LEN_LOW = 0x0b0,
    SHM_BASE_HIGH = 0x0bc,
    QUEUE_RESET = 0x0c0,
    CONFIG_GENERATION = 0x0fc, /* always 0: no configuration here changes */
    CONFIG = 0x100,
};

#define MAGIC         0x74726976u /* "virt" */
#define VERSION_MMIO  2u
#define VENDOR        0x4f4c43u /* "CLO" */

struct virtio_mmio {
    unsigned int line;
};

static void set_line(struct virtio_dev *dev)
{
    struct virtio_mmio *t = dev->transport;

    vm_irq(dev->vm, t->line, dev->isr != 0);
}

static struct virtq *selected(const struct virtio_dev *dev)
{
    return dev->queue_select < dev->ops->queues ? &dev->queue[dev->queue_select] : NULL;
}

static uint32_t read_config(const struct virtio_dev *dev, uint32_t at, unsigned int size)
{
    uint8_t bytes[4] = {0};

    for (unsigned int i = 0; i < size; i++) {
        bytes[i] = at + i < dev->config_len ? dev->config[at + i] : 0;
    }
    return get_le(bytes, size);
}

static uint32_t read_features(const struct virtio_dev *dev)
{
    uint32_t select = dev->device_feature_select;

    return select < 2 ? (uint32_t)(dev->offered >> (32 * select)) : 0;
}

/* The wire is edge-triggered: for what is left there is a new edge, or none would follow ever. */
static void acknowledge(struct virtio_dev *dev, uint8_t bits)
{
    const struct virtio_mmio *t = dev->transport;

    if ((dev->isr & bits) != 0) {
        dev->isr &= (uint8_t)~bits;
        vm_irq(dev->vm, t->line, false);
        set_line(dev);
    }
}

static uint32_t read_register(const struct virtio_dev *dev, uint32_t offset)
{
    const struct virtq *q = selected(dev);

    switch (offset) {
    case MAGIC_VALUE:
        return MAGIC;
    case VERSION:
        return VERSION_MMIO;
    case DEVICE_ID:
        return dev->ops->id;
    case VENDOR_ID:
        return VENDOR;
    case DEVICE_FEATURES:
        return read_features(dev);
    case QUEUE_SIZE_MAX:
        return q != NULL ? VIRTQ_SIZE_MAX : 0;
    case QUEUE_READY:
        return q != NULL && q->enabled;
    case INTERRUPT_STATUS:
        return dev->isr;
    case STATUS:
        return dev->status;
    default:
        /* 4.2.2: a shared memory region that is not there has the length -1. */
        return offset >= SHM_LEN_LOW && offset <= SHM_BASE_HIGH ? UINT32_MAX : 0;
    }
}

static uint32_t virtio_mmio_read(void *opaque, uint32_t offset, unsigned int size)
{
    const struct virtio_dev *dev = opaque;

    if (offset >= CONFIG) {
        return read_config(dev, offset - CONFIG, size);
    }
    return size == 4 && (offset & 3) == 0 ? read_register(dev, offset) : 0;
}

static void write_features(struct virtio_dev *dev, uint32_t value)
{
    uint32_t shift = 32 * (dev->driver_feature_select & 1);

    if (dev->driver_feature_select < 2 && (dev->status & VIRTIO_FEATURES_OK) == 0) {
        dev->accepted &= ~((uint64_t)UINT32_MAX << shift);
        dev->accepted |= (uint64_t)value << shift;
    }
}

static void write_half(uint64_t *address, uint32_t offset, uint32_t value)
{
    uint32_t shift = 8 * (offset & 4);

    *address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* Size and addresses of a queue change only while it is disabled. */
static void write_queue(struct virtio_dev *dev, struct virtq *q, uint32_t offset, uint32_t value)
{
    if (offset == QUEUE_READY && value == 0) {
        virtio_reset_queue(dev, dev->queue_select);
    } else if (offset == QUEUE_RESET && value == 1 && virtio_has(dev, VIRTIO_F_RING_RESET)) {
        virtio_reset_queue(dev, dev->queue_select);
    } else if (q->enabled) {
        return;
    } else if (offset == QUEUE_READY && value == 1) {
        virtio_enable_queue(dev, dev->queue_select);
    } else if (offset == QUEUE_SIZE) {
        q->size = value <= VIRTQ_SIZE_MAX ? (uint16_t)value : 0; /* 0 is refused when enabled */
    } else if ((offset & ~4u) == QUEUE_DESC_LOW) {
        write_half(&q->desc, offset, value);
    } else if ((offset & ~4u) == QUEUE_DRIVER_LOW) {
        write_half(&q->driver, offset, value);
    } else if ((offset & ~4u) == QUEUE_DEVICE_LOW) {
        write_half(&q->device, offset, value);
    }
}

static void write_register(struct virtio_dev *dev, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case DEVICE_FEATURES_SEL:
        dev->device_feature_select = value;
        return;
    case DRIVER_FEATURES_SEL:
        dev->driver_feature_select = value;
        return;
    case DRIVER_FEATURES:
        write_features(dev, value);
        return;
    case QUEUE_SEL:
        dev->queue_select = (uint16_t)MIN(value, (uint32_t)UINT16_MAX);
        return;
    case QUEUE_NOTIFY:
        if (value < dev->ops->queues) {
            virtio_kick(dev, value);
        }
        return;
    case INTERRUPT_ACK:
        acknowledge(dev, (uint8_t)value);
        return;
    case STATUS:
        virtio_write_status(dev, (uint8_t)value);
        return;
    default:
        if (selected(dev) != NULL) {
            write_queue(dev, selected(dev), offset, value);
        }
    }
}

/* 4.2.2.2: registers are written by aligned words; the configuration is read-only here. */
static void virtio_mmio_write(void *opaque, uint32_t offset, unsigned int size, uint32_t value)
{
    if (offset < CONFIG && size == 4 && (offset & 3) == 0) {
        write_register(opaque, offset, value);
    }
}

static const struct io_ops virtio_mmio_ops = {"virtio-mmio", virtio_mmio_read, virtio_mmio_write};

enum abi_status virtio_attach(struct virtio_dev *dev, unsigned int slot)
{
    struct virtio_mmio *t = vm_alloc(dev->vm, sizeof(*t));

    if (t == NULL) {
        return ABI_NO_MEMORY;
    }
    t->line = MMIO_VIRTIO_LINE + slot;
    dev->transport = t;
    return vm_io_add(dev->vm, IO_MMIO, MMIO_VIRTIO + (uint64_t)slot * MMIO_CELL_SIZE,
                     MMIO_VIRTIO_SIZE, &virtio_mmio_ops, dev);
}

void virtio_signal(struct virtio_dev *dev, uint16_t vector)
{
    (void)vector;
    set_line(dev);
}

void virtio_signal_off(struct virtio_dev *dev)
{
    set_line(dev);
}

bool virtio_is_on(const struct virtio_dev *dev)
{
    (void)dev; /* there is no switch besides the device's status */
    return true;
}
