/* MRTD: known answers from an independent computation, and each rule of the metadata. */
#include "attest_file.h"
#include "cu.h"

#include <attest/hex.h>
#include <attest/measure_tdx.h>
#include <attest/reader.h>

#include <stdlib.h>
#include <string.h>

enum { IMAGE = 0x4000, DESCRIPTOR_AT = 0x3000, SECTION_AT = DESCRIPTOR_AT + 16 };

static const struct tdvf_section layout[] = {
    {0x1000, 0x2000, 0xFFFFE000, 0x2000, TDVF_BFV, TDVF_MR_EXTEND},
    {0, 0x800, 0xFFFFC000, 0x1000, TDVF_CFV, TDVF_MR_EXTEND},
    {0, 0, 0x809000, 0x2000, TDVF_TD_HOB, 0},
    {0, 0, 0x100000, 0x10000, TDVF_PERM_MEM, TDVF_PAGE_AUG},
};
enum { SECTIONS = sizeof(layout) / sizeof(layout[0]) };

static void put_section(uint8_t *p, const struct tdvf_section *s)
{
    st32le(p, s->offset);
    st32le(p + 4, s->raw_size);
    st64le(p + 8, s->gpa);
    st64le(p + 16, s->size);
    st32le(p + 24, s->type);
    st32le(p + 28, s->attributes);
}

/* A small firmware: byte i is 7i+3, then the descriptor, then the table that points to it. */
static void make_image(uint8_t fw[IMAGE])
{
    static const uint8_t entry[] = {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                    0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};
    static const uint8_t footer[] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                     0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
    uint8_t *table = fw + IMAGE - 0x20 - 18 - 22;

    for (size_t i = 0; i < IMAGE; i++) {
        fw[i] = (uint8_t)(7 * i + 3);
    }
    memcpy(fw + DESCRIPTOR_AT, "TDVF", 4);
    st32le(fw + DESCRIPTOR_AT + 4, 16 + SECTIONS * 32);
    st32le(fw + DESCRIPTOR_AT + 8, 1);
    st32le(fw + DESCRIPTOR_AT + 12, SECTIONS);
    for (size_t i = 0; i < SECTIONS; i++) {
        put_section(fw + SECTION_AT + 32 * i, &layout[i]);
    }
    st32le(table, IMAGE - DESCRIPTOR_AT);
    st16le(table + 4, 22);
    memcpy(table + 6, entry, 16);
    st16le(table + 22, 18 + 22);
    memcpy(table + 24, footer, 16);
}

static void expect_mrtd(const struct tdvf *t, enum tdx_build_order order, const char *want)
{
    struct tdx_region regions[TDVF_SECTIONS_MAX];
    uint8_t mrtd[MRTD_SIZE];
    char hex[2 * MRTD_SIZE + 1];

    CU_ASSERT_EQUAL_FATAL(tdx_mrtd(regions, tdvf_regions(t, regions), order, mrtd, NULL),
                          ATTEST_OK);
    CU_ASSERT_STRING_EQUAL(hex_encode(mrtd, sizeof(mrtd), hex), want);
}

