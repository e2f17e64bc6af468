#include "dev_driver.h"

#include <stdlib.h>
#include <string.h>

#include "hv/check.h"

#define MEMORY MiB(4)

uint32_t pci_in(struct vm *vm, unsigned int slot, unsigned int offset, unsigned int size)
{
    fake_out(vm, 0xcf8, 4, 0x80000000u | slot << 11 | (offset & 0xfc));
    return fake_in(vm, (uint16_t)(0xcfc + (offset & 3)), size);
}

void pci_out(struct vm *vm, unsigned int slot, unsigned int offset, unsigned int size, uint32_t v)
{
    fake_out(vm, 0xcf8, 4, 0x80000000u | slot << 11 | (offset & 0xfc));
    fake_out(vm, (uint16_t)(0xcfc + (offset & 3)), size, v);
}

struct vm *drv_vm(enum device_type type, struct device_config *cfg)
{
    return drv_vm_sized(type, cfg, MEMORY);
}

struct vm *drv_vm_sized(enum device_type type, struct device_config *cfg, size_t memory)
{
    return drv_device(fake_vm_new("guest", memory), type, cfg);
}

struct vm *drv_device(struct vm *vm, enum device_type type, struct device_config *cfg)
{
    cfg->type = type;
    strcpy(cfg->name, "dut");
    if (platform_create(vm) != ABI_OK || device_create(vm, cfg, 0) != ABI_OK) {
        abort();
    }
    return vm;
}

void drv_probe(struct drv *d, struct vm *vm, unsigned int slot, uint64_t heap)
{
    memset(d, 0, sizeof(*d));
    d->vm = vm;
    d->slot = slot;
    d->heap = heap;
    pci_out(vm, slot, 4, 2, 7);
    d->base = (uint16_t)(pci_in(vm, slot, 0x10, 4) & ~3u);
    d->msix = fake_mapped(vm, pci_in(vm, slot, 0x18, 4));
}

uint32_t drv_in(struct drv *d, unsigned int offset, unsigned int size)
{
    return fake_in(d->vm, (uint16_t)(d->base + offset), size);
}

void drv_out(struct drv *d, unsigned int offset, unsigned int size, uint32_t v)
{
    fake_out(d->vm, (uint16_t)(d->base + offset), size, v);
}

uint8_t drv_status(struct drv *d)
{
    return (uint8_t)drv_in(d, 0x14, 1);
}

uint64_t drv_offered(struct drv *d)
{
    uint64_t low;

    drv_out(d, 0, 4, 0);
    low = drv_in(d, 4, 4);
    drv_out(d, 0, 4, 1);
    return low | (uint64_t)drv_in(d, 4, 4) << 32;
}

bool drv_negotiate(struct drv *d, uint64_t features)
{
    d->features = features;
    drv_out(d, 0x14, 1, 0);
    drv_out(d, 0x14, 1, 1);
    drv_out(d, 0x14, 1, 3);
    drv_out(d, 8, 4, 0);
    drv_out(d, 0xc, 4, (uint32_t)features);
    drv_out(d, 8, 4, 1);
    drv_out(d, 0xc, 4, (uint32_t)(features >> 32));
    drv_out(d, 0x14, 1, 0xb);
    return (drv_status(d) & 8) != 0;
}

void drv_unmask(struct drv *d, unsigned int vector, bool unmasked)
{
    uint32_t entry[4] = {0xfee00000, 0, 0x40 + vector, unmasked ? 0 : 1};

    memcpy(d->msix + 16 * vector, entry, sizeof(entry));
}

static unsigned int find_capability(struct drv *d, uint8_t id)
{
    unsigned int at = pci_in(d->vm, d->slot, 0x34, 1);

    while (at != 0 && pci_in(d->vm, d->slot, at, 1) != id) {
        at = pci_in(d->vm, d->slot, at + 1, 1);
    }
    return at;
}

void drv_msix_enable(struct drv *d)
{
    pci_out(d->vm, d->slot, find_capability(d, 0x11) + 2, 2, 0x8000);
}

