/* virtio-blk: reads, writes, private copies, limits. */
#include <stdlib.h>
#include <string.h>

#include "cu.h"
#include "dev_driver.h"

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8 };

static struct drv d;
static uint8_t image[10000]; /* no multiple of a sector, nor of a page */

static void setup(struct device_config cfg, uint64_t features)
{
    for (size_t i = 0; i < sizeof(image); i++) {
        image[i] = (uint8_t)(i * 7 + i / 256);
    }
    drv_probe(&d, drv_vm(DEV_VIRTIO_BLK, &cfg), 1, 0x10000);
    drv_start(&d, features, 1);
}

static struct device_config read_only(void)
{
    return (struct device_config){.image = image, .size = sizeof(image)};
}

static struct device_config private_copy(void)
{
    return (struct device_config){.image = image, .size = sizeof(image), .writable = true};
}

static struct device_config zero_filled(uint64_t size)
{
    return (struct device_config){.size = size, .writable = true};
}

static void teardown(void)
{
    fake_vm_free(d.vm);
}

struct request {
    uint32_t type;
    uint64_t sector;
    uint32_t len;
    uint64_t data; /* guest address */
    uint64_t status_at;
};

static void submit(struct request *r, bool indirect)
{
    uint64_t header = drv_alloc(&d, 16);
    bool in = r->type == T_IN || r->type == T_GET_ID;
    struct drv_buf b[3];
    unsigned int n = 0;
    uint8_t *h = fake_ram(d.vm, header, 16);

    memset(h, 0, 16);
    memcpy(h, &r->type, 4);
    memcpy(h + 8, &r->sector, 8);
    r->status_at = drv_alloc(&d, 1);
    *(uint8_t *)fake_ram(d.vm, r->status_at, 1) = 0xee;
    b[n++] = (struct drv_buf){header, 16, false};
    if (r->len > 0) {
        b[n++] = (struct drv_buf){r->data, r->len, in};
    }
    b[n++] = (struct drv_buf){r->status_at, 1, true};
    (void)(indirect ? drv_add_indirect : drv_add)(&d, 0, b, n);
}

/* Runs one request to its end; its status, or EEh when it got none. */
static uint8_t run(struct request *r)
{
    uint32_t id, len;

    submit(r, (d.features & DRV_INDIRECT) != 0);
    drv_kick(&d, 0);
    CU_ASSERT(drv_used(&d, 0, &id, &len));
    return *(uint8_t *)fake_ram(d.vm, r->status_at, 1);
}

static uint8_t *read_at(uint64_t sector, uint32_t len)
{
    struct request r = {T_IN, sector, len, drv_alloc(&d, len), 0};

    memset(fake_ram(d.vm, r.data, len), 0xcc, len);
    CU_ASSERT_EQUAL(run(&r), 0);
    return fake_ram(d.vm, r.data, len);
}

static uint8_t write_at(uint64_t sector, uint32_t len, uint8_t byte)
{
    struct request r = {T_OUT, sector, len, drv_alloc(&d, len), 0};

    memset(fake_ram(d.vm, r.data, len), byte, len);
    return run(&r);
}

static bool all(const uint8_t *p, uint8_t byte, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] != byte) {
            return false;
        }
    }
    return true;
}

static void the_configuration_tells_size_and_limits(void)
{
    setup(read_only(), 0);
    CU_ASSERT_EQUAL(drv_in(&d, 0x80, 4), 20); /* 10000 bytes round up */
    CU_ASSERT_EQUAL(drv_in(&d, 0x84, 4), 0);
    CU_ASSERT_EQUAL(drv_in(&d, 0x88, 4), 32768);
    CU_ASSERT_EQUAL(drv_in(&d, 0x8c, 4), 126);
    CU_ASSERT_EQUAL(drv_in(&d, 0x94, 4), 512);
    CU_ASSERT(drv_offered(&d) >> 5 & 1);
    teardown();
}

static void an_image_is_read_with_zeroes_behind_it(void)
{
    uint8_t *p;

    setup(read_only(), 0);
    p = read_at(0, 10240);
    CU_ASSERT_EQUAL(memcmp(p, image, sizeof(image)), 0);
    CU_ASSERT(all(p + sizeof(image), 0, 240));
    p = read_at(7, 512);
    CU_ASSERT_EQUAL(memcmp(p, image + 7 * 512, 512), 0);
    teardown();
}

static void a_read_only_disk_refuses_writes(void)
{
    setup(read_only(), 0);
    CU_ASSERT_EQUAL(write_at(0, 512, 0x55), 1);
    CU_ASSERT_EQUAL(memcmp(read_at(0, 512), image, 512), 0);
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    teardown();
}

