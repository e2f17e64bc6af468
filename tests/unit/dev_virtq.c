/* Split queues: honest use, wrap-around, event indices, and drivers that lie. */
#include <stdio.h>
#include <string.h>

#include "cu.h"
#include "dev_driver.h"

/* Most tests use the console's output queue: it shows what the device has read. */
#define TX0 1

static struct drv d;

static void setup(uint64_t features)
{
    struct device_config cfg = {0};

    drv_probe(&d, drv_vm(DEV_VIRTIO_CONSOLE, &cfg), 1, 0x10000);
    drv_start(&d, features, 6);
    fake_log_clear();
}

static void teardown(void)
{
    fake_vm_free(d.vm);
}

static bool output_is(const char *text)
{
    size_t len;
    const char *out = fake_output(d.vm, STREAM_CONSOLE, &len);
    bool same = len == strlen(text) && memcmp(out, text, len) == 0;

    fake_output_clear(d.vm, STREAM_CONSOLE);
    return same;
}

static struct drv_buf text(const char *s)
{
    struct drv_buf b = {drv_alloc(&d, strlen(s) + 1), (uint32_t)strlen(s), false};

    memcpy(fake_ram(d.vm, b.addr, b.len), s, b.len);
    return b;
}

/* The device stopped, said why in one line, and stays stopped. */
static void expect_broken(const char *why)
{
    uint16_t used = drv_ram16(&d, d.q[TX0].used + 2);

    drv_kick(&d, TX0);
    CU_ASSERT_EQUAL(drv_status(&d), 0x4f);
    CU_ASSERT_EQUAL(fake_log_lines(), 1);
    if (strstr(fake_log_last(), why) == NULL) {
        fprintf(stderr, "expected \"%s\", got \"%s\"\n", why, fake_log_last());
        CU_FAIL("message");
    }
    fake_poll(d.vm);
    drv_kick(&d, TX0);
    CU_ASSERT_EQUAL(fake_log_lines(), 1);
    CU_ASSERT_EQUAL(drv_ram16(&d, d.q[TX0].used + 2), used);
    teardown();
}

static void chains_are_read_in_order(void)
{
    struct drv_buf b[3];
    uint32_t id, len;

    setup(0);
    b[0] = text("one ");
    b[1] = text("");
    b[2] = text("two");
    drv_add(&d, TX0, b, 3);
    b[0] = text(" three");
    drv_add(&d, TX0, b, 1);
    drv_kick(&d, TX0);
    CU_ASSERT(output_is("one two three"));
    CU_ASSERT(drv_used(&d, TX0, &id, &len) && id == 0);
    CU_ASSERT(drv_used(&d, TX0, &id, &len) && id == 3);
    CU_ASSERT_FALSE(drv_used(&d, TX0, &id, &len));
    teardown();
}

/* 16-bit indices wrap after 65536 chains. */
static void indices_wrap_around(uint64_t features)
{
    uint32_t id, len;
    struct drv_buf b;
    unsigned int lost = 0;

    setup(features);
    b = text("x");
    for (unsigned int i = 0; i < 70000; i++) {
        uint16_t head;

        d.q[TX0].next_desc = (uint16_t)(i + i / DRV_QUEUE_SIZE) % DRV_QUEUE_SIZE;
        head = drv_add(&d, TX0, &b, 1);
        drv_kick(&d, TX0);
        if (!drv_used(&d, TX0, &id, &len) || id != head) {
            lost++;
        }
    }
    CU_ASSERT_EQUAL(lost, 0);
    CU_ASSERT_EQUAL(fake_output_total(d.vm, STREAM_CONSOLE), 70000);
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    teardown();
}

static void indices_wrap_around_plain(void)
{
    indices_wrap_around(0);
}

static void indices_wrap_around_with_event_indices(void)
{
    indices_wrap_around(DRV_EVENT_IDX);
}

static void a_full_queue_is_served_at_once(void)
{
    struct drv_buf b;
    uint32_t id, len;
    unsigned int n = 0;

    setup(0);
    b = text("x");
    for (unsigned int i = 0; i < DRV_QUEUE_SIZE; i++) {
        drv_add(&d, TX0, &b, 1);
    }
    drv_kick(&d, TX0);
    while (drv_used(&d, TX0, &id, &len)) {
        n++;
    }
    CU_ASSERT_EQUAL(n, DRV_QUEUE_SIZE);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 1); /* one interrupt for all */
    teardown();
}

static void indirect_tables_are_followed(void)
{
    struct drv_buf b[20]; /* more than would fit twice into the queue itself */

    setup(DRV_INDIRECT);
    for (unsigned int i = 0; i < DRV_QUEUE_SIZE; i++) {
        b[i] = text(i % 2 == 0 ? "a" : "b");
    }
    drv_add_indirect(&d, TX0, b, DRV_QUEUE_SIZE);
    drv_add_indirect(&d, TX0, b, 3);
    drv_kick(&d, TX0);
    CU_ASSERT(output_is("abababababababababa"));
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    teardown();
}

