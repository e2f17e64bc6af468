/* What the guest agent makes of its broker's bytes. */
#include "cu.h"
#include "reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct reply_lines lines;

/* How many whole lines these bytes bring. */
static unsigned int feed(const void *bytes, size_t length)
{
    const char *p = bytes;
    unsigned int whole = 0;

    for (size_t i = 0; i < length; i++) {
        whole += reply_byte(&lines, p[i]);
    }
    return whole;
}

static void start(void)
{
    memset(&lines, 0, sizeof(lines));
}

static void lines_come_out_of_a_stream_one_by_one(void)
{
    start();
    CU_ASSERT_EQUAL(feed("broker o", 8), 0);
    CU_ASSERT_EQUAL(feed("k\n", 2), 1);
    CU_ASSERT_STRING_EQUAL(reply_of(lines.text), "ok");
    CU_ASSERT_EQUAL(feed("\nx\n", 3), 2);
    CU_ASSERT_PTR_NULL(reply_of(lines.text));
}

static void a_line_that_is_too_long_or_holds_a_nul_is_dropped_whole(void)
{
    static char text[REPLY_LINE_MAX + 2];

    start();
    memset(text, 'a', sizeof(text));
    text[REPLY_LINE_MAX + 1] = '\n';
    CU_ASSERT_EQUAL(feed(text, sizeof(text)), 0);
    CU_ASSERT_EQUAL(feed("broker\0 ok\n", 11), 0);
    CU_ASSERT_EQUAL(feed(text + 1, REPLY_LINE_MAX + 1), 1);
    CU_ASSERT_EQUAL(strlen(lines.text), REPLY_LINE_MAX);
    CU_ASSERT_EQUAL(feed("broker ok\n", 10), 1);
}

static const char *nonce_line(unsigned int digits, const char *rest)
{
    static char line[400];

    memcpy(line, "nonce ", 6);
    for (unsigned int i = 0; i < digits; i++) {
        line[6 + i] = "0123456789abcdef"[i % 16];
    }
    strcpy(line + 6 + digits, rest);
    return line;
}

static void a_nonce_is_64_bytes_and_a_life(void)
{
    uint8_t nonce[REPLY_NONCE];

    CU_ASSERT(reply_nonce(nonce_line(128, " 300"), nonce));
    CU_ASSERT_EQUAL(nonce[0], 0x01);
    CU_ASSERT_EQUAL(nonce[63], 0xef);
    CU_ASSERT(reply_nonce(nonce_line(128, " 1"), nonce));
}

static void anything_else_is_no_nonce(void)
{
    static const char *const rests[] = {"",      " ",      " 0",     " -1",    " 86401", " 300 ",
                                        "  300", " 0x10x", " 300\n", "g 300", "00 300"};
    static const unsigned int digits[] = {0, 1, 126, 127, 129, 130, 256};
    uint8_t nonce[REPLY_NONCE];

    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        CU_ASSERT_FALSE(reply_nonce(nonce_line(128, rests[i]), nonce));
    }
    for (size_t i = 0; i < sizeof(digits) / sizeof(digits[0]); i++) {
        CU_ASSERT_FALSE(reply_nonce(nonce_line(digits[i], " 300"), nonce));
    }
    CU_ASSERT_FALSE(reply_nonce("error no random bytes", nonce));
    CU_ASSERT_FALSE(reply_nonce("", nonce));
}

static void a_secret_is_what_follows_the_word(void)
{
    CU_ASSERT_STRING_EQUAL(reply_secret("secret a.b.c.d.e"), "a.b.c.d.e");
    CU_ASSERT_PTR_NULL(reply_secret("secret "));
    CU_ASSERT_PTR_NULL(reply_secret("secret"));
    CU_ASSERT_PTR_NULL(reply_secret("refused 403 POLICY"));
}

static const struct cu_test tests[] = {
    CU(lines_come_out_of_a_stream_one_by_one),
    CU(a_line_that_is_too_long_or_holds_a_nul_is_dropped_whole),
    CU(a_nonce_is_64_bytes_and_a_life),
    CU(anything_else_is_no_nonce),
    CU(a_secret_is_what_follows_the_word),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("agent_reply", tests, argc, argv);
}
