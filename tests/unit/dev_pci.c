/* Configuration space, BARs, MSI-X. */
#include <string.h>

#include "cu.h"
#include "dev_driver.h"

#define BAR0 0x10
#define BAR2 0x18

static struct drv d;

static void setup(void)
{
    struct device_config cfg = {0};

    drv_probe(&d, drv_vm(DEV_VIRTIO_RNG, &cfg), 1, 0x10000);
}

static uint32_t in(unsigned int offset, unsigned int size)
{
    return pci_in(d.vm, 1, offset, size);
}

static void out(unsigned int offset, unsigned int size, uint32_t v)
{
    pci_out(d.vm, 1, offset, size, v);
}

/* How Linux looks for mechanism #1 (arch/x86/pci/direct.c). */
static void mechanism_1_is_found(void)
{
    setup();
    fake_out(d.vm, 0xcfb, 1, 1);
    fake_out(d.vm, 0xcf8, 4, 0x80000000);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xcf8, 4), 0x80000000);
    CU_ASSERT_EQUAL(pci_in(d.vm, 0, 0x0a, 2), 0x0600);
    fake_vm_free(d.vm);
}

static void absent_functions_read_all_ones(void)
{
    setup();
    CU_ASSERT_EQUAL(pci_in(d.vm, 2, 0, 4), 0xffffffff);
    CU_ASSERT_EQUAL(pci_in(d.vm, 2, 0, 2), 0xffff);
    CU_ASSERT_EQUAL(pci_in(d.vm, 2, 3, 1), 0xff);
    fake_out(d.vm, 0xcf8, 4, 0x80000000 | 1 << 11 | 1 << 8); /* function 1 */
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xcfc, 4), 0xffffffff);
    fake_out(d.vm, 0xcf8, 4, 0x80010000 | 1 << 11); /* bus 1 */
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xcfc, 4), 0xffffffff);
    fake_out(d.vm, 0xcf8, 4, 0x81000000 | 1 << 11); /* extended register */
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xcfc, 4), 0xffffffff);
    fake_out(d.vm, 0xcf8, 4, 0x00000000 | 1 << 11); /* not enabled */
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xcfc, 4), 0xffffffff);
    fake_vm_free(d.vm);
}

static void parts_of_a_register_can_be_read(void)
{
    setup();
    CU_ASSERT_EQUAL(in(0, 4), 0x10441af4);
    CU_ASSERT_EQUAL(in(2, 2), 0x1044);
    CU_ASSERT_EQUAL(in(1, 1), 0x1a);
    CU_ASSERT_EQUAL(in(0x3d, 1), 0); /* no interrupt pin */
    CU_ASSERT_EQUAL(in(0x0e, 1), 0); /* a single function */
    fake_out(d.vm, 0xcf8, 4, 0x80000800);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xcff, 4), 0xffffffff); /* past the data port's end */
    fake_vm_free(d.vm);
}

static void identity_cannot_be_written(void)
{
    setup();
    out(0, 4, 0);
    out(8, 4, 0xffffffff);
    out(0x34, 1, 0);
    CU_ASSERT_EQUAL(in(0, 4), 0x10441af4);
    CU_ASSERT_EQUAL(in(8, 1), 1);
    CU_ASSERT_NOT_EQUAL(in(0x34, 1), 0);
    out(4, 2, 0xffff);
    CU_ASSERT_EQUAL(in(4, 2), 0x0407);
    fake_vm_free(d.vm);
}

static void bars_tell_their_size(void)
{
    uint32_t bar0, bar2;

    setup();
    out(4, 2, 0);
    bar0 = in(BAR0, 4);
    bar2 = in(BAR2, 4);
    out(BAR0, 4, 0xffffffff);
    out(BAR2, 4, 0xffffffff);
    CU_ASSERT_EQUAL(in(BAR0, 4), 0xffffff01);
    CU_ASSERT_EQUAL(in(BAR2, 4), 0xfffff000);
    for (unsigned int bar = 0x14; bar < 0x28; bar += bar == 0x14 ? 8 : 4) {
        out(bar, 4, 0xffffffff);
        CU_ASSERT_EQUAL(in(bar, 4), 0);
    }
    out(BAR0, 4, bar0);
    out(BAR2, 4, bar2);
    CU_ASSERT_EQUAL(in(BAR0, 4), 0xc101);
    CU_ASSERT_EQUAL(in(BAR2, 4), 0xe0001000);
    fake_vm_free(d.vm);
}

