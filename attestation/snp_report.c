/*
 * ATTESTATION_REPORT: 1184 bytes to a struct, with every reserved field checked.
 */
#include <attest/reader.h>
#include <attest/snp.h>

#include <stdio.h>

#define OBJECT "SNP report"

/* Reserved ranges that every version has, and those that a version does not use yet. */
static const struct {
    uint16_t from;
    uint16_t to;
    uint8_t since; /* versions first..last in which the range is reserved */
    uint8_t until;
} reserved[] = {
    {0x04c, 0x050, 2, 5},
    {0x188, 0x18b, 2, 2},
    {0x18b, 0x1a0, 2, 5},
    {0x1eb, 0x1ec, 2, 5},
    {0x1ef, 0x1f0, 2, 5},
    {0x1f8, 0x208, 2, 4},
    {0x208, 0x2a0, 2, 5},
    /* SIGNATURE: R and S have 72 bytes for 48 of a P-384 integer; then the rest of 512. */
    {0x2d0, 0x2e8, 2, 5},
    {0x318, 0x330, 2, 5},
    {0x330, 0x4a0, 2, 5},
};

static enum attest_status check_reserved(const uint8_t *p, uint32_t version,
                                         struct attest_error *err)
{
    char field[48];

    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        uint16_t from = reserved[i].from;
        uint16_t to = reserved[i].to;

        if (version < reserved[i].since || version > reserved[i].until ||
            bytes_are_zero(p + from, (size_t)(to - from))) {
            continue;
        }
        snprintf(field, sizeof(field), "reserved bytes %xh-%xh", from, to - 1);
        return attest_fail(err, ATTEST_RESERVED, OBJECT, field, "0 in version 2 to 5",
                           "not 0 in version %u", version);
    }
    return ATTEST_OK;
}

static void point_fields(const uint8_t *p, struct snp_report *r)
{
    r->raw = p;
    r->family_id = p + 0x10;
    r->image_id = p + 0x20;
    r->report_data = p + 0x50;
    r->measurement = p + 0x90;
    r->host_data = p + 0xc0;
    r->id_key_digest = p + 0xe0;
    r->author_key_digest = p + 0x110;
    r->report_id = p + 0x140;
    r->report_id_ma = p + 0x160;
    r->chip_id = p + 0x1a0;
}

static void load_fields(const uint8_t *p, struct snp_report *r)
{
    r->version = ld32le(p);
    r->guest_svn = ld32le(p + 0x04);
    r->policy = ld64le(p + 0x08);
    r->vmpl = ld32le(p + 0x30);
    r->current_tcb = ld64le(p + 0x38);
    r->platform_info = ld64le(p + 0x40);
    r->author_key_en = (p[0x48] & 1) != 0;
    r->mask_chip_key = (p[0x48] & 2) != 0;
    r->signer = p[0x48] >> 2 & 7;
    r->reported_tcb = ld64le(p + 0x180);
    r->has_cpuid = r->version >= 3;
    r->cpuid_family = p[0x188];
    r->cpuid_model = p[0x189];
    r->cpuid_stepping = p[0x18a];
    r->committed_tcb = ld64le(p + 0x1e0);
    r->current = (struct snp_version){p[0x1ea], p[0x1e9], p[0x1e8]};
    r->committed = (struct snp_version){p[0x1ee], p[0x1ed], p[0x1ec]};
    r->launch_tcb = ld64le(p + 0x1f0);
    r->has_mitigations = r->version >= 5;
    r->launch_mitigations = ld64le(p + 0x1f8);
    r->current_mitigations = ld64le(p + 0x200);
}

static enum attest_status check_values(const uint8_t *p, const struct snp_report *r,
                                       struct attest_error *err)
{
    uint32_t algo = ld32le(p + 0x34);
    uint32_t flags = ld32le(p + 0x48);

    if (algo != 1) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "SIGNATURE_ALGO",
                           "1 (ECDSA P-384 with SHA-384)", "%u", algo);
    }
    if ((flags >> 5) != 0) {
        return attest_fail(err, ATTEST_RESERVED, OBJECT, "flags (48h), bits 31:5", "0", "%x",
                           flags);
    }
    if (r->signer != SNP_SIGNER_VCEK && r->signer != SNP_SIGNER_VLEK) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "SIGNING_KEY", "0 (VCEK) or 1 (VLEK)",
                           "%u%s", r->signer, r->signer == SNP_SIGNER_NONE ? " (unsigned)" : "");
    }
    if (r->vmpl > 3) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "VMPL", "0 to 3", "%u", r->vmpl);
    }
    if ((r->policy >> 17 & 1) != 1 || (r->policy >> 26) != 0) {
        return attest_fail(err, ATTEST_RESERVED, OBJECT, "POLICY", "bit 17 one and bits 63:26 zero",
                           "%llx", (unsigned long long)r->policy);
    }
    return ATTEST_OK;
}

enum attest_status snp_report_parse(const uint8_t *p, size_t len, struct snp_report *out,
                                    struct attest_error *err)
{
    enum attest_status st;

    if (len != SNP_REPORT_SIZE) {
        return attest_fail(err, len < SNP_REPORT_SIZE ? ATTEST_TRUNCATED : ATTEST_TRAILING, OBJECT,
                           "size", "1184 bytes", "%zu", len);
    }
    *out = (struct snp_report){0};
    point_fields(p, out);
    load_fields(p, out);
    if (out->version < 2 || out->version > 5) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "VERSION", "2 to 5", "%u",
                           out->version);
    }
    st = check_values(p, out, err);
    if (st != ATTEST_OK) {
        return st;
    }
    /* Version 4 is read as version 3: what it may have added shows as a reserved field. */
    st = check_reserved(p, out->version, err);
    if (st != ATTEST_OK) {
        return st;
    }
    if (out->has_cpuid && snp_report_product(out) == SNP_PRODUCT_UNKNOWN) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "CPUID_FAM_ID and CPUID_MOD_ID",
                           "a known product", "%02x/%02x", out->cpuid_family, out->cpuid_model);
    }
    return ATTEST_OK;
}

enum snp_product snp_report_product(const struct snp_report *r)
{
    return r->has_cpuid ? snp_product_of_cpu(r->cpuid_family, r->cpuid_model) : SNP_PRODUCT_UNKNOWN;
}
