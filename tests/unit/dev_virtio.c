/* The virtio PCI transport: discovery, negotiation, status, queues, reset. */
#include <string.h>

#include "cu.h"
#include "dev_driver.h"

#define COMMON (DRV_INDIRECT | DRV_EVENT_IDX | DRV_VERSION_1 | DRV_PLATFORM | DRV_RESET)

static struct drv d;

static void setup(void)
{
    struct device_config cfg = {0};

    drv_probe(&d, drv_vm(DEV_VIRTIO_RNG, &cfg), 1, 0x10000);
}

static void teardown(void)
{
    fake_vm_free(d.vm);
}

static bool served(void)
{
    struct drv_buf b = {0x20000, 8, true};
    uint32_t id, len;

    drv_add(&d, 0, &b, 1);
    drv_kick(&d, 0);
    return drv_used(&d, 0, &id, &len) && len == 8;
}

/* Walks the list as a driver does; what it finds for one structure type. */
static bool find_structure(uint8_t type, uint32_t *at, uint32_t *offset, uint32_t *len)
{
    for (*at = pci_in(d.vm, 1, 0x34, 1); *at != 0; *at = pci_in(d.vm, 1, *at + 1, 1)) {
        if (pci_in(d.vm, 1, *at, 1) == 9 && pci_in(d.vm, 1, *at + 3, 1) == type) {
            CU_ASSERT_EQUAL(pci_in(d.vm, 1, *at + 4, 1), 0); /* BAR 0 */
            *offset = pci_in(d.vm, 1, *at + 8, 4);
            *len = pci_in(d.vm, 1, *at + 12, 4);
            return true;
        }
    }
    return false;
}

static void all_structures_lie_in_the_io_bar(void)
{
    uint32_t at, offset, len;

    setup();
    CU_ASSERT(find_structure(1, &at, &offset, &len) && offset == 0 && len >= 56 && len <= 64);
    CU_ASSERT(find_structure(3, &at, &offset, &len) && offset == 0x40 && len == 1);
    CU_ASSERT(find_structure(2, &at, &offset, &len) && offset == 0x44 && len >= 2);
    CU_ASSERT_EQUAL(pci_in(d.vm, 1, at + 16, 4), 0); /* notify_off_multiplier */
    CU_ASSERT_EQUAL(pci_in(d.vm, 1, at + 2, 1), 20); /* cap_len */
    CU_ASSERT(find_structure(4, &at, &offset, &len) && offset == 0x80 && len == 0x80);
    CU_ASSERT(find_structure(5, &at, &offset, &len));
    teardown();
}

static void the_window_in_configuration_space_reaches_the_registers(void)
{
    uint32_t at, offset, len;

    setup();
    CU_ASSERT_FATAL(find_structure(5, &at, &offset, &len));
    pci_out(d.vm, 1, at + 8, 4, 0x12);
    pci_out(d.vm, 1, at + 12, 4, 2);
    CU_ASSERT_EQUAL(pci_in(d.vm, 1, at + 16, 2), 1); /* num_queues */
    pci_out(d.vm, 1, at + 8, 4, 0x14);
    pci_out(d.vm, 1, at + 12, 4, 1);
    pci_out(d.vm, 1, at + 16, 1, 3);
    CU_ASSERT_EQUAL(drv_status(&d), 3);
    CU_ASSERT_EQUAL(pci_in(d.vm, 1, at + 16, 1), 3);
    teardown();
}

static void a_window_onto_nothing_does_nothing(void)
{
    static const struct {
        uint32_t bar, offset, len;
    } bad[] = {{1, 0x14, 1}, {0, 0x100, 1}, {0, 0xff, 2}, {0, 0xfffffffe, 4},
               {0, 0x15, 2}, {0, 0x14, 3},  {0, 0x14, 0}, {0, 0x14, 0xffffffff}};
    uint32_t at, offset, len;

    setup();
    CU_ASSERT_FATAL(find_structure(5, &at, &offset, &len));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        pci_out(d.vm, 1, at + 4, 1, bad[i].bar);
        pci_out(d.vm, 1, at + 8, 4, bad[i].offset);
        pci_out(d.vm, 1, at + 12, 4, bad[i].len);
        pci_out(d.vm, 1, at + 16, 4, 0x01010101);
        CU_ASSERT_EQUAL(pci_in(d.vm, 1, at + 16, 4), 0x01010101);
    }
    CU_ASSERT_EQUAL(drv_status(&d), 0);
    teardown();
}

