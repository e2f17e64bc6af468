/* The UART of a guest whose devices are memory-mapped: PL011, revision r1p5 (DDI 0183). */
#include "hv/mmio_map.h"
#include "platform_mmio.h"

enum {
    DR = 0x00,
    FR = 0x18,
    IBRD = 0x24,
    FBRD = 0x28,
    LCR_H = 0x2c,
    CR = 0x30,
    IFLS = 0x34,
    IMSC = 0x38,
    RIS = 0x3c,
    MIS = 0x40,
    ICR = 0x44,
    DMACR = 0x48,
    IDS = 0xfe0,
};

#define FR_RX_EMPTY 0x10u
#define FR_RX_FULL  0x40u
#define FR_TX_EMPTY 0x80u
#define INT_RX      0x10u
#define INT_TX      0x20u
#define INT_RT      0x40u /* receive timeout: something is in the FIFO, however little */
#define INT_ALL     0x7ffu
#define PART        0x00241011u
#define CR_RESET    0x300u
#define IFLS_RESET  0x12u

static void set_line(struct pl011 *u)
{
    vm_irq(u->vm, MMIO_UART_LINE, (u->ris & u->imsc) != 0);
}

static size_t input(void *dev, const uint8_t *buf, size_t len)
{
    struct pl011 *u = dev;
    size_t n = 0;

    for (; n < len && u->count < PL011_FIFO; n++) {
        u->fifo[(u->head + u->count) % PL011_FIFO] = buf[n];
        u->count++;
    }
    if (n > 0) {
        u->ris |= INT_RX | INT_RT;
        set_line(u);
    }
    return n;
}

static uint32_t receive(struct pl011 *u)
{
    uint8_t byte = u->fifo[u->head];

    if (u->count == 0) {
        return 0;
    }
    u->head = (u->head + 1) % PL011_FIFO;
    if (--u->count == 0) {
        u->ris &= ~(INT_RX | INT_RT);
        stream_ready(u->vm, STREAM_CONSOLE);
        set_line(u);
    }
    return byte;
}

static uint32_t flags(const struct pl011 *u)
{
    return FR_TX_EMPTY | (u->count == 0 ? FR_RX_EMPTY : 0) |
           (u->count == PL011_FIFO ? FR_RX_FULL : 0);
}

static uint32_t read_register(struct pl011 *u, uint32_t offset)
{
    switch (offset) {
    case DR:
        return receive(u);
    case FR:
        return flags(u);
    case IBRD:
        return u->ibrd;
    case FBRD:
        return u->fbrd;
    case LCR_H:
        return u->lcr_h;
    case CR:
        return u->cr;
    case IFLS:
        return u->ifls;
    case IMSC:
        return u->imsc;
    case RIS:
        return u->ris;
    case MIS:
        return u->ris & u->imsc;
    case DMACR:
        return u->dmacr;
    default:
        return offset >= IDS ? primecell_id(offset, PART) : 0;
    }
}

static uint32_t pl011_read(void *dev, uint32_t offset, unsigned int size)
{
    uint32_t value = (offset & 3) != 0 ? 0 : read_register(dev, offset);

    return size == 4 ? value : value & ((1u << 8 * size) - 1);
}

static void transmit(struct pl011 *u, uint32_t value)
{
    uint8_t byte = (uint8_t)value;

    stream_write(u->vm, STREAM_CONSOLE, &byte, 1);
    u->ris |= INT_TX; /* the FIFO has run empty again */
}

static void pl011_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    struct pl011 *u = dev;

    (void)size;
    switch (offset) {
    case DR:
        transmit(u, value);
        break;
    case IBRD:
        u->ibrd = value & 0xffff;
        break;
    case FBRD:
        u->fbrd = value & 0x3f;
        break;
    case LCR_H:
        u->lcr_h = value & 0xff;
        break;
    case CR:
        u->cr = value & 0xffff;
        break;
    case IFLS:
        u->ifls = value & 0x3f;
        break;
    case IMSC:
        u->imsc = value & INT_ALL;
        break;
    case ICR:
        u->ris &= ~value;
        break;
    case DMACR:
        u->dmacr = value & 7;
        break;
    default:
        break;
    }
    set_line(u);
}

static const struct io_ops pl011_ops = {"pl011", pl011_read, pl011_write};
static const struct stream_ops pl011_stream = {.input = input};

enum abi_status pl011_init(struct pl011 *u, struct vm *vm)
{
    u->vm = vm;
    u->cr = CR_RESET;
    u->ifls = IFLS_RESET;
    stream_attach(vm, STREAM_CONSOLE, &pl011_stream, u);
    return vm_io_add(vm, IO_MMIO, MMIO_UART, MMIO_CELL_SIZE, &pl011_ops, u);
}
