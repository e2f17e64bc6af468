/* virtio devices whose registers are memory: virtio 1.2, 4.2. */
#include <string.h>

#include "cu.h"
#include "fake_vm.h"
#include "hv/device.h"
#include "hv/mmio_map.h"

/* 4.2.2, as drivers name them. */
enum {
    MAGIC = 0x00,
    VERSION = 0x04,
    DEVICE_ID = 0x08,
    FEATURES = 0x10,
    FEATURES_SEL = 0x14,
    ACCEPT = 0x20,
    ACCEPT_SEL = 0x24,
    QUEUE_SEL = 0x30,
    QUEUE_MAX = 0x34,
    QUEUE_NUM = 0x38,
    QUEUE_READY = 0x44,
    NOTIFY = 0x50,
    IRQ_STATUS = 0x60,
    IRQ_ACK = 0x64,
    STATUS = 0x70,
    DESC = 0x80,
    AVAIL = 0x90,
    USED = 0xa0,
    SHM_LEN = 0xb0,
    CONFIG = 0x100,
};
#define BASE       (MMIO_VIRTIO + MMIO_CELL_SIZE) /* slot 1 */
#define LINE       (MMIO_VIRTIO_LINE + 1)
#define READY      15u
#define DESC_AT    0x1000u
#define AVAIL_AT   0x2000u
#define USED_AT    0x3000u
#define BUFFER_AT  0x4000u
#define QUEUE_SIZE 8u

static struct vm *vm;

static uint32_t in(uint32_t offset)
{
    uint32_t v = 0xdeadbeef;

    CU_ASSERT(fake_mmio_in(vm, BASE + offset, 4, &v));
    return v;
}

static void out(uint32_t offset, uint32_t value)
{
    CU_ASSERT(fake_mmio_out(vm, BASE + offset, 4, value));
}

static void setup(enum device_type type, struct device_config cfg)
{
    cfg.type = type;
    strcpy(cfg.name, "device");
    vm = fake_vm_new("guest", 1 << 20);
    CU_ASSERT_EQUAL(platform_create(vm), ABI_OK);
    CU_ASSERT_EQUAL(device_create(vm, &cfg, 0), ABI_OK);
}

static void setup_rng(void)
{
    setup(DEV_VIRTIO_RNG, (struct device_config){0});
}

/* VERSION_1 is feature 32: bit 0 of the second word. */
static bool negotiate(uint32_t high)
{
    out(STATUS, 0);
    out(STATUS, 3);
    out(ACCEPT_SEL, 1);
    out(ACCEPT, high);
    out(STATUS, 11);
    return in(STATUS) == 11;
}

static void make_queue(uint32_t size)
{
    out(QUEUE_SEL, 0);
    out(QUEUE_NUM, size);
    out(DESC, DESC_AT);
    out(DESC + 4, 0);
    out(AVAIL, AVAIL_AT);
    out(AVAIL + 4, 0);
    out(USED, USED_AT);
    out(USED + 4, 0);
    out(QUEUE_READY, 1);
}

static void start_rng(void)
{
    setup_rng();
    CU_ASSERT(negotiate(1));
    make_queue(QUEUE_SIZE);
    out(STATUS, READY);
}

/* One writable buffer of 32 bytes. */
static void offer_buffer(void)
{
    uint8_t *desc = fake_ram(vm, DESC_AT, 16);
    uint16_t *avail = fake_ram(vm, AVAIL_AT, 6);

    memset(desc, 0, 16);
    desc[0] = BUFFER_AT & 0xff;
    desc[1] = BUFFER_AT >> 8;
    desc[8] = 32;
    desc[12] = 2;
    avail[1]++;
    out(NOTIFY, 0);
}

static uint16_t used_index(void)
{
    return ((const uint16_t *)fake_ram(vm, USED_AT, 4))[1];
}