static void a_chain_may_end_in_an_indirect_table(void)
{
    struct drv_queue *q = &d.q[TX0];
    struct drv_buf a, b;
    uint64_t table;

    setup(DRV_INDIRECT);
    a = text("direct ");
    b = text("indirect");
    table = drv_alloc(&d, 16);
    drv_desc(&d, table, 0, b.addr, b.len, 0, 0);
    drv_desc(&d, q->desc, 0, a.addr, a.len, 1, 1);
    drv_desc(&d, q->desc, 1, table, 16, 4, 0);
    drv_avail(&d, TX0, 0);
    drv_kick(&d, TX0);
    CU_ASSERT(output_is("direct indirect"));
    teardown();
}

static void a_driver_that_wants_no_interrupt_gets_none(void)
{
    struct drv_buf b;

    setup(0);
    b = text("x");
    drv_ram_set16(&d, d.q[TX0].avail, 1);
    drv_add(&d, TX0, &b, 1);
    drv_kick(&d, TX0);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 0);
    drv_ram_set16(&d, d.q[TX0].avail, 0);
    drv_add(&d, TX0, &b, 1);
    drv_kick(&d, TX0);
    CU_ASSERT_EQUAL(fake_msis(d.vm), 1);
    teardown();
}

static void event_indices_time_the_interrupt(void)
{
    struct drv_queue *q = &d.q[TX0];
    struct drv_buf b;

    setup(DRV_EVENT_IDX);
    b = text("x");
    drv_ram_set16(&d, q->avail + 4 + 2 * DRV_QUEUE_SIZE, 2); /* used_event: tell after the third */
    for (unsigned int i = 0; i < 4; i++) {
        drv_add(&d, TX0, &b, 1);
        drv_kick(&d, TX0);
        CU_ASSERT_EQUAL(fake_msis(d.vm), i < 2 ? 0 : 1);
    }
    teardown();
}

static void event_indices_ask_for_the_next_kick(void)
{
    struct drv_queue *q = &d.q[TX0];
    struct drv_buf b;

    setup(DRV_EVENT_IDX);
    b = text("x");
    for (uint16_t i = 1; i < 40; i++) {
        drv_add(&d, TX0, &b, 1);
        drv_kick(&d, TX0);
        CU_ASSERT_EQUAL(drv_ram16(&d, q->used + 4 + 8 * DRV_QUEUE_SIZE), i);
    }
    teardown();
}

static void a_kick_without_news_is_harmless(void)
{
    setup(DRV_EVENT_IDX);
    for (unsigned int i = 0; i < 10; i++) {
        drv_kick(&d, TX0);
        drv_kick(&d, 77);
    }
    CU_ASSERT_EQUAL(fake_msis(d.vm), 0);
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    teardown();
}

/* ---- drivers that lie ---- */

static void more_available_than_the_queue_holds(void)
{
    setup(0);
    drv_ram_set16(&d, d.q[TX0].avail + 2, DRV_QUEUE_SIZE + 1);
    expect_broken("more is available");
}

static void an_index_that_runs_backwards(void)
{
    setup(0);
    drv_ram_set16(&d, d.q[TX0].avail + 2, 0xffff);
    expect_broken("more is available");
}

static void a_head_out_of_range(void)
{
    setup(0);
    drv_avail(&d, TX0, DRV_QUEUE_SIZE);
    expect_broken("a head is out of range");
}

static void a_next_out_of_range(void)
{
    setup(0);
    drv_desc(&d, d.q[TX0].desc, 0, 0x20000, 1, 1, DRV_QUEUE_SIZE);
    drv_avail(&d, TX0, 0);
    expect_broken("next is out of range");
}

