/*
 * Firmware images that lie about themselves: each lie is refused by the field that tells it.
 */
#include "cu.h"

#include <attest/measure_snp.h>
#include <attest/reader.h>

#include <stdio.h>
#include <string.h>

#define SIZE      8192
#define TABLE_END (SIZE - 32)
#define METADATA  0x400 /* from the image's end */

static uint8_t image[SIZE];
static size_t table; /* bytes of entries so far */

static const uint8_t footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                   0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t reset[16] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
                                  0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
static const uint8_t hashes[16] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                                   0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
static const uint8_t metadata[16] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                     0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};

/* Adds an entry below those that are there; its stated length may be a lie. */
static uint8_t *entry(const uint8_t *guid, const void *data, size_t len, size_t stated)
{
    uint8_t *end = image + TABLE_END - 18 - table;

    memcpy(end - 16, guid, 16);
    st16le(end - 18, (uint16_t)stated);
    memcpy(end - 18 - len, data, len);
    table += len + 18;
    st16le(image + TABLE_END - 18, (uint16_t)(table + 18));
    return end - 18 - len;
}

static void entry_u32(const uint8_t *guid, uint32_t a, uint32_t b, size_t len)
{
    uint8_t data[8];

    st32le(data, a);
    st32le(data + 4, b);
    entry(guid, data, len, len + 18);
}

static void section(size_t i, uint32_t gpa, uint32_t size, uint32_t kind)
{
    uint8_t *m = image + SIZE - METADATA;
    uint8_t *s = m + 16 + 12 * i;

    memcpy(m, "ASEV", 4);
    st32le(m + 4, (uint32_t)(16 + 12 * (i + 1)));
    st32le(m + 8, 1);
    st32le(m + 12, (uint32_t)(i + 1));
    st32le(s, gpa);
    st32le(s + 4, size);
    st32le(s + 8, kind);
}

/* A good image: reset block, kernel hashes at 10C00h, sections of memory, CPUID and hashes. */
static void good(void)
{
    memset(image, 0, sizeof(image));
    table = 0;
    memcpy(image + TABLE_END - 16, footer, 16);
    entry_u32(reset, 0x80b004, 0, 4);
    entry_u32(hashes, 0x10c00, 0x400, 8);
    entry_u32(metadata, METADATA, 0, 4);
    section(0, 0x800000, 0x3000, SNP_SECTION_SEC_MEM);
    section(1, 0x803000, 0x1000, SNP_SECTION_CPUID);
    section(2, 0x10000, 0x1000, SNP_SECTION_KERNEL_HASHES);
}

static const struct snp_guest guest = {.mode = SNP_MODE_SNP,
                                       .firmware = image,
                                       .firmware_len = SIZE,
                                       .vcpus = 2,
                                       .guest_features = 1,
                                       .kernel = (const uint8_t *)"kernel",
                                       .kernel_len = 6};

static void refused(enum attest_status st, const char *field)
{
    struct attest_error err = {0};
    uint8_t ld[48];

    CU_ASSERT_EQUAL(snp_guest_measure(&guest, ld, &err), st);
    if (strstr(err.field, field) == NULL) {
        fprintf(stderr, "wanted %s, got %s\n", field, err.field);
        CU_FAIL("another field");
    }
}

static void a_good_image_is_measured(void)
{
    struct snp_firmware fw;
    uint8_t ld[48];

    good();
    CU_ASSERT_EQUAL(snp_firmware_parse(image, SIZE, &fw, NULL), ATTEST_OK);
    CU_ASSERT(fw.has_reset_eip && fw.reset_eip == 0x80b004);
    CU_ASSERT(fw.has_hashes && fw.hashes_gpa == 0x10c00);
    CU_ASSERT_EQUAL(fw.sections, 3);
    CU_ASSERT_EQUAL(snp_guest_measure(&guest, ld, NULL), ATTEST_OK);
}