static void a_private_copy_changes_and_the_image_does_not(void)
{
    uint8_t before[sizeof(image)];
    uint8_t *p;

    setup(private_copy(), DRV_INDIRECT);
    memcpy(before, image, sizeof(image));
    CU_ASSERT_FALSE(drv_offered(&d) >> 5 & 1);
    CU_ASSERT_EQUAL(write_at(3, 1024, 0x55), 0);
    CU_ASSERT_EQUAL(memcmp(image, before, sizeof(image)), 0);
    p = read_at(0, 10240);
    CU_ASSERT_EQUAL(memcmp(p, image, 3 * 512), 0);
    CU_ASSERT(all(p + 3 * 512, 0x55, 1024));
    CU_ASSERT_EQUAL(memcmp(p + 5 * 512, image + 5 * 512, sizeof(image) - 5 * 512), 0);
    CU_ASSERT(all(p + sizeof(image), 0, 240));
    teardown();
}

static void writes_cross_pages_and_the_images_end(void)
{
    uint8_t *p;

    setup(private_copy(), 0);
    CU_ASSERT_EQUAL(write_at(7, 6656, 0xaa), 0); /* to the disk's last sector */
    p = read_at(0, 10240);
    CU_ASSERT_EQUAL(memcmp(p, image, 7 * 512), 0);
    CU_ASSERT(all(p + 7 * 512, 0xaa, 6656));
    teardown();
}

/* Pages 0 and 2 are the image's, page 1 is the guest's own; then page 2 is, up to its end. */
static void own_pages_lie_among_those_of_the_image(void)
{
    uint8_t *p;

    setup(private_copy(), 0);
    CU_ASSERT_EQUAL(write_at(9, 512, 0x11), 0);
    p = read_at(0, 10240);
    CU_ASSERT_EQUAL(memcmp(p, image, 9 * 512), 0);
    CU_ASSERT(all(p + 9 * 512, 0x11, 512));
    CU_ASSERT_EQUAL(memcmp(p + 10 * 512, image + 10 * 512, sizeof(image) - 10 * 512), 0);
    CU_ASSERT_EQUAL(write_at(16, 512, 0x22), 0);
    p = read_at(16, 2048);
    CU_ASSERT(all(p, 0x22, 512));
    CU_ASSERT_EQUAL(memcmp(p + 512, image + 17 * 512, sizeof(image) - 17 * 512), 0);
    CU_ASSERT(all(p + sizeof(image) - 16 * 512, 0, 240));
    teardown();
}

static void a_zero_filled_disk_takes_memory_only_for_what_is_written(void)
{
    size_t before;

    setup(zero_filled(GiB(64)), 0);
    before = fake_allocated(d.vm);
    CU_ASSERT(before < MiB(1));
    CU_ASSERT(all(read_at(GiB(63) / 512, 4096), 0, 4096));
    CU_ASSERT_EQUAL(fake_allocated(d.vm), before);
    CU_ASSERT_EQUAL(write_at(GiB(63) / 512, 4096, 9), 0);
    CU_ASSERT_EQUAL(fake_allocated(d.vm), before + 2 * 4096);
    CU_ASSERT(all(read_at(GiB(63) / 512, 4096), 9, 4096));
    teardown();
}

static void a_write_without_memory_is_an_error_and_no_more(void)
{
    setup(zero_filled(MiB(1)), 0);
    fake_alloc_limit(d.vm, 1); /* the table, not the page */
    CU_ASSERT_EQUAL(write_at(0, 512, 1), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_last(), "no memory"));
    fake_alloc_limit(d.vm, -1);
    CU_ASSERT_EQUAL(write_at(0, 512, 1), 0);
    teardown();
}

static void requests_outside_the_disk_are_errors(void)
{
    static const struct {
        uint64_t sector;
        uint32_t len;
    } bad[] = {{20, 512}, {19, 1024}, {UINT64_MAX, 512}, {UINT64_MAX / 512, 1024},
               {0, 511},  {0, 513}};

    setup(private_copy(), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct request r = {T_IN, bad[i].sector, bad[i].len, 0x200000, 0};

        CU_ASSERT_EQUAL(run(&r), 1);
        r.type = T_OUT;
        CU_ASSERT_EQUAL(run(&r), 1);
    }
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    teardown();
}

static void flush_succeeds_and_the_unknown_is_unsupported(void)
{
    struct request flush = {T_FLUSH, 0, 0, 0, 0};
    struct request what = {77, 0, 0, 0, 0};

    setup(read_only(), 0);
    CU_ASSERT_EQUAL(run(&flush), 0);
    CU_ASSERT_EQUAL(run(&what), 2);
    teardown();
}

static void the_serial_number_is_the_devices_name(void)
{
    struct request r = {T_GET_ID, 0, 20, 0x200000, 0};

    setup(read_only(), 0);
    CU_ASSERT_EQUAL(run(&r), 0);
    CU_ASSERT_EQUAL(memcmp(fake_ram(d.vm, r.data, 4), "dut", 4), 0);
    teardown();
}

static void a_request_without_status_needs_a_reset(void)
{
    struct drv_buf b = {0x20000, 16, false};

    setup(read_only(), 0);
    drv_add(&d, 0, &b, 1);
    drv_kick(&d, 0);
    CU_ASSERT_EQUAL(drv_status(&d), 0x4f);
    teardown();
}

