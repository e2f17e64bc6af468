/* The core's own string functions and formatting, beside the host's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_host.h"
#include "core_names.h"
#include "cu.h"
#include "hv/string.h"

#define ROUNDS 20000

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void random_text(char *text, size_t len, unsigned int letters)
{
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)(1 + (unsigned int)rand() % letters);
    }
    text[len] = '\0';
}

static void comparing_and_finding_agree_with_the_host(void)
{
    char a[40], b[40];

    srand(1);
    for (int i = 0; i < ROUNDS; i++) {
        unsigned int letters = 1 + (unsigned int)rand() % 255;
        size_t n = (size_t)rand() % 40;
        int c = rand() % 300 - 20;

        random_text(a, (size_t)rand() % 39, letters);
        random_text(b, (size_t)rand() % 39, letters);
        CU_ASSERT_EQUAL(hv_strlen(a), strlen(a));
        CU_ASSERT_EQUAL(hv_strnlen(a, n), strnlen(a, n));
        CU_ASSERT_EQUAL(sign(hv_strcmp(a, b)), sign(strcmp(a, b)));
        CU_ASSERT_EQUAL(sign(hv_strncmp(a, b, n)), sign(strncmp(a, b, n)));
        CU_ASSERT_PTR_EQUAL(hv_strchr(a, c), strchr(a, c));
        CU_ASSERT_PTR_EQUAL(hv_strrchr(a, c), strrchr(a, c));
        CU_ASSERT_PTR_EQUAL(hv_memchr(a, c, strlen(a) + 1), memchr(a, c, strlen(a) + 1));
        n = MIN(strlen(a), strlen(b));
        CU_ASSERT_EQUAL(sign(hv_memcmp(a, b, n)), sign(memcmp(a, b, n)));
    }
    CU_ASSERT_PTR_EQUAL(hv_strchr(a, 0), a + strlen(a));
    CU_ASSERT_PTR_EQUAL(hv_strrchr(a, 0), a + strlen(a));
    CU_ASSERT_EQUAL(hv_strcmp("\x80", "\x7f") > 0, true);
}

static void copying_and_moving_agree_with_the_host(void)
{
    static unsigned char mine[600], theirs[600];

    srand(2);
    for (int i = 0; i < ROUNDS; i++) {
        size_t from = (size_t)rand() % 300, to = (size_t)rand() % 300, n = (size_t)rand() % 300;
        int byte = rand();

        for (size_t j = 0; j < 4; j++) {
            mine[rand() % 600] = (unsigned char)rand();
        }
        memcpy(theirs, mine, sizeof(mine));
        switch (rand() % 3) {
        case 0:
            CU_ASSERT_PTR_EQUAL(hv_memmove(mine + to, mine + from, n), mine + to);
            memmove(theirs + to, theirs + from, n);
            break;
        case 1:
            CU_ASSERT_PTR_EQUAL(hv_memset(mine + to, byte, n), mine + to);
            memset(theirs + to, byte, n);
            break;
        default:
            CU_ASSERT_PTR_EQUAL(hv_memcpy(mine + 300 + to % 100, mine + from % 100, n % 200),
                                mine + 300 + to % 100);
            memcpy(theirs + 300 + to % 100, theirs + from % 100, n % 200);
        }
        CU_ASSERT_EQUAL(memcmp(mine, theirs, sizeof(mine)), 0);
    }
}

static void a_copied_string_always_ends_and_says_when_it_was_cut(void)
{
    char to[8];

    CU_ASSERT(str_copy(to, sizeof(to), "seven77"));
    CU_ASSERT_STRING_EQUAL(to, "seven77");
    CU_ASSERT_FALSE(str_copy(to, sizeof(to), "eight888"));
    CU_ASSERT_STRING_EQUAL(to, "eight88");
    CU_ASSERT(str_copy(to, 1, ""));
    CU_ASSERT_FALSE(str_copy(to, 1, "x"));
    CU_ASSERT_STRING_EQUAL(to, "");
}

/* One conversion by both; the format is made of parts, so the compiler cannot check it. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#define BOTH(fmt, ...)                                                                             \
    do {                                                                                           \
        int n_ = hv_snprintf(mine, size, fmt, __VA_ARGS__);                                        \
        int m_ = snprintf(theirs, size, fmt, __VA_ARGS__);                                         \
        CU_ASSERT_EQUAL(n_, m_);                                                                   \
        CU_ASSERT_STRING_EQUAL(mine, theirs);                                                      \
        if (n_ != m_ || strcmp(mine, theirs) != 0) {                                               \
            fprintf(stderr, "%s: \"%s\", not \"%s\"\n", fmt, mine, theirs);                        \
        }                                                                                          \
    } while (0)

static uint64_t random_number(void)
{
    static const uint64_t edges[] = {0, 1, 9, 10, INT32_MAX, (uint64_t)INT32_MIN, UINT32_MAX,
                                     INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
    uint64_t v = (uint64_t)rand() << 62 ^ (uint64_t)rand() << 31 ^ (uint64_t)rand();

    return rand() % 4 == 0 ? edges[rand() % 10] : v >> rand() % 64;
}

static void random_spec(char *spec)
{
    static const char *const flags[] = {"", "-", "0", "-0", "0-"};
    size_t n = (size_t)sprintf(spec, "<%%%s", flags[rand() % 5]);

    if (rand() % 2 == 0) {
        n += (size_t)sprintf(spec + n, "%d", 1 + rand() % 60);
    }
    if (rand() % 2 == 0) {
        n += (size_t)sprintf(spec + n, rand() % 4 == 0 ? "." : ".%d", rand() % 50);
    }
}

static void formatting_agrees_with_the_host_on_a_random_corpus(void)
{
    static char mine[200], theirs[200], spec[40], fmt[64], text[64];

    srand(3);
    for (int i = 0; i < ROUNDS; i++) {
        size_t size = rand() % 3 == 0 ? 1 + (size_t)rand() % 30 : sizeof(mine);
        uint64_t v = random_number();
        const char *letters = "diux";
        int star[5];

        random_spec(spec);
        snprintf(fmt, sizeof(fmt), "%s%c> %%%%", spec, letters[rand() % 4]);
        BOTH(fmt, (int)v);
        snprintf(fmt, sizeof(fmt), "%s%s%c>", spec, rand() % 2 ? "l" : "ll", letters[rand() % 4]);
        BOTH(fmt, (unsigned long)v);
        snprintf(fmt, sizeof(fmt), "%sz%c>", spec, letters[rand() % 2 + 2]);
        BOTH(fmt, (size_t)v);
        random_text(text, (size_t)rand() % 60, 255);
        if (strchr(spec, '0') == NULL) { /* C leaves 0 with these undefined */
            snprintf(fmt, sizeof(fmt), "%ss>", spec);
            BOTH(fmt, text);
            if (strchr(spec, '.') == NULL) {
                snprintf(fmt, sizeof(fmt), "%sc>", spec);
                BOTH(fmt, 'A' + i % 26);
            }
        }
        for (unsigned int j = 0; j < 5; j++) {
            star[j] = rand() % 50 - 20;
        }
        BOTH("%*d|%-*d|%.*s|%*.*u", star[0], (int)v, star[1], 7, star[2], text, star[3], star[4],
             (unsigned int)v);
    }
}

