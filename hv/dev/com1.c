/*
 * COM1 for kernels that poll it (National Semiconductor PC16550D, section 8). Sending is
 * instant, no interrupt line exists; IIR still reports the transmitter, or Linux stops after one
 * FIFO's worth.
 */
#include "hv/string.h"
#include "platform.h"

/* Registers; 0 and 1 are the divisor latch while LCR.DLAB is set. */
enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

enum {
    IER_MASK = 0x0f,
    IER_RDI = 0x01,
    IER_THRI = 0x02,
    IIR_NONE = 0x01,
    IIR_THRI = 0x02,
    IIR_RDI = 0x04,
    IIR_FIFOS = 0xc0,
    FCR_ENABLE = 0x01,
    FCR_CLEAR_RX = 0x02,
    LCR_DLAB = 0x80,
    MCR_MASK = 0x1f,
    MCR_LOOP = 0x10,
    LSR_DR = 0x01,
    LSR_OE = 0x02,
    LSR_IDLE = 0x60, /* THRE, TEMT */
    MSR_LINES = 0xb0 /* DCD, DSR, CTS: somebody listens */
};

static void receive(struct com1 *c, uint8_t byte)
{
    if (c->count == COM1_FIFO) {
        c->overrun = true;
        return;
    }
    c->fifo[(c->head + c->count) % COM1_FIFO] = byte;
    c->count++;
}

static uint8_t take(struct com1 *c)
{
    uint8_t byte = c->fifo[c->head];

    if (c->count == 0) {
        return 0;
    }
    c->head = (c->head + 1) % COM1_FIFO;
    if (--c->count == 0 && (c->mcr & MCR_LOOP) == 0) {
        stream_ready(c->vm, STREAM_CONSOLE);
    }
    return byte;
}

static size_t com1_input(void *dev, const uint8_t *buf, size_t len)
{
    struct com1 *c = dev;
    size_t n = 0;

    if ((c->mcr & MCR_LOOP) != 0) {
        return 0;
    }
    for (; n < len && c->count < COM1_FIFO; n++) {
        receive(c, buf[n]);
    }
    return n;
}

static void transmit(struct com1 *c, uint8_t byte)
{
    c->thri = true;
    if ((c->mcr & MCR_LOOP) != 0) {
        receive(c, byte);
    } else {
        stream_write(c->vm, STREAM_CONSOLE, &byte, 1);
    }
}

/* Highest priority first; reading IIR acknowledges the transmitter. */
static uint8_t read_iir(struct com1 *c)
{
    uint8_t fifos = (c->fcr & FCR_ENABLE) != 0 ? IIR_FIFOS : 0;

    if ((c->ier & IER_RDI) != 0 && c->count > 0) {
        return fifos | IIR_RDI;
    }
    if ((c->ier & IER_THRI) != 0 && c->thri) {
        c->thri = false;
        return fifos | IIR_THRI;
    }
    return fifos | IIR_NONE;
}

static uint8_t read_lsr(struct com1 *c)
{
    uint8_t lsr = LSR_IDLE | (c->count > 0 ? LSR_DR : 0) | (c->overrun ? LSR_OE : 0);

    c->overrun = false;
    return lsr;
}

/* Loopback: CTS, DSR, RI, DCD follow RTS, DTR, OUT1, OUT2. */
static uint8_t read_msr(const struct com1 *c)
{
    uint8_t m = c->mcr;

    if ((m & MCR_LOOP) == 0) {
        return MSR_LINES;
    }
    return (uint8_t)((m & 2) << 3 | (m & 1) << 5 | (m & 0x0c) << 4);
}

static uint32_t com1_read(void *dev, uint32_t offset, unsigned int size)
{
    struct com1 *c = dev;
    bool dlab = (c->lcr & LCR_DLAB) != 0;

    if (size != 1) {
        return size == 2 ? 0xffff : 0xffffffff;
    }
    switch (offset) {
    case RBR_THR:
        return dlab ? c->dll : take(c);
    case IER:
        return dlab ? c->dlm : c->ier;
    case IIR_FCR:
        return read_iir(c);
    case LCR:
        return c->lcr;
    case MCR:
        return c->mcr;
    case LSR:
        return read_lsr(c);
    case MSR:
        return read_msr(c);
    default:
        return c->scr;
    }
}

static void write_ier(struct com1 *c, uint8_t value)
{
    if ((value & IER_THRI) != 0 && (c->ier & IER_THRI) == 0) {
        c->thri = true;
    }
    c->ier = value & IER_MASK;
}

static void write_fcr(struct com1 *c, uint8_t value)
{
    if ((value & FCR_CLEAR_RX) != 0 || ((value ^ c->fcr) & FCR_ENABLE) != 0) {
        c->count = 0;
    }
    c->fcr = value & FCR_ENABLE;
}

static void write_mcr(struct com1 *c, uint8_t value)
{
    bool was_loop = (c->mcr & MCR_LOOP) != 0;

    c->mcr = value & MCR_MASK;
    if (was_loop && (c->mcr & MCR_LOOP) == 0) {
        c->count = 0; /* a test pattern is no input */
        stream_ready(c->vm, STREAM_CONSOLE);
    }
}

static void com1_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    struct com1 *c = dev;
    uint8_t v = (uint8_t)value;
    bool dlab = (c->lcr & LCR_DLAB) != 0;

    if (size != 1) {
        return;
    }
    if (offset == RBR_THR && dlab) {
        c->dll = v;
    } else if (offset == RBR_THR) {
        transmit(c, v);
    } else if (offset == IER && dlab) {
        c->dlm = v;
    } else if (offset == IER) {
        write_ier(c, v);
    } else if (offset == IIR_FCR) {
        write_fcr(c, v);
    } else if (offset == LCR) {
        c->lcr = v;
    } else if (offset == MCR) {
        write_mcr(c, v);
    } else if (offset == SCR) {
        c->scr = v;
    }
}

static const struct io_ops com1_ports = {"com1", com1_read, com1_write};
static const struct stream_ops com1_stream = {.input = com1_input};

enum abi_status com1_init(struct com1 *c, struct vm *vm)
{
    c->vm = vm;
    c->dll = 1;
    stream_attach(vm, STREAM_CONSOLE, &com1_stream, c);
    return vm_io_add(vm, IO_PORT, COM1_PORT, COM1_LEN, &com1_ports, c);
}