static void data_in_private_memory_needs_a_reset(void)
{
    struct request r = {T_IN, 0, 512, 0x200000, 0};

    setup(read_only(), 0);
    fake_make_private(d.vm, 0x200000, 0x1000);
    submit(&r, false);
    drv_kick(&d, 0);
    CU_ASSERT_EQUAL(drv_status(&d), 0x4f);
    CU_ASSERT(all(fake_ram(d.vm, 0x200000, 512), 0, 512));
    teardown();
}

static void a_request_of_four_mebibytes_is_too_large(void)
{
    struct drv_buf b[6] = {{0x20000, 16, false}};
    uint8_t *header, *status;

    setup(zero_filled(MiB(8)), 0);
    header = fake_ram(d.vm, 0x20000, 16);
    status = fake_ram(d.vm, 0x21000, 1);
    memset(header, 0, 16);
    for (unsigned int i = 1; i < 5; i++) {
        b[i] = (struct drv_buf){0x200000, 0x100000, true};
    }
    b[5] = (struct drv_buf){0x21000, 1, true};
    *status = 0xee;
    drv_add(&d, 0, b, 6);
    drv_kick(&d, 0);
    CU_ASSERT_EQUAL(*status, 1);
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    teardown();
}

static void a_tick_does_none_of_what_waits_in_a_queue(void)
{
    struct request r = {T_IN, 0, 4096, 0x200000, 0};
    uint32_t id, len;

    setup(zero_filled(MiB(8)), 0);
    pci_out(d.vm, 1, 0x04, 2, 3); /* not a master: the device does not read */
    submit(&r, false);
    drv_kick(&d, 0);
    fake_poll(d.vm);
    pci_out(d.vm, 1, 0x04, 2, 7);
    CU_ASSERT(fake_serve_asked(d.vm));
    fake_tick(d.vm);
    CU_ASSERT_FALSE(drv_used(&d, 0, &id, &len));
    fake_poll(d.vm);
    CU_ASSERT(drv_used(&d, 0, &id, &len));
    CU_ASSERT_FALSE(fake_serve_asked(d.vm));
    teardown();
}

static void a_burst_is_served_over_several_polls(void)
{
    struct request r = {T_IN, 0, 0x100000, 0x200000, 0};
    uint32_t id, len;
    unsigned int done = 0;

    setup(zero_filled(MiB(8)), 0);
    for (int i = 0; i < 5; i++) {
        submit(&r, false);
    }
    drv_kick(&d, 0);
    while (drv_used(&d, 0, &id, &len)) {
        done++;
    }
    CU_ASSERT(done >= 1 && done < 5);
    CU_ASSERT(fake_serve_asked(d.vm));
    for (int i = 0; i < 5; i++) {
        fake_poll(d.vm);
    }
    while (drv_used(&d, 0, &id, &len)) {
        CU_ASSERT_EQUAL(len, 0x100001);
        done++;
    }
    CU_ASSERT_EQUAL(done, 5);
    teardown();
}

static void a_disk_without_size_or_over_a_tebibyte_is_refused(void)
{
    struct vm *vm = fake_vm_new("guest", 4096);
    struct device_config cfg = {.type = DEV_VIRTIO_BLK, .name = "disk"};

    CU_ASSERT_EQUAL(platform_create(vm), ABI_OK);
    CU_ASSERT_EQUAL(device_create(vm, &cfg, 0), ABI_BAD_ARG);
    cfg.size = (1ull << 40) + 512;
    CU_ASSERT_EQUAL(device_create(vm, &cfg, 0), ABI_LIMIT);
    cfg.size = UINT64_MAX;
    CU_ASSERT_EQUAL(device_create(vm, &cfg, 0), ABI_LIMIT);
    fake_vm_free(vm);
}

static const struct cu_test tests[] = {
    CU(the_configuration_tells_size_and_limits),
    CU(an_image_is_read_with_zeroes_behind_it),
    CU(a_read_only_disk_refuses_writes),
    CU(a_private_copy_changes_and_the_image_does_not),
    CU(writes_cross_pages_and_the_images_end),
    CU(own_pages_lie_among_those_of_the_image),
    CU(a_request_of_four_mebibytes_is_too_large),
    CU(a_zero_filled_disk_takes_memory_only_for_what_is_written),
    CU(a_write_without_memory_is_an_error_and_no_more),
    CU(requests_outside_the_disk_are_errors),
    CU(flush_succeeds_and_the_unknown_is_unsupported),
    CU(the_serial_number_is_the_devices_name),
    CU(a_request_without_status_needs_a_reset),
    CU(data_in_private_memory_needs_a_reset),
    CU(a_tick_does_none_of_what_waits_in_a_queue),
    CU(a_burst_is_served_over_several_polls),
    CU(a_disk_without_size_or_over_a_tebibyte_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_blk", tests, argc, argv);
}
