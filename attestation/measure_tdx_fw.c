/* TDVF metadata: what the firmware wants to have in memory when the TD starts. */
#include <attest/measure_tdx.h>

#include <attest/reader.h>

#include <string.h>

#define OBJECT "TDVF"

enum {
    TABLE_END = 0x20,   /* the GUIDed table ends this far before the file's end */
    ENTRY = 18,         /* length u16 and GUID behind each entry's data */
    OLD_POINTER = 0x20, /* an offset from the file's start, in older firmware */
    DESCRIPTOR = 16,
    SECTION = 32,
    ADDED_MAX = 0x10000000 /* 256 MiB at launch: a hostile image must not cost hours of hashing */
};

/* 96b582de-1fb2-45f7-baea-a366c55a082d, the table's footer, as it lies in memory. */
static const uint8_t guid_footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                        0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
/* e47a6535-984a-4798-865e-4685a7bf8ec2: offset of the descriptor from the file's end. */
static const uint8_t guid_metadata[16] = {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                          0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};

const char *tdvf_type_name(uint32_t type)
{
    static const char *const names[] = {"BFV",     "CFV",          "TD_HOB",  "TempMem", "PermMem",
                                        "Payload", "PayloadParam", "TD_INFO", "TDParams"};

    return type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;
}

static enum attest_status bad(const char *field, const char *expected, uint64_t found,
                              struct attest_error *err)
{
    return attest_fail(err, ATTEST_MALFORMED, OBJECT, field, expected, "%#llx",
                       (unsigned long long)found);
}

/* Walks the table from its end; *offset is where the descriptor begins. */
static bool find_in_table(const uint8_t *fw, size_t len, size_t *offset)
{
    const uint8_t *end, *start;
    uint16_t size;

    if (len < TABLE_END + ENTRY || memcmp(fw + len - TABLE_END - 16, guid_footer, 16) != 0) {
        return false;
    }
    end = fw + len - TABLE_END - ENTRY;
    size = ld16le(end);
    if (size < ENTRY || size > len - TABLE_END) {
        return false;
    }
    start = fw + len - TABLE_END - size;
    while (end - start >= ENTRY) {
        uint16_t n = ld16le(end - ENTRY);

        if (n < ENTRY || n > end - start) {
            return false;
        }
        if (memcmp(end - 16, guid_metadata, 16) == 0 && n >= ENTRY + 4) {
            uint32_t back = ld32le(end - n);

            *offset = len - back;
            return back <= len;
        }
        end -= n;
    }
    return false;
}

static bool is_descriptor(const uint8_t *fw, size_t len, size_t offset)
{
    return offset <= len && len - offset >= DESCRIPTOR && memcmp(fw + offset, "TDVF", 4) == 0;
}

static enum attest_status find_descriptor(const uint8_t *fw, size_t len, size_t *offset,
                                          struct attest_error *err)
{
    if (find_in_table(fw, len, offset) && is_descriptor(fw, len, *offset)) {
        return ATTEST_OK;
    }
    if (len >= OLD_POINTER) {
        *offset = ld32le(fw + len - OLD_POINTER);
        if (is_descriptor(fw, len, *offset)) {
            return ATTEST_OK;
        }
    }
    return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "metadata", "firmware for TDs", "none");
}

static enum attest_status check_section(const struct tdvf *t, const struct tdvf_section *s,
                                        struct attest_error *err)
{
    if (tdvf_type_name(s->type) == NULL) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "section type", "0 to 8", "%u",
                           s->type);
    }
    if ((s->attributes & ~(uint32_t)(TDVF_MR_EXTEND | TDVF_PAGE_AUG)) != 0) {
        return attest_fail(err, ATTEST_RESERVED, OBJECT, "section attributes", "0 to 3", "%#x",
                           s->attributes);
    }
    if (s->gpa % TDX_PAGE_SIZE != 0 || s->size % TDX_PAGE_SIZE != 0 ||
        s->size > UINT64_MAX - s->gpa) {
        return bad("section address and size", "whole pages", s->gpa, err);
    }
    if (s->raw_size > s->size || s->offset > t->len || s->raw_size > t->len - s->offset) {
        return bad("section contents", "inside the file and the section", s->raw_size, err);
    }
    if (s->size == 0 && s->type != TDVF_TD_PARAMS) {
        return bad("section size", "at least a page", s->size, err);
    }
    if ((s->attributes & TDVF_PAGE_AUG) == 0 && s->size > ADDED_MAX) {
        return bad("section size", "at most 256 MiB that are added at launch", s->size, err);
    }
    for (size_t i = 0; i < t->sections; i++) {
        const struct tdvf_section *o = &t->section[i];

        if (s->gpa < o->gpa + o->size && o->gpa < s->gpa + s->size) {
            return bad("section address", "one that no other section has", s->gpa, err);
        }
    }
    return ATTEST_OK;
}

static enum attest_status read_sections(struct reader *r, uint32_t count, struct tdvf *out,
                                        struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    while (count-- > 0 && st == ATTEST_OK) {
        struct tdvf_section s;

        if (!rd_u32le(r, &s.offset) || !rd_u32le(r, &s.raw_size) || !rd_u64le(r, &s.gpa) ||
            !rd_u64le(r, &s.size) || !rd_u32le(r, &s.type) || !rd_u32le(r, &s.attributes)) {
            return attest_fail(err, ATTEST_TRUNCATED, OBJECT, "section", NULL, "%zu bytes left",
                               r->left);
        }
        st = check_section(out, &s, err);
        out->section[out->sections] = s;
        out->sections += st == ATTEST_OK;
    }
    return st;
}

enum attest_status tdvf_parse(const uint8_t *fw, size_t len, struct tdvf *out,
                              struct attest_error *err)
{
    size_t offset = 0;
    uint32_t size, version, count;
    struct reader r;
    enum attest_status st = find_descriptor(fw, len, &offset, err);

    memset(out, 0, sizeof(*out));
    out->fw = fw;
    out->len = len;
    if (st != ATTEST_OK) {
        return st;
    }
    size = ld32le(fw + offset + 4);
    version = ld32le(fw + offset + 8);
    count = ld32le(fw + offset + 12);
    if (version != 1) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "version", "1", "%u", version);
    }
    if (count == 0 || count > TDVF_SECTIONS_MAX || size != DESCRIPTOR + count * SECTION) {
        return bad("number of sections", "1 to 64, and the descriptor's length", count, err);
    }
    r = rd_make(fw + offset + DESCRIPTOR, len - offset - DESCRIPTOR);
    return read_sections(&r, count, out, err);
}

size_t tdvf_regions(const struct tdvf *tdvf, struct tdx_region *regions)
{
    size_t n = 0;

    for (size_t i = 0; i < tdvf->sections; i++) {
        const struct tdvf_section *s = &tdvf->section[i];

        if ((s->attributes & TDVF_PAGE_AUG) == 0 && s->size > 0) {
            regions[n++] = (struct tdx_region){
                .gpa = s->gpa,
                .size = s->size,
                .data = s->raw_size > 0 ? tdvf->fw + s->offset : NULL,
                .data_len = s->raw_size,
                .extend = (s->attributes & TDVF_MR_EXTEND) != 0,
            };
        }
    }
    return n;
}
