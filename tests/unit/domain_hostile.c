/* Bundles that break the format below the rules: truncated, overlapping, endless, huge. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"
#include "../lib/fake_vm.h"

static void expect_len(const void *fdt, size_t len, const char *message)
{
    char err[256];

    CU_ASSERT_EQUAL(bundle_try(fdt, len, err), ABI_BAD_FORMAT);
    cu_says(err, message);
}

static void expect(const void *fdt, const char *message)
{
    expect_len(fdt, fdt_totalsize(fdt), message);
}

static void *packed(void)
{
    void *fdt = bundle_good();

    CU_ASSERT_EQUAL(fdt_pack(fdt), 0);
    return fdt;
}

static void a_bundle_truncated_anywhere_is_refused(void)
{
    uint8_t *fdt = packed();
    size_t total = fdt_totalsize(fdt);
    char err[256];

    for (size_t len = 0; len < total; len++) {
        CU_ASSERT_EQUAL(bundle_try(fdt, len, err), ABI_BAD_FORMAT);
        CU_ASSERT_EQUAL(strncmp(err, "bundle: truncated: ", 19), 0);
    }
    CU_ASSERT_EQUAL(bundle_try(fdt, total, err), ABI_OK);
    free(fdt);
}

static void a_bundle_whose_size_lies_is_refused(void)
{
    uint8_t *fdt = packed();
    size_t total = fdt_totalsize(fdt);
    char err[256];

    for (size_t len = 1; len < total; len++) {
        fdt_set_totalsize(fdt, (uint32_t)len);
        CU_ASSERT_EQUAL(bundle_try(fdt, len, err), ABI_BAD_FORMAT);
    }
    free(fdt);
}

/* What opens must also be readable; what does not must say why. ASan watches both. */
static void try_changed(const uint8_t *fdt, size_t total, size_t at, uint8_t byte)
{
    uint8_t *copy = malloc(total);
    struct domain_config d;
    struct bundle b;
    char err[256] = "";

    memcpy(copy, fdt, total);
    copy[at] = byte;
    if (bundle_open(&b, copy, total, err, sizeof(err)) == ABI_OK) {
        bundle_domain(&b, 0, &d);
        CU_ASSERT_STRING_EQUAL(err, "");
    } else {
        CU_ASSERT_STRING_NOT_EQUAL(err, "");
    }
    free(copy);
}

static void any_changed_byte_is_survived(void)
{
    static const uint8_t bytes[] = {0, 1, 2, 3, 4, 9, 0x20, 0x7f, 0x80, 0xff};
    uint8_t *fdt = packed();
    size_t total = fdt_totalsize(fdt);

    for (size_t at = 0; at < total; at++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            try_changed(fdt, total, at, bytes[i]);
        }
    }
    free(fdt);
}

static void what_is_no_device_tree_is_refused(void)
{
    uint8_t *fdt = packed();

    fdt_set_magic(fdt, 0xd00dfeee);
    expect(fdt, "bundle: not a flattened Device Tree");
    fdt_set_magic(fdt, FDT_MAGIC);
    fdt_set_version(fdt, 16);
    expect(fdt, "bundle: version 16, not 17");
    fdt_set_version(fdt, 18);
    expect(fdt, "bundle: version 18, not 17");
    fdt_set_version(fdt, 17);
    fdt_set_last_comp_version(fdt, 18);
    expect(fdt, "bundle: bad header: FDT_ERR_BADVERSION");
    free(fdt);
}

