/* virtio-rng. */
#include <string.h>

#include "cu.h"
#include "dev_driver.h"

static struct drv d;

static void setup(void)
{
    struct device_config cfg = {0};

    drv_probe(&d, drv_vm(DEV_VIRTIO_RNG, &cfg), 1, 0x10000);
    drv_start(&d, DRV_EVENT_IDX, 1);
}

static void a_buffer_is_filled_with_random_bytes(void)
{
    struct drv_buf b = {0x20000, 64, true};
    uint8_t zero[64] = {0};
    uint32_t id, len;

    setup();
    drv_add(&d, 0, &b, 1);
    drv_kick(&d, 0);
    CU_ASSERT(drv_used(&d, 0, &id, &len));
    CU_ASSERT_EQUAL(len, 64);
    CU_ASSERT_NOT_EQUAL(memcmp(fake_ram(d.vm, b.addr, 64), zero, 64), 0);
    fake_vm_free(d.vm);
}

static void a_large_buffer_gets_a_bounded_part(void)
{
    struct drv_buf b = {0x20000, 0x100000, true};
    uint32_t id, len;

    setup();
    drv_add(&d, 0, &b, 1);
    drv_kick(&d, 0);
    CU_ASSERT(drv_used(&d, 0, &id, &len));
    CU_ASSERT(len > 0 && len <= 256);
    fake_vm_free(d.vm);
}

static void failing_hardware_stops_the_device_with_a_reason(void)
{
    struct drv_buf b = {0x20000, 64, true};
    uint32_t id, len;

    setup();
    fake_random_works(false);
    drv_add(&d, 0, &b, 1);
    drv_kick(&d, 0);
    fake_random_works(true);
    CU_ASSERT_FALSE(drv_used(&d, 0, &id, &len));
    CU_ASSERT_EQUAL(drv_status(&d), 0x4f);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_last(), "random"));
    fake_vm_free(d.vm);
}

static void a_machine_without_a_generator_gets_no_device(void)
{
    struct vm *vm = fake_vm_new("guest", 4096);
    struct device_config cfg = {.type = DEV_VIRTIO_RNG, .name = "rng"};

    CU_ASSERT_EQUAL(platform_create(vm), ABI_OK);
    fake_random_works(false);
    CU_ASSERT_EQUAL(device_create(vm, &cfg, 0), ABI_NOT_SUPPORTED);
    fake_random_works(true);
    CU_ASSERT_EQUAL(device_create(vm, &cfg, 0), ABI_OK);
    fake_vm_free(vm);
}

static const struct cu_test tests[] = {
    CU(a_buffer_is_filled_with_random_bytes),
    CU(a_large_buffer_gets_a_bounded_part),
    CU(failing_hardware_stops_the_device_with_a_reason),
    CU(a_machine_without_a_generator_gets_no_device),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_rng", tests, argc, argv);
}