static void features_are_offered_in_two_words(void)
{
    setup();
    CU_ASSERT_EQUAL(drv_offered(&d), COMMON);
    drv_out(&d, 0, 4, 2);
    CU_ASSERT_EQUAL(drv_in(&d, 4, 4), 0);
    drv_out(&d, 0, 4, 0xffffffff);
    CU_ASSERT_EQUAL(drv_in(&d, 4, 4), 0);
    teardown();
}

static void features_that_were_not_offered_are_refused(void)
{
    setup();
    CU_ASSERT_FALSE(drv_negotiate(&d, DRV_VERSION_1 | 1));
    CU_ASSERT_EQUAL(drv_status(&d), 3);
    CU_ASSERT_FALSE(drv_negotiate(&d, DRV_VERSION_1 | 1ull << 63));
    CU_ASSERT(drv_negotiate(&d, COMMON));
    teardown();
}

static void a_legacy_driver_is_refused(void)
{
    setup();
    CU_ASSERT_FALSE(drv_negotiate(&d, DRV_EVENT_IDX));
    teardown();
}

static void features_are_frozen_once_accepted(void)
{
    setup();
    CU_ASSERT(drv_negotiate(&d, DRV_VERSION_1));
    drv_out(&d, 8, 4, 0);
    drv_out(&d, 0xc, 4, 0xffffffff);
    CU_ASSERT_EQUAL(drv_in(&d, 0xc, 4), 0);
    teardown();
}

static void driver_ok_without_features_ok_is_refused(void)
{
    setup();
    drv_out(&d, 0x14, 1, 1);
    drv_out(&d, 0x14, 1, 7);
    CU_ASSERT_EQUAL(drv_status(&d), 3);
    teardown();
}

static void status_bits_are_only_added(void)
{
    setup();
    drv_start(&d, 0, 1);
    drv_out(&d, 0x14, 1, 1);
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    drv_out(&d, 0x14, 1, 0x4f); /* NEEDS_RESET is the device's */
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    drv_out(&d, 0x14, 1, 0x8f);
    CU_ASSERT_EQUAL(drv_status(&d), 0x8f);
    teardown();
}

static void kicks_before_driver_ok_are_served_after_it(void)
{
    struct drv_buf b = {0x20000, 8, true};
    uint32_t id, len;

    setup();
    CU_ASSERT(drv_negotiate(&d, COMMON));
    drv_queue(&d, 0, 8);
    drv_add(&d, 0, &b, 1);
    drv_kick(&d, 0);
    CU_ASSERT_FALSE(drv_used(&d, 0, &id, &len));
    drv_ok(&d);
    CU_ASSERT(drv_used(&d, 0, &id, &len));
    teardown();
}

static void a_reset_forgets_everything(void)
{
    setup();
    drv_start(&d, DRV_EVENT_IDX, 1);
    CU_ASSERT(served());
    drv_out(&d, 0x14, 1, 0);
    CU_ASSERT_EQUAL(drv_status(&d), 0);
    CU_ASSERT_EQUAL(drv_in(&d, 0x10, 2), 0xffff);
    drv_out(&d, 0x16, 2, 0);
    CU_ASSERT_EQUAL(drv_in(&d, 0x18, 2), 128);
    CU_ASSERT_EQUAL(drv_in(&d, 0x1a, 2), 0xffff);
    CU_ASSERT_EQUAL(drv_in(&d, 0x1c, 2), 0);
    for (unsigned int reg = 0x20; reg < 0x38; reg += 4) {
        CU_ASSERT_EQUAL(drv_in(&d, reg, 4), 0);
    }
    CU_ASSERT_FALSE(served());
    drv_start(&d, 0, 1);
    CU_ASSERT(served());
    teardown();
}

static void queue_registers_belong_to_the_selected_queue(void)
{
    setup();
    drv_out(&d, 0x16, 2, 0);
    drv_out(&d, 0x20, 4, 0x11112220);
    drv_out(&d, 0x24, 4, 0x3);
    CU_ASSERT_EQUAL(drv_in(&d, 0x20, 4), 0x11112220);
    CU_ASSERT_EQUAL(drv_in(&d, 0x24, 4), 3);
    CU_ASSERT_EQUAL(drv_in(&d, 0x22, 2), 0x1111);
    drv_out(&d, 0x16, 2, 1);
    CU_ASSERT_EQUAL(drv_in(&d, 0x18, 2), 0); /* there is no queue 1 */
    drv_out(&d, 0x20, 4, 0x44444440);
    CU_ASSERT_EQUAL(drv_in(&d, 0x20, 4), 0);
    drv_out(&d, 0x16, 2, 0);
    CU_ASSERT_EQUAL(drv_in(&d, 0x20, 4), 0x11112220);
    teardown();
}

