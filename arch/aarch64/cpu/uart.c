/* PL011 UARTs (DDI 0183), and a 16550 for the link, polled; the firmware has set the speed. */
#include "arch/console.h"

#include "../boot/machine.h"
#include "../mm/paging.h"
#include "aarch64.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"

#define DR   0x00u
#define FR   0x18u
#define LCRH 0x2cu
#define CR   0x30u
#define IMSC 0x38u

#define FR_RX_EMPTY BIT(4)
#define FR_TX_FULL  BIT(5)
#define LCRH_8N1    0x70u  /* 8 bits, FIFOs on */
#define CR_ON       0x301u /* UART, transmitter, receiver */
#define SIZE        0x1000u

/* 16550: registers of a byte, one after another. */
#define NS_DATA     0u
#define NS_IER      1u
#define NS_FCR      2u
#define NS_FCR_ON   7u
#define NS_LCR      3u
#define NS_LCR_8N1  3u
#define NS_LSR      5u
#define NS_LSR_DATA BIT(0)
#define NS_LSR_ROOM BIT(5)

/* A port whose reader pauses is waited for; one that does not drain at all must not stop us. */
#define SPINS_MANY 3000000u
#define SPINS_FEW  1000u

static struct port {
    uint8_t *base; /* NULL: off */
    bool ns16550;
    bool stuck;    /* it did not drain: from now on bytes are lost fast until it does */
} uarts[2];

static void start(struct port *p)
{
    if (p->ns16550) {
        mmio_write8(p->base + NS_IER, 0);
        mmio_write8(p->base + NS_LCR, NS_LCR_8N1);
        mmio_write8(p->base + NS_FCR, NS_FCR_ON);
        return;
    }
    mmio_write32(p->base + IMSC, 0);
    mmio_write32(p->base + LCRH, LCRH_8N1);
    mmio_write32(p->base + CR, CR_ON);
}

void uart_boot(uint64_t at)
{
    if (at != 0) {
        uarts[UART_CONSOLE].base = paging_boot_device(at);
        start(&uarts[UART_CONSOLE]);
    }
}

void uart_map(void)
{
    if (uarts[UART_CONSOLE].base != NULL) {
        uarts[UART_CONSOLE].base = arch_map_device(pa(machine.uart[UART_CONSOLE].at), SIZE);
    }
}

bool uart_init(enum uart u)
{
    const struct reg *r = &machine.uart[u];

    if (r->len == 0) {
        return false;
    }
    if (uarts[u].base == NULL) {
        uarts[u].base = arch_map_device(pa(r->at), SIZE);
        uarts[u].ns16550 = u == UART_LINK && machine.link_ns16550;
        start(&uarts[u]);
    }
    return true;
}

static bool has_room(const struct port *p)
{
    return p->ns16550 ? (mmio_read8(p->base + NS_LSR) & NS_LSR_ROOM) != 0
                      : (mmio_read32(p->base + FR) & FR_TX_FULL) == 0;
}

static bool has_data(const struct port *p)
{
    return p->ns16550 ? (mmio_read8(p->base + NS_LSR) & NS_LSR_DATA) != 0
                      : (mmio_read32(p->base + FR) & FR_RX_EMPTY) == 0;
}

static void wait_room(struct port *p)
{
    unsigned int left = p->stuck ? SPINS_FEW : SPINS_MANY;

    while (left > 0 && !has_room(p)) {
        left--;
    }
    p->stuck = left == 0;
}

void uart_write(enum uart u, const void *buf, size_t len)
{
    const uint8_t *bytes = buf;
    struct port *p = &uarts[u];

    for (size_t i = 0; p->base != NULL && i < len; i++) {
        wait_room(p);
        if (p->ns16550) {
            mmio_write8(p->base + NS_DATA, bytes[i]);
        } else {
            mmio_write32(p->base + DR, bytes[i]);
        }
    }
}

size_t uart_read(enum uart u, void *buf, size_t len)
{
    uint8_t *bytes = buf;
    struct port *p = &uarts[u];
    size_t n = 0;

    while (p->base != NULL && n < len && has_data(p)) {
        bytes[n++] = p->ns16550 ? mmio_read8(p->base + NS_DATA)
                                : (uint8_t)mmio_read32(p->base + DR);
    }
    return n;
}
