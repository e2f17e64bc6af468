/*
 * Firmware images: the GUIDed table that ends 32 bytes before their end, and the SEV metadata that
 * it points to.
 */
#include <attest/measure_snp.h>
#include <attest/reader.h>

#include <stdio.h>
#include <string.h>

#define OBJECT      "firmware image"
#define TABLE_END   32
#define SECTION_MAX 0x4000000 /* 64 MiB: a hostile image must not cost hours of hashing */
#define ENTRY_FRAME 18        /* length u16 and GUID, behind each entry's data */

/* GUIDs as they lie in memory: the first three fields are little-endian. */
static const uint8_t guid_footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                        0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t guid_sev_info[16] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
                                          0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
static const uint8_t guid_hashes[16] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                                        0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
static const uint8_t guid_metadata[16] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                          0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};
static const uint8_t guid_svsm_info[16] = {0x12, 0xa6, 0x89, 0xa7, 0x97, 0x05, 0x4b, 0x4c,
                                           0xa4, 0x9f, 0xcb, 0xb1, 0xfe, 0x9d, 0x1d, 0xdd};

static enum attest_status parse_section(struct reader *r, struct snp_firmware *out,
                                        struct attest_error *err)
{
    struct snp_section *s = &out->section[out->sections];

    if (!rd_u32le(r, &s->gpa) || !rd_u32le(r, &s->size) || !rd_u32le(r, &s->kind)) {
        return attest_fail(err, ATTEST_TRUNCATED, OBJECT, "SEV metadata section", NULL, NULL);
    }
    if (s->gpa % SNP_PAGE_SIZE != 0 || s->size % SNP_PAGE_SIZE != 0 || s->size == 0 ||
        s->size > SECTION_MAX) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "SEV metadata section",
                           "whole pages, at most 64 MiB", "%x bytes at %x", s->size, s->gpa);
    }
    out->sections++;
    return ATTEST_OK;
}

/* Signature "ASEV", length, version 1, count, then sections of base, size and kind. */
static enum attest_status parse_metadata(struct snp_firmware *out, uint32_t offset,
                                         struct attest_error *err)
{
    struct reader r = rd_make(out->data + out->size - offset, offset);
    enum attest_status st = ATTEST_OK;
    const uint8_t *sig;
    uint32_t len;
    uint32_t version;
    uint32_t count;

    if (!rd_bytes(&r, 4, &sig) || !rd_u32le(&r, &len) || !rd_u32le(&r, &version) ||
        !rd_u32le(&r, &count)) {
        return attest_fail(err, ATTEST_TRUNCATED, OBJECT, "SEV metadata", NULL, NULL);
    }
    if (memcmp(sig, "ASEV", 4) != 0 || version != 1) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "SEV metadata",
                           "signature ASEV, version 1", "version %u", version);
    }
    if (count > SNP_SECTIONS_MAX || len < 16 + 12 * count) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "SEV metadata",
                           "at most 64 sections inside its length", "%u in %u bytes", count, len);
    }
    for (uint32_t i = 0; i < count && st == ATTEST_OK; i++) {
        st = parse_section(&r, out, err);
    }
    return st;
}

static enum attest_status parse_entry(struct snp_firmware *out, const uint8_t *guid,
                                      const uint8_t *data, size_t len, struct attest_error *err)
{
    if (memcmp(guid, guid_sev_info, 16) == 0 && len >= 4) {
        out->has_reset_eip = true;
        out->reset_eip = ld32le(data);
    } else if (memcmp(guid, guid_hashes, 16) == 0 && len >= 8) {
        out->hashes_gpa = ld32le(data);
        out->hashes_size = ld32le(data + 4);
        out->has_hashes = out->hashes_gpa != 0;
    } else if (memcmp(guid, guid_svsm_info, 16) == 0 && len >= 4) {
        out->has_svsm_entry = true;
        out->svsm_entry = ld32le(data);
    } else if (memcmp(guid, guid_metadata, 16) == 0 && len >= 4) {
        uint32_t offset = ld32le(data);

        if (offset > out->size || out->sections != 0) {
            return attest_fail(err, ATTEST_MALFORMED, OBJECT, "SEV metadata offset",
                               "inside the image, once", "%x", offset);
        }
        return parse_metadata(out, offset, err);
    }
    return ATTEST_OK;
}

/* Entries are read backwards: each one's length and GUID lie behind its data. */
static enum attest_status parse_table(struct snp_firmware *out, const uint8_t *table, size_t len,
                                      struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    while (len >= ENTRY_FRAME && st == ATTEST_OK) {
        size_t entry = ld16le(table + len - ENTRY_FRAME);

        if (entry < ENTRY_FRAME || entry > len) {
            return attest_fail(err, ATTEST_MALFORMED, OBJECT, "GUIDed table entry",
                               "a length inside the table", "%zu of %zu", entry, len);
        }
        st = parse_entry(out, table + len - 16, table + len - entry, entry - ENTRY_FRAME, err);
        len -= entry;
    }
    return st;
}

enum attest_status snp_firmware_parse(const uint8_t *p, size_t len, struct snp_firmware *out,
                                      struct attest_error *err)
{
    size_t end = len - TABLE_END;
    size_t table;

    *out = (struct snp_firmware){.data = p, .size = len};
    if (len < TABLE_END + ENTRY_FRAME) {
        return attest_fail(err, ATTEST_TRUNCATED, OBJECT, "size", "at least 50 bytes", "%zu", len);
    }
    if (memcmp(p + end - 16, guid_footer, 16) != 0) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "GUIDed table",
                           "footer 96b582de-1fb2-45f7-baea-a366c55a082d", "another");
    }
    table = ld16le(p + end - ENTRY_FRAME);
    if (table < ENTRY_FRAME || table > end) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "GUIDed table length", "inside the image",
                           "%zu", table);
    }
    return parse_table(out, p + end - table, table - ENTRY_FRAME, err);
}