static void a_live_queue_cannot_be_moved(void)
{
    setup();
    drv_start(&d, 0, 1);
    drv_out(&d, 0x18, 2, 4);
    drv_out(&d, 0x20, 4, 0x30000);
    drv_out(&d, 0x1c, 2, 0);
    CU_ASSERT_EQUAL(drv_in(&d, 0x18, 2), DRV_QUEUE_SIZE);
    CU_ASSERT_EQUAL(drv_in(&d, 0x20, 4), d.q[0].desc);
    CU_ASSERT_EQUAL(drv_in(&d, 0x1c, 2), 1);
    CU_ASSERT(served());
    teardown();
}

static void bad_queue_settings_need_a_reset(void)
{
    static const struct {
        uint16_t size;
        uint64_t desc, avail, used;
    } bad[] = {
        {0, 0x1000, 0x2000, 0x3000},     {3, 0x1000, 0x2000, 0x3000},
        {256, 0x1000, 0x2000, 0x3000},   {8, 0x1008, 0x2000, 0x3000},
        {8, 0x1000, 0x2001, 0x3000},     {8, 0x1000, 0x2000, 0x3002},
        {8, 1ull << 52, 0, 0},           {8, 0x1000, 0xfffffffffffffffeull, 0x3000},
        {8, 0x1000, 0x2000, 1ull << 63},
    };

    setup();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CU_ASSERT(drv_negotiate(&d, DRV_VERSION_1));
        drv_out(&d, 0x18, 2, bad[i].size);
        drv_out(&d, 0x20, 4, (uint32_t)bad[i].desc);
        drv_out(&d, 0x24, 4, (uint32_t)(bad[i].desc >> 32));
        drv_out(&d, 0x28, 4, (uint32_t)bad[i].avail);
        drv_out(&d, 0x2c, 4, (uint32_t)(bad[i].avail >> 32));
        drv_out(&d, 0x30, 4, (uint32_t)bad[i].used);
        drv_out(&d, 0x34, 4, (uint32_t)(bad[i].used >> 32));
        drv_out(&d, 0x1c, 2, 1);
        CU_ASSERT_EQUAL(drv_status(&d), 0x4b);
        CU_ASSERT_EQUAL(drv_in(&d, 0x1c, 2), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_last(), "queue 0 cannot be enabled"));
    }
    teardown();
}

static void a_vector_that_does_not_exist_is_refused(void)
{
    setup();
    drv_out(&d, 0x10, 2, 1);
    CU_ASSERT_EQUAL(drv_in(&d, 0x10, 2), 1);
    drv_out(&d, 0x10, 2, 2);
    CU_ASSERT_EQUAL(drv_in(&d, 0x10, 2), 0xffff);
    drv_out(&d, 0x1a, 2, 0xfffe);
    CU_ASSERT_EQUAL(drv_in(&d, 0x1a, 2), 0xffff);
    teardown();
}

static void a_broken_device_tells_by_a_configuration_interrupt(void)
{
    setup();
    drv_start(&d, 0, 1);
    drv_ram_set16(&d, d.q[0].avail + 2, 1000);
    drv_kick(&d, 0);
    CU_ASSERT_EQUAL(drv_status(&d), 0x4f);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 1);
    CU_ASSERT_EQUAL(fake_msi_data(d.vm), 0x40);
    CU_ASSERT_EQUAL(drv_in(&d, 0x40, 1), 2);
    CU_ASSERT_EQUAL(drv_in(&d, 0x40, 1), 0); /* reading acknowledges */
    fake_log_clear();
    drv_kick(&d, 0);
    CU_ASSERT_EQUAL(fake_log_lines(), 0);
    teardown();
}

static void without_vectors_the_isr_still_tells(void)
{
    setup();
    CU_ASSERT(drv_negotiate(&d, DRV_VERSION_1));
    drv_queue(&d, 0, 8);
    drv_out(&d, 0x1a, 2, 0xffff);
    drv_ok(&d);
    CU_ASSERT(served());
    CU_ASSERT_EQUAL(fake_msis(d.vm), 0);
    CU_ASSERT_EQUAL(drv_in(&d, 0x40, 1), 1);
    teardown();
}

