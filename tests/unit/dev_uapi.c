/*
 * A second opinion: drivers written with nothing but Linux's public headers. Every offset, constant
 * and structure here is theirs, so an error that we share with our own tests shows.
 */
#include <linux/pci_regs.h>
#include <linux/serial_reg.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cu.h"
#include "dev_driver.h"

#define QUEUE_SIZE 8
#define RINGS      0x10000u
#define DATA       0x40000u

/* linux/virtio_pci.h of 6.1 ends with queue_device; these follow since 6.4. */
#define QUEUE_RESET_AT 0x3a

struct device {
    struct vm *vm;
    uint16_t bar;
    uint32_t common, notify, isr, config; /* offsets in the BAR */
    uint32_t common_len;
    struct vring ring[8];
    uint64_t rings; /* guest address of the next ring */
};

static struct device dev;

static uint32_t reg(uint32_t at, unsigned int size)
{
    return fake_in(dev.vm, (uint16_t)(dev.bar + at), size);
}

static void set(uint32_t at, unsigned int size, uint32_t v)
{
    fake_out(dev.vm, (uint16_t)(dev.bar + at), size, v);
}

#define COMMON(field) (dev.common + (uint32_t)offsetof(struct virtio_pci_common_cfg, field))
#define GET(field)                                                                                 \
    reg(COMMON(field), (unsigned int)sizeof(((struct virtio_pci_common_cfg *)NULL)->field))
#define SET(field, v)                                                                              \
    set(COMMON(field), (unsigned int)sizeof(((struct virtio_pci_common_cfg *)NULL)->field), (v))

static uint32_t cfg(unsigned int at, unsigned int size)
{
    return pci_in(dev.vm, 1, at, size);
}

