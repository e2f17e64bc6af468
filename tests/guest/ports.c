/* Every port, read and written: what would end the guest is left out. */
#include "guest.h"

/* COM1 would print, the others would end or reset the domain. */
static bool spared(uint32_t port)
{
    return (port >= 0x3f8 - 3 && port < 0x400) || (port >= 0x600 - 3 && port < 0x603) ||
           (port >= 0xcf9 - 3 && port <= 0xcf9) || (port >= 0x64 - 3 && port <= 0x64);
}

/* Where devices may be, every size; elsewhere the sizes take turns. */
static bool tried(uint32_t port, unsigned int size)
{
    return port < 0x1000 || (port >= 0xc000 && port < 0xc800) || port % 3 == size / 2;
}

static void every_port_can_be_read(void)
{
    unsigned int other = 0;

    for (uint32_t port = 0; port < 0x10000; port++) {
        other += tried(port, 1) && inb_((uint16_t)port) != 0xff;
        other += tried(port, 2) && inw_((uint16_t)port) != 0xffff;
        other += tried(port, 4) && inl_((uint16_t)port) != 0xffffffff;
    }
    expect(other > 10 && other < 3000);
}

static void write_port(uint16_t port, unsigned int size, uint32_t v)
{
    if (!tried(port, size)) {
        return;
    }
    switch (size) {
    case 1: outb_(port, (uint8_t)v); break;
    case 2: outw_(port, (uint16_t)v); break;
    default: outl_(port, v); break;
    }
}

static void every_port_can_be_written(void)
{
    uint64_t seed = 88172645463325252ull;

    for (uint32_t port = 0; port < 0x10000; port++) {
        uint32_t v = (uint32_t)next_random(&seed);

        if (!spared(port)) {
            for (unsigned int size = 1; size <= 4; size *= 2) {
                write_port((uint16_t)port, size, v);
            }
        }
    }
}

static void nothing_is_all_ones_of_its_size(void)
{
    uint64_t rax = ~0ull;

    expect_eq(inb_(0x2ff), 0xff);
    expect_eq(inw_(0x2ff), 0xffff);
    __asm__ volatile("inl %%dx, %%eax" : "+a"(rax) : "d"(0x2f0));
    expect_eq(rax, 0xffffffff); /* the upper half is cleared */
    rax = 0x1122334455667788ull;
    __asm__ volatile("inb %%dx, %%al" : "+a"(rax) : "d"(0x2f0));
    expect_eq(rax, 0x11223344556677ffull); /* and here kept */
    rax = 0x1122334455667788ull;
    __asm__ volatile("inw %%dx, %%ax" : "+a"(rax) : "d"(0x2f0));
    expect_eq(rax, 0x112233445566ffffull);
}

static void accesses_across_the_end_are_ones(void)
{
    expect_eq(inl_(0xffff), 0xffffffff);
    expect_eq(inw_(0xffff), 0xffff);
    outl_(0xffff, 0x12345678);
    expect_eq(inl_(0x3f6), 0xffffffff); /* half COM1, half nothing */
}

static void the_instruction_behind_a_long_one_runs(void)
{
    uint64_t rax = 0;

    /* operand-size prefixes by the dozen: the length is the CPU's word */
    __asm__ volatile(".byte 0x66, 0x66, 0x66, 0x66, 0xe5, 0x80; add $0, %%eax" : "+a"(rax));
    __asm__ volatile(".byte 0x48, 0xe4, 0x80" : "+a"(rax));
    expect(rax <= 0xffff);
}

const struct test tests[] = {
    TEST(nothing_is_all_ones_of_its_size),
    TEST(accesses_across_the_end_are_ones),
    TEST(the_instruction_behind_a_long_one_runs),
    TEST(every_port_can_be_read),
    TEST(every_port_can_be_written),
    TEST_END,
};
