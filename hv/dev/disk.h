/*
 * What a disk holds: an image that never changes, zeroes behind it, and pages of its own for what
 * was written, made when they are first written to.
 */
#ifndef HV_DEV_DISK_H
#define HV_DEV_DISK_H

#include "hv/device.h"
#include "virtq.h"

#define SECTOR_SIZE 512u

struct disk {
    struct vm *vm;
    const uint8_t *image;
    uint64_t image_len;
    uint64_t sectors;
    void ***table; /* NULL: read-only. Of tables of PAGE_SIZE / 8 pages; both may have holes. */
};

/* ABI_LIMIT for a writable disk over 1 TiB. */
MUST_CHECK enum abi_status disk_init(struct disk *d, struct vm *vm,
                                     const struct device_config *cfg);

/*
 * Move `len` bytes, which lie within the disk, from or to the chain in hand. ABI_NO_MEMORY: no page
 * is left for what is written; ABI_BAD_ADDRESS: the queue is broken.
 */
MUST_CHECK enum abi_status disk_read(struct disk *d, struct virtq *q, uint64_t at, uint64_t len);
MUST_CHECK enum abi_status disk_write(struct disk *d, struct virtq *q, uint64_t at, uint64_t len);

#endif
