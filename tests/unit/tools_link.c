#include "cu.h"
#include "link.h"

#include <stdlib.h>
#include <string.h>

static unsigned int frames;
static struct link_frame last;
static uint8_t payload[LINK_PAYLOAD_MAX];

static void take(void *context, const struct link_frame *frame)
{
    (void)context;
    frames++;
    last = *frame;
    memcpy(payload, frame->payload, frame->length);
}

static void feed(struct link_decoder *d, const void *bytes, size_t length, size_t piece)
{
    const uint8_t *p = bytes;

    while (length > 0) {
        size_t n = piece < length ? piece : length;
        uint8_t *copy = malloc(n); /* so that a read beyond the piece is seen */

        memcpy(copy, p, n);
        link_feed(d, copy, n, take, NULL);
        free(copy);
        p += n;
        length -= n;
    }
}

static void start(struct link_decoder *d)
{
    memset(d, 0, sizeof(*d));
    frames = 0;
}

static void a_frame_survives_any_cut(void)
{
    struct link_decoder d;
    uint8_t bytes[64];
    size_t n = link_encode(bytes, sizeof(bytes), LINK_CHANNEL, 0x1234, "hello", 5);

    CU_ASSERT_EQUAL(n, 13);
    for (size_t piece = 1; piece <= n; piece++) {
        start(&d);
        feed(&d, bytes, n, piece);
        CU_ASSERT_EQUAL(frames, 1);
        CU_ASSERT_EQUAL(last.type, LINK_CHANNEL);
        CU_ASSERT_EQUAL(last.domain, 0x1234);
        CU_ASSERT_EQUAL(last.length, 5);
        CU_ASSERT_EQUAL(memcmp(payload, "hello", 5), 0);
        CU_ASSERT_EQUAL(d.dropped, 0);
    }
}

static void the_longest_and_the_empty_frame_pass(void)
{
    struct link_decoder d;
    static uint8_t bytes[LINK_HEADER + LINK_PAYLOAD_MAX];
    static uint8_t body[LINK_PAYLOAD_MAX];
    size_t n;

    memset(body, 'C', sizeof(body));
    start(&d);
    n = link_encode(bytes, sizeof(bytes), LINK_EVENT, 0, body, sizeof(body));
    CU_ASSERT_EQUAL(n, sizeof(bytes));
    feed(&d, bytes, n, 1000);
    CU_ASSERT_EQUAL(frames, 1);
    CU_ASSERT_EQUAL(last.length, LINK_PAYLOAD_MAX);
    n = link_encode(bytes, sizeof(bytes), LINK_CREDIT, 1, "", 0);
    feed(&d, bytes, n, n);
    CU_ASSERT_EQUAL(frames, 2);
    CU_ASSERT_EQUAL(last.length, 0);
}

static void a_frame_that_is_too_long_is_not_encoded(void)
{
    uint8_t small[12] = {0};

    CU_ASSERT_EQUAL(link_encode(small, sizeof(small), LINK_EVENT, 0, small, 5), 0);
    CU_ASSERT_EQUAL(link_encode(small, sizeof(small), LINK_EVENT, 0, small, 4), 12);
    CU_ASSERT_EQUAL(link_encode(small, 1u << 20, LINK_EVENT, 0, small, LINK_PAYLOAD_MAX + 1), 0);
}

/* Each starts like a frame and breaks one rule; the sound frame behind it must be found. */
static void every_broken_rule_costs_only_its_frame(void)
{
    static const char *const broken[] = {
        "CX\1\0\0\0\0\0",  "CL\0\0\0\0\0\0",     "CL\10\0\0\0\0\0", "CL\1\1\0\0\0\0",
        "CL\1\0\0\0\1\20", "CL\1\0\0\0\377\377", "CCCCCCCC",       "LCLCLCLC",
    };
    uint8_t sound[16];
    size_t n = link_encode(sound, sizeof(sound), LINK_COMMAND, 7, "x", 1);

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct link_decoder d;

        for (size_t piece = 1; piece < 9; piece += 7) {
            start(&d);
            feed(&d, broken[i], 8, piece);
            feed(&d, sound, n, piece);
            CU_ASSERT_EQUAL(frames, 1);
            CU_ASSERT_EQUAL(last.domain, 7);
            CU_ASSERT_EQUAL(d.dropped, 8);
        }
    }
}

static void a_sound_frame_inside_a_broken_header_is_found(void)
{
    struct link_decoder d;
    static const char bytes[] = "CL\1CL\1\0\0\0\1\0x";

    start(&d);
    feed(&d, bytes, sizeof(bytes) - 1, sizeof(bytes));
    CU_ASSERT_EQUAL(frames, 1);
    CU_ASSERT_EQUAL(payload[0], 'x');
    CU_ASSERT_EQUAL(d.dropped, 3);
}

static const struct cu_test tests[] = {
    CU(a_frame_survives_any_cut),
    CU(the_longest_and_the_empty_frame_pass),
    CU(a_frame_that_is_too_long_is_not_encoded),
    CU(every_broken_rule_costs_only_its_frame),
    CU(a_sound_frame_inside_a_broken_header_is_found),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tools_link", tests, argc, argv);
}