static void a_chain_that_is_a_circle(void)
{
    setup(0);
    drv_desc(&d, d.q[TX0].desc, 0, 0x20000, 1, 1, 1);
    drv_desc(&d, d.q[TX0].desc, 1, 0x20000, 1, 1, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("longer than the queue");
}

static void a_circle_of_empty_descriptors(void)
{
    setup(0);
    drv_desc(&d, d.q[TX0].desc, 0, 0x20000, 0, 1, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("longer than the queue");
}

static void a_readable_buffer_behind_a_writable_one(void)
{
    setup(0);
    drv_desc(&d, d.q[TX0].desc, 0, 0x20000, 1, 3, 1);
    drv_desc(&d, d.q[TX0].desc, 1, 0x20000, 1, 0, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("readable buffer follows");
}

static void a_buffer_outside_memory(void)
{
    setup(0);
    drv_desc(&d, d.q[TX0].desc, 0, MiB(4) - 1, 2, 0, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("readable buffer is not in shared memory");
}

static void a_buffer_at_the_end_of_the_address_space(void)
{
    setup(0);
    drv_desc(&d, d.q[TX0].desc, 0, UINT64_MAX - 1, 0xffffffff, 0, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("out of the address space");
}

static void a_buffer_in_private_memory(void)
{
    setup(0);
    fake_make_private(d.vm, 0x200000, 0x1000);
    drv_desc(&d, d.q[TX0].desc, 0, 0x1fffff, 2, 0, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("readable buffer is not in shared memory");
}

/* One descriptor and a table of sixteen: seventeen buffers in a queue of sixteen. */
static void a_chain_that_a_table_makes_longer_than_the_queue(void)
{
    setup(DRV_INDIRECT);
    for (unsigned int i = 0; i < DRV_QUEUE_SIZE; i++) {
        drv_desc(&d, 0x20000, i, 0x30000, 1, i + 1 < DRV_QUEUE_SIZE ? 1 : 0, (uint16_t)(i + 1));
    }
    drv_desc(&d, d.q[TX0].desc, 0, 0x30000, 1, 1, 1);
    drv_desc(&d, d.q[TX0].desc, 1, 0x20000, 16 * DRV_QUEUE_SIZE, 4, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("longer than the queue");
}

static void an_indirect_table_that_was_not_negotiated(void)
{
    setup(0);
    drv_desc(&d, d.q[TX0].desc, 0, 0x20000, 16, 4, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("not negotiated");
}

static void an_indirect_table_of_a_bad_size(void)
{
    static const uint32_t sizes[] = {0, 15, 17, 16 * (DRV_QUEUE_SIZE + 1), 0xfffffff0};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        setup(DRV_INDIRECT);
        drv_desc(&d, d.q[TX0].desc, 0, 0x20000, sizes[i], 4, 0);
        drv_avail(&d, TX0, 0);
        expect_broken("bad size");
    }
}

static void an_indirect_table_with_a_successor(void)
{
    setup(DRV_INDIRECT);
    drv_desc(&d, d.q[TX0].desc, 0, 0x20000, 16, 5, 1);
    drv_avail(&d, TX0, 0);
    expect_broken("has a next one");
}

static void an_indirect_table_in_an_indirect_table(void)
{
    setup(DRV_INDIRECT);
    drv_desc(&d, 0x20000, 0, 0x20000, 16, 4, 0);
    drv_desc(&d, d.q[TX0].desc, 0, 0x20000, 16, 4, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("nests");
}

/* The queue's own table, taken as an indirect one: still bounded. */
static void an_indirect_table_that_is_the_queues_own(void)
{
    setup(DRV_INDIRECT);
    drv_desc(&d, d.q[TX0].desc, 0, d.q[TX0].desc, 16, 4, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("nests");
}

static void an_indirect_table_outside_memory(void)
{
    setup(DRV_INDIRECT);
    drv_desc(&d, d.q[TX0].desc, 0, MiB(4), 16, 4, 0);
    drv_avail(&d, TX0, 0);
    expect_broken("descriptor is not in shared memory");
}

static void a_ring_in_memory_that_turned_private(void)
{
    setup(0);
    fake_make_private(d.vm, d.q[TX0].avail & PAGE_MASK, 0x1000);
    drv_kick(&d, TX0);
    CU_ASSERT_EQUAL(drv_status(&d), 0x4f);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_last(), "ring is not in shared memory"));
    teardown();
}

static void rings_outside_memory(void)
{
    setup(0);
    CU_ASSERT(drv_negotiate(&d, DRV_VERSION_1));
    drv_out(&d, 0x16, 2, TX0);
    for (unsigned int reg = 0x20; reg < 0x38; reg += 8) {
        drv_out(&d, reg, 4, 0xfffff000);
        drv_out(&d, reg + 4, 4, 0x000fffff);
    }
    drv_out(&d, 0x1c, 2, 1);
    CU_ASSERT_EQUAL(drv_in(&d, 0x1c, 2), 1);
    drv_out(&d, 0x14, 1, 0xf);
    CU_ASSERT_EQUAL(drv_status(&d), 0x4f);
    teardown();
}

static const struct cu_test tests[] = {
    CU(chains_are_read_in_order),
    CU(indices_wrap_around_plain),
    CU(indices_wrap_around_with_event_indices),
    CU(a_full_queue_is_served_at_once),
    CU(indirect_tables_are_followed),
    CU(a_chain_may_end_in_an_indirect_table),
    CU(a_driver_that_wants_no_interrupt_gets_none),
    CU(event_indices_time_the_interrupt),
    CU(event_indices_ask_for_the_next_kick),
    CU(a_kick_without_news_is_harmless),
    CU(more_available_than_the_queue_holds),
    CU(an_index_that_runs_backwards),
    CU(a_head_out_of_range),
    CU(a_next_out_of_range),
    CU(a_chain_that_is_a_circle),
    CU(a_circle_of_empty_descriptors),
    CU(a_readable_buffer_behind_a_writable_one),
    CU(a_buffer_outside_memory),
    CU(a_buffer_at_the_end_of_the_address_space),
    CU(a_buffer_in_private_memory),
    CU(a_chain_that_a_table_makes_longer_than_the_queue),
    CU(an_indirect_table_that_was_not_negotiated),
    CU(an_indirect_table_of_a_bad_size),
    CU(an_indirect_table_with_a_successor),
    CU(an_indirect_table_in_an_indirect_table),
    CU(an_indirect_table_that_is_the_queues_own),
    CU(an_indirect_table_outside_memory),
    CU(a_ring_in_memory_that_turned_private),
    CU(rings_outside_memory),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_virtq", tests, argc, argv);
}
