#include "dev_fuzz.h"

#include <string.h>

#include "hv/check.h"

#define HEAP   0x8000u
#define BUFFER 0x40000u
#define MEMORY 0x80000u

struct input {
    const uint8_t *p;
    size_t left;
};

struct life {
    struct drv d;
    struct input in;
    unsigned int queues;
};

static uint32_t take(struct input *in, unsigned int bytes)
{
    uint32_t v = 0;

    for (unsigned int i = 0; i < bytes && in->left > 0; i++, in->left--) {
        v |= (uint32_t)*in->p++ << (8 * i);
    }
    return v;
}

static unsigned int access_size(struct input *in)
{
    return 1u << take(in, 1) % 3;
}

/* Addresses near each other, so that structures meet; now and then anything. */
static uint64_t take_address(struct input *in)
{
    uint32_t kind = take(in, 1);

    if (kind < 0xe0) {
        return BUFFER + (take(in, 2) & 0xfff) * 8u;
    }
    if (kind < 0xf0) {
        return take(in, 3);
    }
    return (uint64_t)take(in, 4) << 32 | take(in, 4);
}

static struct drv_queue *take_queue(struct life *l, unsigned int *index)
{
    *index = take(&l->in, 1) % l->queues;
    return &l->d.q[*index];
}

static void write_register(struct life *l)
{
    uint32_t offset = take(&l->in, 1);
    unsigned int size = access_size(&l->in);

    if (offset + size <= 256) {
        drv_out(&l->d, offset, size, take(&l->in, size));
    }
}

static void read_register(struct life *l)
{
    uint32_t offset = take(&l->in, 1);
    unsigned int size = access_size(&l->in);

    if (offset + size <= 256) {
        (void)drv_in(&l->d, offset, size);
    }
}

static void write_config(struct life *l)
{
    uint32_t offset = take(&l->in, 1);
    unsigned int size = access_size(&l->in);

    if ((offset & 3) + size <= 4) {
        pci_out(l->d.vm, 1, offset, size, take(&l->in, size));
        (void)pci_in(l->d.vm, 1, offset, size);
    }
}

static void write_memory(struct life *l)
{
    uint32_t at = HEAP + take(&l->in, 2);
    uint32_t len = take(&l->in, 1) % 32;
    uint8_t *p = fake_ram(l->d.vm, at, len);

    for (uint32_t i = 0; i < len; i++) {
        p[i] = (uint8_t)take(&l->in, 1);
    }
}

static void write_msix(struct life *l)
{
    uint32_t at = (take(&l->in, 2) & 0xffc);
    uint32_t v = take(&l->in, 4);

    if (l->d.msix != NULL) {
        memcpy(l->d.msix + at, &v, sizeof(v));
    }
}

static void write_descriptor(struct life *l)
{
    unsigned int index;
    struct drv_queue *q = take_queue(l, &index);
    uint32_t slot = take(&l->in, 1) % DRV_QUEUE_SIZE;
    uint64_t addr = take_address(&l->in);
    uint32_t len = take(&l->in, 1) < 0xf0 ? take(&l->in, 2) : take(&l->in, 4);
    uint16_t flags = (uint16_t)take(&l->in, 1);

    drv_desc(&l->d, q->desc, slot, addr, len, flags, (uint16_t)take(&l->in, 1));
}

/* A descriptor in a table that an indirect one may name. */
static void write_table(struct life *l)
{
    uint64_t table = BUFFER + (take(&l->in, 1) & 7) * 16u;
    uint64_t addr = take_address(&l->in);

    drv_desc(&l->d, table, take(&l->in, 1) & 15, addr, take(&l->in, 2),
             (uint16_t)(take(&l->in, 1) & 7), (uint16_t)(take(&l->in, 1) & 15));
}