static void decoding_follows_the_command_register(void)
{
    setup();
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xc112, 2), 1); /* num_queues */
    CU_ASSERT_PTR_NOT_NULL(fake_mapped(d.vm, 0xe0001000));
    out(4, 2, 0);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xc112, 2), 0xffff);
    CU_ASSERT_PTR_NULL(fake_mapped(d.vm, 0xe0001000));
    out(4, 2, 2);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xc112, 2), 0xffff);
    CU_ASSERT_PTR_EQUAL(fake_mapped(d.vm, 0xe0001000), d.msix);
    fake_vm_free(d.vm);
}

static void bars_move_with_decoding_on(void)
{
    setup();
    out(BAR0, 4, 0xd200);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xc112, 2), 0xffff);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xd212, 2), 1);
    out(BAR2, 4, 0xe8000000);
    CU_ASSERT_PTR_NULL(fake_mapped(d.vm, 0xe0001000));
    CU_ASSERT_PTR_EQUAL(fake_mapped(d.vm, 0xe8000000), d.msix);
    out(BAR0 + 1, 1, 0xd3);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xd312, 2), 1);
    fake_vm_free(d.vm);
}

static void bars_outside_the_windows_are_not_decoded(void)
{
    static const uint32_t ports[] = {0, 0x300, 0xbf00, 0xf000, 0xff00, 0x1c100, 0xffffff00};
    static const uint32_t pages[] = {0, 0x1000, 0xdffff000, 0xf0000000, 0xfee00000, 0xfffff000};

    setup();
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        out(BAR0, 4, ports[i]);
        CU_ASSERT_EQUAL(fake_in(d.vm, (uint16_t)(ports[i] + 0x12), 2), 0xffff);
    }
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        out(BAR2, 4, pages[i]);
        CU_ASSERT_PTR_NULL(fake_mapped(d.vm, pages[i]));
    }
    out(BAR0, 4, 0xef00);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xef12, 2), 1);
    out(BAR2, 4, 0xeffff000);
    CU_ASSERT_PTR_EQUAL(fake_mapped(d.vm, 0xeffff000), d.msix);
    fake_vm_free(d.vm);
}

static void a_bar_over_another_stays_off_and_is_logged(void)
{
    struct device_config cfg = {.type = DEV_VIRTIO_RNG, .name = "second"};

    setup();
    CU_ASSERT_EQUAL(device_create(d.vm, &cfg, 1), ABI_OK);
    pci_out(d.vm, 2, BAR0, 4, 0xc100);
    pci_out(d.vm, 2, BAR2, 4, 0xe0001000);
    fake_log_clear();
    pci_out(d.vm, 2, 4, 2, 7);
    CU_ASSERT_EQUAL(fake_log_lines(), 2);
    CU_ASSERT_PTR_EQUAL(fake_mapped(d.vm, 0xe0001000), d.msix);
    /* Moving away the loser must not take the winner's place with it. */
    pci_out(d.vm, 2, BAR2, 4, 0xe0005000);
    pci_out(d.vm, 2, BAR0, 4, 0xc500);
    CU_ASSERT_PTR_EQUAL(fake_mapped(d.vm, 0xe0001000), d.msix);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xc112, 2), 1);
    CU_ASSERT_EQUAL(fake_in(d.vm, 0xc512, 2), 1);
    fake_vm_free(d.vm);
}

