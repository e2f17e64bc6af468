/* Two serial ports that remember, and read what a test gives them. The core's locks guard them. */
#include <string.h>

#include "arch/console.h"
#include "arch/timer.h"
#include "fake/fake.h"
#include "hv/check.h"
#include "hv/io.h"

#define PORT_SIZE KiB(512)

static struct {
    uint8_t out[PORT_SIZE + 1];
    size_t len;
} port[2];
static uint8_t input[PORT_SIZE];
static size_t input_len, input_at;
static bool present = true;
static uint64_t wall = 1700000000;
static bool random_fails;
static uint64_t random_state = 1;
static unsigned int msis;

bool uart_init(enum uart u)
{
    return u == UART_CONSOLE || present;
}

/* What does not fit is gone, as on a terminal nobody looks at. */
void uart_write(enum uart u, const void *buf, size_t len)
{
    size_t n = MIN(len, PORT_SIZE - port[u].len);

    memcpy(&port[u].out[port[u].len], buf, n);
    port[u].len += n;
    port[u].out[port[u].len] = 0;
}

size_t uart_read(enum uart u, void *buf, size_t len)
{
    size_t n = MIN(len, input_len - input_at);

    REQUIRE(u == UART_LINK);
    memcpy(buf, &input[input_at], n);
    input_at += n;
    return n;
}

const char *fake_console(void)
{
    return (const char *)port[UART_CONSOLE].out;
}

void fake_console_clear(void)
{
    port[UART_CONSOLE].len = 0;
    port[UART_CONSOLE].out[0] = 0;
}

const uint8_t *fake_link(size_t *len)
{
    *len = port[UART_LINK].len;
    return port[UART_LINK].out;
}

void fake_link_clear(void)
{
    port[UART_LINK].len = 0;
}

void fake_link_input(const void *bytes, size_t len)
{
    if (input_at == input_len) {
        input_at = 0;
        input_len = 0;
    }
    REQUIRE(len <= PORT_SIZE - input_len);
    memcpy(&input[input_len], bytes, len);
    input_len += len;
}

void fake_link_present(bool on)
{
    present = on;
}

uint64_t clock_wall_at_boot(void)
{
    return wall;
}

void fake_wall(uint64_t seconds)
{
    wall = seconds;
}

void fake_fail_random(bool fail)
{
    random_fails = fail;
}

bool random_bytes(void *buf, size_t len)
{
    uint8_t *out = buf;

    for (size_t i = 0; !random_fails && i < len; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(random_state >> 56);
    }
    return !random_fails;
}

unsigned int fake_msis(void)
{
    unsigned int n = msis;

    msis = 0;
    return n;
}

void vm_msi(struct vm *vm, uint64_t address, uint32_t data)
{
    (void)vm;
    (void)address;
    (void)data;
    msis++;
}
