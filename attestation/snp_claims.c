/*
 * A report as JSON: every field under the specification's name in lower case.
 */
#include "snp_evidence.h"

#include <attest/hex.h>

#include <stdio.h>

struct bit_name {
    unsigned int bit;
    const char *name;
};

static const struct bit_name policy_bits[] = {
#define SNP_POLICY_BIT(bit, name) {bit, name},
#include <attest/snp.def>
    {0, NULL},
};

static const struct bit_name platform_bits[] = {
#define SNP_PLATFORM_BIT(bit, name) {bit, name},
#include <attest/snp.def>
    {0, NULL},
};

static void set_hex(json_t *j, const char *key, const uint8_t *p, size_t len)
{
    char buf[129];

    json_object_set_new(j, key, json_string(hex_encode(p, len, buf)));
}

static void set_hex64(json_t *j, const char *key, uint64_t v)
{
    char buf[24];

    snprintf(buf, sizeof(buf), "0x%llx", (unsigned long long)v);
    json_object_set_new(j, key, json_string(buf));
}

static json_t *bits_json(uint64_t v, const struct bit_name *names)
{
    json_t *list = json_array();

    for (; names->name != NULL; names++) {
        if (v >> names->bit & 1) {
            json_array_append_new(list, json_string(names->name));
        }
    }
    return list;
}

/* A product unknown (version 2, unverified) leaves the TCB as a number. */
static void set_tcb(json_t *j, const char *key, enum snp_product p, uint64_t raw)
{
    struct snp_tcb t;
    json_t *o;

    if (p == SNP_PRODUCT_UNKNOWN || snp_tcb_decode(p, raw, key, &t, NULL) != ATTEST_OK) {
        set_hex64(j, key, raw);
        return;
    }
    o = json_pack("{s:i, s:i, s:i, s:i}", "bootloader", t.bootloader, "tee", t.tee, "snp", t.snp,
                  "microcode", t.microcode);
    if (snp_product_has_fmc(p)) {
        json_object_set_new(o, "fmc", json_integer(t.fmc));
    }
    json_object_set_new(j, key, o);
}

static void set_version(json_t *j, const char *key, const struct snp_version *v)
{
    char buf[16];

    snprintf(buf, sizeof(buf), "%u.%u.%u", v->major, v->minor, v->build);
    json_object_set_new(j, key, json_string(buf));
}

static void set_head(json_t *j, const struct snp_report *r, enum snp_product p)
{
    char cpu[24];

    json_object_set_new(j, "version", json_integer(r->version));
    json_object_set_new(j, "product", json_string(snp_product_name(p)));
    if (r->has_cpuid) {
        snprintf(cpu, sizeof(cpu), "%02x/%02x/%02x", r->cpuid_family, r->cpuid_model,
                 r->cpuid_stepping);
        json_object_set_new(j, "cpuid", json_string(cpu));
    }
    json_object_set_new(j, "guest-svn", json_integer(r->guest_svn));
    set_hex64(j, "policy", r->policy);
    json_object_set_new(j, "policy-flags", bits_json(r->policy, policy_bits));
    json_object_set_new(
        j, "policy-abi",
        json_sprintf("%u.%u", (unsigned)(r->policy >> 8 & 0xff), (unsigned)(r->policy & 0xff)));
    json_object_set_new(j, "debug", json_boolean(r->policy >> 19 & 1));
    json_object_set_new(j, "vmpl", json_integer(r->vmpl));
    set_hex64(j, "platform-info", r->platform_info);
    json_object_set_new(j, "platform-flags", bits_json(r->platform_info, platform_bits));
    json_object_set_new(j, "signing-key",
                        json_string(r->signer == SNP_SIGNER_VLEK ? "VLEK" : "VCEK"));
    json_object_set_new(j, "mask-chip-key", json_boolean(r->mask_chip_key));
    json_object_set_new(j, "author-key-en", json_boolean(r->author_key_en));
}

static void set_bytes(json_t *j, const struct snp_report *r)
{
    set_hex(j, "measurement", r->measurement, 48);
    set_hex(j, "report-data", r->report_data, 64);
    set_hex(j, "host-data", r->host_data, 32);
    set_hex(j, "id-key-digest", r->id_key_digest, 48);
    set_hex(j, "author-key-digest", r->author_key_digest, 48);
    set_hex(j, "family-id", r->family_id, 16);
    set_hex(j, "image-id", r->image_id, 16);
    set_hex(j, "report-id", r->report_id, 32);
    set_hex(j, "report-id-ma", r->report_id_ma, 32);
    set_hex(j, "chip-id", r->chip_id, 64);
}

json_t *snp_claims(const void *ev)
{
    const struct snp_evidence *e = ev;
    const struct snp_report *r = &e->report;
    enum snp_product p = e->verified ? e->product : snp_report_product(r);
    json_t *j = json_object();
    char url[SNP_URL_MAX];

    if (j == NULL) {
        return NULL;
    }
    set_head(j, r, p);
    set_bytes(j, r);
    set_tcb(j, "reported-tcb", p, r->reported_tcb);
    set_tcb(j, "current-tcb", p, r->current_tcb);
    set_tcb(j, "committed-tcb", p, r->committed_tcb);
    set_tcb(j, "launch-tcb", p, r->launch_tcb);
    set_version(j, "current-version", &r->current);
    set_version(j, "committed-version", &r->committed);
    if (r->has_mitigations) {
        set_hex64(j, "launch-mit-vector", r->launch_mitigations);
        set_hex64(j, "current-mit-vector", r->current_mitigations);
    }
    if (e->verified && e->vek.csp_id[0] != '\0') {
        json_object_set_new(j, "csp-id", json_string(e->vek.csp_id));
    }
    if (!e->verified && e->blobs > 0) {
        json_object_set_new(j, "certificates", json_integer((json_int_t)e->blobs));
    }
    if (!e->verified && snp_vcek_url(r, p, url, sizeof(url))) {
        json_object_set_new(j, "vcek-url", json_string(url));
    }
    return j;
}
