#include "guest.h"

#include "hv/mmio_map.h"

void print(const char *text)
{
    for (; *text != '\0'; text++) {
        store32(MMIO_UART, (uint8_t)*text);
    }
}

static void print_hex(uint64_t v)
{
    print("0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        char digit[2] = {"0123456789abcdef"[v >> shift & 15], '\0'};

        print(digit);
    }
}

void print_number(const char *what, uint64_t n)
{
    char text[24];
    unsigned int at = sizeof(text) - 1;

    text[at] = '\0';
    do {
        text[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    print(what);
    print(" ");
    print(&text[at]);
    print("\n");
}

void expect(const char *name, uint64_t got, uint64_t wanted)
{
    print(got == wanted ? "ok " : "FAIL ");
    print(name);
    if (got != wanted) {
        print(": ");
        print_hex(got);
    }
    print("\n");
}

#define CALL(instruction)                                                                          \
    register uint64_t r0 __asm__("x0") = x0;                                                       \
    register uint64_t r1 __asm__("x1") = x1;                                                       \
    register uint64_t r2 __asm__("x2") = x2;                                                       \
    register uint64_t r3 __asm__("x3") = x3;                                                       \
    __asm__ volatile(instruction : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3) : : "memory");           \
    return (struct regs){{r0, r1, r2, r3}}

struct regs hvc(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    CALL("hvc #0");
}

struct regs smc(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    CALL("smc #0");
}

void power_off(void)
{
    (void)hvc(0x84000008, 0, 0, 0);
}
