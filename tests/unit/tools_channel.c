/* A guest's channel on the host: lines of any shape, and bytes that never exceed the credit. */
#include "channel.h"
#include "cu.h"

#include <stdlib.h>
#include <string.h>

static unsigned int lines;
static char last[CHANNEL_LINE_MAX + 1];
static size_t last_length;

static void take(void *context, char *text, size_t length)
{
    CU_ASSERT_PTR_EQUAL(context, &lines);
    CU_ASSERT_EQUAL(text[length], '\0');
    memcpy(last, text, length + 1);
    last_length = length;
    lines++;
}

static void feed(struct channel *c, const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length); /* so that a read beyond it is seen */

    memcpy(copy, bytes, length);
    channel_feed(c, copy, length, take, &lines);
    free(copy);
}

static void start(struct channel *c)
{
    memset(c, 0, sizeof(*c));
    lines = 0;
    last_length = 0;
}

static void give(struct channel *c, uint32_t bytes)
{
    const uint8_t payload[4] = {(uint8_t)bytes, (uint8_t)(bytes >> 8), (uint8_t)(bytes >> 16),
                                (uint8_t)(bytes >> 24)};

    channel_credit(c, payload, sizeof(payload));
}

static void a_line_in_any_pieces_is_one_line(void)
{
    static const char text[] = "first\n\nthird\n";
    struct channel c;

    for (size_t piece = 1; piece < sizeof(text); piece++) {
        start(&c);
        for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
            size_t left = sizeof(text) - 1 - at;

            feed(&c, text + at, left < piece ? left : piece);
        }
        CU_ASSERT_EQUAL(lines, 3);
        CU_ASSERT_STRING_EQUAL(last, "third");
        channel_free(&c);
    }
}

static void a_line_may_hold_any_byte_but_its_end(void)
{
    struct channel c;

    start(&c);
    feed(&c, "a\0\xff\rb\n", 6);
    CU_ASSERT_EQUAL(lines, 1);
    CU_ASSERT_EQUAL(last_length, 5);
    CU_ASSERT_EQUAL(memcmp(last, "a\0\xff\rb", 5), 0);
    channel_free(&c);
}

static void the_longest_line_passes_and_a_longer_one_is_dropped_whole(void)
{
    static char text[CHANNEL_LINE_MAX + 2];
    struct channel c;

    memset(text, 'x', sizeof(text));
    start(&c);
    text[CHANNEL_LINE_MAX] = '\n';
    feed(&c, text, CHANNEL_LINE_MAX + 1);
    CU_ASSERT_EQUAL(lines, 1);
    CU_ASSERT_EQUAL(last_length, CHANNEL_LINE_MAX);
    text[CHANNEL_LINE_MAX] = 'x';
    text[CHANNEL_LINE_MAX + 1] = '\n';
    feed(&c, text, sizeof(text));
    CU_ASSERT_EQUAL(lines, 1);
    CU_ASSERT_EQUAL(c.lines_dropped, 1);
    feed(&c, "next\n", 5);
    CU_ASSERT_EQUAL(lines, 2);
    CU_ASSERT_STRING_EQUAL(last, "next");
    channel_free(&c);
}

static void without_credit_nothing_goes_to_the_guest(void)
{
    uint8_t out[16];
    struct channel c;

    start(&c);
    CU_ASSERT(channel_queue(&c, "hello", 5));
    CU_ASSERT_EQUAL(channel_take(&c, out, sizeof(out)), 0);
    give(&c, 3);
    CU_ASSERT_EQUAL(channel_take(&c, out, sizeof(out)), 3);
    CU_ASSERT_EQUAL(memcmp(out, "hel", 3), 0);
    CU_ASSERT_EQUAL(channel_take(&c, out, sizeof(out)), 0);
    give(&c, 100);
    CU_ASSERT_EQUAL(channel_take(&c, out, 1), 1);
    CU_ASSERT_EQUAL(out[0], 'l');
    CU_ASSERT_EQUAL(channel_take(&c, out, sizeof(out)), 1);
    CU_ASSERT_EQUAL(out[0], 'o');
    CU_ASSERT_EQUAL(c.credit, 98);
    channel_free(&c);
}

static void credit_saturates_and_frames_of_another_size_give_none(void)
{
    struct channel c;

    start(&c);
    give(&c, UINT32_MAX);
    give(&c, 5);
    CU_ASSERT_EQUAL(c.credit, UINT32_MAX);
    channel_reset(&c);
    channel_credit(&c, (const uint8_t *)"\1\0\0", 3);
    channel_credit(&c, (const uint8_t *)"\1\0\0\0\0", 5);
    channel_credit(&c, (const uint8_t *)"", 0);
    CU_ASSERT_EQUAL(c.credit, 0);
    channel_free(&c);
}

static void what_does_not_fit_is_not_queued_in_part(void)
{
    static uint8_t bytes[CHANNEL_QUEUE_MAX];
    struct channel c;

    start(&c);
    CU_ASSERT(channel_queue(&c, bytes, sizeof(bytes) - 1));
    CU_ASSERT_FALSE(channel_queue(&c, "ab", 2));
    CU_ASSERT_EQUAL(c.queued, sizeof(bytes) - 1);
    CU_ASSERT(channel_queue(&c, "a", 1));
    CU_ASSERT_FALSE(channel_queue(&c, "b", 1));
    channel_free(&c);
}

static void a_channel_opened_anew_starts_from_nothing(void)
{
    uint8_t out[8];
    struct channel c;

    start(&c);
    feed(&c, "half", 4);
    channel_queue(&c, "old", 3);
    give(&c, 100);
    channel_reset(&c);
    give(&c, 100);
    CU_ASSERT_EQUAL(channel_take(&c, out, sizeof(out)), 0);
    feed(&c, "new\n", 4);
    CU_ASSERT_STRING_EQUAL(last, "new");
    channel_free(&c);
}

static const struct cu_test tests[] = {
    CU(a_line_in_any_pieces_is_one_line),
    CU(a_line_may_hold_any_byte_but_its_end),
    CU(the_longest_line_passes_and_a_longer_one_is_dropped_whole),
    CU(without_credit_nothing_goes_to_the_guest),
    CU(credit_saturates_and_frames_of_another_size_give_none),
    CU(what_does_not_fit_is_not_queued_in_part),
    CU(a_channel_opened_anew_starts_from_nothing),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tools_channel", tests, argc, argv);
}