static void a_string_without_an_end_is_read_no_further_than_its_precision(void)
{
    char *text = malloc(5); /* the address sanitizer watches */
    char mine[20];

    memcpy(text, "abcde", 5);
    CU_ASSERT_EQUAL(hv_snprintf(mine, sizeof(mine), "%.5s|%.*s", text, 3, text), 9);
    CU_ASSERT_STRING_EQUAL(mine, "abcde|abc");
    free(text);
}

static void formatting_writes_no_byte_too_many(void)
{
    for (size_t size = 0; size < 12; size++) {
        char *mine = malloc(size + 1);

        mine[size] = 'X';
        CU_ASSERT_EQUAL(hv_snprintf(mine, size, "%s%d", "abcde", 12345), 10);
        CU_ASSERT_EQUAL(mine[size], 'X');
        if (size > 0) {
            CU_ASSERT_EQUAL(strlen(mine), MIN(size - 1, 10));
            CU_ASSERT_EQUAL(strncmp(mine, "abcde12345", size - 1), 0);
        }
        free(mine);
    }
}

static void what_it_does_not_know_is_printed_as_it_stands(void)
{
    const char *odd[] = {"%y", "100%", "%", "%-5", "%l", "%5.3"};
    char mine[20];

    for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
        CU_ASSERT(hv_snprintf(mine, sizeof(mine), odd[i], 1, 2) >= 0);
    }
    hv_snprintf(mine, sizeof(mine), odd[0], 1);
    CU_ASSERT_STRING_EQUAL(mine, "y");
    hv_snprintf(mine, sizeof(mine), "%s", (char *)NULL);
    CU_ASSERT_STRING_EQUAL(mine, "(null)");
    hv_snprintf(mine, sizeof(mine), "%p", (void *)0xabc);
    CU_ASSERT_STRING_EQUAL(mine, "abc");
}

static const struct cu_test tests[] = {
    CU(comparing_and_finding_agree_with_the_host),
    CU(copying_and_moving_agree_with_the_host),
    CU(a_copied_string_always_ends_and_says_when_it_was_cut),
    CU(formatting_agrees_with_the_host_on_a_random_corpus),
    CU(a_string_without_an_end_is_read_no_further_than_its_precision),
    CU(formatting_writes_no_byte_too_many),
    CU(what_it_does_not_know_is_printed_as_it_stands),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_text", tests, argc, argv);
}
