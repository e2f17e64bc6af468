/*
 * Rubbish for the devices: configuration space, BARs moved onto other ports, registers of the
 * virtio functions in any size and order, queues that lie nowhere, notifications without end.
 */
#include "guest.h"

static uint64_t seed = 0xda3e39cb94b95bdbull;

static void select(unsigned int slot, unsigned int reg)
{
    outl_(0xcf8, 0x80000000u | slot << 11 | (reg & 0xfc));
}

static uint32_t config_read(unsigned int slot, unsigned int reg)
{
    select(slot, reg);
    return inl_(0xcfc);
}

static void config_write(unsigned int slot, unsigned int reg, uint32_t v)
{
    select(slot, reg);
    outl_(0xcfc, v);
}

static unsigned int devices(void)
{
    unsigned int n = 0;

    for (unsigned int slot = 1; slot < 32; slot++) {
        n += (config_read(slot, 0) & 0xffff) == 0x1af4;
    }
    return n;
}

static void the_bus_shows_what_was_asked_for(void)
{
    expect_eq(config_read(0, 8) >> 16, 0x0600); /* a host bridge */
    expect_eq(devices(), option("devices", 0));
    expect_eq(config_read(31, 0), 0xffffffff);
    outl_(0xcf8, 0x81000000);
    expect_eq(inl_(0xcfc), 0xffffffff); /* reserved bits */
    outl_(0xcf8, 0);
    expect_eq(inl_(0xcfc), 0xffffffff); /* not enabled */
}

static void identities_cannot_be_written(void)
{
    for (unsigned int slot = 0; slot <= option("devices", 0); slot++) {
        uint32_t id = config_read(slot, 0), class = config_read(slot, 8);

        config_write(slot, 0, 0x12345678);
        config_write(slot, 8, 0x9abcdef0);
        expect_eq(config_read(slot, 0), id);
        expect_eq(config_read(slot, 8), class);
    }
}

/* Feature negotiation as far as DRIVER_OK, with the queues at random addresses. */
static void start_with_wild_queues(uint16_t base)
{
    for (unsigned int status = 1; status <= 0xf; status = status << 1 | 1) {
        outb_(base + 0x14, (uint8_t)status);
        outl_(base + 8, (uint32_t)next_random(&seed) & 1);
        outl_(base + 12, (uint32_t)next_random(&seed));
    }
    for (uint16_t queue = 0; queue < 8; queue++) {
        outw_(base + 0x16, queue);
        outw_(base + 0x18, (uint16_t)next_random(&seed));
        for (uint16_t reg = 0x20; reg < 0x38; reg += 4) {
            outl_(base + reg, (uint32_t)(next_random(&seed) >> (queue * 8)));
        }
        outw_(base + 0x1a, queue);
        outw_(base + 0x1c, 1);
        outw_(base + 0x44, queue);
    }
}

static uint16_t ports_of(unsigned int slot)
{
    return (uint16_t)(config_read(slot, 0x10) & 0xfffc);
}

static void queues_may_lie_nowhere(void)
{
    for (unsigned int slot = 1; slot <= option("devices", 0); slot++) {
        config_write(slot, 4, 7);
        for (unsigned int round = 0; round < 20; round++) {
            start_with_wild_queues(ports_of(slot));
            outb_(ports_of(slot) + 0x14, 0);
        }
        expect_eq(inb_(ports_of(slot) + 0x14) & 0x0f, 0); /* reset */
    }
}

static void registers_take_any_size_and_order(void)
{
    for (unsigned int slot = 1; slot <= option("devices", 0); slot++) {
        uint16_t base = ports_of(slot);

        for (unsigned int i = 0; i < 3000; i++) {
            uint64_t r = next_random(&seed);
            uint16_t port = (uint16_t)(base + (r & 0xff));

            switch (r >> 8 & 7) {
            case 0: outb_(port, (uint8_t)(r >> 16)); break;
            case 1: outw_(port, (uint16_t)(r >> 16)); break;
            case 2: outl_(port, (uint32_t)(r >> 16)); break;
            case 3: (void)inb_(port); break;
            case 4: (void)inw_(port); break;
            default: (void)inl_(port); break;
            }
        }
        outb_(base + 0x14, 0);
    }
}

static void msix_tables_take_anything(void)
{
    for (unsigned int slot = 1; slot <= option("devices", 0); slot++) {
        uint64_t at = config_read(slot, 0x18) & ~15u;
        volatile uint64_t *table = map(20, at, PTE_P | PTE_W);

        expect(at >= 0xe0000000 && at < 0xf0000000);
        for (unsigned int i = 0; i < 512; i++) {
            table[i] = next_random(&seed);
        }
        for (unsigned int i = 0; i < 64; i++) {
            config_write(slot, 0x40 + i % 48 * 4, (uint32_t)next_random(&seed));
        }
    }
    delay_us(50000);
}

static void bars_move_onto_everything(void)
{
    static const uint32_t places[] = {0x3f8, 0xcf8, 0x600, 0x60, 0, 0xffff, 0xc000, 0xc100,
                                      0xc040, 0x70, 0xff00};

    for (unsigned int slot = 1; slot <= option("devices", 0); slot++) {
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
            config_write(slot, 0x10, places[i]);
            config_write(slot, 0x18, (uint32_t)next_random(&seed));
            config_write(slot, 4, (uint32_t)i);
            config_write(slot, 4, 7);
        }
    }
    say("the console still works");
}

static void configuration_takes_rubbish(void)
{
    for (unsigned int i = 0; i < 20000; i++) {
        uint64_t r = next_random(&seed);

        outl_(0xcf8, (uint32_t)(r >> 32) | 0x80000000u);
        if ((r & 1) != 0) {
            select(r >> 1 & 7, r >> 8 & 0xff);
        }
        switch (r >> 4 & 3) {
        case 0: outb_((uint16_t)(0xcfc + (r >> 6 & 3)), (uint8_t)(r >> 16)); break;
        case 1: outw_((uint16_t)(0xcfc + (r >> 6 & 3)), (uint16_t)(r >> 16)); break;
        case 2: outl_(0xcfc, (uint32_t)(r >> 16)); break;
        default: (void)inl_(0xcfc); break;
        }
    }
    say("and works");
}

const struct test tests[] = {
    TEST(the_bus_shows_what_was_asked_for),
    TEST(identities_cannot_be_written),
    TEST(queues_may_lie_nowhere),
    TEST(registers_take_any_size_and_order),
    TEST(msix_tables_take_anything),
    TEST(bars_move_onto_everything),
    TEST(configuration_takes_rubbish),
    TEST_END,
};