static void make_available(struct life *l)
{
    unsigned int index;

    (void)take_queue(l, &index);
    drv_avail(&l->d, index, (uint16_t)(take(&l->in, 1) % (DRV_QUEUE_SIZE + 1)));
    drv_kick(&l->d, index);
}

/* A well-formed request: a readable header, then a writable buffer. */
static void submit(struct life *l)
{
    struct drv_buf b[3];
    unsigned int index, n = 0;

    (void)take_queue(l, &index);
    b[n++] = (struct drv_buf){BUFFER, take(&l->in, 1), (take(&l->in, 1) & 1) != 0};
    b[n++] = (struct drv_buf){BUFFER + 0x100, take(&l->in, 2), b[0].write || take(&l->in, 1) & 1};
    b[n++] = (struct drv_buf){BUFFER + 0x20000, take(&l->in, 1), true};
    drv_add(&l->d, index, b, n);
    drv_kick(&l->d, index);
}

static void restart(struct life *l)
{
    uint64_t features = (uint64_t)take(&l->in, 4);

    l->d.heap = HEAP;
    if (!drv_negotiate(&l->d, (features & drv_offered(&l->d)) | DRV_VERSION_1)) {
        return;
    }
    for (unsigned int i = 0; i < l->queues; i++) {
        drv_queue(&l->d, i, DRV_QUEUE_SIZE);
    }
    drv_ok(&l->d);
}

static void outside(struct life *l)
{
    uint8_t buf[64];

    memset(buf, 'i', sizeof(buf));
    (void)fake_input(l->d.vm, take(&l->in, 1) % STREAM_COUNT, buf, take(&l->in, 1) % sizeof(buf));
    if (stream_exists(l->d.vm, STREAM_CONTROL)) {
        fake_control(l->d.vm, take(&l->in, 1) * 8);
    }
}

static void turn_private(struct life *l)
{
    fake_make_private(l->d.vm, take(&l->in, 3) & 0xff000, take(&l->in, 1) < 0x80 ? 0 : 0x1000);
}

static void tick(struct life *l)
{
    fake_poll(l->d.vm);
}

static void any_port(struct life *l)
{
    uint16_t port = (uint16_t)take(&l->in, 2);
    unsigned int size = access_size(&l->in);

    if ((uint32_t)port + size <= 65536) {
        fake_out(l->d.vm, port, size, take(&l->in, size));
        (void)fake_in(l->d.vm, port, size);
    }
}

static void short_of_memory(struct life *l)
{
    fake_alloc_limit(l->d.vm, take(&l->in, 1) < 0x80 ? -1 : 1);
}

static void (*const step[])(struct life *) = {
    write_register,   read_register, write_config,   write_memory,   write_msix, write_descriptor,
    write_descriptor, write_table,   make_available, make_available, submit,     submit,
    restart,          outside,       turn_private,   tick,           any_port,   short_of_memory,
};

static void check_bounded(struct life *l)
{
    for (enum stream_id id = STREAM_CONSOLE; id < STREAM_COUNT; id++) {
        CHECK(fake_output_total(l->d.vm, id) <= DEV_FUZZ_OUTPUT_MAX);
        fake_output_clear(l->d.vm, id);
    }
}

void dev_fuzz(enum device_type type, struct device_config *cfg, unsigned int queues,
              const uint8_t *data, size_t len)
{
    struct life l = {.in = {data, len}, .queues = queues};
    struct vm *vm = fake_vm_new("guest", MEMORY);

    if (type == DEV_VIRTIO_CONSOLE) {
        fake_control(vm, 16);
    }
    drv_probe(&l.d, drv_device(vm, type, cfg), 1, HEAP);
    drv_start(&l.d, take(&l.in, 1) & 1 ? drv_offered(&l.d) : DRV_INDIRECT, queues);
    while (l.in.left > 0) {
        step[take(&l.in, 1) % ARRAY_SIZE(step)](&l);
        check_bounded(&l);
    }
    fake_vm_free(l.d.vm);
}