static void a_slot_is_taken_once(void)
{
    struct device_config cfg = {.type = DEV_VIRTIO_RNG, .name = "again"};

    setup();
    CU_ASSERT_EQUAL(device_create(d.vm, &cfg, 0), ABI_EXISTS);
    CU_ASSERT_EQUAL(device_create(d.vm, &cfg, 31), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(device_create(d.vm, &cfg, 30), ABI_OK);
    fake_vm_free(d.vm);
}

static void a_device_needs_a_platform(void)
{
    struct device_config cfg = {.type = DEV_VIRTIO_RNG, .name = "rng"};
    struct vm *vm = fake_vm_new("guest", 4096);
    enum abi_status st = ABI_OK;

    ASSERT_PANICS(st = device_create(vm, &cfg, 0));
    CU_ASSERT_EQUAL(st, ABI_OK); /* it never came back */
    fake_vm_free(vm);
}

/* ---- MSI-X ---- */

static uint32_t pba(void)
{
    uint32_t v;

    memcpy(&v, d.msix + 0x800, sizeof(v));
    return v;
}

static unsigned int msix_cap(void)
{
    unsigned int at = in(0x34, 1);

    while (in(at, 1) != 0x11) {
        at = in(at + 1, 1);
    }
    return at;
}

static void raise_queue_interrupt(void)
{
    struct drv_buf b = {0x20000, 8, true};

    drv_add(&d, 0, &b, 1);
    drv_kick(&d, 0);
}

static void msix_lies_in_bar_2(void)
{
    unsigned int cap;

    setup();
    cap = msix_cap();
    CU_ASSERT_EQUAL(in(cap + 2, 2), 1); /* two vectors, disabled */
    CU_ASSERT_EQUAL(in(cap + 4, 4), 2);
    CU_ASSERT_EQUAL(in(cap + 8, 4), 0x802);
    CU_ASSERT_EQUAL(d.msix[12] & 1, 1); /* masked after reset */
    fake_vm_free(d.vm);
}

static void an_unmasked_vector_is_sent_as_the_table_says(void)
{
    setup();
    drv_start(&d, 0, 1);
    raise_queue_interrupt();
    CU_ASSERT_EQUAL(fake_msis(d.vm), 1);
    CU_ASSERT_EQUAL(fake_msi_address(d.vm), 0xfee00000);
    CU_ASSERT_EQUAL(fake_msi_data(d.vm), 0x41);
    fake_vm_free(d.vm);
}

static void a_masked_vector_waits_for_the_poll_after_its_unmasking(void)
{
    setup();
    drv_start(&d, 0, 1);
    drv_unmask(&d, 1, false);
    raise_queue_interrupt();
    raise_queue_interrupt();
    fake_poll(d.vm);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 0);
    CU_ASSERT_EQUAL(pba(), 2);
    drv_unmask(&d, 1, true);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 0);
    fake_poll(d.vm);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 1);
    CU_ASSERT_EQUAL(pba(), 0);
    fake_poll(d.vm);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 1);
    fake_vm_free(d.vm);
}

static void the_function_mask_holds_all_back_until_it_is_cleared(void)
{
    setup();
    drv_start(&d, 0, 1);
    out(msix_cap() + 2, 2, 0xc000);
    raise_queue_interrupt();
    fake_poll(d.vm);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 0);
    out(msix_cap() + 2, 2, 0x8000);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 1);
    fake_vm_free(d.vm);
}

static void switching_msix_off_forgets_what_is_pending(void)
{
    setup();
    drv_start(&d, 0, 1);
    drv_unmask(&d, 1, false);
    raise_queue_interrupt();
    out(msix_cap() + 2, 2, 0);
    out(msix_cap() + 2, 2, 0x8000);
    drv_unmask(&d, 1, true);
    fake_poll(d.vm);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 0);
    fake_vm_free(d.vm);
}

static void a_guest_that_writes_the_pending_bits_fools_only_itself(void)
{
    setup();
    drv_start(&d, 0, 1);
    memset(d.msix + 0x800, 0xff, 0x800);
    fake_poll(d.vm);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 0);
    fake_vm_free(d.vm);
}

static void without_bus_mastering_nothing_moves_until_it_is_on(void)
{
    uint32_t id, len;

    setup();
    drv_start(&d, 0, 1);
    out(4, 2, 3);
    raise_queue_interrupt();
    CU_ASSERT_FALSE(drv_used(&d, 0, &id, &len));
    out(4, 2, 7);
    fake_poll(d.vm);
    CU_ASSERT(drv_used(&d, 0, &id, &len));
    CU_ASSERT_EQUAL(fake_msis(d.vm), 1);
    fake_vm_free(d.vm);
}

static const struct cu_test tests[] = {
    CU(mechanism_1_is_found),
    CU(absent_functions_read_all_ones),
    CU(parts_of_a_register_can_be_read),
    CU(identity_cannot_be_written),
    CU(bars_tell_their_size),
    CU(decoding_follows_the_command_register),
    CU(bars_move_with_decoding_on),
    CU(bars_outside_the_windows_are_not_decoded),
    CU(a_bar_over_another_stays_off_and_is_logged),
    CU(a_slot_is_taken_once),
    CU(a_device_needs_a_platform),
    CU(msix_lies_in_bar_2),
    CU(an_unmasked_vector_is_sent_as_the_table_says),
    CU(a_masked_vector_waits_for_the_poll_after_its_unmasking),
    CU(the_function_mask_holds_all_back_until_it_is_cleared),
    CU(switching_msix_off_forgets_what_is_pending),
    CU(a_guest_that_writes_the_pending_bits_fools_only_itself),
    CU(without_bus_mastering_nothing_moves_until_it_is_on),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_pci", tests, argc, argv);
}
