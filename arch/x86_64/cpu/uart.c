/* 16550 UARTs at the PC's usual ports, polled, 115200 8N1. */
#include "arch/console.h"

#include "arch_impl/insn.h"

#define LSR_DATA  BIT(0)
#define LSR_EMPTY BIT(5)
#define SPINS     100000u /* a port that never drains must not stop us */

static struct {
    uint16_t port;
    bool on;
} uarts[] = {[UART_CONSOLE] = {0x3f8, false}, [UART_LINK] = {0x2f8, false}};

bool uart_init(enum uart u)
{
    uint16_t p = uarts[u].port;

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

void uart_write(enum uart u, const void *buf, size_t len)
{
    const uint8_t *bytes = buf;
    uint16_t p = uarts[u].port;

    for (size_t i = 0; uarts[u].on && i < len; i++) {
        for (unsigned int n = 0; (inb(p + 5) & LSR_EMPTY) == 0 && n < SPINS; n++) {
        }
        outb(p, bytes[i]);
    }
}

size_t uart_read(enum uart u, void *buf, size_t len)
{
    uint8_t *bytes = buf;
    uint16_t p = uarts[u].port;
    size_t n = 0;

    while (uarts[u].on && n < len && (inb(p + 5) & LSR_DATA) != 0) {
        bytes[n++] = inb(p);
    }
    return n;
}
