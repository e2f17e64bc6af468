/*
 * The registers of a virtio PCI device (virtio 1.2, 4.1.4). All four structures lie in the I/O BAR:
 * a guest's accesses trap as port accesses, and the exit tells all about them.
 */
#include "bytes.h"
#include "hv/check.h"
#include "hv/log.h"
#include "platform.h"
#include "virtio.h"

#define VIRTIO_PCI_VENDOR 0x1af4u
#define VIRTIO_PCI_DEVICE 0x1040u /* + device id (4.1.2) */
#define VIRTIO_SUBSYSTEM  0x40u   /* + device id: no transitional device */

/* Where the structures are in BAR 0. */
#define COMMON_AT  0x00u
#define COMMON_LEN 0x3cu
#define ISR_AT     0x40u
#define NOTIFY_AT  0x44u
#define NOTIFY_LEN 4u
#define CONFIG_AT  0x80u
#define CONFIG_LEN 0x80u

/* 4.1.4: structure types. */
enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4, CFG_PCI = 5 };

/* 4.1.4.3: the common configuration structure. */
enum {
    DEVICE_FEATURE_SELECT = 0x00,
    DEVICE_FEATURE = 0x04,
    DRIVER_FEATURE_SELECT = 0x08,
    DRIVER_FEATURE = 0x0c,
    CONFIG_MSIX_VECTOR = 0x10,
    NUM_QUEUES = 0x12,
    DEVICE_STATUS = 0x14,
    CONFIG_GENERATION = 0x15, /* always 0: no configuration here changes */
    QUEUE_SELECT = 0x16,
    QUEUE_SIZE = 0x18,
    QUEUE_MSIX_VECTOR = 0x1a,
    QUEUE_ENABLE = 0x1c,
    QUEUE_NOTIFY_OFF = 0x1e, /* always 0: the multiplier is 0 */
    QUEUE_DESC = 0x20,
    QUEUE_DRIVER = 0x28,
    QUEUE_DEVICE = 0x30,
    QUEUE_NOTIFY_DATA = 0x38,
    QUEUE_RESET = 0x3a, /* reads 0: a reset is over at once */
};

struct virtio_pci {
    struct pci_function fn;
    uint8_t window_cap; /* the PCI configuration access capability */
};

static struct pci_function *function_of(const struct virtio_dev *dev)
{
    struct virtio_pci *t = dev->transport;

    return &t->fn;
}

static struct virtq *selected(const struct virtio_dev *dev)
{
    return dev->queue_select < dev->ops->queues ? &dev->queue[dev->queue_select] : NULL;
}

