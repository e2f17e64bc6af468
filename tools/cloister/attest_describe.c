#include "attest_describe.h"

#include <attest/hex.h>
#include <attest/measure_snp.h>
#include <attest/measure_tdx.h>
#include <attest/sgx.h>
#include <attest/snp.h>

#include <stdio.h>
#include <string.h>

static const char *section_name(uint32_t kind)
{
    switch (kind) {
    case SNP_SECTION_SEC_MEM:
        return "SNP_SEC_MEM";
    case SNP_SECTION_SECRETS:
        return "SNP_SECRETS";
    case SNP_SECTION_CPUID:
        return "CPUID";
    case SNP_SECTION_SVSM_CAA:
        return "SNP_SVSM_CAA";
    case SNP_SECTION_KERNEL_HASHES:
        return "SNP_KERNEL_HASHES";
    default:
        return "unknown";
    }
}

/* The sections of TDX metadata, where the firmware has it. */
static void add_tdvf(json_t *j, const uint8_t *p, size_t len)
{
    struct tdvf t;
    json_t *list;

    if (tdvf_parse(p, len, &t, NULL) != ATTEST_OK) {
        return;
    }
    list = json_array();
    for (size_t i = 0; i < t.sections; i++) {
        const struct tdvf_section *s = &t.section[i];

        json_array_append_new(
            list, json_sprintf("0x%08llx, 0x%llx bytes: %s%s%s", (unsigned long long)s->gpa,
                               (unsigned long long)s->size, tdvf_type_name(s->type),
                               (s->attributes & TDVF_MR_EXTEND) != 0 ? ", measured" : "",
                               (s->attributes & TDVF_PAGE_AUG) != 0 ? ", added later" : ""));
    }
    json_object_set_new(j, "tdx-sections", list);
}

json_t *describe_firmware(const uint8_t *p, size_t len)
{
    struct snp_firmware fw;
    json_t *sections;
    json_t *j;

    if (snp_firmware_parse(p, len, &fw, NULL) != ATTEST_OK) {
        return NULL;
    }
    j = json_pack("{s:o, s:o}", "size", json_integer((json_int_t)len), "base",
                  json_sprintf("0x%llx", 0x100000000ULL - (unsigned long long)len));
    if (fw.has_reset_eip) {
        json_object_set_new(j, "ap-reset-eip", json_sprintf("0x%x", fw.reset_eip));
    }
    if (fw.has_hashes) {
        json_object_set_new(j, "kernel-hashes", json_sprintf("0x%x", fw.hashes_gpa));
    }
    sections = json_array();
    for (size_t i = 0; i < fw.sections; i++) {
        const struct snp_section *s = &fw.section[i];

        json_array_append_new(sections, json_sprintf("0x%08x, 0x%x bytes: %s", s->gpa, s->size,
                                                     section_name(s->kind)));
    }
    json_object_set_new(j, "sections", sections);
    add_tdvf(j, p, len);
    return j;
}

static void add_hex(json_t *j, const char *key, const uint8_t *p, size_t len)
{
    char hex[129];

    json_object_set_new(j, key, json_string(hex_encode(p, len, hex)));
}

/* The extensions of a VCEK or VLEK, if it is one. */
static void add_vek(json_t *j, struct attest_cert *c)
{
    const struct snp_vek *v;
    char tcb[80];

    if (strncmp(attest_cert_name(c), "SEV-V", 5) != 0 || snp_vek_of(c, &v, NULL) != ATTEST_OK) {
        return;
    }
    json_object_set_new(j, "product", json_string(v->product_name));
    json_object_set_new(j, "tcb", json_string(snp_tcb_text(v->product, &v->tcb, tcb)));
    if (v->hwid_len > 0) {
        add_hex(j, "hwid", v->hwid, v->hwid_len);
    }
    if (v->csp_id[0] != '\0') {
        json_object_set_new(j, "csp-id", json_string(v->csp_id));
    }
}

/* The SGX extension of a PCK certificate, if it is one. */
static void add_pck(json_t *j, const struct attest_cert *c)
{
    struct sgx_pck pck;

    if (sgx_pck_of(c, &pck, NULL) == ATTEST_OK) {
        json_object_set_new(j, "sgx", sgx_pck_claims(&pck));
    }
}

json_t *describe_cert(struct attest_cert *c)
{
    char from[24];
    char until[24];
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "certificate", "subject",
                          attest_cert_name(c), "issuer", attest_cert_issuer(c), "not-before",
                          attest_time_text(attest_cert_not_before(c), from), "not-after",
                          attest_time_text(attest_cert_not_after(c), until));

    if (j != NULL) {
        add_hex(j, "spki-sha256", attest_cert_spki_sha256(c), 32);
        add_vek(j, c);
        add_pck(j, c);
    }
    return j;
}

json_t *describe_crl(const struct attest_crl *c)
{
    char from[24];
    char until[24];

    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "kind", "CRL", "issuer", attest_crl_issuer(c),
                     "this-update", attest_time_text(attest_crl_this_update(c), from),
                     "next-update", attest_time_text(attest_crl_next_update(c), until), "revoked",
                     (json_int_t)attest_crl_count(c));
}

json_t *describe_item(const struct attest_item *item)
{
    char from[24];
    char until[24];
    char line[256] = "";

    item->ops->describe(item->obj, line, sizeof(line));
    return json_pack("{s:s, s:s, s:s, s:s}", "kind", item->ops->kind, "about", line, "issued",
                     item->issued != 0 ? attest_time_text(item->issued, from) : "not stated",
                     "next-update",
                     item->expires != 0 ? attest_time_text(item->expires, until) : "not stated");
}

static json_t *list_all(const struct attest_collateral *c)
{
    const struct attest_item *item;
    struct attest_cert *cert;
    struct attest_crl *crl;
    json_t *list = json_array();

    for (size_t i = 0; (cert = attest_collateral_cert(c, i)) != NULL; i++) {
        json_array_append_new(list, describe_cert(cert));
    }
    for (size_t i = 0; (crl = attest_collateral_crl(c, i)) != NULL; i++) {
        json_array_append_new(list, describe_crl(crl));
    }
    for (size_t i = 0; (item = attest_collateral_item(c, i)) != NULL; i++) {
        json_array_append_new(list, describe_item(item));
    }
    return list;
}

json_t *describe_collateral(const char *name, const uint8_t *p, size_t len,
                            struct attest_error *err)
{
    struct attest_collateral *c = attest_collateral_new();
    enum attest_status st = c == NULL ? attest_no_memory(err, "collateral")
                                      : attest_collateral_add(c, name, p, len, err);
    json_t *j = st == ATTEST_OK ? json_pack("{s:o}", "items", list_all(c)) : NULL;

    attest_collateral_free(c);
    return j;
}