void drv_queue(struct drv *d, unsigned int index, uint16_t size)
{
    struct drv_queue *q = &d->q[index];

    memset(q, 0, sizeof(*q));
    q->size = size;
    q->desc = drv_alloc(d, 16u * size);
    q->avail = drv_alloc(d, 6u + 2u * size);
    q->used = drv_alloc(d, 6u + 8u * size);
    memset(fake_ram(d->vm, q->desc, 16u * size), 0, 16u * size);
    memset(fake_ram(d->vm, q->avail, 6u + 2u * size), 0, 6u + 2u * size);
    memset(fake_ram(d->vm, q->used, 6u + 8u * size), 0, 6u + 8u * size);
    drv_out(d, 0x16, 2, index);
    drv_out(d, 0x18, 2, size);
    drv_out(d, 0x1a, 2, index + 1);
    drv_out(d, 0x20, 4, (uint32_t)q->desc);
    drv_out(d, 0x24, 4, (uint32_t)(q->desc >> 32));
    drv_out(d, 0x28, 4, (uint32_t)q->avail);
    drv_out(d, 0x2c, 4, (uint32_t)(q->avail >> 32));
    drv_out(d, 0x30, 4, (uint32_t)q->used);
    drv_out(d, 0x34, 4, (uint32_t)(q->used >> 32));
    drv_out(d, 0x1c, 2, 1);
}

void drv_ok(struct drv *d)
{
    drv_out(d, 0x14, 1, 0xf);
}

void drv_start(struct drv *d, uint64_t features, unsigned int queues)
{
    if (!drv_negotiate(d, features | DRV_VERSION_1 | DRV_PLATFORM)) {
        abort();
    }
    drv_msix_enable(d);
    for (unsigned int i = 0; i <= queues; i++) {
        drv_unmask(d, i, true);
    }
    drv_out(d, 0x10, 2, 0);
    for (unsigned int i = 0; i < queues; i++) {
        drv_queue(d, i, DRV_QUEUE_SIZE);
    }
    drv_ok(d);
}

uint64_t drv_alloc(struct drv *d, size_t len)
{
    uint64_t at = ALIGN_UP(d->heap, 64);

    d->heap = at + len;
    (void)fake_ram(d->vm, at, len);
    return at;
}

uint16_t drv_ram16(struct drv *d, uint64_t at)
{
    uint16_t v;

    memcpy(&v, fake_ram(d->vm, at, 2), 2);
    return v;
}

void drv_ram_set16(struct drv *d, uint64_t at, uint16_t v)
{
    memcpy(fake_ram(d->vm, at, 2), &v, 2);
}

void drv_desc(struct drv *d, uint64_t table, unsigned int index, uint64_t addr, uint32_t len,
              uint16_t flags, uint16_t next)
{
    uint8_t *p = fake_ram(d->vm, table + 16u * index, 16);

    memcpy(p, &addr, 8);
    memcpy(p + 8, &len, 4);
    memcpy(p + 12, &flags, 2);
    memcpy(p + 14, &next, 2);
}

void drv_avail(struct drv *d, unsigned int queue, uint16_t head)
{
    struct drv_queue *q = &d->q[queue];

    drv_ram_set16(d, q->avail + 4 + 2u * (q->avail_idx % q->size), head);
    drv_ram_set16(d, q->avail + 2, ++q->avail_idx);
}

uint16_t drv_add(struct drv *d, unsigned int queue, const struct drv_buf *buf, unsigned int n)
{
    struct drv_queue *q = &d->q[queue];
    uint16_t head = q->next_desc;

    for (unsigned int i = 0; i < n; i++) {
        uint16_t at = q->next_desc;

        q->next_desc = (uint16_t)((at + 1) % q->size);
        drv_desc(d, q->desc, at, buf[i].addr, buf[i].len,
                 (uint16_t)((i + 1 < n ? 1 : 0) | (buf[i].write ? 2 : 0)), q->next_desc);
    }
    drv_avail(d, queue, head);
    return head;
}

uint16_t drv_add_indirect(struct drv *d, unsigned int queue, const struct drv_buf *buf,
                          unsigned int n)
{
    struct drv_queue *q = &d->q[queue];
    uint64_t table = drv_alloc(d, 16u * n);
    uint16_t head = q->next_desc;

    for (unsigned int i = 0; i < n; i++) {
        drv_desc(d, table, i, buf[i].addr, buf[i].len,
                 (uint16_t)((i + 1 < n ? 1 : 0) | (buf[i].write ? 2 : 0)), (uint16_t)(i + 1));
    }
    drv_desc(d, q->desc, head, table, 16u * n, 4, 0);
    q->next_desc = (uint16_t)((head + 1) % q->size);
    drv_avail(d, queue, head);
    return head;
}

void drv_kick(struct drv *d, unsigned int queue)
{
    drv_out(d, 0x44, 2, queue);
}

bool drv_used(struct drv *d, unsigned int queue, uint32_t *id, uint32_t *len)
{
    struct drv_queue *q = &d->q[queue];
    uint8_t *e = fake_ram(d->vm, q->used + 4 + 8u * (q->used_idx % q->size), 8);

    if (q->used_idx == drv_ram16(d, q->used + 2)) {
        return false;
    }
    memcpy(id, e, 4);
    memcpy(len, e + 4, 4);
    q->used_idx++;
    return true;
}