static void entries_must_lie_inside_the_table(void)
{
    static const size_t stated[] = {0, 1, 17, 200, 0xffff};

    for (size_t i = 0; i < sizeof(stated) / sizeof(stated[0]); i++) {
        good();
        entry(reset, "1234", 4, stated[i]);
        refused(ATTEST_MALFORMED, "GUIDed table entry");
    }
}

static void the_table_must_lie_inside_the_image(void)
{
    good();
    st16le(image + TABLE_END - 18, 0xffff);
    refused(ATTEST_MALFORMED, "GUIDed table length");
    st16le(image + TABLE_END - 18, 17);
    refused(ATTEST_MALFORMED, "GUIDed table length");
    image[TABLE_END - 1] ^= 1;
    refused(ATTEST_UNSUPPORTED, "GUIDed table");
}

static void metadata_must_lie_inside_the_image_and_be_there_once(void)
{
    good();
    entry_u32(metadata, METADATA, 0, 4);
    refused(ATTEST_MALFORMED, "SEV metadata offset");
    memset(image, 0, sizeof(image));
    table = 0;
    memcpy(image + TABLE_END - 16, footer, 16);
    entry_u32(metadata, SIZE + 1, 0, 4);
    refused(ATTEST_MALFORMED, "SEV metadata offset");
    memset(image + TABLE_END - 18 - 22, 0, 4); /* offset 0: at the very end */
    refused(ATTEST_TRUNCATED, "SEV metadata");
}

static void metadata_must_be_of_a_known_form(void)
{
    uint8_t *m = image + SIZE - METADATA;

    good();
    m[0] = 'X';
    refused(ATTEST_UNSUPPORTED, "SEV metadata");
    good();
    st32le(m + 8, 2);
    refused(ATTEST_UNSUPPORTED, "SEV metadata");
    good();
    st32le(m + 12, SNP_SECTIONS_MAX + 1);
    refused(ATTEST_MALFORMED, "SEV metadata");
    good();
    st32le(m + 4, 16 + 12 * 2);
    refused(ATTEST_MALFORMED, "SEV metadata");
    good();
    section(3, 0x900000, 0x1000, 5);
    refused(ATTEST_UNSUPPORTED, "SEV metadata section kind");
}

static void sections_must_be_whole_pages_of_a_sane_size(void)
{
    static const uint32_t bad[][2] = {
        {0x900001, 0x1000}, {0x900000, 0}, {0x900000, 0x1001}, {0x900000, 0x4001000}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        good();
        section(3, bad[i][0], bad[i][1], SNP_SECTION_SEC_MEM);
        refused(ATTEST_MALFORMED, "SEV metadata section");
    }
}

static void the_hash_table_must_lie_inside_its_section(void)
{
    static const uint32_t bad[] = {0xfff0, 0x10fff, 0x10f51, 0x11000};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        good();
        st32le(image + TABLE_END - 18 - 22 - 26, bad[i]);
        refused(ATTEST_MALFORMED, "kernel hashes");
    }
    good();
    st32le(image + TABLE_END - 18 - 22 - 26, 0x10f50); /* the last place that fits */
    CU_ASSERT_EQUAL(snp_guest_measure(&guest, (uint8_t[48]){0}, NULL), ATTEST_OK);
}

static void aps_need_a_reset_block(void)
{
    good();
    image[TABLE_END - 18 - 1] ^= 1; /* the reset block's GUID */
    refused(ATTEST_UNSUPPORTED, "GUIDed table");
}

static const struct cu_test tests[] = {
    CU(a_good_image_is_measured),
    CU(entries_must_lie_inside_the_table),
    CU(the_table_must_lie_inside_the_image),
    CU(metadata_must_lie_inside_the_image_and_be_there_once),
    CU(metadata_must_be_of_a_known_form),
    CU(sections_must_be_whole_pages_of_a_sane_size),
    CU(the_hash_table_must_lie_inside_its_section),
    CU(aps_need_a_reset_block),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_firmware", tests, argc, argv);
}