static uint32_t feature_word(uint64_t features, uint32_t select)
{
    return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static uint32_t address_word(uint64_t address, uint32_t offset)
{
    return (uint32_t)(address >> (8 * (offset & 4)));
}

static uint32_t queue_dword(const struct virtio_dev *dev, uint32_t at)
{
    static const struct virtq none = {0};
    const struct virtq *q = selected(dev);

    if (q == NULL) {
        q = &none;
    }
    switch (at) {
    case QUEUE_SIZE:
        return q->size | (uint32_t)q->vector << 16;
    case QUEUE_ENABLE:
        return q->enabled;
    case QUEUE_DESC:
    case QUEUE_DESC + 4:
        return address_word(q->desc, at);
    case QUEUE_DRIVER:
    case QUEUE_DRIVER + 4:
        return address_word(q->driver, at);
    case QUEUE_DEVICE:
    case QUEUE_DEVICE + 4:
        return address_word(q->device, at);
    default:
        return 0;
    }
}

/* The aligned dword at `at`. */
static uint32_t common_dword(const struct virtio_dev *dev, uint32_t at)
{
    switch (at) {
    case DEVICE_FEATURE_SELECT:
        return dev->device_feature_select;
    case DEVICE_FEATURE:
        return feature_word(dev->offered, dev->device_feature_select);
    case DRIVER_FEATURE_SELECT:
        return dev->driver_feature_select;
    case DRIVER_FEATURE:
        return feature_word(dev->accepted, dev->driver_feature_select);
    case CONFIG_MSIX_VECTOR:
        return dev->config_vector | (uint32_t)dev->ops->queues << 16;
    case DEVICE_STATUS:
        return dev->status | (uint32_t)dev->queue_select << 16;
    default:
        return queue_dword(dev, at);
    }
}

static uint32_t read_isr(struct virtio_dev *dev)
{
    uint32_t isr = dev->isr;

    dev->isr = 0;
    return isr;
}

static uint32_t read_config(const struct virtio_dev *dev, uint32_t at, unsigned int size)
{
    uint8_t bytes[4] = {0};

    for (unsigned int i = 0; i < size; i++) {
        bytes[i] = at + i < dev->config_len ? dev->config[at + i] : 0;
    }
    return get_le(bytes, size);
}

static uint32_t virtio_pci_read(void *opaque, uint32_t offset, unsigned int size)
{
    struct virtio_dev *dev = opaque;

    if (offset >= CONFIG_AT) {
        return read_config(dev, offset - CONFIG_AT, size);
    }
    if (offset == ISR_AT) {
        return read_isr(dev);
    }
    if (offset >= COMMON_AT + COMMON_LEN || (offset & 3) + size > 4) {
        return 0;
    }
    return sub_dword(common_dword(dev, offset & ~3u), offset, size);
}

static void write_driver_feature(struct virtio_dev *dev, uint32_t value)
{
    uint32_t shift = 32 * (dev->driver_feature_select & 1);

    if (dev->driver_feature_select < 2 && (dev->status & VIRTIO_FEATURES_OK) == 0) {
        dev->accepted &= ~((uint64_t)UINT32_MAX << shift);
        dev->accepted |= (uint64_t)value << shift;
    }
}

/* 4.1.5.1.2: a vector that cannot be mapped reads back as NO_VECTOR. */
static uint16_t checked_vector(const struct virtio_dev *dev, uint16_t vector)
{
    return vector < function_of(dev)->msix.vectors ? vector : VIRTQ_NO_VECTOR;
}

static void write_half(uint64_t *address, uint32_t offset, uint32_t value)
{
    uint32_t shift = 8 * (offset & 4);

    *address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* Addresses are written as two dwords (4.1.3.1), and only while the queue is disabled. */
static void write_common32(struct virtio_dev *dev, uint32_t offset, uint32_t value)
{
    struct virtq *q = selected(dev);

    if (offset == DEVICE_FEATURE_SELECT) {
        dev->device_feature_select = value;
    } else if (offset == DRIVER_FEATURE_SELECT) {
        dev->driver_feature_select = value;
    } else if (offset == DRIVER_FEATURE) {
        write_driver_feature(dev, value);
    } else if (q == NULL || q->enabled) {
        return;
    } else if (offset == QUEUE_DESC || offset == QUEUE_DESC + 4) {
        write_half(&q->desc, offset, value);
    } else if (offset == QUEUE_DRIVER || offset == QUEUE_DRIVER + 4) {
        write_half(&q->driver, offset, value);
    } else if (offset == QUEUE_DEVICE || offset == QUEUE_DEVICE + 4) {
        write_half(&q->device, offset, value);
    }
}

static void write_common16(struct virtio_dev *dev, uint32_t offset, uint16_t value)
{
    struct virtq *q = selected(dev);

    if (offset == CONFIG_MSIX_VECTOR) {
        dev->config_vector = checked_vector(dev, value);
    } else if (offset == QUEUE_SELECT) {
        dev->queue_select = value;
    } else if (q == NULL) {
        return;
    } else if (offset == QUEUE_MSIX_VECTOR) {
        q->vector = checked_vector(dev, value);
    } else if (offset == QUEUE_RESET && value == 1 && virtio_has(dev, VIRTIO_F_RING_RESET)) {
        virtio_reset_queue(dev, dev->queue_select);
    } else if (q->enabled) {
        return;
    } else if (offset == QUEUE_SIZE) {
        q->size = value;
    } else if (offset == QUEUE_ENABLE && value == 1) {
        virtio_enable_queue(dev, dev->queue_select);
    }
}

/* 4.1.3.1: fields are written in their own width; anything else is ignored. */
static void virtio_pci_write(void *opaque, uint32_t offset, unsigned int size, uint32_t value)
{
    struct virtio_dev *dev = opaque;

    if (offset == NOTIFY_AT) {
        if (size == 2 && value < dev->ops->queues) {
            virtio_kick(dev, value);
        }
    } else if (offset < COMMON_AT + COMMON_LEN) {
        if (size == 4) {
            write_common32(dev, offset, value);
        } else if (size == 2) {
            write_common16(dev, offset, (uint16_t)value);
        } else if (offset == DEVICE_STATUS) {
            virtio_write_status(dev, (uint8_t)value);
        }
    }
}

static const struct io_ops virtio_pci_ops = {"virtio-pci", virtio_pci_read, virtio_pci_write};

/* 4.1.4.9: a window onto the BAR in configuration space, for those who cannot map it. */
enum { WINDOW_BAR = 4, WINDOW_OFFSET = 8, WINDOW_LENGTH = 12, WINDOW_DATA = 16 };

static bool window(const struct pci_function *fn, uint32_t offset, uint8_t *cap, uint32_t *at,
                   uint32_t *size)
{
    *cap = container_of(fn, const struct virtio_pci, fn)->window_cap;
    *at = get_le32(fn->config + *cap + WINDOW_OFFSET);
    *size = get_le32(fn->config + *cap + WINDOW_LENGTH);
    return (offset & ~3u) == *cap + (uint32_t)WINDOW_DATA && fn->config[*cap + WINDOW_BAR] == 0 &&
           (*size == 1 || *size == 2 || *size == 4) && *at % *size == 0 &&
           *at <= PCI_BAR0_SIZE - *size;
}

static void window_read(struct pci_function *fn, uint32_t offset, unsigned int size)
{
    uint32_t at, len;
    uint8_t cap;

    (void)size;
    if (window(fn, offset, &cap, &at, &len)) {
        put_le32(fn->config + cap + WINDOW_DATA, virtio_pci_read(fn->dev, at, len));
    }
}

static void window_written(struct pci_function *fn, uint32_t offset, unsigned int size)
{
    uint32_t at, len;
    uint8_t cap;

    (void)size;
    if (window(fn, offset, &cap, &at, &len)) {
        virtio_pci_write(fn->dev, at, len, get_le(fn->config + cap + WINDOW_DATA, len));
    }
}

/* struct virtio_pci_cap behind id and next: cap_len, cfg_type, bar, id, padding, offset, length. */
static uint8_t add_structure(struct virtio_dev *dev, uint8_t type, uint32_t at, uint32_t len,
                             uint8_t extra)
{
    uint8_t body[18] = {0};

    body[0] = (uint8_t)(16 + extra);
    body[1] = type;
    put_le32(body + 6, at);
    put_le32(body + 10, len);
    return pci_add_capability(function_of(dev), PCI_CAP_ID_VNDR, body, 14u + extra);
}

static void add_capabilities(struct virtio_dev *dev, struct virtio_pci *t)
{
    struct pci_function *fn = &t->fn;

    (void)add_structure(dev, CFG_COMMON, COMMON_AT, COMMON_LEN, 0);
    (void)add_structure(dev, CFG_ISR, ISR_AT, 1, 0);
    (void)add_structure(dev, CFG_NOTIFY, NOTIFY_AT, NOTIFY_LEN, 4);
    (void)add_structure(dev, CFG_DEVICE, CONFIG_AT, CONFIG_LEN, 0);
    t->window_cap = add_structure(dev, CFG_PCI, 0, 0, 4);
    fn->wmask[t->window_cap + WINDOW_BAR] = 0xff;
    put_le32(fn->wmask + t->window_cap + WINDOW_OFFSET, UINT32_MAX);
    put_le32(fn->wmask + t->window_cap + WINDOW_LENGTH, UINT32_MAX);
    put_le32(fn->wmask + t->window_cap + WINDOW_DATA, UINT32_MAX);
    fn->config_read = window_read;
    fn->config_written = window_written;
}

/* Slot 0 of the bus is the host bridge's. */
enum abi_status virtio_attach(struct virtio_dev *dev, unsigned int slot)
{
    const struct pci_id id = {
        .vendor = VIRTIO_PCI_VENDOR,
        .device = (uint16_t)(VIRTIO_PCI_DEVICE + dev->ops->id),
        .subsystem = (uint16_t)(VIRTIO_SUBSYSTEM + dev->ops->id),
        .class_code = dev->ops->class_code,
        .revision = 1,
    };
    struct pci_bus *bus = &vm_platform(dev->vm)->pci;
    struct virtio_pci *t = vm_alloc(dev->vm, sizeof(*t));
    enum abi_status st;

    if (t == NULL) {
        return ABI_NO_MEMORY;
    }
    dev->transport = t;
    st = pci_add(bus, &t->fn, bus->chipset + slot, &id);
    if (st != ABI_OK) {
        return st;
    }
    pci_add_io_bar(&t->fn, &virtio_pci_ops, dev);
    add_capabilities(dev, t);
    return pci_add_msix(&t->fn, dev->ops->queues + 1);
}

void virtio_signal(struct virtio_dev *dev, uint16_t vector)
{
    if (vector != VIRTQ_NO_VECTOR) {
        msix_raise(function_of(dev), vector);
    }
}

void virtio_signal_off(struct virtio_dev *dev)
{
    (void)dev; /* messages that are under way cannot be called back */
}

bool virtio_is_on(const struct virtio_dev *dev)
{
    return pci_is_master(function_of(dev));
}
