/* Registered buffers: every answer that the reference gives, at every alignment and limit. */
#include "abi/abi.h"
#include "guest.h"

#define PAGE 4096u
static uint8_t memory[16 * PAGE] SHARED;

static uint64_t status(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
    struct call_result r = call(number, a, b, c, 0);

    expect(r.status == ABI_OK || (r.value[0] | r.value[1] | r.value[2]) == 0);
    return r.status;
}

static uint64_t add(uint64_t at, uint64_t len, uint64_t flags)
{
    struct call_result r = call(ABI_CALL_BUF_REGISTER, at, len, flags, 0);

    expect_eq(r.status, ABI_OK);
    return r.value[0];
}

static uint64_t take(uint64_t handle)
{
    return status(ABI_CALL_BUF_UNREGISTER, handle, 0, 0);
}

static void every_alignment_is_a_buffer(void)
{
    static const uint64_t granules[] = {1, 2, 8, 64, 512, 4096, 16384};

    for (size_t g = 0; g < ARRAY_SIZE(granules); g++) {
        for (uint64_t i = 0; i < 64; i++) {
            uint64_t at = (uint64_t)memory + i * granules[g] % (8 * PAGE) + i % 2;
            uint64_t len = 1 + granules[g] + i;
            uint64_t h = add(at, len, i % 2);
            struct call_result r = call(ABI_CALL_BUF_QUERY, h, 0, 0, 0);

            expect(r.status == ABI_OK && r.value[0] == at && r.value[1] == len);
            expect_eq(r.value[2], i % 2);
            expect_eq(take(h), ABI_OK);
        }
    }
}

static void ranges_are_checked_first(void)
{
    uint64_t at = (uint64_t)memory;

    expect_eq(status(ABI_CALL_BUF_REGISTER, at, 0, 0), ABI_BAD_ARG);
    expect_eq(status(ABI_CALL_BUF_REGISTER, at, ABI_MAX_BUFFER_BYTES + 1ull, 0), ABI_BAD_ARG);
    expect_eq(status(ABI_CALL_BUF_REGISTER, at, ~0ull, 0), ABI_BAD_ARG);
    expect_eq(status(ABI_CALL_BUF_REGISTER, 1ull << 47, 1, 0), ABI_BAD_ARG);
    expect_eq(status(ABI_CALL_BUF_REGISTER, ~0ull, 1, 0), ABI_BAD_ARG);
    expect_eq(status(ABI_CALL_BUF_REGISTER, 1ull << 47, 0, 2), ABI_BAD_ARG);
    for (unsigned int bit = 1; bit < 64; bit++) {
        expect_eq(status(ABI_CALL_BUF_REGISTER, at, 1, 1ull << bit), ABI_RESERVED_BITS);
    }
    expect_eq(status(ABI_CALL_BUF_QUERY, 0, 0, 0), ABI_BAD_ARG);
    expect_eq(status(ABI_CALL_BUF_QUERY, 1ull << 32, 0, 0), ABI_BAD_ARG);
    expect_eq(status(ABI_CALL_BUF_UNREGISTER, 0, 0, 0), ABI_BAD_ARG);
}

static void only_ram_is_a_buffer(void)
{
    uint64_t end = option("mib", 8) << 20;
    static const uint64_t elsewhere[] = {0xfee00000, RAM_ENDS_BEFORE_DEVICES, 0xfffff000, 1ull << 32,
                                         (1ull << 47) - 1};

    for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
        expect_eq(status(ABI_CALL_BUF_REGISTER, elsewhere[i], 1, 0), ABI_BAD_ADDRESS);
    }
    expect_eq(status(ABI_CALL_BUF_REGISTER, end, 1, 0), ABI_BAD_ADDRESS);
    expect_eq(status(ABI_CALL_BUF_REGISTER, end - 1, 2, 0), ABI_BAD_ADDRESS);
    expect_eq(status(ABI_CALL_BUF_REGISTER, end - 1, ABI_MAX_BUFFER_BYTES, 0), ABI_BAD_ADDRESS);
    if (guest_kind == GUEST_PLAIN) {
        expect_eq(take(add(end - 1, 1, 0)), ABI_OK);
        expect_eq(take(add(0, end, 0)), ABI_OK);
    }
}

