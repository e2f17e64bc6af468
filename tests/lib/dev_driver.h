/* A small virtio-pci driver for tests: what a guest does, by the same ports and rings. */
#ifndef TESTS_LIB_DEV_DRIVER_H
#define TESTS_LIB_DEV_DRIVER_H

#include "fake_vm.h"

#define DRV_QUEUES     8
#define DRV_QUEUE_SIZE 16

/* Feature bits, as the guest names them. */
#define DRV_INDIRECT  (1ull << 28)
#define DRV_EVENT_IDX (1ull << 29)
#define DRV_VERSION_1 (1ull << 32)
#define DRV_PLATFORM  (1ull << 33)
#define DRV_RESET     (1ull << 40)

struct drv_queue {
    uint16_t size;
    uint64_t desc, avail, used;
    uint16_t next_desc; /* descriptors are used round-robin */
    uint16_t avail_idx, used_idx;
};

struct drv {
    struct vm *vm;
    unsigned int slot;
    uint16_t base; /* BAR0 */
    uint8_t *msix; /* BAR2 */
    uint64_t heap; /* next free guest memory */
    uint64_t features;
    struct drv_queue q[DRV_QUEUES];
};

struct drv_buf {
    uint64_t addr;
    uint32_t len;
    bool write;
};

uint32_t pci_in(struct vm *vm, unsigned int slot, unsigned int offset, unsigned int size);
void pci_out(struct vm *vm, unsigned int slot, unsigned int offset, unsigned int size, uint32_t v);

/* A VM of 4 MiB, or of another size, with a platform and one device in slot 1. */
struct vm *drv_vm(enum device_type type, struct device_config *cfg);
struct vm *drv_vm_sized(enum device_type type, struct device_config *cfg, size_t memory);
/* Gives them to a VM, and returns it. */
struct vm *drv_device(struct vm *vm, enum device_type type, struct device_config *cfg);

/* Turns decoding on and finds the BARs; guest memory from heap on is the driver's. */
void drv_probe(struct drv *d, struct vm *vm, unsigned int slot, uint64_t heap);

/* Register access in BAR0. */
uint32_t drv_in(struct drv *d, unsigned int offset, unsigned int size);
void drv_out(struct drv *d, unsigned int offset, unsigned int size, uint32_t v);

uint8_t drv_status(struct drv *d);
uint64_t drv_offered(struct drv *d);

/* Reset to FEATURES_OK; false when the device refused the features. */
bool drv_negotiate(struct drv *d, uint64_t features);
/* MSI-X on, entry `vector` unmasked with data 40h + vector. */
void drv_unmask(struct drv *d, unsigned int vector, bool unmasked);
void drv_msix_enable(struct drv *d);
/* Makes and enables one queue; its vector is index + 1. */
void drv_queue(struct drv *d, unsigned int index, uint16_t size);
void drv_ok(struct drv *d);
/* All of these, for a device with that many queues. */
void drv_start(struct drv *d, uint64_t features, unsigned int queues);

uint64_t drv_alloc(struct drv *d, size_t len);

/* Makes a chain available; returns its head. No kick. */
uint16_t drv_add(struct drv *d, unsigned int queue, const struct drv_buf *buf, unsigned int n);
uint16_t drv_add_indirect(struct drv *d, unsigned int queue, const struct drv_buf *buf,
                          unsigned int n);
/* The pieces of it, for hostile drivers. */
void drv_desc(struct drv *d, uint64_t table, unsigned int index, uint64_t addr, uint32_t len,
              uint16_t flags, uint16_t next);
void drv_avail(struct drv *d, unsigned int queue, uint16_t head);
void drv_kick(struct drv *d, unsigned int queue);

/* The next used element; false when there is none. */
bool drv_used(struct drv *d, unsigned int queue, uint32_t *id, uint32_t *len);

uint16_t drv_ram16(struct drv *d, uint64_t at);
void drv_ram_set16(struct drv *d, uint64_t at, uint16_t v);

#endif
