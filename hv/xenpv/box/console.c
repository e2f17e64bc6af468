/* The console ring (public/io/console.h): hvc0, pumped to and from the guest ABI's. */
#include "box.h"

static uint8_t *ring;
static uint32_t port;

static uint32_t *index_at(uint32_t offset)
{
    return (uint32_t *)(void *)(ring + offset);
}

/* The hypervisor takes what is in its ring each time it is told. */
void console_write(const char *text, size_t len)
{
    for (size_t n; len > 0; text += n, len -= n) {
        n = outside_write(text, len);
    }
}

static bool pump_out(void)
{
    uint32_t cons = *index_at(CONSOLE_OUT_CONS);
    uint32_t prod = __atomic_load_n(index_at(CONSOLE_OUT_PROD), __ATOMIC_ACQUIRE);
    bool moved = false;

    while (cons != prod && prod - cons <= CONSOLE_OUT_SIZE) {
        uint32_t from = cons % CONSOLE_OUT_SIZE;
        uint32_t n = MIN(prod - cons, CONSOLE_OUT_SIZE - from);

        console_write((const char *)ring + CONSOLE_OUT + from, n);
        cons += n;
        moved = true;
    }
    __atomic_store_n(index_at(CONSOLE_OUT_CONS), cons, __ATOMIC_RELEASE);
    return moved;
}

static bool pump_in(void)
{
    uint32_t cons = __atomic_load_n(index_at(CONSOLE_IN_CONS), __ATOMIC_ACQUIRE);
    uint32_t prod = *index_at(CONSOLE_IN_PROD);
    bool moved = false;

    while (prod - cons < CONSOLE_IN_SIZE) {
        char c;

        if (outside_read(&c, 1) == 0) {
            break;
        }
        ring[CONSOLE_IN + prod++ % CONSOLE_IN_SIZE] = (uint8_t)c;
        moved = true;
    }
    __atomic_store_n(index_at(CONSOLE_IN_PROD), prod, __ATOMIC_RELEASE);
    return moved;
}

void console_kick(void)
{
    bool out = pump_out(), in = pump_in();

    if (out || in) {
        event_raise(port);
    }
}

void console_create(void *page, uint32_t event_port)
{
    ring = page;
    port = event_port;
}