static void note_structure(unsigned int cap)
{
    uint32_t offset = cfg(cap + VIRTIO_PCI_CAP_OFFSET, 4);

    CU_ASSERT(cfg(cap + VIRTIO_PCI_CAP_LEN, 1) >= sizeof(struct virtio_pci_cap));
    CU_ASSERT_EQUAL(cfg(cap + VIRTIO_PCI_CAP_BAR, 1), 0);
    switch (cfg(cap + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
    case VIRTIO_PCI_CAP_COMMON_CFG:
        dev.common = offset;
        dev.common_len = cfg(cap + VIRTIO_PCI_CAP_LENGTH, 4);
        break;
    case VIRTIO_PCI_CAP_NOTIFY_CFG:
        dev.notify = offset;
        CU_ASSERT_EQUAL(cfg(cap + VIRTIO_PCI_NOTIFY_CAP_MULT, 4), 0);
        break;
    case VIRTIO_PCI_CAP_ISR_CFG:
        dev.isr = offset;
        break;
    case VIRTIO_PCI_CAP_DEVICE_CFG:
        dev.config = offset;
        break;
    case VIRTIO_PCI_CAP_PCI_CFG:
        CU_ASSERT_EQUAL(cfg(cap + VIRTIO_PCI_CAP_LEN, 1), sizeof(struct virtio_pci_cfg_cap));
        break;
    default:
        CU_FAIL("an unknown structure");
    }
}

static void check_msix(unsigned int cap)
{
    CU_ASSERT_EQUAL(cfg(cap + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE,
                    GET(num_queues)); /* N vectors are N - 1: one more than queues */
    CU_ASSERT_EQUAL(cfg(cap + PCI_MSIX_TABLE, 4) & PCI_MSIX_TABLE_BIR, 2);
    CU_ASSERT_EQUAL(cfg(cap + PCI_MSIX_TABLE, 4) & PCI_MSIX_TABLE_OFFSET, 0);
    CU_ASSERT_EQUAL(cfg(cap + PCI_MSIX_PBA, 4) & PCI_MSIX_PBA_BIR, 2);
    CU_ASSERT_EQUAL(cfg(cap + PCI_MSIX_PBA, 4) & PCI_MSIX_PBA_OFFSET, 0x800);
}

static void discover(unsigned int id, uint32_t class_code)
{
    unsigned int msix = 0;

    CU_ASSERT_EQUAL(cfg(PCI_VENDOR_ID, 2), 0x1af4);
    CU_ASSERT_EQUAL(cfg(PCI_DEVICE_ID, 2), 0x1040 + id);
    CU_ASSERT_EQUAL(cfg(PCI_CLASS_REVISION, 4) >> 8, class_code);
    CU_ASSERT_EQUAL(cfg(PCI_CLASS_REVISION, 4) & 0xff, VIRTIO_PCI_ABI_VERSION + 1);
    CU_ASSERT_EQUAL(cfg(PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_NORMAL);
    CU_ASSERT_EQUAL(cfg(PCI_INTERRUPT_PIN, 1), 0);
    CU_ASSERT(cfg(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
    CU_ASSERT_EQUAL(cfg(PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_SPACE, PCI_BASE_ADDRESS_SPACE_IO);
    CU_ASSERT_EQUAL(cfg(PCI_BASE_ADDRESS_2, 4) & ~PCI_BASE_ADDRESS_MEM_MASK & 0xf,
                    PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_32);
    pci_out(dev.vm, 1, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    dev.bar = (uint16_t)(cfg(PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_IO_MASK);
    for (unsigned int cap = cfg(PCI_CAPABILITY_LIST, 1); cap != 0;
         cap = cfg(cap + PCI_CAP_LIST_NEXT, 1)) {
        if (cfg(cap + PCI_CAP_LIST_ID, 1) == PCI_CAP_ID_VNDR) {
            note_structure(cap);
        } else if (cfg(cap + PCI_CAP_LIST_ID, 1) == PCI_CAP_ID_MSIX) {
            msix = cap;
        }
    }
    CU_ASSERT(dev.common_len >= sizeof(struct virtio_pci_common_cfg));
    CU_ASSERT_FATAL(msix != 0);
    check_msix(msix);
}

static uint64_t offered(void)
{
    uint64_t low;

    SET(device_feature_select, 0);
    low = GET(device_feature);
    SET(device_feature_select, 1);
    return low | (uint64_t)GET(device_feature) << 32;
}

static void add_ring(uint16_t index)
{
    struct vring *r = &dev.ring[index];
    size_t size = vring_size(QUEUE_SIZE, 64);
    uint8_t *at = fake_ram(dev.vm, dev.rings, size);
    uint64_t avail, used;

    vring_init(r, QUEUE_SIZE, at, 64);
    avail = dev.rings + (uint64_t)((uint8_t *)r->avail - at);
    used = dev.rings + (uint64_t)((uint8_t *)r->used - at);
    SET(queue_select, index);
    CU_ASSERT(GET(queue_size) >= QUEUE_SIZE);
    SET(queue_size, QUEUE_SIZE);
    SET(queue_desc_lo, (uint32_t)dev.rings);
    SET(queue_desc_hi, 0);
    SET(queue_avail_lo, (uint32_t)avail);
    SET(queue_avail_hi, 0);
    SET(queue_used_lo, (uint32_t)used);
    SET(queue_used_hi, 0);
    SET(queue_enable, 1);
    CU_ASSERT_EQUAL(GET(queue_notify_off), 0);
    dev.rings = ALIGN_UP(dev.rings + size, PAGE_SIZE);
}

static void start(uint64_t features)
{
    features |= 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM |
                1ull << VIRTIO_RING_F_EVENT_IDX;
    SET(device_status, 0);
    SET(device_status, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    SET(device_status, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    CU_ASSERT_EQUAL(features & ~offered(), 0);
    SET(guest_feature_select, 0);
    SET(guest_feature, (uint32_t)features);
    SET(guest_feature_select, 1);
    SET(guest_feature, (uint32_t)(features >> 32));
    SET(device_status, 3 | VIRTIO_CONFIG_S_FEATURES_OK);
    CU_ASSERT(GET(device_status) & VIRTIO_CONFIG_S_FEATURES_OK);
    for (uint16_t i = 0; i < GET(num_queues); i++) {
        add_ring(i);
    }
    SET(device_status, 3 | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
    CU_ASSERT_FALSE(GET(device_status) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void setup(enum device_type type, struct device_config *c, unsigned int id,
                  uint32_t class_code)
{
    memset(&dev, 0, sizeof(dev));
    dev.vm = drv_vm(type, c);
    dev.rings = RINGS;
    discover(id, class_code);
}

static void teardown(void)
{
    fake_vm_free(dev.vm);
}

/* Puts one chain at descriptors 0.., kicks, and returns the used element's length. */
static uint32_t exchange(uint16_t queue, const struct vring_desc *desc, unsigned int n)
{
    struct vring *r = &dev.ring[queue];
    uint16_t used = r->used->idx;

    for (unsigned int i = 0; i < n; i++) {
        r->desc[i] = desc[i];
        r->desc[i].flags |= i + 1 < n ? VRING_DESC_F_NEXT : 0;
        r->desc[i].next = (uint16_t)(i + 1);
    }
    r->avail->ring[r->avail->idx % QUEUE_SIZE] = 0;
    r->avail->idx++;
    set(dev.notify, 2, queue);
    CU_ASSERT_EQUAL(r->used->idx, (uint16_t)(used + 1));
    CU_ASSERT_EQUAL(vring_avail_event(r), r->avail->idx);
    CU_ASSERT_EQUAL(r->used->ring[used % QUEUE_SIZE].id, 0);
    return r->used->ring[used % QUEUE_SIZE].len;
}

static uint32_t config(size_t at, unsigned int size)
{
    return reg(dev.config + (uint32_t)at, size);
}

#define CONFIG(type, field)                                                                        \
    config(offsetof(struct type, field), (unsigned int)sizeof(((struct type *)NULL)->field))

static void a_disk_is_read_and_written(void)
{
    struct device_config c = {.size = 64 << 10, .writable = true};
    struct virtio_blk_outhdr *h;
    struct vring_desc d[3] = {{DATA, sizeof(*h), 0, 0},
                              {DATA + 512, 1024, 0, 0},
                              {DATA + 2048, 1, VRING_DESC_F_WRITE, 0}};
    uint8_t *status;

    setup(DEV_VIRTIO_BLK, &c, VIRTIO_ID_BLOCK, 0x010000);
    start(1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_SIZE_MAX |
          1ull << VIRTIO_BLK_F_BLK_SIZE);
    CU_ASSERT_EQUAL(config(offsetof(struct virtio_blk_config, capacity), 4), 128);
    CU_ASSERT_EQUAL(CONFIG(virtio_blk_config, blk_size), 512);
    CU_ASSERT_EQUAL(CONFIG(virtio_blk_config, seg_max), 126);
    CU_ASSERT_EQUAL(CONFIG(virtio_blk_config, size_max), 32768);
    h = fake_ram(dev.vm, DATA, sizeof(*h));
    status = fake_ram(dev.vm, DATA + 2048, 1);
    *h = (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_OUT, .sector = 5};
    memset(fake_ram(dev.vm, DATA + 512, 1024), 0x77, 1024);
    *status = 0xff;
    CU_ASSERT_EQUAL(exchange(0, d, 3), 1);
    CU_ASSERT_EQUAL(*status, VIRTIO_BLK_S_OK);
    h->type = VIRTIO_BLK_T_IN;
    h->sector = 6;
    memset(fake_ram(dev.vm, DATA + 512, 1024), 0, 1024);
    d[1].flags = VRING_DESC_F_WRITE;
    CU_ASSERT_EQUAL(exchange(0, d, 3), 1025);
    CU_ASSERT_EQUAL(*status, VIRTIO_BLK_S_OK);
    CU_ASSERT_EQUAL(*(uint8_t *)fake_ram(dev.vm, DATA + 512 + 511, 1), 0x77);
    CU_ASSERT_EQUAL(*(uint8_t *)fake_ram(dev.vm, DATA + 512 + 512, 1), 0);
    h->type = VIRTIO_BLK_T_FLUSH;
    CU_ASSERT_EQUAL(exchange(0, d, 3), 1);
    CU_ASSERT_EQUAL(*status, VIRTIO_BLK_S_OK);
    h->type = VIRTIO_BLK_T_DISCARD;
    (void)exchange(0, d, 3);
    CU_ASSERT_EQUAL(*status, VIRTIO_BLK_S_UNSUPP);
    teardown();
}

static void a_read_only_disk_says_so(void)
{
    static const uint8_t image[1024];
    struct device_config c = {.image = image, .size = sizeof(image)};

    setup(DEV_VIRTIO_BLK, &c, VIRTIO_ID_BLOCK, 0x010000);
    CU_ASSERT(offered() >> VIRTIO_BLK_F_RO & 1);
    CU_ASSERT(offered() >> VIRTIO_RING_F_INDIRECT_DESC & 1);
    teardown();
}

/* Sends an event and returns what answers, in order, through the control receive queue. */
static void control(uint32_t id, uint16_t event, uint16_t value)
{
    struct virtio_console_control *m = fake_ram(dev.vm, DATA, sizeof(*m));
    struct vring_desc d = {DATA, sizeof(*m), 0, 0};

    *m = (struct virtio_console_control){.id = id, .event = event, .value = value};
    (void)exchange(3, &d, 1);
}

static void give_control_buffers(void)
{
    struct vring *r = &dev.ring[2];

    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        r->desc[i] = (struct vring_desc){DATA + 4096 + 64u * i, 64, VRING_DESC_F_WRITE, 0};
        r->avail->ring[i] = i;
    }
    r->avail->idx = QUEUE_SIZE;
    set(dev.notify, 2, 2);
}

static void expect_control(uint16_t n, uint32_t id, uint16_t event)
{
    const struct virtio_console_control *m = fake_ram(dev.vm, DATA + 4096 + 64u * n, sizeof(*m));

    CU_ASSERT_EQUAL(m->id, id);
    CU_ASSERT_EQUAL(m->event, event);
    CU_ASSERT_EQUAL(m->value, 1);
}

static void a_console_introduces_its_ports(void)
{
    struct device_config c = {0};

    setup(DEV_VIRTIO_CONSOLE, &c, VIRTIO_ID_CONSOLE, 0x078000);
    start(1ull << VIRTIO_CONSOLE_F_MULTIPORT);
    CU_ASSERT_EQUAL(CONFIG(virtio_console_config, max_nr_ports), 2);
    CU_ASSERT_EQUAL(GET(num_queues), 6);
    give_control_buffers();
    control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
    control(0, VIRTIO_CONSOLE_PORT_READY, 1);
    control(1, VIRTIO_CONSOLE_PORT_READY, 1);
    CU_ASSERT_EQUAL(dev.ring[2].used->idx, 6);
    expect_control(0, 0, VIRTIO_CONSOLE_PORT_ADD);
    expect_control(1, 1, VIRTIO_CONSOLE_PORT_ADD);
    expect_control(2, 0, VIRTIO_CONSOLE_CONSOLE_PORT);
    expect_control(3, 0, VIRTIO_CONSOLE_PORT_OPEN);
    expect_control(4, 1, VIRTIO_CONSOLE_PORT_NAME);
    expect_control(5, 1, VIRTIO_CONSOLE_PORT_OPEN);
    CU_ASSERT_FALSE(fake_stream_open(dev.vm, STREAM_CHANNEL));
    control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    CU_ASSERT(fake_stream_open(dev.vm, STREAM_CHANNEL));
    teardown();
}

static void a_random_source_fills_a_buffer(void)
{
    struct device_config c = {0};
    struct vring_desc d = {DATA, 64, VRING_DESC_F_WRITE, 0};

    setup(DEV_VIRTIO_RNG, &c, VIRTIO_ID_RNG, 0x108000);
    start(0);
    CU_ASSERT_EQUAL(exchange(0, &d, 1), 64);
    CU_ASSERT_EQUAL(reg(dev.isr, 1), 1);
    teardown();
}

static void a_network_card_has_an_address_and_takes_a_frame(void)
{
    struct device_config c = {.network = "lan", .mac = {2, 3, 4, 5, 6, 7}, .has_mac = true};
    struct vring_desc d = {DATA, sizeof(struct virtio_net_hdr_v1) + 60, 0, 0};

    setup(DEV_VIRTIO_NET, &c, VIRTIO_ID_NET, 0x020000);
    start(1ull << VIRTIO_NET_F_MAC | 1ull << VIRTIO_NET_F_MTU);
    for (unsigned int i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(config(offsetof(struct virtio_net_config, mac) + i, 1), i + 2);
    }
    CU_ASSERT_EQUAL(CONFIG(virtio_net_config, mtu), 1500);
    CU_ASSERT_EQUAL(exchange(1, &d, 1), 0);
    teardown();
}

static void a_queue_is_reset_alone(void)
{
    struct device_config c = {0};

    setup(DEV_VIRTIO_RNG, &c, VIRTIO_ID_RNG, 0x108000);
    CU_ASSERT(offered() >> VIRTIO_F_RING_RESET & 1);
    start(1ull << VIRTIO_F_RING_RESET);
    SET(queue_select, 0);
    set(dev.common + QUEUE_RESET_AT, 2, 1);
    CU_ASSERT_EQUAL(GET(queue_enable), 0);
    teardown();
}

static uint8_t uart(unsigned int at)
{
    return (uint8_t)fake_in(dev.vm, (uint16_t)(0x3f8 + at), 1);
}

static void uart_set(unsigned int at, uint8_t v)
{
    fake_out(dev.vm, (uint16_t)(0x3f8 + at), 1, v);
}

static void the_uart_speaks_the_8250s_bits(void)
{
    struct device_config c = {0};

    setup(DEV_VIRTIO_RNG, &c, VIRTIO_ID_RNG, 0x108000);
    uart_set(UART_FCR, UART_FCR_ENABLE_FIFO);
    uart_set(UART_IER, UART_IER_THRI);
    CU_ASSERT_EQUAL(uart(UART_IIR) & (UART_IIR_ID | UART_IIR_NO_INT), UART_IIR_THRI);
    CU_ASSERT_EQUAL(uart(UART_IIR) & UART_IIR_NO_INT, UART_IIR_NO_INT);
    CU_ASSERT_EQUAL(uart(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
    uart_set(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
    CU_ASSERT_EQUAL(uart(UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
    uart_set(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1 | UART_MCR_DTR);
    CU_ASSERT_EQUAL(uart(UART_MSR) & 0xf0, UART_MSR_RI | UART_MSR_DSR);
    uart_set(UART_MCR, UART_MCR_LOOP);
    uart_set(UART_IER, UART_IER_RDI);
    uart_set(UART_TX, 'x');
    CU_ASSERT_EQUAL(uart(UART_IIR) & (UART_IIR_ID | UART_IIR_NO_INT), UART_IIR_RDI);
    CU_ASSERT(uart(UART_LSR) & UART_LSR_DR);
    uart_set(UART_LCR, UART_LCR_DLAB);
    uart_set(UART_DLL, 12);
    CU_ASSERT_EQUAL(uart(UART_DLL), 12);
    teardown();
}

static const struct cu_test tests[] = {
    CU(a_disk_is_read_and_written),
    CU(a_read_only_disk_says_so),
    CU(a_console_introduces_its_ports),
    CU(a_random_source_fills_a_buffer),
    CU(a_network_card_has_an_address_and_takes_a_frame),
    CU(a_queue_is_reset_alone),
    CU(the_uart_speaks_the_8250s_bits),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_uapi", tests, argc, argv);
}