/* Of a confidential domain: nor does a range count that is private in part. */
static void only_shared_memory_is_a_buffer(void)
{
    static uint8_t own[64];
    uint64_t at = (uint64_t)memory, end = option("mib", 8) << 20;

    if (guest_kind == GUEST_PLAIN) {
        return;
    }
    own[0] = *(volatile uint8_t *)(end - 1); /* what nobody has touched is private for nobody yet */
    expect_eq(status(ABI_CALL_BUF_REGISTER, (uint64_t)own, sizeof(own), 0), ABI_BAD_ADDRESS);
    expect_eq(status(ABI_CALL_BUF_REGISTER, end - 1, 1, 0), ABI_BAD_ADDRESS);
    expect_eq(status(ABI_CALL_BUF_REGISTER, 0, end, 0), ABI_BAD_ADDRESS);
    expect(convert(&memory[PAGE], false));
    expect_eq(status(ABI_CALL_BUF_REGISTER, at + PAGE, 1, 0), ABI_BAD_ADDRESS);
    expect_eq(status(ABI_CALL_BUF_REGISTER, at, 3 * PAGE, 0), ABI_BAD_ADDRESS);
    expect_eq(take(add(at, PAGE, 0)), ABI_OK);
    expect(convert(memory, false)); /* and what was refused has pinned nothing */
    expect(convert(memory, true) && convert(&memory[PAGE], true));
    expect_eq(take(add(at, 2 * PAGE, 0)), ABI_OK);
}

static void a_registered_page_stays_shared(void)
{
    uint64_t h, other;

    if (guest_kind == GUEST_PLAIN) {
        return;
    }
    h = add((uint64_t)memory + PAGE - 1, 2, 0);
    other = add((uint64_t)memory, 8, 0);
    memory[PAGE] = 77;
    expect(!convert(memory, false) && !convert(&memory[PAGE], false));
    expect(convert(&memory[2 * PAGE], false) && convert(&memory[2 * PAGE], true));
    expect_eq(take(h), ABI_OK);
    expect(!convert(memory, false)); /* the other one is there yet */
    expect_eq(memory[PAGE], 77);
    expect_eq(take(other), ABI_OK);
    expect(convert(memory, false) && convert(memory, true));
    expect(convert(&memory[PAGE], false) && convert(&memory[PAGE], true));
}

static void no_byte_is_in_two_buffers(void)
{
    uint64_t at = (uint64_t)memory + 1000;
    uint64_t h = add(at, 100, 0);

    expect_eq(status(ABI_CALL_BUF_REGISTER, at, 100, 0), ABI_EXISTS);
    expect_eq(status(ABI_CALL_BUF_REGISTER, at + 99, 1, 0), ABI_EXISTS);
    expect_eq(status(ABI_CALL_BUF_REGISTER, at - 10, 11, 0), ABI_EXISTS);
    expect_eq(status(ABI_CALL_BUF_REGISTER, at - 10, 1000, 0), ABI_EXISTS);
    expect_eq(take(add(at - 10, 10, 0)), ABI_OK);
    expect_eq(take(add(at + 100, 10, 0)), ABI_OK);
    expect_eq(take(h), ABI_OK);
}