static void a_device_says_what_it_is(void)
{
    setup_rng();
    CU_ASSERT_EQUAL(in(MAGIC), 0x74726976);
    CU_ASSERT_EQUAL(in(VERSION), 2);
    CU_ASSERT_EQUAL(in(DEVICE_ID), 4);
    CU_ASSERT_EQUAL(in(QUEUE_MAX), 128);
    CU_ASSERT_EQUAL(in(SHM_LEN), UINT32_MAX);
    fake_vm_free(vm);
}

static void a_slot_without_a_device_does_not_answer(void)
{
    uint32_t v;

    setup_rng();
    CU_ASSERT_FALSE(fake_mmio_in(vm, BASE + MMIO_CELL_SIZE, 4, &v));
    CU_ASSERT_FALSE(fake_mmio_in(vm, BASE + MMIO_VIRTIO_SIZE, 4, &v));
    fake_vm_free(vm);
}

static void features_must_be_offered_and_modern(void)
{
    setup_rng();
    out(FEATURES_SEL, 1);
    CU_ASSERT_EQUAL(in(FEATURES) & 3, 3); /* VERSION_1, ACCESS_PLATFORM */
    CU_ASSERT_FALSE(negotiate(0));
    CU_ASSERT_FALSE(negotiate(1 | 1u << 31));
    CU_ASSERT(negotiate(1));
    fake_vm_free(vm);
}

static void a_buffer_is_served_and_the_line_rises_until_it_is_acknowledged(void)
{
    const uint8_t zero[32] = {0};

    start_rng();
    CU_ASSERT_FALSE(fake_line(vm, LINE));
    offer_buffer();
    CU_ASSERT_EQUAL(used_index(), 1);
    CU_ASSERT_NOT_EQUAL(memcmp(fake_ram(vm, BUFFER_AT, 32), zero, 32), 0);
    CU_ASSERT(fake_line(vm, LINE));
    CU_ASSERT_EQUAL(in(IRQ_STATUS), 1);
    out(IRQ_ACK, 2); /* not that one */
    CU_ASSERT(fake_line(vm, LINE));
    out(IRQ_ACK, 1);
    CU_ASSERT_FALSE(fake_line(vm, LINE));
    offer_buffer();
    CU_ASSERT_EQUAL(fake_rises(vm), 2);
    fake_vm_free(vm);
}

static void what_comes_before_the_acknowledgement_is_not_lost(void)
{
    uint16_t *avail;

    start_rng();
    offer_buffer();
    avail = fake_ram(vm, AVAIL_AT, 6);
    avail[1] = (uint16_t)(avail[1] + 1000); /* the device breaks, and says so */
    out(NOTIFY, 0);
    CU_ASSERT_EQUAL(in(IRQ_STATUS), 3);
    CU_ASSERT_EQUAL(fake_rises(vm), 1);
    out(IRQ_ACK, 1);
    CU_ASSERT_EQUAL(in(IRQ_STATUS), 2);
    CU_ASSERT_EQUAL(fake_rises(vm), 2);
    CU_ASSERT(fake_line(vm, LINE));
    fake_vm_free(vm);
}

static void a_reset_takes_the_interrupt_and_the_queue_back(void)
{
    start_rng();
    offer_buffer();
    out(STATUS, 0);
    CU_ASSERT_FALSE(fake_line(vm, LINE));
    CU_ASSERT_EQUAL(in(IRQ_STATUS), 0);
    CU_ASSERT_EQUAL(in(QUEUE_READY), 0);
    offer_buffer();
    CU_ASSERT_EQUAL(used_index(), 1);
    fake_vm_free(vm);
}

static void a_queue_that_is_not_ready_any_more_is_left_alone(void)
{
    start_rng();
    out(QUEUE_READY, 0);
    CU_ASSERT_EQUAL(in(QUEUE_READY), 0);
    offer_buffer();
    CU_ASSERT_EQUAL(used_index(), 0);
    fake_vm_free(vm);
}