static void both_orders_give_their_known_answer(void)
{
    uint8_t fw[IMAGE];
    struct tdvf t;

    make_image(fw);
    CU_ASSERT_EQUAL_FATAL(tdvf_parse(fw, sizeof(fw), &t, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(t.sections, SECTIONS);
    expect_mrtd(&t, TDX_ORDER_PAGE,
                "cbc1dce57e5297cc8a7c86dd2a8189196bec58ea141e9cbe"
                "a024653ddea77e7d7e513a353be421c88e975a472eaaa988");
    expect_mrtd(&t, TDX_ORDER_REGION,
                "5b0948fcf3bceae747f4fbe15195c7e12171f1058f31abf0"
                "d3b6ee464c8b860d51876b0126addf5dce7620d48d10f5bd");
}

static void nothing_measured_is_the_digest_of_nothing(void)
{
    static const char empty[] = "38b060a751ac96384cd9327eb1b1e36a21fdb71114be0743"
                                "4c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b";
    const struct tdvf t = {.sections = 0};

    expect_mrtd(&t, TDX_ORDER_PAGE, empty);
}

static void the_older_pointer_is_followed_too(void)
{
    uint8_t fw[IMAGE];
    struct tdvf t;

    make_image(fw);
    memset(fw + IMAGE - 0x20 - 40, 0, 40);
    CU_ASSERT_EQUAL(tdvf_parse(fw, sizeof(fw), &t, NULL), ATTEST_UNSUPPORTED);
    st32le(fw + IMAGE - 0x20, DESCRIPTOR_AT);
    CU_ASSERT_EQUAL(tdvf_parse(fw, sizeof(fw), &t, NULL), ATTEST_OK);
}

static const struct lie {
    size_t at;
    uint32_t value;
    enum attest_status st;
    const char *field;
} lies[] = {
    {DESCRIPTOR_AT + 8, 2, ATTEST_UNSUPPORTED, "version"},
    {DESCRIPTOR_AT + 12, 0, ATTEST_MALFORMED, "number of sections"},
    {DESCRIPTOR_AT + 12, 3, ATTEST_MALFORMED, "number of sections"},
    {DESCRIPTOR_AT + 12, 0x08000001, ATTEST_MALFORMED, "number of sections"},
    {SECTION_AT, 0x3000, ATTEST_MALFORMED, "section contents"},
    {SECTION_AT, 0xFFFFFFFF, ATTEST_MALFORMED, "section contents"},
    {SECTION_AT + 4, 0x3000, ATTEST_MALFORMED, "section contents"},
    {SECTION_AT + 8, 0xFFFFE001, ATTEST_MALFORMED, "section address and size"},
    {SECTION_AT + 16, 0x2001, ATTEST_MALFORMED, "section address and size"},
    {SECTION_AT + 24, 9, ATTEST_UNSUPPORTED, "section type"},
    {SECTION_AT + 28, 4, ATTEST_RESERVED, "section attributes"},
    {SECTION_AT + 32 + 8, 0xFFFFF000, ATTEST_MALFORMED, "section address"},
    {SECTION_AT + 64 + 16, 0, ATTEST_MALFORMED, "section size"},
    /* A terabyte: its pages would be hashed one by one. */
    {SECTION_AT + 64 + 20, 0x100, ATTEST_MALFORMED, "section size"},
};

static void metadata_with_impossible_values_is_refused_by_name(void)
{
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        uint8_t fw[IMAGE];
        struct attest_error err = {0};
        struct tdvf t;

        make_image(fw);
        st32le(fw + lies[i].at, lies[i].value);
        CU_ASSERT_EQUAL(tdvf_parse(fw, sizeof(fw), &t, &err), lies[i].st);
        CU_ASSERT_STRING_EQUAL(err.field, lies[i].field);
    }
}

/* Exact-size copies, so that the sanitizer sees any read before or past the file. */
static void a_cut_firmware_is_refused(void)
{
    uint8_t fw[IMAGE];

    make_image(fw);
    for (size_t keep = 0; keep < 0x1100; keep += 1) {
        uint8_t *cut = malloc(keep == 0 ? 1 : keep);
        struct tdvf t;

        /* The table stays at the end, what it points to is cut off. */
        memcpy(cut, fw + IMAGE - keep, keep);
        CU_ASSERT_NOT_EQUAL(tdvf_parse(cut, keep, &t, NULL), ATTEST_OK);
        free(cut);
    }
}

static void regions_that_are_no_whole_pages_are_refused(void)
{
    static const struct tdx_region bad[] = {
        {.gpa = 1, .size = 0x1000},
        {.gpa = 0, .size = 0x800},
        {.gpa = 0, .size = 0},
        {.gpa = UINT64_C(1) << 52, .size = 0x1000},
        {.gpa = 0x1000, .size = UINT64_C(1) << 52},
        {.gpa = 0, .size = 0x1000, .data_len = 1},
        {.gpa = 0, .size = 0x1000, .data = (const uint8_t *)"", .data_len = 0x1001},
    };
    uint8_t mrtd[MRTD_SIZE];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(tdx_mrtd(&bad[i], 1, TDX_ORDER_PAGE, mrtd, NULL), ATTEST_MALFORMED);
    }
}

static void the_distributions_firmware_can_be_measured(void)
{
    size_t len;
    uint8_t *fw = file_read("/usr/share/ovmf/OVMF.fd", &len);
    struct tdx_region regions[TDVF_SECTIONS_MAX];
    uint8_t page[MRTD_SIZE], region[MRTD_SIZE];
    struct tdvf t;
    size_t n;

    if (fw == NULL) {
        cu_skip(1, "no /usr/share/ovmf/OVMF.fd: no real firmware to measure");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(tdvf_parse(fw, len, &t, NULL), ATTEST_OK);
    CU_ASSERT(t.sections >= 4 && t.section[0].type == TDVF_BFV);
    n = tdvf_regions(&t, regions);
    CU_ASSERT_EQUAL(tdx_mrtd(regions, n, TDX_ORDER_PAGE, page, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(tdx_mrtd(regions, n, TDX_ORDER_REGION, region, NULL), ATTEST_OK);
    CU_ASSERT(memcmp(page, region, sizeof(page)) != 0);
    free(fw);
}

static const struct cu_test tests[] = {
    CU(both_orders_give_their_known_answer),
    CU(nothing_measured_is_the_digest_of_nothing),
    CU(the_older_pointer_is_followed_too),
    CU(metadata_with_impossible_values_is_refused_by_name),
    CU(a_cut_firmware_is_refused),
    CU(regions_that_are_no_whole_pages_are_refused),
    CU(the_distributions_firmware_can_be_measured),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_measure_tdx", tests, argc, argv);
}