static void the_limit_holds_and_handles_go_stale(void)
{
    uint64_t h[ABI_MAX_BUFFERS];

    for (uint64_t i = 0; i < ABI_MAX_BUFFERS; i++) {
        h[i] = add((uint64_t)memory + i * 8, 8, 0);
    }
    expect_eq(status(ABI_CALL_BUF_REGISTER, (uint64_t)memory + 4096, 8, 0), ABI_LIMIT);
    for (uint64_t i = 0; i < ABI_MAX_BUFFERS; i++) {
        expect_eq(take(h[i]), ABI_OK);
        expect_eq(take(h[i]), ABI_NOT_FOUND);
        expect_eq(status(ABI_CALL_BUF_QUERY, h[i], 0, 0), ABI_NOT_FOUND);
    }
    for (uint64_t i = 1; i < 2000; i++) { /* none is what it was */
        uint64_t again = add((uint64_t)memory, 8, 0);

        expect(again != h[0]);
        expect_eq(take(again), ABI_OK);
        expect(call(ABI_CALL_BUF_QUERY, i * 977, 0, 0, 0).status == ABI_NOT_FOUND);
    }
}

static void arguments_in_buffers_stay_inside_them(void)
{
    uint64_t at = (uint64_t)memory;
    uint64_t h = add(at, PAGE, 0), ro = add(at + PAGE, PAGE, ABI_BUF_READ_ONLY);

    expect_eq(status(ABI_CALL_TIME_SETUP, ro, 0, 0), ABI_DENIED);
    expect_eq(status(ABI_CALL_TIME_SETUP, h + 64, 0, 0), ABI_NOT_FOUND);
    /* Exits are dear where silicon is modelled: every alignment, not every offset. */
    for (uint64_t offset = 0; offset < 8 * PAGE; offset += guest_kind == GUEST_PLAIN ? 1 : 7) {
        bool good = offset % 8 == 0 && offset + sizeof(struct abi_time) <= PAGE;

        expect_eq(status(ABI_CALL_TIME_SETUP, h, offset, 0), good ? ABI_OK : ABI_BAD_ARG);
    }
    expect_eq(status(ABI_CALL_TIME_SETUP, h, 0x1000000, 0), ABI_BAD_ARG);
    expect_eq(take(h), ABI_OK);
    expect_eq(take(ro), ABI_OK);
}

static void the_time_page_tells_the_time(void)
{
    const struct abi_time *t = (const struct abi_time *)memory;
    uint64_t h = add((uint64_t)memory, sizeof(*t), 0), from, ns;

    memset(memory, 0xff, sizeof(*t));
    expect_eq(status(ABI_CALL_TIME_SETUP, h, 0, 0), ABI_OK);
    expect(t->sequence != 0 && t->sequence % 2 == 0 && t->flags == 1);
    expect((t->reserved[0] | t->reserved[1] | t->reserved[2]) == 0);
    from = counter();
    delay_us(2000);
    ns = counter() - from;
    ns = (t->shift >= 0 ? ns << t->shift : ns >> -t->shift) * t->mul >> 32;
    expect(ns >= 1990000 && ns < 200000000);
    expect(t->wall > 1700000000);
    expect_eq(take(h), ABI_OK);
}

static void what_is_not_built_says_so(void)
{
    uint64_t h = add((uint64_t)memory, PAGE, 0);

    expect_eq(status(ABI_CALL_HOST_EVIDENCE, h, 0, PAGE), ABI_NOT_BUILT);
    expect_eq(status(ABI_CALL_HOST_EVIDENCE, h, 0, 0), ABI_BAD_ARG);
    expect_eq(status(ABI_CALL_VM_CONTROL, h, 0, PAGE), ABI_NO_CALL);
    expect_eq(take(h), ABI_OK);
}

const struct test tests[] = {
    TEST(every_alignment_is_a_buffer),
    TEST(ranges_are_checked_first),
    TEST(only_ram_is_a_buffer),
    TEST(only_shared_memory_is_a_buffer),
    TEST(a_registered_page_stays_shared),
    TEST(no_byte_is_in_two_buffers),
    TEST(the_limit_holds_and_handles_go_stale),
    TEST(arguments_in_buffers_stay_inside_them),
    TEST(the_time_page_tells_the_time),
    TEST(what_is_not_built_says_so),
    TEST_END,
};