static void a_queue_of_an_impossible_size_is_refused(void)
{
    const uint32_t sizes[] = {0, 3, 256, 65536 + 8, UINT32_MAX};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        setup_rng();
        CU_ASSERT(negotiate(1));
        make_queue(sizes[i]);
        CU_ASSERT_EQUAL(in(QUEUE_READY), 0);
        CU_ASSERT_EQUAL(in(STATUS) & 64, 64); /* needs a reset */
        fake_vm_free(vm);
    }
}

static void a_queue_that_is_not_there_has_no_registers(void)
{
    const uint32_t queues[] = {1, 65536, UINT32_MAX};

    start_rng();
    for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
        out(QUEUE_SEL, queues[i]);
        CU_ASSERT_EQUAL(in(QUEUE_MAX), 0);
        CU_ASSERT_EQUAL(in(QUEUE_READY), 0);
        out(QUEUE_READY, 0);
        out(DESC, 0);
        out(NOTIFY, queues[i]);
    }
    offer_buffer();
    CU_ASSERT_EQUAL(used_index(), 1);
    fake_vm_free(vm);
}

static void addresses_do_not_move_under_a_queue_that_is_ready(void)
{
    start_rng();
    out(USED, 0x8000);
    offer_buffer();
    CU_ASSERT_EQUAL(used_index(), 1);
    fake_vm_free(vm);
}

static void registers_have_one_width(void)
{
    uint32_t v = 1;

    start_rng();
    CU_ASSERT(fake_mmio_out(vm, BASE + STATUS, 1, 0));
    CU_ASSERT(fake_mmio_out(vm, BASE + STATUS, 2, 0));
    CU_ASSERT_EQUAL(in(STATUS), READY);
    CU_ASSERT(fake_mmio_in(vm, BASE + STATUS, 1, &v));
    CU_ASSERT_EQUAL(v, 0);
    fake_vm_free(vm);
}

static void the_configuration_is_read_by_any_width(void)
{
    uint32_t v = 0;

    setup(DEV_VIRTIO_BLK, (struct device_config){.size = 0x12345600});
    CU_ASSERT_EQUAL(in(DEVICE_ID), 2);
    CU_ASSERT_EQUAL(in(CONFIG), 0x12345600 / 512);
    CU_ASSERT(fake_mmio_in(vm, BASE + CONFIG + 1, 1, &v));
    CU_ASSERT_EQUAL(v, 0x12345600 / 512 >> 8 & 0xff);
    CU_ASSERT_EQUAL(in(CONFIG + 0xfc), 0);
    fake_vm_free(vm);
}

static void a_broken_ring_asks_for_a_reset_by_interrupt(void)
{
    uint16_t *avail;

    start_rng();
    avail = fake_ram(vm, AVAIL_AT, 6);
    avail[1] = 100; /* more than the queue holds */
    out(NOTIFY, 0);
    CU_ASSERT_EQUAL(in(STATUS) & 64, 64);
    CU_ASSERT_EQUAL(in(IRQ_STATUS) & 2, 2);
    CU_ASSERT(fake_line(vm, LINE));
    fake_vm_free(vm);
}

static const struct cu_test tests[] = {
    CU(a_device_says_what_it_is),
    CU(a_slot_without_a_device_does_not_answer),
    CU(features_must_be_offered_and_modern),
    CU(a_buffer_is_served_and_the_line_rises_until_it_is_acknowledged),
    CU(what_comes_before_the_acknowledgement_is_not_lost),
    CU(a_reset_takes_the_interrupt_and_the_queue_back),
    CU(a_queue_that_is_not_ready_any_more_is_left_alone),
    CU(a_queue_of_an_impossible_size_is_refused),
    CU(a_queue_that_is_not_there_has_no_registers),
    CU(addresses_do_not_move_under_a_queue_that_is_ready),
    CU(registers_have_one_width),
    CU(the_configuration_is_read_by_any_width),
    CU(a_broken_ring_asks_for_a_reset_by_interrupt),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("mmio_virtio", tests, argc, argv);
}