static void one_queue_can_be_reset_and_started_again(void)
{
    setup();
    drv_start(&d, DRV_RESET | DRV_EVENT_IDX, 1);
    CU_ASSERT(served());
    drv_out(&d, 0x16, 2, 0);
    drv_out(&d, 0x3a, 2, 1);
    CU_ASSERT_EQUAL(drv_in(&d, 0x3a, 2), 0);
    CU_ASSERT_EQUAL(drv_in(&d, 0x1c, 2), 0);
    CU_ASSERT_FALSE(served());
    drv_queue(&d, 0, 4);
    CU_ASSERT(served());
    CU_ASSERT_EQUAL(drv_ram16(&d, d.q[0].used + 4 + 8 * 4), 1); /* still with event indices */
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    teardown();
}

static void a_queue_reset_that_was_not_negotiated_is_ignored(void)
{
    setup();
    drv_start(&d, 0, 1);
    drv_out(&d, 0x16, 2, 0);
    drv_out(&d, 0x3a, 2, 1);
    CU_ASSERT_EQUAL(drv_in(&d, 0x1c, 2), 1);
    CU_ASSERT(served());
    teardown();
}

static void a_reset_in_the_middle_of_a_chain_drops_it(void)
{
    struct device_config cfg = {0};
    struct drv_buf b[DRV_QUEUE_SIZE];
    size_t before;

    drv_probe(&d, drv_vm(DEV_VIRTIO_CONSOLE, &cfg), 1, 0x10000);
    drv_start(&d, 0, 6);
    for (unsigned int i = 0; i < DRV_QUEUE_SIZE; i++) {
        b[i] = (struct drv_buf){0x100000, 0x100000, false};
    }
    drv_add(&d, 1, b, DRV_QUEUE_SIZE);
    drv_kick(&d, 1);
    before = fake_output_total(d.vm, STREAM_CONSOLE);
    CU_ASSERT(before > 0);
    drv_out(&d, 0x14, 1, 0);
    fake_poll(d.vm);
    fake_poll(d.vm);
    CU_ASSERT_EQUAL(fake_output_total(d.vm, STREAM_CONSOLE), before);
    CU_ASSERT_EQUAL(drv_ram16(&d, d.q[1].used + 2), 0);
    drv_start(&d, 0, 6);
    fake_poll(d.vm);
    CU_ASSERT_EQUAL(fake_output_total(d.vm, STREAM_CONSOLE), before);
    teardown();
}

static void fields_are_written_in_their_own_width(void)
{
    setup();
    drv_out(&d, 0x14, 2, 0x0101);
    drv_out(&d, 0x14, 4, 1);
    CU_ASSERT_EQUAL(drv_status(&d), 0);
    drv_out(&d, 0x16, 1, 5);
    CU_ASSERT_EQUAL(drv_in(&d, 0x16, 2), 0);
    drv_out(&d, 0x21, 2, 0xffff);
    drv_out(&d, 0x20, 1, 0xff);
    CU_ASSERT_EQUAL(drv_in(&d, 0x20, 4), 0);
    drv_out(&d, 0x45, 2, 0);
    drv_out(&d, 0x44, 1, 0);
    drv_out(&d, 0xff, 1, 0xff);
    CU_ASSERT_EQUAL(drv_in(&d, 0x0d, 4), 0); /* across two fields */
    CU_ASSERT_EQUAL(drv_in(&d, 0xfc, 4), 0);
    teardown();
}

static const struct cu_test tests[] = {
    CU(all_structures_lie_in_the_io_bar),
    CU(the_window_in_configuration_space_reaches_the_registers),
    CU(a_window_onto_nothing_does_nothing),
    CU(features_are_offered_in_two_words),
    CU(features_that_were_not_offered_are_refused),
    CU(a_legacy_driver_is_refused),
    CU(features_are_frozen_once_accepted),
    CU(driver_ok_without_features_ok_is_refused),
    CU(status_bits_are_only_added),
    CU(kicks_before_driver_ok_are_served_after_it),
    CU(a_reset_forgets_everything),
    CU(queue_registers_belong_to_the_selected_queue),
    CU(a_live_queue_cannot_be_moved),
    CU(bad_queue_settings_need_a_reset),
    CU(a_vector_that_does_not_exist_is_refused),
    CU(a_broken_device_tells_by_a_configuration_interrupt),
    CU(without_vectors_the_isr_still_tells),
    CU(one_queue_can_be_reset_and_started_again),
    CU(a_queue_reset_that_was_not_negotiated_is_ignored),
    CU(a_reset_in_the_middle_of_a_chain_drops_it),
    CU(fields_are_written_in_their_own_width),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_virtio", tests, argc, argv);
}
