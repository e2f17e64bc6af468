#include "cu.h"
#include "opts.h"

#include <string.h>

struct target {
    bool flag;
    const char *text;
    struct opt_list list;
    uint32_t count;
    uint64_t size;
};

static const struct opt table[] = {
    {"flag", NULL, "", OPT_FLAG, offsetof(struct target, flag), 0, 0},
    {"text", "T", "", OPT_STRING, offsetof(struct target, text), 0, 0},
    {"list", "L", "", OPT_LIST, offsetof(struct target, list), 0, 0},
    {"count", "N", "", OPT_COUNT, offsetof(struct target, count), 1, 64},
    {"size", "S", "", OPT_SIZE, offsetof(struct target, size), 4096, 1ull << 40},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static const char *words[2];

static int parse(struct target *t, int argc, const char **argv)
{
    memset(t, 0, sizeof(*t));
    return opts_parse(table, t, argc, (char **)argv, words, 2);
}

#define PARSE(t, ...)                                                                              \
    parse(t, (int)(sizeof((const char *[]){"verb", ##__VA_ARGS__}) / sizeof(char *)),              \
          (const char *[]){"verb", ##__VA_ARGS__})

static void values_go_where_the_table_says(void)
{
    struct target t;

    CU_ASSERT_EQUAL(PARSE(&t, "--flag", "one", "--text", "a b", "--count=64", "--size", "2M",
                          "--list", "x", "--list=y"),
                    1);
    CU_ASSERT_TRUE(t.flag);
    CU_ASSERT_STRING_EQUAL(words[0], "one");
    CU_ASSERT_STRING_EQUAL(t.text, "a b");
    CU_ASSERT_EQUAL(t.count, 64);
    CU_ASSERT_EQUAL(t.size, 2u << 20);
    CU_ASSERT_EQUAL(t.list.count, 2);
    CU_ASSERT_STRING_EQUAL(t.list.value[1], "y");
    CU_ASSERT_EQUAL(PARSE(&t, "--text="), 0);
    CU_ASSERT_STRING_EQUAL(t.text, "");
}

static void what_makes_no_sense_is_refused(void)
{
    struct target t;

    CU_ASSERT_EQUAL(PARSE(&t, "--other"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "--fla"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "--flag=1"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "--text"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "--count", "0"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "--count", "65"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "--count", "1x"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "--count", "4294967297"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "--size", "1"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "a", "b", "c"), -1);
    CU_ASSERT_EQUAL(PARSE(&t, "--count", "1", "--help"), -2);
}

static void sizes_are_read_whole_or_not_at_all(void)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},           {"17", 17},           {"1k", 1024},
                {"3G", 3ull << 30}, {"16T", 16ull << 40}, {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {
        "",
        "K",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1KB",
        "1Q",
        "1.5G",
        "0x10",
        "18446744073709551616",
        "16777216T",
        "99999999999999999999999999",
        "1\t",
    };
    uint64_t v;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CU_ASSERT_TRUE(opts_size(good[i].text, &v));
        CU_ASSERT_EQUAL(v, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_FALSE(opts_size(bad[i], &v));
    }
}

static void a_list_has_an_end(void)
{
    struct target t;
    const char *argv[1 + 2 * (OPT_LIST_MAX + 1)] = {"verb"};

    for (unsigned int i = 0; i <= OPT_LIST_MAX; i++) {
        argv[1 + 2 * i] = "--list";
        argv[2 + 2 * i] = "x";
    }
    CU_ASSERT_EQUAL(parse(&t, 1 + 2 * (int)OPT_LIST_MAX, argv), 0);
    CU_ASSERT_EQUAL(parse(&t, 3 + 2 * (int)OPT_LIST_MAX, argv), -1);
}

static const struct cu_test tests[] = {
    CU(values_go_where_the_table_says),
    CU(what_makes_no_sense_is_refused),
    CU(sizes_are_read_whole_or_not_at_all),
    CU(a_list_has_an_end),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tools_opts", tests, argc, argv);
}