static void a_bundle_at_an_odd_address_is_refused(void)
{
    char *mem = calloc(1, 64);
    struct bundle b;
    char err[64];

    CU_ASSERT_EQUAL(bundle_open(&b, mem + 4, 60, err, sizeof(err)), ABI_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL(err, "bundle: not at an address that is a multiple of 8");
    free(mem);
}

static void blocks_that_overlap_are_refused(void)
{
    const char *message = "bundle: its blocks overlap or are out of order";
    uint8_t *good = packed(), *fdt = packed();
    size_t total = fdt_totalsize(good);

    fdt_set_off_dt_struct(fdt, 0);
    expect(fdt, message);
    memcpy(fdt, good, total);
    fdt_set_off_dt_strings(fdt, fdt_off_dt_struct(fdt));
    expect(fdt, message);
    memcpy(fdt, good, total);
    fdt_set_off_mem_rsvmap(fdt, fdt_off_dt_struct(fdt) - 8);
    expect(fdt, message);
    memcpy(fdt, good, total);
    fdt_set_off_mem_rsvmap(fdt, sizeof(struct fdt_header) - 8);
    expect(fdt, message);
    memcpy(fdt, good, total);
    fdt_set_size_dt_struct(fdt, 0xfffffff0);
    expect(fdt, message);
    memcpy(fdt, good, total);
    fdt_set_off_dt_strings(fdt, 0xfffffff0);
    expect(fdt, message);
    free(good);
    free(fdt);
}

static void memory_reservations_are_refused(void)
{
    uint8_t *fdt = bundle_good();

    CU_ASSERT_EQUAL(fdt_add_mem_rsv(fdt, 0, 4096), 0);
    expect(fdt, "bundle: has memory reservations, which mean nothing here");
    free(fdt);
}

static void a_long_strings_block_is_refused(void)
{
    uint8_t *fdt = malloc(65536);

    memset(fdt, 0, 65536);
    CU_ASSERT_EQUAL(fdt_create_empty_tree(fdt, 65536), 0);
    fdt_set_size_dt_strings(fdt, 4097);
    expect(fdt, "bundle: 4097 bytes of property names, limit 4096");
    free(fdt);
}

/* A structure block made of these words, with an empty string as only property name. */
static void try_words(const uint32_t *words, size_t n, char err[256])
{
    size_t tree = sizeof(struct fdt_header) + 16, strings = tree + 4 * n;
    uint8_t *fdt = calloc(1, strings + 1);
    uint32_t *w = (uint32_t *)(fdt + tree);

    fdt_set_magic(fdt, FDT_MAGIC);
    fdt_set_version(fdt, 17);
    fdt_set_last_comp_version(fdt, 16);
    fdt_set_totalsize(fdt, (uint32_t)strings + 1);
    fdt_set_off_mem_rsvmap(fdt, sizeof(struct fdt_header));
    fdt_set_off_dt_struct(fdt, (uint32_t)tree);
    fdt_set_size_dt_struct(fdt, (uint32_t)(4 * n));
    fdt_set_off_dt_strings(fdt, (uint32_t)strings);
    fdt_set_size_dt_strings(fdt, 1);
    for (size_t i = 0; i < n; i++) {
        w[i] = cpu_to_fdt32(words[i]);
    }
    CU_ASSERT_EQUAL(bundle_try(fdt, strings + 1, err), ABI_BAD_FORMAT);
    free(fdt);
}

static void expect_words(const uint32_t *words, size_t n, const char *message)
{
    char err[256];

    try_words(words, n, err);
    cu_says(err, message);
}
#define EXPECT_WORDS(message, ...)                                                                 \
    do {                                                                                           \
        static const uint32_t words_[] = {__VA_ARGS__};                                            \
        expect_words(words_, ARRAY_SIZE(words_), message);                                         \
    } while (0)

enum { BEGIN = FDT_BEGIN_NODE, END = FDT_END_NODE, PROP = FDT_PROP, NOP = FDT_NOP, FIN = FDT_END };

static void structures_out_of_shape_are_refused(void)
{
    EXPECT_WORDS("bundle: ends inside a node", FIN);
    EXPECT_WORDS("bundle: ends inside a node", BEGIN, 0, FIN);
    EXPECT_WORDS("bundle: a node ends that did not begin", END, FIN);
    EXPECT_WORDS("bundle: more than one root node", BEGIN, 0, END, BEGIN, 0, END, FIN);
    EXPECT_WORDS("bundle: a property outside the head of a node", PROP, 0, 0, FIN);
    EXPECT_WORDS("bundle: a property outside the head of a node", BEGIN, 0, END, PROP, 0, 0, FIN);
    EXPECT_WORDS("bundle: has bytes after its end", BEGIN, 0, END, FIN, 0);
    EXPECT_WORDS("bundle: broken at byte 8 of its structure: FDT_ERR_TRUNCATED", BEGIN, 0);
    EXPECT_WORDS("bundle: broken at byte 8 of its structure: FDT_ERR_BADSTRUCTURE", BEGIN, 0, 7);
    EXPECT_WORDS("bundle: malformed: FDT_ERR_BADSTRUCTURE", BEGIN, 0x61000000, END, FIN);
    EXPECT_WORDS("bundle: a NOP outside the root node", NOP, BEGIN, 0, END, FIN);
    EXPECT_WORDS("bundle: a NOP outside the root node", BEGIN, 0, END, NOP, FIN);
    EXPECT_WORDS("/: unknown property ''", BEGIN, 0, NOP, PROP, 0, 0, NOP, END, FIN);
}

static void a_property_after_a_subnode_is_refused(void)
{
    EXPECT_WORDS("bundle: a property outside the head of a node", BEGIN, 0, BEGIN, 0x61000000, END,
                 PROP, 0, 0, END, FIN);
}

static void a_property_longer_than_the_bundle_is_refused(void)
{
    EXPECT_WORDS("bundle: broken at byte 8 of its structure: FDT_ERR_BADSTRUCTURE", BEGIN, 0, PROP,
                 0x7fffffff, 0, END, FIN);
    EXPECT_WORDS("bundle: malformed: FDT_ERR_BADOFFSET", BEGIN, 0, PROP, 0, 0x1000, END, FIN);
}

/* The sum of such a length and its place wraps: the next tag would be this one, or inside it. */
static void a_property_that_leads_back_to_itself_is_refused(void)
{
    for (uint32_t len = 0xfffffff0; len != 0; len++) {
        const uint32_t words[] = {BEGIN, 0, PROP, len, 0, END, FIN};
        char err[256];

        try_words(words, ARRAY_SIZE(words), err);
        CU_ASSERT_TRUE(strcmp(err, "bundle: a property is longer than the bundle") == 0 ||
                       strcmp(err, "bundle: broken at byte 8 of its structure: "
                                   "FDT_ERR_BADSTRUCTURE") == 0);
    }
}

static void nodes_that_nest_without_end_are_refused(void)
{
    enum { N = 100000 };
    uint32_t *words = malloc(2 * N * sizeof(*words));

    for (size_t i = 0; i < N; i++) {
        words[2 * i] = BEGIN;
        words[2 * i + 1] = i == 0 ? 0 : 0x61000000;
    }
    expect_words(words, 2 * N, "bundle: nodes nest deeper than 8");
    free(words);
}

static void more_tags_than_the_limit_are_refused(void)
{
    enum { N = 1000000 };
    uint32_t *words = malloc(N * sizeof(*words));

    for (size_t i = 0; i < N; i++) {
        words[i] = NOP;
    }
    words[0] = BEGIN;
    words[1] = 0;
    expect_words(words, N, "bundle: more than 32768 nodes and properties");
    free(words);
}

/* The most work that the limits let through: every property scans the whole strings block. */
static void the_worst_bundle_is_refused_in_a_moment(void)
{
    enum { PROPS = 32000, STRINGS = 4096, TREE = 8 + 12 * PROPS + 8, AT = 56 };
    uint8_t *fdt = calloc(1, AT + TREE + STRINGS);
    uint32_t *w = (uint32_t *)(fdt + AT);
    clock_t start = clock();

    fdt_set_magic(fdt, FDT_MAGIC);
    fdt_set_version(fdt, 17);
    fdt_set_last_comp_version(fdt, 16);
    fdt_set_totalsize(fdt, AT + TREE + STRINGS);
    fdt_set_off_mem_rsvmap(fdt, sizeof(struct fdt_header));
    fdt_set_off_dt_struct(fdt, AT);
    fdt_set_size_dt_struct(fdt, TREE);
    fdt_set_off_dt_strings(fdt, AT + TREE);
    fdt_set_size_dt_strings(fdt, STRINGS);
    memset(fdt + AT + TREE, 'a', STRINGS - 1);
    w[0] = cpu_to_fdt32(BEGIN);
    for (size_t i = 0; i < PROPS; i++) {
        w[2 + 3 * i] = cpu_to_fdt32(PROP);
    }
    w[2 + 3 * PROPS] = cpu_to_fdt32(END);
    w[3 + 3 * PROPS] = cpu_to_fdt32(FIN);
    expect(fdt, "/: unknown property 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'");
    CU_ASSERT_TRUE((clock() - start) / CLOCKS_PER_SEC < 2);
    free(fdt);
}

/* Adds n nodes below the parent, and expects the message. */
static void expect_many(const char *parent, unsigned int n, const char *message)
{
    uint8_t *fdt = malloc(65536), *good = bundle_good();
    char name[16];

    CU_ASSERT_EQUAL(fdt_open_into(good, fdt, 65536), 0);
    for (unsigned int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        CU_ASSERT_TRUE(fdt_add_subnode(fdt, bundle_node(fdt, parent), name) > 0);
    }
    expect(fdt, message);
    free(good);
    free(fdt);
}

static void more_nodes_than_the_limits_are_refused(void)
{
    expect_many("/images", 125, "images/n124: data: is missing");
    expect_many("/images", 126, "images: more than 128 nodes");
    expect_many("/domains", 63, "domains/n62: compatible: is missing");
    expect_many("/domains", 64, "domains: more than 64 nodes");
    expect_many("/domains/guest0/devices", 11, "domains/guest0/devices/n10: type: is missing");
    expect_many("/domains/guest0/devices", 12, "domains/guest0/devices: more than 16 nodes");
}

static void a_message_fits_the_room_it_gets(void)
{
    char err[8];
    struct bundle b;
    uint64_t zero[8] = {0};

    memset(err, 'x', sizeof(err));
    CU_ASSERT_EQUAL(bundle_open(&b, zero, sizeof(zero), err, 7), ABI_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL(err, "bundle");
    CU_ASSERT_EQUAL(err[7], 'x');
    CU_ASSERT_EQUAL(bundle_open(&b, zero, sizeof(zero), NULL, 0), ABI_BAD_FORMAT);
}

static const struct cu_test tests[] = {
    CU(a_bundle_truncated_anywhere_is_refused),
    CU(a_bundle_whose_size_lies_is_refused),
    CU(any_changed_byte_is_survived),
    CU(what_is_no_device_tree_is_refused),
    CU(a_bundle_at_an_odd_address_is_refused),
    CU(blocks_that_overlap_are_refused),
    CU(memory_reservations_are_refused),
    CU(a_long_strings_block_is_refused),
    CU(structures_out_of_shape_are_refused),
    CU(a_property_after_a_subnode_is_refused),
    CU(a_property_longer_than_the_bundle_is_refused),
    CU(a_property_that_leads_back_to_itself_is_refused),
    CU(nodes_that_nest_without_end_are_refused),
    CU(more_tags_than_the_limit_are_refused),
    CU(the_worst_bundle_is_refused_in_a_moment),
    CU(more_nodes_than_the_limits_are_refused),
    CU(a_message_fits_the_room_it_gets),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_hostile", tests, argc, argv);
}
