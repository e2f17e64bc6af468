/* 16550 UARTs at the PC's usual ports, polled, 115200 8N1. */
#include "arch/console.h"

#include "arch_impl/insn.h"

#define LSR_DATA  BIT(0)
#define LSR_EMPTY BIT(5)
/* A port whose reader pauses is waited for; one that does not drain at all must not stop us. */
#define SPINS_MANY 3000000u /* seconds */
#define SPINS_FEW  1000u

static struct port {
    uint16_t base;
    bool on;
    bool stuck; /* it did not drain: from now on bytes are lost fast until it does */
} uarts[] = {[UART_CONSOLE] = {.base = 0x3f8}, [UART_LINK] = {.base = 0x2f8}};

bool uart_init(enum uart u)
{
    uint16_t p = uarts[u].base;

    outb(p + 7, 0x5a); /* scratch: is anything there? */
    if (inb(p + 7) != 0x5a) {
        return false;
    }
    outb(p + 1, 0);
    outb(p + 3, 0x80);
    outb(p + 0, 1);
    outb(p + 1, 0);
    outb(p + 3, 3);
    outb(p + 2, 7);
    outb(p + 4, 0x0b);
    uarts[u].on = true;
    return true;
}

static void wait_empty(struct port *u)
{
    unsigned int left = u->stuck ? SPINS_FEW : SPINS_MANY;

    while (left > 0 && (inb(u->base + 5) & LSR_EMPTY) == 0) {
        left--;
    }
    u->stuck = left == 0;
}

void uart_write(enum uart u, const void *buf, size_t len)
{
    const uint8_t *bytes = buf;
    uint16_t p = uarts[u].base;

    for (size_t i = 0; uarts[u].on && i < len; i++) {
        wait_empty(&uarts[u]);
        outb(p, bytes[i]);
    }
}

size_t uart_read(enum uart u, void *buf, size_t len)
{
    uint8_t *bytes = buf;
    uint16_t p = uarts[u].base;
    size_t n = 0;

    while (uarts[u].on && n < len && (inb(p + 5) & LSR_DATA) != 0) {
        bytes[n++] = inb(p);
    }
    return n;
}
