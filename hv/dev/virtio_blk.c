/*
 * virtio block device (virtio 1.2, 5.2) over a disk in memory. There is no cache to flush, so
 * VIRTIO_BLK_F_FLUSH is not offered; a flush that comes anyway succeeds.
 */
#include "bytes.h"
#include "device_types.h"
#include "disk.h"
#include "hv/log.h"
#include "hv/string.h"
#include "virtio.h"

/* 5.2.3: feature bits. */
enum { F_SIZE_MAX = 1, F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6 };

/* 5.2.4: struct virtio_blk_config, up to blk_size. */
#define CONFIG_LEN      24u
#define CONFIG_SIZE_MAX 8u
#define CONFIG_SEG_MAX  12u
#define CONFIG_BLK_SIZE 20u

/* Header and status leave 126 descriptors for data: a request moves less than 4 MiB. */
#define SIZE_MAX_BYTES KiB(32)
#define SEG_MAX        (VIRTQ_SIZE_MAX - 2)
#define REQUEST_MAX    (SIZE_MAX_BYTES * SEG_MAX)

/* 5.2.6: struct virtio_blk_req { le32 type, reserved; le64 sector; } data, then u8 status. */
#define HEADER_LEN 16u
#define ID_LEN     20u
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

struct blk {
    struct virtio_dev dev; /* first */
    struct disk disk;
    uint8_t config[CONFIG_LEN];
    struct virtq queue[1];
};

static struct blk *blk_of(struct virtio_dev *dev)
{
    return container_of(dev, struct blk, dev);
}

/* Whole sectors that the disk has, and no more than one request may move. */
static bool in_bounds(struct blk *b, uint64_t sector, uint64_t len)
{
    if (len % SECTOR_SIZE != 0 || len > REQUEST_MAX || sector > b->disk.sectors ||
        len / SECTOR_SIZE > b->disk.sectors - sector) {
        log_vm(b->dev.vm, LOG_WARN, "%s: %llu bytes at sector %llu refused, there are %llu sectors",
               b->dev.name, (unsigned long long)len, (unsigned long long)sector,
               (unsigned long long)b->disk.sectors);
        return false;
    }
    return true;
}

static uint8_t status_of(struct blk *b, enum abi_status st)
{
    if (st == ABI_NO_MEMORY) {
        log_vm(b->dev.vm, LOG_WARN, "%s: no memory is left for what is written", b->dev.name);
    }
    return st == ABI_OK ? S_OK : S_IOERR;
}

static uint8_t read_sectors(struct blk *b, struct virtq *q, uint64_t sector)
{
    uint64_t len = virtq_writable(q) - 1;

    if (!in_bounds(b, sector, len)) {
        return S_IOERR;
    }
    return status_of(b, disk_read(&b->disk, q, sector * SECTOR_SIZE, len));
}

static uint8_t write_sectors(struct blk *b, struct virtq *q, uint64_t sector)
{
    uint64_t len = virtq_readable(q);

    if (b->disk.table == NULL || !in_bounds(b, sector, len)) {
        return S_IOERR;
    }
    return status_of(b, disk_write(&b->disk, q, sector * SECTOR_SIZE, len));
}

/* The device's name, padded with NULs; a full 20 bytes has none. */
static uint8_t get_id(struct blk *b, struct virtq *q)
{
    char id[ID_LEN] = {0};

    memcpy(id, b->dev.name, strnlen(b->dev.name, ID_LEN));
    return virtq_put(q, id, (size_t)MIN(virtq_writable(q) - 1, (uint64_t)ID_LEN)) ? S_OK : S_IOERR;
}

static uint8_t perform(struct blk *b, struct virtq *q, const uint8_t *header)
{
    switch (get_le32(header)) {
    case T_IN:
        return read_sectors(b, q, get_le64(header + 8));
    case T_OUT:
        return write_sectors(b, q, get_le64(header + 8));
    case T_FLUSH:
        return S_OK;
    case T_GET_ID:
        return get_id(b, q);
    default:
        return S_UNSUPP;
    }
}

/* The status is the last writable byte, wherever the data ended. */
static bool request(struct blk *b, struct virtq *q)
{
    uint8_t header[HEADER_LEN];
    uint8_t status;

    if (virtq_readable(q) < HEADER_LEN || virtq_writable(q) < 1) {
        q->broken = "a request has no header or no status";
        return false;
    }
    if (!virtq_get(q, header, sizeof(header))) {
        return false;
    }
    status = perform(b, q, header);
    if (q->broken != NULL) {
        return false;
    }
    virtq_skip(q, virtq_writable(q) - 1);
    return virtq_put(q, &status, 1) && virtq_push(q);
}

static void blk_serve(struct virtio_dev *dev, struct virtq *q, unsigned int index)
{
    (void)index;
    while (virtq_pop(q) && request(blk_of(dev), q)) {
    }
}

static void blk_reset(struct virtio_dev *dev)
{
    (void)dev; /* every request was completed when it was served */
}

static const struct virtio_ops blk_ops = {
    .id = VIRTIO_ID_BLOCK,
    .class_code = 0x010000,
    .queues = 1,
    .reset = blk_reset,
    .serve = blk_serve,
};

enum abi_status virtio_blk_create(struct vm *vm, const struct device_config *cfg, unsigned int slot)
{
    struct blk *b = vm_alloc(vm, sizeof(*b));
    enum abi_status st;

    if (b == NULL) {
        return ABI_NO_MEMORY;
    }
    st = disk_init(&b->disk, vm, cfg);
    if (st != ABI_OK) {
        return st;
    }
    (void)str_copy(b->dev.name, sizeof(b->dev.name), cfg->name);
    b->dev.ops = &blk_ops;
    b->dev.offered = BIT(F_SIZE_MAX) | BIT(F_SEG_MAX) | BIT(F_BLK_SIZE);
    if (b->disk.table == NULL) {
        b->dev.offered |= BIT(F_RO);
    }
    put_le64(b->config, b->disk.sectors);
    put_le32(b->config + CONFIG_SIZE_MAX, (uint32_t)SIZE_MAX_BYTES);
    put_le32(b->config + CONFIG_SEG_MAX, SEG_MAX);
    put_le32(b->config + CONFIG_BLK_SIZE, SECTOR_SIZE);
    b->dev.config = b->config;
    b->dev.config_len = sizeof(b->config);
    return virtio_create(&b->dev, vm, slot, b->queue);
}
