/*
 * A virtio device (virtio 1.2): what every device has. Everything runs under the VM's device lock.
 * Its transport is virtio_pci.c or virtio_mmio.c, as the platform has it: the link picks.
 */
#ifndef HV_DEV_VIRTIO_H
#define HV_DEV_VIRTIO_H

#include "hv/device.h"
#include "hv/io.h"
#include "virtq.h"

#define VIRTIO_QUEUES_MAX 8u

/* 2.1: device status. */
enum {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,
    VIRTIO_FAILED = 128,
};

/* Clause 6: features of rings and transport, bit numbers. */
enum {
    VIRTIO_F_INDIRECT_DESC = 28,
    VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32,
    VIRTIO_F_ACCESS_PLATFORM = 33,
    VIRTIO_F_RING_RESET = 40,
};

/* Clause 5: device ids. */
enum { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4 };

struct virtio_dev;

struct virtio_ops {
    uint16_t id;
    uint32_t class_code; /* of a PCI function */
    unsigned int queues;
    /* The driver reset the device; its queues are reset already. */
    void (*reset)(struct virtio_dev *dev);
    /*
     * Does what can be done with queue `index`, within q->budget. Called when it was kicked, when
     * the budget ran out last time, and when the driver is ready.
     */
    void (*serve)(struct virtio_dev *dev, struct virtq *q, unsigned int index);
};

struct virtio_dev {
    const struct virtio_ops *ops;
    struct vm *vm;
    char name[NAME_MAX_LEN + 1]; /* from the bundle */
    void *transport;       /* its own */
    struct vm_hook hook;
    uint64_t offered;      /* features */
    const uint8_t *config; /* device-specific configuration, read-only */
    size_t config_len;
    /* What the driver sees and sets. */
    uint64_t accepted;
    uint32_t device_feature_select, driver_feature_select;
    uint16_t queue_select;
    uint16_t config_vector;
    uint8_t status;
    uint8_t isr;
    uint32_t work; /* queues to serve */
    struct virtq *queue;
};

/*
 * Puts an initialised device (ops, offered, config) into its slot. `queues` has ops->queues
 * elements.
 */
MUST_CHECK enum abi_status virtio_create(struct virtio_dev *dev, struct vm *vm, unsigned int slot,
                                         struct virtq *queues);

static inline bool virtio_has(const struct virtio_dev *dev, unsigned int feature)
{
    return (dev->accepted & BIT(feature)) != 0;
}

/*
 * A queue to use outside serve(), with a fresh budget; NULL while it cannot be used. Each is
 * followed by virtio_end, which tells the driver what happened.
 */
MUST_CHECK struct virtq *virtio_begin(struct virtio_dev *dev, unsigned int index);
void virtio_end(struct virtio_dev *dev, struct virtq *q);

/* Serves queue `index` now, or when it can be used. */
void virtio_kick(struct virtio_dev *dev, unsigned int index);

/* The driver broke a rule: it must reset the device. Logs why. */
void virtio_fail(struct virtio_dev *dev, const char *fmt, ...) PRINTF(2, 3);

/* The transport: shows the device's registers to the guest in slot 0 to 30. */
MUST_CHECK enum abi_status virtio_attach(struct virtio_dev *dev, unsigned int slot);
/* Tells the driver that dev->isr has news; vector: as the queue or the configuration has it. */
void virtio_signal(struct virtio_dev *dev, uint16_t vector);
/* May the device read queues and interrupt? */
bool virtio_is_on(const struct virtio_dev *dev);
/* dev->isr is 0 again, by a reset. */
void virtio_signal_off(struct virtio_dev *dev);

/* virtio.c, for the transport. */
void virtio_write_status(struct virtio_dev *dev, uint8_t value);
void virtio_enable_queue(struct virtio_dev *dev, unsigned int index);
void virtio_reset_queue(struct virtio_dev *dev, unsigned int index);

#endif
